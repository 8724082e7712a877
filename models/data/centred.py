"""Centred extraction: tiles in the middle of what is labelled, not on a lattice over the slide.

Ciga and Martel, "Learning to segment images with classification labels", 2021, appendix B: one tile at the centre of
each labelled connected component; where it is larger than a tile, one at each centre that k-means finds among its
pixels; tiles that show less than 75 % foreground are left out.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations import ClassScheme, Part
from bridge.coords import Region, Window
from bridge.raster import LabelMask, PlanRaster, ShapeIndex, vectorize_bands
from models.data.index import SlideIndex
from models.data.slides import TrainingSlide

logger = logging.getLogger(__name__)

_BAND_PX = 512  # rows burnt at a time
_MOST_POINTS = 20_000  # of a component that k-means looks at; more move no centre by a pixel that matters


class SplitRule(Enum):
    """What the number of centres of a large component follows from."""

    AREA = "area"
    """⌈1 + A / Δ²⌉ with the component's own area, the paper's rule."""
    BOUNDING_BOX = "bounding_box"
    """The same with the area of its bounding box, as the published code has it; for comparison."""


@dataclass(frozen=True, slots=True)
class CentredOptions:
    """How tiles are laid on components.

    Parameters
    ----------
    foreground
        Least share of a tile that must be foreground; asked only where a foreground is given.
    split
        How many tiles a large component gets.
    """

    foreground: float = 0.75
    split: SplitRule = SplitRule.AREA


class Foreground(Protocol):
    """Where the tissue is, such as `bridge.slides.tissue_mask` finds it by the rule ``TissueRule.L2S``."""

    def fraction(self, region: Region) -> float:
        """Return the share of a level-0 region that is tissue, 0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class CentredTile:
    """A tile laid on a component, and the component's class."""

    window: Window
    label: int


def index_centres(
    slide: TrainingSlide,
    scheme: ClassScheme,
    mpp: float,
    *,
    tile_px: int,
    options: CentredOptions | None = None,
    foreground: Foreground | None = None,
    seed: int = 0,
) -> SlideIndex:
    """Find the centres of all components, as positions for a `TreeSampler` of the same tiles, without jitter.

    Parameters
    ----------
    slide
        With its plan; held-out and ignored areas give nothing.
    scheme
        What the labels mean. Background has no components.
    mpp
        Working µm per pixel.
    tile_px
        Side of the tiles.
    options
        How tiles are laid.
    foreground
        Of the slide; None leaves no tile out.
    seed
        Of k-means.

    Raises
    ------
    MissingResolutionError
        The slide has no mpp.
    """
    options = options or CentredOptions()
    downsample = slide.downsample(mpp)
    raster = PlanRaster(slide.plan, scheme, downsample, Part.TRAINING)
    extent = slide.slide.pyramid.window_at(downsample)
    emphasis = shapely.union_all(slide.plan.emphasis) if slide.plan.emphasis else None
    found, fresh, counts, dropped = _Places(), _Places(), dict[int, int](), 0
    for label, component in components(raster, extent):
        counts[label] = counts.get(label, 0) + round(component.area / downsample**2)
        for tile in tiles_on(component, label, downsample, extent, tile_px=tile_px, options=options, seed=seed):
            if foreground is not None and _share(foreground, tile.window, extent) < options.foreground:
                dropped += 1
                continue
            found.add(tile)
            if emphasis is not None and _is_fresh(component, tile.window, emphasis):
                fresh.add(tile)
    logger.debug("centres slide=%s kept=%d without_tissue=%d", slide.key, len(found), dropped)
    areas = np.empty((0, 4), np.float64)
    return SlideIndex(slide.key, extent, found.positions(), counts, fresh.positions(), areas)


def components(raster: PlanRaster, extent: Window) -> Iterator[tuple[int, Polygon]]:
    """Yield the connected components of each class but background: pixels of one label that share sides.

    Parameters
    ----------
    raster
        Of a plan.
    extent
        The slide on the raster's grid; nothing beyond it counts.

    Yields
    ------
    (label, Polygon)
        In level-0 pixels. Where two classes touch they are two components.
    """
    if raster.bounds is None:
        return
    inside = Window.covering(raster.bounds, extent.downsample).intersection(extent)
    if inside is not None:
        yield from vectorize_bands(_bands(raster, inside))


