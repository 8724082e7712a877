"""Everything that a validation asks of one slide, from one look at its held-out areas.

Each tile of the fixed lattice that holds a held-out label is predicted once, as for promotion (`evaluate`): pixels are
counted, and what is predicted there is handed on, band after band, to the outlines of objects::

    lattice row ──▶ predict tiles ──▶ count pixels, note peaks ──▶ band of labels ──▶ outlines whole across the seams

Memory is one row of tiles. Pixels that are not judged (outside the held-out areas, ignored, begun as a prediction)
belong to no object, labelled or predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from bridge.annotations import IGNORE_LABEL, ClassScheme, Part
from bridge.coords import Window, um2_to_px2
from bridge.errors import SlideError
from bridge.raster import LabelMask, PlanRaster, ProbabilityMap, vectorize_bands
from bridge.slides import TissueOptions, tissue_mask
from models.data import TileDataset, TrainingSlide
from models.errors import DamagedSlideError
from models.metrics import (
    Confusion,
    JudgeOptions,
    ObjectCounts,
    SlideDetections,
    SlideJudgement,
    count_objects,
    detect,
    find_lesions,
)
from models.metrics.froc import major_axis
from models.training.evaluate import WindowPredictor

_TILE_PX = 256  # as promotion judges

Found = Sequence[tuple[int, Polygon]]
"""Labels with their outlines, level-0 pixels."""


def judge_slide(
    predictor: WindowPredictor,
    slide: TrainingSlide,
    scheme: ClassScheme,
    options: JudgeOptions | None = None,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> SlideJudgement | None:
    """Judge a model on one slide, on the model's own grid.

    Parameters
    ----------
    predictor
        Its classes are matched with the scheme's by name; one that the scheme doesn't have counts as background.
    slide
        Open, with its plan.
    scheme
        What the labels mean.
    stop
        Asked before each tile.

    Returns
    -------
    SlideJudgement
        None when ``stop`` said so.

    Raises
    ------
    DamagedSlideError, MissingResolutionError
        The slide is damaged, or its mpp unknown.
    """
    options = options or JudgeOptions()
    look = _Look(predictor, slide, scheme, stop)
    predicted: list[tuple[int, Polygon]] = []
    truth: list[tuple[int, Polygon]] = []
    for rows in look.runs():
        predicted += vectorize_bands(look.predicted(row) for row in rows)
        if look.is_stopped:
            return None
        truth += vectorize_bands(look.labelled(row) for row in rows)
    mpp = slide.slide.pyramid.mpp
    assert mpp is not None, "the grid of a working mpp needs one"
    comparison = _Comparison(options, mpp, look.peaks)
    kinds = {
        name: ([o for n, o in truth if n == label], [o for n, o in predicted if n == label])
        for label, name in enumerate(scheme.names)
        if label
    }
    kinds[look.confusion.pooled().names[1]] = (_together(truth), _together(predicted))
    return SlideJudgement(
        look.confusion,
        {name: comparison.objects(*both) for name, both in kinds.items()},
        {name: comparison.detections(*both) for name, both in kinds.items()},
        judged_share(slide, scheme, options.tissue),
        {name: comparison.largest_um(truly) for name, (truly, _) in kinds.items()},
    )


def judged_share(slide: TrainingSlide, scheme: ClassScheme, tissue: TissueOptions | None = None) -> float:
    """Return which share of a slide's tissue its held-out labels cover; NaN without tissue.

    Raises
    ------
    DamagedSlideError
        The slide is damaged.
    """
    try:
        found = tissue_mask(slide.slide, tissue)
    except SlideError as error:
        raise DamagedSlideError(str(error), slide.key) from error
    raster = PlanRaster(slide.plan, scheme, found.window.downsample, Part.HOLD_OUT)
    is_judged = raster.burn(found.window).labels != IGNORE_LABEL
    return float(is_judged[found.mask].mean()) if found.mask.any() else float("nan")


@dataclass(frozen=True, slots=True)
class _Row:
    """Tiles of one row of the lattice, and the band that holds them and all others of their run."""

    tiles: tuple[Window, ...]
    band: Window


class _Look:
    """Goes over the held-out tiles of one slide once, and keeps what isn't outlines."""

    def __init__(
        self, predictor: WindowPredictor, slide: TrainingSlide, scheme: ClassScheme, stop: Callable[[], bool]
    ) -> None:
        dataset = TileDataset([slide], scheme, predictor.mpp, Part.HOLD_OUT, cache_mb=0)
        self._raster, self._extent = dataset.raster(slide.key), dataset.extent(slide.key)
        self._predictor, self._slide, self._stop = predictor, slide, stop
        self._names = scheme.names
        known = [scheme.names.index(name) if name in scheme.names else 0 for name in predictor.names]
        self._to_scheme = np.array(known, np.uint8)
        self.confusion = Confusion.empty(scheme.names)
        self.peaks = _Peaks()
        self.is_stopped = False

    def runs(self) -> Iterator[list[_Row]]:
        """Yield rows of tiles without a gap between them: held-out areas may lie far apart."""
        rows = [tuple(row) for _, row in groupby(self._raster.tiles(_TILE_PX), key=lambda tile: tile.y)]
        firsts = [i for i, row in enumerate(rows) if i == 0 or row[0].y != rows[i - 1][0].bottom]
        for first, last in pairwise([*firsts, len(rows)]):
            run = rows[first:last]
            left = min(row[0].x for row in run)
            width = max(row[-1].right for row in run) - left
            yield [_Row(row, Window(left, row[0].y, width, row[0].height, row[0].downsample)) for row in run]

    def labelled(self, row: _Row) -> LabelMask:
        """Return what is labelled in a row."""
        band = np.full(row.band.shape, IGNORE_LABEL, np.uint8)
        for tile in row.tiles:
            band[row.band.slices(tile)] = self._labels(tile)
        return LabelMask(band, row.band, self._names)

    def predicted(self, row: _Row) -> LabelMask:
        """Return what is predicted where a row is labelled, and count it; all else is ignored."""
        band = np.full(row.band.shape, IGNORE_LABEL, np.uint8)
        for tile in row.tiles:
            truth = self._labels(tile)
            if (truth == IGNORE_LABEL).all():
                continue
            self.is_stopped = self.is_stopped or self._stop()
            if self.is_stopped:
                break
            band[row.band.slices(tile)] = self._judged(tile, truth)
        return LabelMask(band, row.band, self._names)

    def _judged(self, tile: Window, truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
        found = self._map_of(tile)
        labels = self._to_scheme[found.most_probable().labels]
        self.confusion = self.confusion + Confusion.from_labels(truth, labels, self._names)
        labels = np.where(truth == IGNORE_LABEL, np.uint8(IGNORE_LABEL), labels)
        self.peaks.note(labels, found.probabilities.max(axis=0), tile)
        return labels

    def _labels(self, tile: Window) -> NDArray[np.uint8]:
        labels = np.full(tile.shape, IGNORE_LABEL, np.uint8)
        inside = tile.intersection(self._extent)
        if inside is not None:
            labels[tile.slices(inside)] = self._raster.burn(inside).labels
        return labels

    def _map_of(self, tile: Window) -> ProbabilityMap:
        try:
            return self._predictor.predict_window(self._slide.slide, tile)
        except SlideError as error:
            raise DamagedSlideError(str(error), self._slide.key) from error


class _Peaks:
    """Where each piece of an object is surest: an object's score is that of its surest piece."""

    def __init__(self) -> None:
        self._places: list[NDArray[np.float64]] = []
        self._scores: list[NDArray[np.float64]] = []

    def note(self, labels: NDArray[np.uint8], sureness: NDArray[np.float32], tile: Window) -> None:
        """Note the surest pixel of each connected piece of a class in a tile."""
        from scipy import ndimage

        for label in np.unique(labels[(labels != 0) & (labels != IGNORE_LABEL)]).tolist():
            pieces, count = ndimage.label(labels == label)
            spots = ndimage.maximum_position(sureness, pieces, np.arange(1, count + 1))
            rows, columns = np.array(spots, np.int64).T
            centres = np.stack([columns + tile.x, rows + tile.y], axis=1) + 0.5
            self._places.append(centres * tile.downsample)
            self._scores.append(sureness[rows, columns].astype(np.float64))

    def of(self, objects: Sequence[Polygon]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return place and score of each of some objects, made of such pieces."""
        places = np.concatenate([np.empty((0, 2)), *self._places])
        scores = np.concatenate([np.empty(0), *self._scores])
        # The objects are asked, not the points: what is asked is prepared, and an outline may be long.
        tree = shapely.STRtree(np.asarray(shapely.points(places), dtype=object))
        owner, inside = tree.query(np.array(objects, dtype=object), predicate="intersects")
        order = np.argsort(scores[inside], kind="stable")
        surest = np.full(len(objects), -1)
        surest[owner[order]] = inside[order]  # the last of each owner stays: the surest
        assert (surest >= 0).all(), "every object has a piece"
        return places[surest], scores[surest]


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Compares the objects of one slide."""

    options: JudgeOptions
    mpp: tuple[float, float]
    peaks: _Peaks

    def objects(self, truth: Sequence[Polygon], predicted: Sequence[Polygon]) -> ObjectCounts:
        return count_objects(truth, predicted, least_iou=self.options.least_iou, least_area=self._least_px2)

    def detections(self, truth: Sequence[Polygon], predicted: Sequence[Polygon]) -> SlideDetections:
        lesions = find_lesions(truth, self._um_per_px, self.options.froc)
        shown = [area for area in predicted if area.area >= self._least_px2]
        places, scores = self.peaks.of(shown)
        return detect(lesions, places, scores.tolist())

    def largest_um(self, truth: Sequence[Polygon]) -> float:
        return max((major_axis(area) for area in truth), default=0.0) * self._um_per_px

    @property
    def _um_per_px(self) -> float:
        return sum(self.mpp) / 2

    @property
    def _least_px2(self) -> float:
        return um2_to_px2(self.options.least_um2, self.mpp)


def _together(found: Found) -> list[Polygon]:
    """Return the objects that there are when all classes are one: neighbours that share an edge are one object."""
    return list(shapely.get_parts(shapely.union_all([outline for _, outline in found])))
