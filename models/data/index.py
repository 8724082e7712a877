"""Where each class is labelled on a slide: positions on a coarse raster, no pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.annotations import IGNORE_LABEL, ClassScheme, LabelPlan, Part
from bridge.coords import Region, Window
from bridge.raster import PlanRaster, ShapeIndex
from models.data.slides import TrainingSlide

_BLOCK_PX = 1024  # raster pixels per burn: bounds memory
_MOST_POSITIONS = 50_000  # per class and slide; more say nothing new

Positions = NDArray[np.int64]  # (n, 2), (x, y) in pixels of the working grid


@dataclass(frozen=True, eq=False)
class SlideIndex:
    """Where one slide is labelled.

    Parameters
    ----------
    slide_key
        The slide.
    extent
        The whole slide on its working grid.
    positions
        Label → (n, 2) positions, (x, y) in working pixels. Labels that are nowhere are left out.
    pixel_counts
        Label → labelled pixels of the working grid, about.
    fresh
        As ``positions``, within the plan's emphasis areas.
    areas
        (n, 4) float64: bounds of the labelled areas in working pixels.
    """

    slide_key: str
    extent: Window
    positions: Mapping[int, Positions]
    pixel_counts: Mapping[int, int]
    fresh: Mapping[int, Positions]
    areas: NDArray[np.float64]


def index_slide(
    slide: TrainingSlide, scheme: ClassScheme, mpp: float, part: Part = Part.TRAINING, *, index_px: int = 4
) -> SlideIndex:
    """Find where each class is labelled.

    Parameters
    ----------
    slide
        With its plan.
    scheme
        What the labels mean.
    mpp
        Working µm per pixel.
    part
        Whose labels.
    index_px
        Working pixels per pixel and side of the raster that is searched. A class too thin to show there is searched
        for on the working grid.

    Raises
    ------
    MissingResolutionError
        The slide has no mpp.
    """
    downsample = slide.downsample(mpp)
    extent = slide.slide.pyramid.window_at(downsample)
    coarse = PlanRaster(slide.plan, scheme, downsample * index_px, part)
    found = _search(coarse, coarse.tiles(_BLOCK_PX), index_px, extent)
    thin = {shape.label for shape in slide.plan.shapes} - found.keys()
    if thin:
        fine = PlanRaster(slide.plan, scheme, downsample, part)
        windows = _windows_of(slide.plan, thin, downsample)
        found |= {label: points for label, points in _search(fine, windows, 1, extent).items() if label in thin}
    return SlideIndex(
        slide_key=slide.key,
        extent=extent,
        positions={label: _thinned(points) for label, points in sorted(found.items())},
        pixel_counts={k: len(points) * (1 if k in thin else index_px**2) for k, points in sorted(found.items())},
        fresh=_fresh(slide.plan, coarse, downsample * index_px, index_px, extent),
        areas=_bounds(coarse.areas) / downsample,
    )


def _search(
    raster: PlanRaster,
    windows: Iterable[Window],
    index_px: int,
    extent: Window,
    within: ShapeIndex | None = None,
) -> dict[int, Positions]:
    """Return per label the centres of the raster's pixels that carry it, in working pixels, inside the slide."""
    pieces: dict[int, list[Positions]] = {}
    for window in windows:
        labels = raster.burn(window).labels
        if within is not None:
            labels = np.where(within.burn(window) > 0, labels, np.uint8(IGNORE_LABEL))
        for label in np.flatnonzero(np.bincount(labels.ravel(), minlength=256)[:IGNORE_LABEL]).tolist():
            pieces.setdefault(label, []).append(_centres(labels == label, window, index_px, extent))
    joined = {label: np.concatenate(parts) for label, parts in pieces.items()}
    return {label: points for label, points in joined.items() if len(points)}


def _centres(mask: NDArray[np.bool_], window: Window, index_px: int, extent: Window) -> Positions:
    rows, columns = np.nonzero(mask)
    points = np.column_stack((columns + window.x, rows + window.y)) * index_px + index_px // 2
    x, y = points[:, 0], points[:, 1]
    inside = (x >= extent.x) & (x < extent.right) & (y >= extent.y) & (y < extent.bottom)
    return np.asarray(points[inside], dtype=np.int64)


def _fresh(
    plan: LabelPlan, raster: PlanRaster, downsample: float, index_px: int, extent: Window
) -> dict[int, Positions]:
    if not plan.emphasis:
        return {}
    emphasis = ShapeIndex([(area, 1) for area in plan.emphasis], downsample)
    windows = {window: None for area in plan.emphasis for window in _cut(area, downsample)}
    found = _search(raster, windows, index_px, extent, emphasis)
    return {label: _thinned(points) for label, points in sorted(found.items())}


def _windows_of(plan: LabelPlan, labels: set[int], downsample: float) -> Iterator[Window]:
    for shape in plan.shapes:
        if shape.label in labels:
            yield from _cut(shape.geometry, downsample)


def _cut(area: BaseGeometry, downsample: float) -> Iterator[Window]:
    """Yield windows of one fixed lattice that hold the area's bounds, so that those of two areas are alike."""
    if area.is_empty:
        return
    around = Window.covering(Region.from_bounds(*area.bounds), downsample * _BLOCK_PX)
    for y in range(around.y, around.bottom):
        for x in range(around.x, around.right):
            yield Window(x * _BLOCK_PX, y * _BLOCK_PX, _BLOCK_PX, _BLOCK_PX, downsample)


def _thinned(points: Positions) -> Positions:
    """Keep every n-th position where there are too many: even over the slide, and the same each time."""
    return points[:: -(-len(points) // _MOST_POSITIONS)]


def _bounds(areas: tuple[BaseGeometry, ...]) -> NDArray[np.float64]:
    return np.asarray(shapely.bounds(np.array(areas, dtype=object)), np.float64).reshape(-1, 4)
