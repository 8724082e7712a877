"""The work on one slide: predict it in bands, turn them into outlines, and choose boxes on what is uncertain."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.annotations.roles import Role
from bridge.annotations.writing import Prediction
from bridge.coords import Region, Window, downsample_for, um_to_px
from bridge.ingest import SlideReading
from bridge.raster import LabelMask, ProbabilityMap, ShapeIndex, vectorize_bands
from bridge.slides import Slide, TissueMask, TissueOptions, open_slide, tissue_mask
from models.active import Acquisition
from models.active.overview import Overview, OverviewBuilder
from scripts.loop.slide_outlines import predictions_of, worth_writing
from scripts.options import PredictOptions, ProposeOptions

if TYPE_CHECKING:  # torch comes with it
    from models.inference import PredictionCost, Stopwatch, Unlikeness

logger = logging.getLogger(__name__)
_CELLS_PER_REGION = 16  # cells of the priority map along a region's side

_MOST_CELLS = 2**24  # of a slide: some 30 bytes each, and 4 more for each class
_ROWS_AT_ONCE = 1024
_LEAST_TISSUE = 0.5  # of a cell, to count as one with tissue


class Bands(Protocol):
    """What predicts slide after slide."""

    def __call__(
        self, slide: Slide, tissue: TissueMask, watch: Stopwatch | None = None
    ) -> Generator[ProbabilityMap, None, None]:
        """Yield a slide's probabilities in bands, top to bottom; the watch is told what each stage takes."""
        ...


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
    cost
        What it took; None without a champion, and for one that was kept from before.
    """

    predictions: tuple[Prediction, ...]
    tissue: NDArray[np.bool_]
    cells: Window
    overview: Overview | None
    extent: Region
    unlikeness: Unlikeness | None = None
    colours: NDArray[np.uint8] | None = None
    note: str | None = None
    cost: PredictionCost | None = None


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
    clock: Callable[[], float] = perf_counter,
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
    clock
        Seconds, for what it costs.

    Returns
    -------
    SlidePrediction
        None when ``stop`` said so.

    Raises
    ------
    SlideError
        The slide is damaged somewhere.
    """
    watch = _stopwatch(clock) if bands is not None else None
    with open_slide(path, mpp=mpp) as slide:
        tissue = tissue_mask(slide, tissue_options)
        downsample = downsample_for(mpp, working_mpp)
        extent = slide.pyramid.window_at(downsample)
        grid = _CellGrid.of(extent, um_to_px(propose.region_um, mpp) / _CELLS_PER_REGION)
        cells = grid.cells
        covered = _with_tissue(tissue, cells)
        bounds = slide.pyramid.bounds
        colours = slide.read_window(cells)
        if bands is None or watch is None:
            return SlidePrediction((), covered, cells, None, bounds, colours=colours)
        from models.inference import Stage  # torch comes with it: only where something is predicted

        unlikeness = measure(slide, tissue)
        drawing = drawing or Drawing()
        gathered = _Gathered(grid, drawing, watch)
        with watch.time(Stage.VECTORIZE), closing(_draws(slide, tissue, bands, drawing, watch)) as coming:
            outlines = vectorize_bands(gathered.labels(coming, stop))
            found = worth_writing(outlines, bounds, downsample, mpp, predict)
    if gathered.is_stopped:
        return None
    with watch.time(Stage.VECTORIZE):
        predictions = tuple(predictions_of(found, gathered.names, mpp, predict))
    overview = gathered.overview()
    return SlidePrediction(
        predictions, covered, cells, overview, bounds, unlikeness, colours, note=drawing.note, cost=watch.cost()
    )


def _with_tissue(tissue: TissueMask, cells: Window) -> NDArray[np.bool_]:
    """Say of each cell whether it counts as one with tissue."""
    covered = np.empty(cells.shape, np.bool_)
    for top in range(0, cells.height, _ROWS_AT_ONCE):
        rows = replace(cells, y=cells.y + top, height=min(_ROWS_AT_ONCE, cells.height - top))
        covered[top : top + rows.height] = tissue.coverage(rows) >= _LEAST_TISSUE
    return covered


def _stopwatch(clock: Callable[[], float]) -> Stopwatch:
    from models.inference import Stopwatch  # torch comes with it: only where something is predicted

    return Stopwatch(clock)


_Draws = Generator[tuple[ProbabilityMap, ...], None, None]


def _draws(slide: Slide, tissue: TissueMask, bands: Bands, drawing: Drawing, watch: Stopwatch) -> _Draws:
    """Return what all predictions say of the same rows, the plain one first."""
    from models.inference import in_step  # torch comes with it: only where something is predicted

    return in_step([one(slide, tissue, watch) for one in (bands, *drawing.others)])


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
        """Return cells of about so many level-0 pixels per side, one at least; they divide map pixels, or hold some.

        On a slide that would have more of them than can be kept, they are larger.
        """
        least_px = extent.downsample * math.sqrt(extent.width * extent.height / _MOST_CELLS)
        per_cell = max(wanted_px, least_px, 1.0) / extent.downsample
        return cls(extent, max(1, round(per_cell)), max(1, min(round(1 / per_cell), int(extent.downsample))))

    @property
    def cells(self) -> Window:
        """The cells, as a window from the slide's origin."""
        width, height = (-(-side // self.stride) * self.parts for side in (self.extent.width, self.extent.height))
        return Window(0, 0, width, height, self.extent.downsample * self.stride / self.parts)


class _Gathered:
    """Passes bands on as labels, and keeps what selection needs of them."""

    def __init__(self, grid: _CellGrid, drawing: Drawing, watch: Stopwatch) -> None:
        self._grid = grid
        self._drawing = drawing
        self._watch = watch
        self._builder: OverviewBuilder | None = None
        self.is_stopped = False

    @property
    def names(self) -> tuple[str, ...]:
        return self._builder.names if self._builder is not None else ()

    def labels(self, draws: _Draws, stop: Callable[[], bool]) -> Iterator[LabelMask]:
        from models.inference import Stage

        for band, *others in draws:
            if stop():
                self.is_stopped = True
                return
            with self._watch.time(Stage.STITCH):
                labels = self._labels(band, others)
            yield labels

    def _labels(self, band: ProbabilityMap, others: Sequence[ProbabilityMap]) -> LabelMask:
        if self._builder is None:
            self._builder = self._new_builder(band.names)
        self._builder.add(band, others)
        return band.most_probable()

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
