"""A label plan, ready to be burnt tile by tile: what training or validation may see of one slide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations import IGNORE_LABEL, ClassScheme, LabelledShape, LabelPlan, Part
from bridge.coords import Region, Window
from bridge.errors import UnknownPathClassError
from bridge.raster.masks import LabelMask
from bridge.raster.runs import IntArray, expand
from bridge.raster.shape_index import ShapeIndex


class PlanRaster:
    """The labels of one slide for one part of the work, over any window.

    ::

        pixel                           TRAINING                           HOLD_OUT
        in an ignored area              255                                255
        in a held-out area              255                                as below
        outside every held-out area     as below                           255
        in a shape drawn blind          its label                          its label
        in a shape that was predicted   its label                          255
        elsewhere inside an ROI         0                                  0
        elsewhere                       255                                255

    Where shapes overlap the later in the scheme's priority wins; of one class, what was predicted: it must not judge.
    The order of the plan's lists decides nothing. Patch labels are no masks and are not burnt. What of an accepted
    prediction lies outside its ROI, ``build_plan`` has cut off.

    Parameters
    ----------
    plan
        Geometry in level-0 pixels.
    scheme
        The one that the plan's labels mean.
    downsample
        Level-0 pixels per grid pixel and side.
    part
        Training or hold-out.

    Raises
    ------
    UnknownPathClassError
        The plan holds a label that the scheme doesn't have: it was made with another scheme.
    InvalidGeometryError
        An area that can't be repaired.
    """

    def __init__(self, plan: LabelPlan, scheme: ClassScheme, downsample: float, part: Part) -> None:
        shapes = _by_priority(plan.shapes, scheme)
        is_training = part is Part.TRAINING
        ground = [(area, 0) for area in plan.complete]
        lid = [(area, IGNORE_LABEL) for area in (*plan.ignore, *(plan.hold_out if is_training else ()))]
        drawn = [(s.geometry, s.label if s.is_blind or is_training else IGNORE_LABEL) for s in shapes]
        self._names = scheme.names
        self._areas = _labelled_areas(plan, part)
        self._downsample = downsample
        self._shapes = ShapeIndex([*ground, *drawn, *lid], downsample)
        self._held_out = None if is_training else ShapeIndex([(area, 1) for area in plan.hold_out], downsample)

    @property
    def areas(self) -> tuple[BaseGeometry, ...]:
        """Level-0 areas outside of which every pixel is ignored; they may hold ignored pixels too."""
        return self._areas

    @property
    def bounds(self) -> Region | None:
        """The smallest region that holds all of ``areas``; None where nothing is labelled."""
        if not self._areas:
            return None
        return Region.from_bounds(*shapely.total_bounds(np.array(self._areas, dtype=object)))

    def tiles(self, tile_px: int) -> Iterator[Window]:
        """Yield the tiles of the global grid that a labelled area touches, row by row; each pixel at most once.

        All are ``tile_px`` grid pixels wide and high and start at multiples of it; they may reach off the slide.
        """
        size = tile_px * self._downsample
        tree = shapely.STRtree(self._areas)
        bounds = shapely.bounds(np.array(self._areas, dtype=object)).reshape(-1, 4)
        # Rows and columns that areas reach, not all within the bounds of all: a few far apart have millions between.
        first, last = np.floor(bounds[:, :2] / size).astype(np.int64), np.ceil(bounds[:, 2:] / size).astype(np.int64)
        for row in _covered(first[:, 1], last[:, 1]).tolist():
            in_row = (first[:, 1] <= row) & (row < last[:, 1])
            columns = _covered(first[in_row, 0], last[in_row, 0])
            boxes = shapely.box(columns * size, row * size, (columns + 1) * size, (row + 1) * size)
            touched, _ = tree.query(boxes, predicate="intersects")
            for column in columns[np.unique(touched)].tolist():
                yield Window(column * tile_px, row * tile_px, tile_px, tile_px, self._downsample)

    def burn(self, window: Window) -> LabelMask:
        """Return the labels under a window; it may reach off the slide, where all is ignored.

        Raises
        ------
        ValueError
            The window lies on the grid of another downsample.
        """
        labels = self._shapes.burn(window, fill=IGNORE_LABEL)
        if self._held_out is not None:
            labels[self._held_out.burn(window) == 0] = IGNORE_LABEL
        return LabelMask(labels, window, self._names)


def _covered(first: IntArray, stop: IntArray) -> IntArray:
    """Return the numbers that lie in any of some ranges, each once, rising."""
    return np.unique(expand(first, stop - first))


def _by_priority(shapes: Sequence[LabelledShape], scheme: ClassScheme) -> list[LabelledShape]:
    rank = {label: position for position, label in enumerate(scheme.labels_by_priority())}
    for shape in shapes:
        if shape.label not in rank:
            raise UnknownPathClassError(f"label {shape.label}", scheme.names)
    return sorted(shapes, key=lambda shape: (rank[shape.label], not shape.is_blind))


def _labelled_areas(plan: LabelPlan, part: Part) -> tuple[BaseGeometry, ...]:
    if part is Part.HOLD_OUT:
        return tuple(area for area in plan.hold_out if not area.is_empty)
    areas = (*plan.complete, *(shape.geometry for shape in plan.shapes))
    return tuple(area for area in areas if not area.is_empty)
