"""The work on one slide: predict it in bands, turn them into outlines, and choose boxes on what is uncertain."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.annotations.roles import Role
from bridge.annotations.writing import Prediction
from bridge.coords import Region, Window, downsample_for, um2_to_px2, um_to_px
from bridge.ingest import SlideReading
from bridge.raster import LabelMask, ProbabilityMap, ShapeIndex, simplify_outlines, vectorize_bands
from bridge.slides import Slide, TissueMask, TissueOptions, open_slide, tissue_mask
from models.active import Acquisition
from models.active.overview import Overview, OverviewBuilder
from scripts.options import PredictOptions, ProposeOptions

if TYPE_CHECKING:  # torch comes with it
    from models.inference import Unlikeness

logger = logging.getLogger(__name__)
_CELLS_PER_REGION = 16  # cells of the priority map along a region's side

_LEAST_TISSUE = 0.5  # of a cell, to count as one with tissue

Bands = Callable[[Slide, TissueMask], Generator[ProbabilityMap, None, None]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a slide's scores are made of.

    Parameters
    ----------
    acquisition
        The score.
    others
        Further predictions of the slide, on the grid of the plain one, for a score that compares them.
    note
        For people: why it is another score than they asked for; None where it is not.
    """

    acquisition: Acquisition = Acquisition.LEAST_CONFIDENCE
    others: tuple[Bands, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SlidePrediction:
    """What a champion says of one slide, whatever people have drawn on it: it may be kept.

    Parameters
    ----------
    predictions
        Outlines at level 0; empty without a champion.
    tissue
        bool, [y, x]: cells with tissue.
    cells
        The cells, as a window on a coarse grid that begins at the slide's origin.
    overview
        Probabilities and scores per cell; None without a champion.
    extent
        The whole slide, level-0 pixels.
    unlikeness
        How far the slide looks from those that the champion was trained on; None without a champion, for one whose card
        doesn't say what those looked like, and where hardly any tissue is.
    colours
        uint8, [y, x, RGB]: the slide, a pixel per cell; what boxes look like is told by it. None: not read.
    note
        For people: why the scores are others than asked for; None where they are not.
    """

    predictions: tuple[Prediction, ...]
    tissue: NDArray[np.bool_]
    cells: Window
    overview: Overview | None
    extent: Region
    unlikeness: Unlikeness | None = None
    colours: NDArray[np.uint8] | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SlideResult:
    """What the loop knows of one slide, as people left it.

    Parameters
    ----------
    prediction
        What depends on the slide and the champion alone.
    open_cells
        bool, [y, x]: cells with tissue in which nobody has drawn yet.
    """

    prediction: SlidePrediction
    open_cells: NDArray[np.bool_]


def predict_slide(
    path: Path,
    mpp: tuple[float, float],
    bands: Bands | None,
    working_mpp: float,
    predict: PredictOptions,
    propose: ProposeOptions,
    tissue_options: TissueOptions,
    *,
    drawing: Drawing | None = None,
    measure: Callable[[Slide, TissueMask], Unlikeness | None] = lambda slide, tissue: None,
    stop: Callable[[], bool] = lambda: False,
) -> SlidePrediction | None:
    """Predict one slide.

    Parameters
    ----------
    path, mpp
        The slide, and the µm per level-0 pixel that were decided on.
    bands
        Yields the slide's probabilities top to bottom; None without a champion.
    working_mpp
        Of the bands.
    drawing
        What the scores are made of; None: least confidence of the bands. Outlines are those of the bands in any case.
    measure
        How far the slide looks from the champion's training slides.
    stop
        Asked before each band.

    Returns
    -------
    SlidePrediction
        None when ``stop`` said so.

    Raises
    ------
    SlideError
        The slide is damaged somewhere.
    """
    with open_slide(path, mpp=mpp) as slide:
        tissue = tissue_mask(slide, tissue_options)
        downsample = downsample_for(mpp, working_mpp)
        extent = slide.pyramid.window_at(downsample)
        grid = _CellGrid.of(extent, um_to_px(propose.region_um, mpp) / _CELLS_PER_REGION)
        cells = grid.cells
        covered = np.asarray(tissue.coverage(cells) >= _LEAST_TISSUE)
        bounds = slide.pyramid.bounds
        colours = slide.read_window(cells)
        if bands is None:
            return SlidePrediction((), covered, cells, None, bounds, colours=colours)
        unlikeness = measure(slide, tissue)
        drawing = drawing or Drawing()
        gathered = _Gathered(grid, drawing)
        found: list[tuple[int, shapely.Polygon]] = []
        with closing(_draws(slide, tissue, bands, drawing)) as coming:
            found.extend(vectorize_bands(gathered.labels(coming, stop)))
    if gathered.is_stopped:
        return None
    predictions = tuple(_predictions(_on_slide(found, bounds, downsample), gathered.names, mpp, predict))
    return SlidePrediction(
        predictions, covered, cells, gathered.overview(), bounds, unlikeness, colours, note=drawing.note
    )


_Draws = Generator[tuple[ProbabilityMap, ...], None, None]


def _draws(slide: Slide, tissue: TissueMask, bands: Bands, drawing: Drawing) -> _Draws:
    """Return what all predictions say of the same rows, the plain one first."""
    from models.inference import in_step  # torch comes with it: only where something is predicted

    return in_step([one(slide, tissue) for one in (bands, *drawing.others)])


@dataclass(frozen=True, slots=True)
class _CellGrid:
    """The cells of a slide that boxes are made of.

    Parameters
    ----------
    extent
        The slide on the grid of its map.
    stride
        Map pixels per cell and side, where the map is finer.
    parts
        Cells per map pixel and side, where it is coarser: a patch may be larger than a box.
    """

    extent: Window
    stride: int
    parts: int

    @classmethod
    def of(cls, extent: Window, wanted_px: float) -> _CellGrid:
        """Return cells of about so many level-0 pixels per side, one at least; they divide map pixels, or hold some."""
        per_cell = max(wanted_px, 1.0) / extent.downsample
        return cls(extent, max(1, round(per_cell)), max(1, min(round(1 / per_cell), int(extent.downsample))))

    @property
    def cells(self) -> Window:
        """The cells, as a window from the slide's origin."""
        width, height = (-(-side // self.stride) * self.parts for side in (self.extent.width, self.extent.height))
        return Window(0, 0, width, height, self.extent.downsample * self.stride / self.parts)


class _Gathered:
    """Passes bands on as labels, and keeps what selection needs of them."""

    def __init__(self, grid: _CellGrid, drawing: Drawing) -> None:
        self._grid = grid
        self._drawing = drawing
        self._builder: OverviewBuilder | None = None
        self.is_stopped = False

    @property
    def names(self) -> tuple[str, ...]:
        return self._builder.names if self._builder is not None else ()

    def labels(self, draws: _Draws, stop: Callable[[], bool]) -> Iterator[LabelMask]:
        for band, *others in draws:
            if stop():
                self.is_stopped = True
                return
            if self._builder is None:
                self._builder = self._new_builder(band.names)
            self._builder.add(band, others)
            yield LabelMask(band.probabilities.argmax(axis=0).astype(np.uint8), band.window, band.names)

    def _new_builder(self, names: tuple[str, ...]) -> OverviewBuilder:
        drawing, grid = self._drawing, self._grid
        return OverviewBuilder(grid.extent, names, grid.stride, drawing.acquisition, draws=1 + len(drawing.others))

    def overview(self) -> Overview | None:
        return self._builder.finish().finer(self._grid.parts) if self._builder is not None else None


def result_for(prediction: SlidePrediction, reading: SlideReading) -> SlideResult:
    """Return what a prediction means for a slide as people left it: cells in which they drew need no box."""
    cells = prediction.cells
    drawn = [(o.annotation.geometry, 1) for o in reading.reconciled.of(Role.ANNOTATION)]
    labelled = ShapeIndex(drawn, cells.downsample).burn(cells) == 1
    return SlideResult(prediction, prediction.tissue & ~labelled)


def _on_slide(
    found: Sequence[tuple[int, shapely.Polygon]], bounds: Region, downsample: float
) -> list[tuple[int, shapely.Polygon]]:
    """Return outlines without what lies beyond the slide: its last map pixels may be larger than what is left of it."""
    left, top, right, bottom = bounds.bounds
    if not found or (right % downsample == 0 and bottom % downsample == 0):
        return list(found)
    outlines = np.array([outline for _, outline in found], dtype=object)
    limits = shapely.bounds(outlines)
    is_beyond = (limits[:, 2] > right) | (limits[:, 3] > bottom)
    outlines[is_beyond] = shapely.intersection(outlines[is_beyond], shapely.box(left, top, right, bottom))
    return [
        (label, part) for (label, _), left_over in zip(found, outlines, strict=True) for part in _polygons(left_over)
    ]


def _polygons(shape: BaseGeometry) -> list[shapely.Polygon]:
    return [part for part in shapely.get_parts(shape) if isinstance(part, shapely.Polygon) and not part.is_empty]


def _predictions(
    found: Sequence[tuple[int, shapely.Polygon]],
    names: Sequence[str],
    mpp: tuple[float, float],
    options: PredictOptions,
) -> Iterator[Prediction]:
    smallest = um2_to_px2(options.min_area_um2, mpp)
    kept = [
        (label, _without_specks(polygon, smallest))
        for label, polygon in found
        if label != 0 and polygon.area >= smallest
    ]
    for label, outline in simplify_outlines(kept, tolerance_px=um_to_px(options.simplify_um, mpp)):
        yield Prediction(names[label], outline)


def _without_specks(polygon: shapely.Polygon, smallest: float) -> shapely.Polygon:
    """Return the polygon without holes that are smaller than the smallest object worth writing."""
    holes = [ring for ring in polygon.interiors if shapely.Polygon(ring).area >= smallest]
    return polygon if len(holes) == len(polygon.interiors) else shapely.Polygon(polygon.exterior, holes)
