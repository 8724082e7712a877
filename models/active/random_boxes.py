"""Random regions: uniform over every place where one may lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.active.options import MapBox, SelectionOptions
from models.active.sums import integral, least_tissue, starts_touching, window_sums


def select_random(
    tissue: npt.NDArray[np.bool_],
    taken: Sequence[MapBox],
    options: SelectionOptions,
    generator: np.random.Generator,
) -> tuple[list[MapBox], str | None]:
    """Select squares l × l one after another, each uniform over all places that are left.

    A place has at least ``min_tissue`` tissue and overlaps nothing taken or selected. This is the distribution that
    the paper's repeated tries draw from, without their giving up.

    Returns
    -------
    boxes, reason
        The reason is None where ``k`` boxes were found.
    """
    height, width = (min(options.size, side) for side in tissue.shape)
    counts = window_sums(integral(tissue, np.int32), width, height)
    is_free = counts >= least_tissue(options.min_tissue, width * height)
    for box in taken:
        is_free[starts_touching(box, width, height)] = False
    boxes: list[MapBox] = []
    for _ in range(options.k):
        places = np.flatnonzero(is_free)
        if places.size == 0:
            return boxes, f"no place is left for a box with {options.min_tissue:.0%} tissue"
        y, x = divmod(int(places[generator.integers(places.size)]), is_free.shape[1])
        boxes.append(MapBox(x, y, width, height))
        is_free[starts_touching(boxes[-1], width, height)] = False
    return boxes, None
