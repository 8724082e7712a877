"""From a fully annotated slide to the grid of cells that is simulated on."""

from __future__ import annotations

import hashlib
import logging

import numpy as np

from bridge.annotations import ClassScheme
from bridge.slides import TissueMask, tissue_mask
from models.data import TrainingSlide
from models.simulation.features import Extractor, FeatureCache, slide_digest
from models.simulation.grid import GridOptions, cell_labels, cell_objects, cell_truth, cell_window
from models.simulation.slide import SimulatedSlide

logger = logging.getLogger(__name__)


def simulated_slide(
    slide: TrainingSlide,
    scheme: ClassScheme,
    options: GridOptions,
    extractor: Extractor,
    *,
    cache: FeatureCache | None = None,
    group: str = "",
    tissue: TissueMask | None = None,
) -> SimulatedSlide:
    """Cut a fully annotated slide into cells.

    Parameters
    ----------
    slide
        Open, with its plan; held-out areas count like all others.
    scheme
        What the labels mean.
    options
        The cells.
    extractor
        What sees them.
    cache
        Keeps the features; None makes them each time.
    group
        The slide's stratum.
    tissue
        Found on the slide if None.

    Raises
    ------
    MissingResolutionError, TrainingDataError
        The slide has no mpp, or is coarser than the cells need.
    UnknownPathClassError
        A plan made with another scheme.
    SlideError
        The slide can't be read.
    ValueError
        Cells that don't fit the extractor.
    """
    cells = cell_window(slide, options)
    share = (tissue if tissue is not None else tissue_mask(slide.slide)).coverage(cells)
    has_tissue = (share >= options.min_tissue) & (share > 0)

    def make() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return extractor.cell_features(slide.slide, cells, options.cell_px, has_tissue)

    made_of = f"{slide_digest(slide.slide.path)} {cells} {options.cell_px} {extractor.name} {extractor.maps}"
    made_of += f" {hashlib.sha256(np.packbits(has_tissue).tobytes()).hexdigest()}"
    features = make() if cache is None else cache.get(made_of, make)
    labels = cell_labels(slide, scheme, cells, options)
    truth = cell_truth(slide, scheme, cells, options)
    logger.debug("slide cut slide=%s rows=%d columns=%d tissue_cells=%d", slide.key, *cells.shape, has_tissue.sum())
    return SimulatedSlide(
        slide.key,
        group,
        features,
        labels,
        truth,
        has_tissue,
        cell_objects(slide.plan, cells),
        np.where(has_tissue, share, 0.0).astype(np.float32),
    )
