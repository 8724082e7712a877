"""The work on one slide: predict it in bands, turn them into outlines, and choose boxes on what is uncertain."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from bridge.annotations import Proposal
from bridge.annotations.roles import Role
from bridge.annotations.writing import Prediction
from bridge.coords import Region, Window, downsample_for, um2_to_px2, um_to_px
from bridge.raster import LabelMask, ProbabilityMap, ShapeIndex, simplify_outlines, vectorize_bands
from bridge.slides import Slide, TissueMask, TissueOptions, open_slide, tissue_mask
from models.active import SelectionMethod, SelectionOptions, least_confidence, select_regions
from models.active.overview import Overview, OverviewBuilder, reason_for
from scripts.loop.pull import SlideState
from scripts.options import PredictOptions, ProposeOptions

logger = logging.getLogger(__name__)
_CELLS_PER_REGION = 16  # cells of the priority map along a region's side

Bands = Callable[[Slide, TissueMask], Iterator[ProbabilityMap]]


@dataclass(frozen=True, slots=True)
class SlideResult:
    """What the loop knows of one slide.

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
    """

    predictions: tuple[Prediction, ...]
    tissue: NDArray[np.bool_]
    cells: Window
    overview: Overview | None
    extent: Region


def work_on_slide(
    state: SlideState,
    bands: Bands | None,
    working_mpp: float,
    predict: PredictOptions,
    propose: ProposeOptions,
    tissue_options: TissueOptions,
) -> SlideResult:
    """Predict one slide.

    Parameters
    ----------
    bands
        Yields the slide's probabilities top to bottom; None without a champion.
    working_mpp
        Of the bands.

    Raises
    ------
    SlideError
        The slide is damaged somewhere.
    """
    mpp = state.reading.mpp
    with open_slide(state.reading.slide_path, mpp=mpp) as slide:
        tissue = tissue_mask(slide, tissue_options)
        downsample = downsample_for(mpp, working_mpp)
        extent = slide.pyramid.window_at(downsample)
        stride = max(1, round(um_to_px(propose.region_um, mpp) / downsample / _CELLS_PER_REGION))
        cells = Window(0, 0, -(-extent.width // stride), -(-extent.height // stride), downsample * stride)
        drawn = [(o.annotation.geometry, 1) for o in state.reading.reconciled.of(Role.ANNOTATION)]
        labelled_cells = ShapeIndex(drawn, cells.downsample).burn(cells) == 1
        covered = (tissue.coverage(cells) >= 0.5) & ~labelled_cells
        if bands is None:
            return SlideResult((), covered, cells, None, slide.pyramid.bounds)
        builder: OverviewBuilder | None = None

        def labelled() -> Iterator[LabelMask]:
            nonlocal builder
            for band in bands(slide, tissue):
                if builder is None:
                    builder = OverviewBuilder(extent, band.names, stride, least_confidence)
                builder.add(band)
                labels = band.probabilities.argmax(axis=0).astype(np.uint8)
                yield LabelMask(labels, band.window, band.names)

        found = list(vectorize_bands(labelled()))
        names = builder.names if builder is not None else ()
        overview = builder.finish() if builder is not None else None
    predictions = tuple(_predictions(found, names, mpp, predict))
    return SlideResult(predictions, covered, cells, overview, state.reading.pyramid.bounds)


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


def propose_boxes(
    result: SlideResult,
    taken: Sequence[tuple[float, float, float, float]],
    options: ProposeOptions,
    mpp: tuple[float, float],
    *,
    seed: int,
) -> tuple[tuple[Proposal, ...], str | None]:
    """Choose the boxes to label next.

    Parameters
    ----------
    taken
        Level-0 bounds that no box may overlap.
    mpp
        Of level 0.

    Returns
    -------
    tuple
        Proposals, and why there are fewer than asked for (None where there are not).
    """
    cells = result.cells
    size = max(1, round(um_to_px(options.region_um, mpp) / cells.downsample))
    method = options.method if result.overview is not None else SelectionMethod.RANDOM
    selection = select_regions(
        result.overview.score if result.overview is not None else np.zeros(cells.shape, np.float32),
        result.tissue,
        [_cells_of(bounds, cells.downsample) for bounds in taken],
        SelectionOptions(method, options.k, size, options.min_tissue, size_rule=options.size_rule),
        np.random.default_rng(seed),
    )
    proposals = []
    for rank, scored in enumerate(selection.boxes, start=1):
        x, y, width, height = scored.box
        region = Window(x, y, width, height, cells.downsample).to_region()
        is_guided = result.overview is not None and method is not SelectionMethod.RANDOM
        reason = (
            reason_for(result.overview, slice(y, y + height), slice(x, x + width))
            if is_guided and result.overview is not None
            else "random"
        )
        proposals.append(Proposal(region, rank, scored.score, reason))
    return _inside(proposals, result), selection.reason


def _inside(proposals: Sequence[Proposal], result: SlideResult) -> tuple[Proposal, ...]:
    return tuple(replace(p, region=p.region.intersection(result.extent) or p.region) for p in proposals)


def _cells_of(bounds: tuple[float, float, float, float], downsample: float) -> tuple[int, int, int, int]:
    """Return (x, y, width, height) of the cells that some level-0 bounds touch."""
    window = Window.covering(Region.from_bounds(*bounds), downsample)
    return window.x, window.y, window.width, window.height
