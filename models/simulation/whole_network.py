"""The whole network as the learner: a design of ``models.training``, trained on the slides' own pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan, PatchLabel
from bridge.coords import Window
from bridge.raster import LabelMask, ProbabilityMap, vectorize
from bridge.slides import TissueMask, tissue_mask
from models.active import MapBox
from models.data import PatchOptions, TrainingSlide
from models.errors import TrainingDataError
from models.inference import SlidePredictor
from models.simulation.grid import GridOptions, cell_window
from models.simulation.slide import Times
from models.training import Design, Patchwise, PatchwiseOptions, TrainingOptions, TrainingProgress


def cell_classifier(grid: GridOptions) -> Patchwise:
    """Return a patch classifier whose patches are cells, as the paper's are.

    A patch is of a class by H2G-Net's rule, more than a quarter of it, which for a straight border is the same as
    touching the half in its middle; what has less of a class is left out instead of being negative.
    """
    patches = PatchOptions(grid.cell_px, max(1, grid.cell_px // 4), min_tissue=grid.min_tissue)
    return Patchwise(PatchwiseOptions(mpp=grid.mpp, patches=patches, map_stride_px=grid.cell_px))


class WholeNetwork:
    """A `Learner` that trains encoder and head on what is revealed.

    Where boxes are selected again, their cells are learned from once: designs have no such weights.

    Parameters
    ----------
    slides
        Open and fully annotated: all that it learns from or predicts.
    scheme
        What the labels mean.
    grid
        The cells.
    options
        Of each training; its seed is the cycle's.
    design
        What is trained; `cell_classifier` if None.
    tissue
        By slide key; found on the slides that are not among them.
    resume_folder
        Where a killed training goes on from; of this run only. None keeps nothing.
    progress
        Told after each step of a training.
    """

    def __init__(
        self,
        slides: Sequence[TrainingSlide],
        scheme: ClassScheme,
        grid: GridOptions,
        options: TrainingOptions,
        *,
        design: Design | None = None,
        tissue: Mapping[str, TissueMask] | None = None,
        resume_folder: Path | None = None,
        progress: Callable[[TrainingProgress], None] | None = None,
    ) -> None:
        self._slides = {slide.key: slide for slide in slides}
        self._scheme = scheme
        self._grid = grid
        self._options = options
        self._design = design or cell_classifier(grid)
        self._resume_folder = resume_folder
        self._progress = progress
        self._tissue = dict(tissue or {})

    def learn(
        self,
        revealed: Mapping[str, Times],
        validation: Mapping[str, Times],
        patch_labels: Mapping[str, Sequence[tuple[MapBox, int]]],
        *,
        seed: int,
    ) -> LearnedNetwork:
        """Train; as `Learner.learn`, and as `Design.fit`. Validation slides are the training's hold-out."""
        keys = dict.fromkeys((*revealed, *patch_labels))
        plans = [self._plan(key, revealed.get(key), patch_labels.get(key, ()), judges=False) for key in keys]
        judges = [self._plan(key, times, (), judges=True) for key, times in validation.items()]
        if all(plan.is_empty for plan in plans):
            raise TrainingDataError("nothing is revealed to train on: no selected cell")
        seen = [replace(self._slides[plan.slide_key], plan=plan) for plan in (*plans, *judges) if not plan.is_empty]
        # One class is enough: the first boxes may hold nothing else.
        options = replace(self._options, seed=seed, min_labels=1)
        candidate = self._design.fit(
            seen, self._scheme, options, resume_folder=self._resume_folder, progress=self._progress
        )
        predictor = self._design.predictor(candidate.checkpoint, device=options.device)
        return LearnedNetwork(predictor, self._slides, self._tissue_of, self._grid)

    def _tissue_of(self, key: str) -> TissueMask:
        if key not in self._tissue:
            self._tissue[key] = tissue_mask(self._slides[key].slide)
        return self._tissue[key]

    def _plan(
        self, key: str, times: Times | None, patch_labels: Sequence[tuple[MapBox, int]], *, judges: bool
    ) -> LabelPlan:
        """Return what of a slide's labels is revealed."""
        slide = self._slides[key]
        cells = cell_window(slide, self._grid)
        area = shapely.union_all([] if times is None else _outlines(times > 0, cells))
        background = shapely.intersection(area, shapely.union_all(list(slide.plan.complete)))
        return LabelPlan(
            key,
            _clipped(slide.plan.shapes, area),
            () if background.is_empty else (background,),
            ignore=slide.plan.ignore,
            hold_out=(area,) if judges and not area.is_empty else (),
            patch_labels=tuple(PatchLabel(_box_window(box, cells).to_region(), label) for box, label in patch_labels),
        )


