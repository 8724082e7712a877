"""How much is annotated: the exact union of boxes within tissue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from models.active import MapBox
from models.simulation.slide import Grid, SimulatedSlide, Times


def cells_in(boxes: Iterable[MapBox], shape: tuple[int, int]) -> Grid:
    """Return the union of boxes on a grid of shape (rows, columns); what reaches over its border is cut off."""
    return times_in(boxes, shape) > 0


def times_in(boxes: Iterable[MapBox], shape: tuple[int, int]) -> Times:
    """Return how many boxes hold each cell, up to 255, on a grid of shape (rows, columns)."""
    times = np.zeros(shape, np.uint8)
    for box in boxes:
        held = times[max(box.y, 0) : max(box.y + box.height, 0), max(box.x, 0) : max(box.x + box.width, 0)]
        held[held < 255] += 1
    return times


def annotated_share(slides: Sequence[SimulatedSlide], boxes: Mapping[str, Sequence[MapBox]]) -> float:
    """Return |union of boxes ∩ tissue| / |tissue| over all slides; boxes count once where they overlap.

    Exact to the tissue share of the cells: boxes are whole cells. 0 where there is no tissue.
    """
    covered = whole = 0.0
    for slide in slides:
        area = slide.tissue_area
        whole += float(area.sum())
        covered += float(area[cells_in(boxes.get(slide.key, ()), slide.shape)].sum())
    return covered / whole if whole > 0 else 0.0
