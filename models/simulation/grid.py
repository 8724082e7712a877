"""From a label plan to cells: what each teaches, and what it is judged on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon
from shapely.affinity import scale

from bridge.annotations import IGNORE_LABEL, ClassScheme, LabelPlan, Part
from bridge.coords import Window
from bridge.raster import PlanRaster
from models.data import TrainingSlide
from models.errors import TrainingDataError

Labels = NDArray[np.uint8]


class LabelRule(Enum):
    """What class a cell teaches."""

    CENTRE = "centre"
    """The paper's, after Liu et al. (2017): positive if the half of it (per side) in the middle holds a positive pixel.
    Of several classes the one with the most pixels there."""
    MAJORITY = "majority"
    """The class with the most pixels in the cell, background included."""


@dataclass(frozen=True, slots=True)
class GridOptions:
    """The cells.

    Parameters
    ----------
    cell_um
        Side of a cell; the paper's 256 pixels of 0.25 µm are 64 µm.
    mpp
        µm per pixel at which cells are looked at and labelled.
    parts
        Pixels of the truth per cell and side; 1 judges a cell by its middle, like the paper.
    rule
        What class a cell teaches.
    min_tissue
        Cells with less tissue are glass (the paper's 1 %).

    Raises
    ------
    ValueError
        A cell is not a whole number of pixels, at least 4, or another number is out of its range.
    """

    cell_um: float = 64.0
    mpp: float = 1.0
    parts: int = 4
    rule: LabelRule = LabelRule.CENTRE
    min_tissue: float = 0.01

    def __post_init__(self) -> None:
        if not self.mpp > 0 or abs(self.cell_um / self.mpp - self.cell_px) > 1e-6 or self.cell_px < 4:
            raise ValueError(f"cells of {self.cell_um:g} µm are no whole pixels of {self.mpp:g} µm: choose others")
        if self.parts < 1 or not 0 <= self.min_tissue <= 1:
            raise ValueError(f"cells need a part and a share of tissue from 0 to 1, got {self}")

    @property
    def cell_px(self) -> int:
        """Side of a cell in pixels."""
        return round(self.cell_um / self.mpp)


def cell_window(slide: TrainingSlide, options: GridOptions) -> Window:
    """Return the slide's cells as a window: one pixel is one cell. The last ones may reach over the slide's border.

    Raises
    ------
    MissingResolutionError
        The slide has no mpp.
    TrainingDataError
        The slide is coarser than the pixels that cells are looked at in.
    """
    downsample = slide.downsample(options.mpp)
    mpp = slide.slide.pyramid.mpp
    if mpp is not None and np.sqrt(mpp[0] * mpp[1]) > options.mpp * 1.01:
        raise TrainingDataError(f"slide {slide.key} has {mpp[0]:g} µm per pixel: cells need at least that mpp")
    return slide.slide.pyramid.window_at(downsample * options.cell_px)


def cell_labels(slide: TrainingSlide, scheme: ClassScheme, cells: Window, options: GridOptions) -> Labels:
    """Return the class of each cell, shape ``cells.shape``; 255 where too little is labelled to tell.

    A cell of a class needs no more than the rule asks for; a background cell must be labelled all over (as far as the
    rule looks). Of classes with equally many pixels the later in the scheme's priority wins.
    """
    raster = PlanRaster(_whole(slide.plan), scheme, cells.downsample / options.cell_px, Part.TRAINING)
    rank = np.array(scheme.labels_by_priority())
    return np.concatenate([_row_labels(raster, cells, row, rank, options) for row in range(cells.height)])


def cell_truth(slide: TrainingSlide, scheme: ClassScheme, cells: Window, options: GridOptions) -> Labels:
    """Return the labels under the middles of the parts of cells, shape ``cells.shape`` × parts; 255 isn't labelled."""
    parts = options.parts
    raster = PlanRaster(_whole(slide.plan), scheme, cells.downsample / parts, Part.TRAINING)
    window = Window(0, 0, cells.width * parts, cells.height * parts, cells.downsample / parts)
    labels = raster.burn(window).labels
    width, height = slide.slide.pyramid.dimensions[0]
    centres = (np.arange(max(window.shape)) + 0.5) * window.downsample
    labels[centres[: window.height] >= height] = IGNORE_LABEL
    labels[:, centres[: window.width] >= width] = IGNORE_LABEL
    return labels


def cell_objects(plan: LabelPlan, cells: Window) -> tuple[tuple[int, Polygon], ...]:
    """Return what is drawn on a slide as (label, polygon) in cell coordinates; each part of a shape is one object."""
    size = 1 / cells.downsample
    return tuple(
        (shape.label, part)
        for shape in plan.shapes
        for part in shapely.get_parts(scale(shape.geometry, size, size, origin=(0, 0))).tolist()
        if isinstance(part, Polygon)
    )


def _whole(plan: LabelPlan) -> LabelPlan:
    """Return the plan with its held-out areas: here whole slides judge."""
    return replace(plan, hold_out=())


def _row_labels(raster: PlanRaster, cells: Window, row: int, rank: NDArray[np.int64], options: GridOptions) -> Labels:
    side = options.cell_px
    labels = raster.burn(Window(0, row * side, cells.width * side, side, cells.downsample / side)).labels
    seen = labels.reshape(side, cells.width, side).transpose(1, 0, 2)
    if options.rule is LabelRule.CENTRE:
        quarter = side // 4
        seen = seen[:, quarter : side - quarter, quarter : side - quarter]
    counts = np.stack([(seen == label).sum(axis=(1, 2)) for label in rank])  # by priority
    is_whole = (seen != IGNORE_LABEL).all(axis=(1, 2))
    found = _most(counts, rank, is_whole, options.rule)
    return found[None].astype(np.uint8)


def _most(
    counts: NDArray[np.int64], rank: NDArray[np.int64], is_whole: NDArray[np.bool_], rule: LabelRule
) -> NDArray[np.int64]:
    """Return each cell's label from its pixels of each label, (labels by priority, cells)."""
    allowed = counts.copy()
    if rule is LabelRule.CENTRE:
        allowed[rank == 0] = 0
    last = len(rank) - 1
    labels = rank[last - allowed[::-1].argmax(axis=0)]
    labels = np.where(allowed.max(axis=0) > 0, labels, 0)
    return np.where((labels == 0) & ~is_whole, IGNORE_LABEL, labels)