class LearnedNetwork:
    """A trained design; as `Learned`.

    Parameters
    ----------
    predictor
        Of its checkpoint.
    slides
        By key.
    tissue
        A slide's tissue by its key.
    grid
        The cells.
    """

    def __init__(
        self,
        predictor: SlidePredictor,
        slides: Mapping[str, TrainingSlide],
        tissue: Callable[[str], TissueMask],
        grid: GridOptions,
    ) -> None:
        self._predictor = predictor
        self._slides = slides
        self._tissue = tissue
        self._grid = grid

    def probabilities(self, key: str) -> NDArray[np.float32]:
        """Return each class's probability in each cell, shape (classes, rows, columns); errors as `SlidePredictor`."""
        slide, tissue = self._slides[key], self._tissue(key)
        cells = cell_window(slide, self._grid)
        share = tissue.coverage(cells)
        sums = np.zeros((len(self._predictor.names), *cells.shape), np.float64)
        for band in self._predictor.predict(slide.slide, tissue):
            _add(band, cells, sums)
        weight = sums.sum(axis=0)
        is_glass = (share < self._grid.min_tissue) | (share <= 0) | (weight <= 0)
        found = sums / np.where(is_glass, 1.0, weight)
        found[:, is_glass] = 0.0
        found[0, is_glass] = 1.0
        return np.asarray(found, np.float32)


def _outlines(revealed: NDArray[np.bool_], cells: Window) -> list[BaseGeometry]:
    mask = LabelMask(revealed.astype(np.uint8), cells, ("", "revealed"))
    return [outline for _, outline in vectorize(mask)]


def _clipped(shapes: Sequence[LabelledShape], area: BaseGeometry) -> tuple[LabelledShape, ...]:
    """Return what of some shapes lies in an area: what lies outside would be learned from, too.

    The simulated expert draws all of them, even those that were a model's once: validation judges by them.
    """
    cut = [replace(shape, geometry=shapely.intersection(shape.geometry, area), is_blind=True) for shape in shapes]
    return tuple(shape for shape in cut if shape.geometry.area > 0)


def _box_window(box: MapBox, cells: Window) -> Window:
    return Window(box.x, box.y, box.width, box.height, cells.downsample)


def _add(band: ProbabilityMap, cells: Window, sums: NDArray[np.float64]) -> None:
    """Add the band's pixels to the cells: at points spread evenly over each cell, about one per pixel."""
    window = band.window
    points = max(1, round(cells.downsample / window.downsample))
    rows, row_cells = _under(cells.height, points, cells.downsample, window.y, window.height, window.downsample)
    columns, column_cells = _under(cells.width, points, cells.downsample, window.x, window.width, window.downsample)
    for plane, total in zip(band.probabilities, sums, strict=True):
        along = np.zeros((len(rows), total.shape[1]))
        np.add.at(along.T, column_cells, plane[rows][:, columns].T)
        np.add.at(total, row_cells, along)


def _under(
    count: int, points: int, size: float, first: int, most: int, downsample: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pixels under points of cells along one side, counted from ``first``, and the cells of these points.

    Points beyond the pixels of the band are left out.
    """
    places = (np.arange(count * points) + 0.5) * (size / points)
    pixels = np.floor(places / downsample).astype(np.int64) - first
    inside = (pixels >= 0) & (pixels < most)
    return pixels[inside], (np.arange(count * points) // points)[inside]
