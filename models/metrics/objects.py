"""Were the objects found, one by one? Each true object is matched with one predicted object at most, and back.

The rule: a pair can match when its IoU is at least ``least_iou``; of all one-to-one matchings one with the most pairs
is taken (a maximum bipartite matching). Above 0.5 no object has two partners to choose from, and there is but one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

LEAST_IOU = 0.5
_ROUNDING = 1e-9  # an IoU of exactly 0.5 mustn't depend on the last bit of an area


@dataclass(frozen=True, slots=True)
class ObjectCounts:
    """Objects found, missed, and seen where there is none; adding two gives those of both.

    Parameters
    ----------
    found
        True objects that were matched.
    missed
        True objects that were not.
    spurious
        Predicted objects that matched none.
    """

    found: int = 0
    missed: int = 0
    spurious: int = 0

    def __add__(self, other: ObjectCounts) -> ObjectCounts:
        return ObjectCounts(self.found + other.found, self.missed + other.missed, self.spurious + other.spurious)

    @property
    def sensitivity(self) -> float:
        """Share of the true objects that were found; NaN without any."""
        return _ratio(self.found, self.found + self.missed)

    @property
    def precision(self) -> float:
        """Share of the predicted objects that are some; NaN without any."""
        return _ratio(self.found, self.found + self.spurious)

    @property
    def f1(self) -> float:
        """``2 found / (2 found + missed + spurious)``; NaN without any object."""
        return _ratio(2 * self.found, 2 * self.found + self.missed + self.spurious)


def match_objects(
    truth: Sequence[BaseGeometry], predicted: Sequence[BaseGeometry], *, least_iou: float = LEAST_IOU
) -> list[tuple[int, int]]:
    """Return the pairs (place in ``truth``, place in ``predicted``) of a largest one-to-one matching.

    Parameters
    ----------
    truth, predicted
        Valid areas in one frame; those of one list don't overlap each other.
    least_iou
        Above 0, at most 1.

    Raises
    ------
    ValueError
        ``least_iou`` is out of its range.
    """
    if not 0 < least_iou <= 1:
        raise ValueError(f"objects match from an IoU above 0 and at most 1, not {least_iou}")
    rows, columns = _candidates(truth, predicted, least_iou)
    if not rows.size:
        return []
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    graph = csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(len(truth), len(predicted)))
    partner = maximum_bipartite_matching(graph, perm_type="column")
    return [(int(row), int(column)) for row, column in enumerate(partner) if column >= 0]


def count_objects(
    truth: Sequence[BaseGeometry],
    predicted: Sequence[BaseGeometry],
    *,
    least_iou: float = LEAST_IOU,
    least_area: float = 0.0,
) -> ObjectCounts:
    """Match objects and count them.

    Parameters
    ----------
    least_area
        Predicted objects that are smaller are left out, as they are when predictions are written. True objects that are
        smaller are nothing to be missed, and finding one is neither right nor wrong.

    Raises
    ------
    ValueError
        As `match_objects`.
    """
    kept = [area for area in predicted if area.area >= least_area]
    counts = np.array([area.area >= least_area for area in truth], dtype=bool)
    pairs = match_objects(truth, kept, least_iou=least_iou)
    found = sum(bool(counts[row]) for row, _ in pairs)
    return ObjectCounts(found, int(counts.sum()) - found, len(kept) - len(pairs))


def _candidates(
    truth: Sequence[BaseGeometry], predicted: Sequence[BaseGeometry], least_iou: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which pairs overlap enough, by row."""
    first, second = np.array(truth, dtype=object), np.array(predicted, dtype=object)
    if not first.size or not second.size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    rows, columns = shapely.STRtree(second).query(first)
    areas = shapely.area(first)[rows], shapely.area(second)[columns]
    # No IoU is above the ratio of the areas: thousands of specks in one large outline are not cut out of it.
    alike = np.minimum(*areas) >= least_iou * np.maximum(*areas) * (1 - _ROUNDING)
    rows, columns = rows[alike], columns[alike]
    shared = shapely.area(shapely.intersection(first[rows], second[columns]))
    joint = areas[0][alike] + areas[1][alike] - shared
    enough = (shared > 0) & (shared >= least_iou * joint * (1 - _ROUNDING))
    return rows[enough], columns[enough]


def _ratio(above: int, below: int) -> float:
    return above / below if below else float("nan")