def tiles_on(
    component: Polygon,
    label: int,
    downsample: float,
    extent: Window,
    *,
    tile_px: int,
    options: CentredOptions | None = None,
    seed: int = 0,
) -> list[CentredTile]:
    """Return the tiles of one component.

    Parameters
    ----------
    component
        In level-0 pixels.
    label
        Its class; never guessed from the pixels.
    downsample
        Level-0 pixels per working pixel.
    extent
        The slide on the working grid: a tile that would reach over its border is shifted onto it.
    tile_px, options, seed
        As `index_centres`.
    """
    left, top, right, bottom = (round(bound / downsample) for bound in component.bounds)
    if max(right - left, bottom - top) <= tile_px:
        centres = np.array([[(left + right) / 2, (top + bottom) / 2]])
    else:
        box = (right - left) * (bottom - top)
        area = component.area / downsample**2
        split = (options or CentredOptions()).split
        count = math.ceil(1 + (area if split is SplitRule.AREA else box) / tile_px**2)
        centres = _k_means(_pixels_of(component, downsample), count, seed)
    return [CentredTile(_tile_at(x, y, tile_px, extent), label) for x, y in centres.tolist()]


class _Places:
    """Tiles' centres by label."""

    def __init__(self) -> None:
        self._of: dict[int, list[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def add(self, tile: CentredTile) -> None:
        window = tile.window
        self._of.setdefault(tile.label, []).append((window.x + window.width // 2, window.y + window.height // 2))

    def positions(self) -> dict[int, NDArray[np.int64]]:
        # Sorted: the order in which components end says nothing.
        return {label: np.array(sorted(places), np.int64) for label, places in sorted(self._of.items())}


def _bands(raster: PlanRaster, window: Window) -> Iterator[LabelMask]:
    for y in range(window.y, window.bottom, _BAND_PX):
        height = min(_BAND_PX, window.bottom - y)
        yield raster.burn(Window(window.x, y, window.width, height, window.downsample))


def _pixels_of(component: Polygon, downsample: float) -> NDArray[np.float64]:
    """Return the centres of a component's pixels, (n, 2), in working pixels; of coarser ones where they are many."""
    step = max(1, math.isqrt(int(component.area / downsample**2 / _MOST_POINTS)))
    points = _lattice(component, downsample, step)
    # A snake of one pixel's width may lie between the lattice's rows.
    return points if len(points) or step == 1 else _lattice(component, downsample, 1)


def _lattice(component: Polygon, downsample: float, step: int) -> NDArray[np.float64]:
    window = Window.covering(Region.from_bounds(*component.bounds), downsample * step)
    rows, columns = np.nonzero(ShapeIndex([(component, 1)], window.downsample).burn(window))
    points = (np.column_stack((columns + window.x, rows + window.y)) + 0.5) * step
    return np.asarray(points, dtype=np.float64)


def _k_means(points: NDArray[np.float64], count: int, seed: int) -> NDArray[np.float64]:
    # Here, for scikit-learn takes a second to load, and few slides need it.
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # several threads add up in any order, and the last digits are left to chance
        found = KMeans(min(count, len(points)), n_init=1, random_state=seed).fit(points).cluster_centers_
    return np.asarray(found, dtype=np.float64)


def _tile_at(x: float, y: float, tile_px: int, extent: Window) -> Window:
    left, top = (math.floor(centre - tile_px / 2 + 0.5) for centre in (x, y))
    # The left border comes last: on a slide smaller than a tile the tile begins with the slide.
    left = max(extent.x, min(left, extent.right - tile_px))
    top = max(extent.y, min(top, extent.bottom - tile_px))
    return Window(left, top, tile_px, tile_px, extent.downsample)


def _share(foreground: Foreground, window: Window, extent: Window) -> float:
    # Of the part on the slide: a tile that is larger than the slide is not poorer in tissue for it.
    inside = window.intersection(extent)
    return 0.0 if inside is None else foreground.fraction(inside.to_region())


def _is_fresh(component: Polygon, window: Window, emphasis: BaseGeometry) -> bool:
    shown = shapely.intersection(component, shapely.box(*window.bounds))
    return bool(shapely.intersection(shown, emphasis).area > 0)
