"""Which regions to label next: from a priority map to boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.active.adaptive import select_adaptive
from models.active.options import ScoredBox, Selection, SelectionMethod, SelectionOptions, boxes_of
from models.active.random_boxes import select_random
from models.active.sliding import select_sliding
from models.active.sums import clipped


def select_regions(
    priority: npt.NDArray[np.floating],
    tissue: npt.NDArray[np.bool_],
    taken: Sequence[tuple[int, int, int, int]],
    options: SelectionOptions,
    generator: np.random.Generator,
) -> Selection:
    """Select up to ``options.k`` regions of a map.

    Parameters
    ----------
    priority
        Shape (y, x), finite and not negative, higher means sooner. Outside tissue it counts as zero.
    tissue
        Shape (y, x).
    taken
        (x, y, width, height) in map pixels of whatever must not be proposed again: labelled, proposed, declined. Any
        size; they may overlap each other and reach over the map's border.
    options
        The method and its numbers.
    generator
        Used by ``SelectionMethod.RANDOM`` only; all else is a function of the other arguments.

    Returns
    -------
    Selection
        Boxes in the order in which they were selected: inside the map, disjoint from each other and from ``taken``,
        each with at least ``options.min_tissue`` tissue.

    Raises
    ------
    ValueError
        The maps differ in shape or are empty, or a priority is negative or not finite.
    """
    important = checked_priority(priority, tissue)
    free_of = clipped(taken, tissue.shape)
    match options.method:
        case SelectionMethod.RANDOM:
            boxes, reason = select_random(tissue, free_of, options, generator)
            return Selection(tuple(ScoredBox(box, 0.0) for box in boxes), _shortage(boxes, reason, options))
        case SelectionMethod.ADAPTIVE:
            boxes, reason = select_adaptive(important, tissue, free_of, options)
        case _:
            boxes, reason = select_sliding(important, tissue, free_of, options)
    scored = tuple(
        ScoredBox(box, float(important[box.y : box.y + box.height, box.x : box.x + box.width].mean(dtype=np.float64)))
        for box in boxes
    )
    return Selection(scored, _shortage(boxes, reason, options))


def checked_priority(priority: npt.NDArray[np.floating], tissue: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return the priority inside tissue, as float32.

    Raises
    ------
    ValueError
        The maps differ in shape or are empty, or a priority is negative or not finite.
    """
    if priority.ndim != 2 or priority.shape != tissue.shape or priority.size == 0:
        raise ValueError(f"priority and tissue need one shape (y, x), got {priority.shape} and {tissue.shape}")
    lowest, highest = priority.min(), priority.max()
    if not (lowest >= 0 and highest <= np.finfo(np.float32).max):  # a NaN anywhere makes both NaN
        raise ValueError(f"priorities must be finite and not negative, got {lowest} to {highest}")
    return np.asarray(np.abs(np.multiply(priority, tissue, dtype=np.float32)))  # without −0.0


def _shortage(boxes: Sequence[object], reason: str | None, options: SelectionOptions) -> str | None:
    return None if reason is None else f"{boxes_of(len(boxes), options.k)}: {reason}"
