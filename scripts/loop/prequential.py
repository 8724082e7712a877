"""The loop's own learning curve: what a person newly labels, against what had been predicted there.

Scored when a save is read, before its outcomes are recorded: only then it is still known what the person had before
them. At the next training the predictions in the new area are closed, and at the next write they are gone.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.annotations import IGNORE_LABEL, Annotation, ClassScheme, LabelPlan, MachineRole, Part
from bridge.annotations.geometry import repair_area, repair_areas
from bridge.annotations.gestures import said_class
from bridge.annotations.labels import WHOLE_SLIDE, area_key
from bridge.annotations.ownership import WrittenObject
from bridge.annotations.roles import Marker, Role
from bridge.annotations.scheme import plain_class
from bridge.annotations.split import HOLD_OUT
from bridge.coords import Region, Window, downsample_for
from bridge.errors import BridgeError
from bridge.ingest import SlideReading
from bridge.raster import PlanRaster, ShapeIndex
from bridge.store import PrequentialRecord, Store, WriteRecord
from models.metrics import Confusion, Scores
from scripts.loop.earlier import Earlier
from scripts.loop.planning import whole_plan
from scripts.project import Project

logger = logging.getLogger(__name__)

_BLOCK_PX = 1024  # working pixels burnt at once
_LEAST_PX = 4.0  # working pixels of an area that must be new to be worth a score
_UNSCORED = 0  # iteration of an area in which nobody's predictions could be seen: noted, so that it isn't asked again


@dataclass(frozen=True, slots=True, eq=False)
class PrequentialScore:
    """How well one training's predictions had foreseen what people then labelled.

    Parameters
    ----------
    iteration
        The training.
    areas
        ROIs that were scored.
    confusion
        Over all their pixels.
    """

    iteration: int
    areas: int
    confusion: Confusion

    @property
    def dice(self) -> Mapping[str, float]:
        """Dice per class, background left out; NaN for a class neither labelled nor predicted."""
        return Scores(self.confusion).dice

    @property
    def score(self) -> float:
        """The one number, as for the hold-out (``models.metrics.Scores``)."""
        return Scores(self.confusion).score


def prequential_scores(store: Store) -> tuple[PrequentialScore, ...]:
    """Return one score per training whose predictions people labelled after, by iteration."""
    found: dict[int, list[Confusion]] = {}
    for record in store.prequential():
        if record.iteration != _UNSCORED:
            found.setdefault(record.iteration, []).append(Confusion(_counts(record), record.classes))
    return tuple(PrequentialScore(i, len(parts), _together(parts)) for i, parts in sorted(found.items()))


def new_scores(
    project: Project, store: Store, reading: SlideReading, now: datetime, earlier: Earlier
) -> Sequence[PrequentialRecord]:
    """Return the scores of the ROIs that a save brings; call it before the save's outcomes are recorded.

    Only pixels that nobody had labelled when the predictions were written count: elsewhere none are written. A score
    that can't be made is logged and left out; the loop goes on.
    """
    try:
        return list(_scored(project, store, reading, now, earlier))
    except BridgeError as error:  # a score must not stop the loop
        logger.warning("slide=%s what was predicted is not compared: %s", reading.entry.name, error)
        return ()


def record_scores(store: Store, scores: Iterable[PrequentialRecord]) -> None:
    """Record scores; an area that has one keeps it."""
    for record in scores:
        store.record_prequential(record)


def _scored(
    project: Project, store: Store, reading: SlideReading, now: datetime, earlier: Earlier
) -> Iterator[PrequentialRecord]:
    key, done = reading.entry.key, store.scored_areas(reading.entry.key)
    seen = _write_seen(project, store, reading)
    rois = [o.annotation.geometry for o in reading.reconciled.of(Role.ROI)]
    if seen is None or all(area_key(roi) in done for roi in rois):
        return
    plan = whole_plan(project, store, reading)
    fresh = {area_key(area): area for area in plan.complete if area_key(area) not in done}
    parts = store.parts(key)
    before = [*_labelled_before(project, earlier, reading, seen), *_scored_before(project, store, earlier, reading)]
    known = shapely.union_all(repair_areas(before)) if before else shapely.MultiPolygon()
    judge = _Comparison.of(project, reading, plan, _predictions_of(store, reading, seen.iteration))
    names = project.scheme.names
    for name, area in fresh.items():
        offered = repair_area(shapely.difference(area, known))
        is_open = parts.get(name) != HOLD_OUT and offered.area >= _LEAST_PX * judge.downsample**2
        confusion = judge.confusion(offered) if is_open else Confusion.empty(names)
        iteration = seen.iteration if confusion.pixels else _UNSCORED
        matrix = tuple(tuple(row) for row in confusion.counts.tolist())
        yield PrequentialRecord(key, name, iteration, now, names, matrix)
        if iteration != _UNSCORED:
            _tell(reading, iteration, confusion)


def _tell(reading: SlideReading, iteration: int, confusion: Confusion) -> None:
    score = Scores(confusion).score  # NaN where neither the labels nor the predictions have an object
    logger.info(
        "a newly labelled area was compared with what had been predicted slide=%s training=%d score=%s pixels=%d",
        reading.entry.name,
        iteration,
        "none" if math.isnan(score) else f"{score:.3f}",
        confusion.pixels,
    )


def _write_seen(project: Project, store: Store, reading: SlideReading) -> WriteRecord | None:
    """Return the write whose predictions the person had before them; None where there were none."""
    key = reading.entry.key
    marker = store.newest_marker(key)
    is_blind = store.parts(key).get(WHOLE_SLIDE) == HOLD_OUT and not project.settings.write.hold_out_predictions
    if marker is None or is_blind or reading.reconciled.marker is Marker.STALE:
        return None
    if project.settings.labels.complete == "slide" or store.predicted_with(key) is None:
        return None
    write = store.write(marker)
    return write if write.iteration > 0 else None


def _predictions_of(store: Store, reading: SlideReading, iteration: int) -> list[WrittenObject]:
    """Return the predictions of one training as they were ever written to a slide's file.

    Those that were rejected or made plain since are among them: the training did predict them.
    """
    key = reading.entry.key
    known = [*(o.written for o in reading.reconciled.outcomes), *store.superseded(key), *store.rejected(key)]
    return [w for w in known if w.role is MachineRole.PREDICTION and w.iteration == iteration]


def _labelled_before(
    project: Project, earlier: Earlier, reading: SlideReading, seen: WriteRecord
) -> Iterator[BaseGeometry]:
    """Yield what was labelled in the file that the write was made for: no prediction was written there."""
    scheme, options = project.scheme, project.settings.labels
    areas = {*options.roi_classes, *options.ignore_classes}
    for annotation in _areas_at(earlier, reading, seen.base_revision):
        said = said_class(annotation, scheme, options)
        if said is not None and (said in areas or (said in scheme and not annotation.is_ours)):
            yield annotation.geometry


def _scored_before(project: Project, store: Store, earlier: Earlier, reading: SlideReading) -> Iterator[BaseGeometry]:
    """Yield the areas of the save before that have a score: one that was drawn larger since counts for the rest."""
    last, done = store.last_read(reading.entry.key), store.scored_areas(reading.entry.key)
    scheme, options = project.scheme, project.settings.labels
    for annotation in _areas_at(earlier, reading, last.revision if last is not None and done else None):
        if said_class(annotation, scheme, options) in options.roi_classes and area_key(annotation.geometry) in done:
            yield annotation.geometry


def _areas_at(earlier: Earlier, reading: SlideReading, revision: str | None) -> Sequence[Annotation]:
    """Return the areas in an earlier revision of a slide's file; none where there was no file."""
    if not revision:
        return ()
    return [a for a in earlier.objects(revision, reading) if a.shape.is_area]


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    """What is labelled and what was predicted on one slide, ready to be burnt."""

    labels: PlanRaster
    predicted: ShapeIndex
    extent: Window
    names: tuple[str, ...]
    downsample: float

    @classmethod
    def of(
        cls, project: Project, reading: SlideReading, plan: LabelPlan, predictions: Sequence[WrittenObject]
    ) -> _Comparison:
        scheme = project.scheme
        downsample = downsample_for(reading.mpp, project.settings.model.mpp)
        return cls(
            PlanRaster(plan, scheme, downsample, Part.TRAINING),
            ShapeIndex(_by_priority(predictions, scheme), downsample),
            reading.pyramid.window_at(downsample),
            scheme.names,
            downsample,
        )

    def confusion(self, area: BaseGeometry) -> Confusion:
        """Count the pixels of one area; ignored ones don't count."""
        inside = ShapeIndex([(area, 1)], self.downsample)
        total = Confusion.empty(self.names)
        around = Window.covering(Region.from_bounds(*area.bounds), self.downsample).intersection(self.extent)
        for block in around.tiles(_BLOCK_PX) if around is not None else ():
            truth = self.labels.burn(block).labels.copy()
            truth[inside.burn(block) == 0] = IGNORE_LABEL
            total = total + Confusion.from_labels(truth, self.predicted.burn(block), self.names)
        return total


def _by_priority(predictions: Iterable[WrittenObject], scheme: ClassScheme) -> list[tuple[BaseGeometry, int]]:
    rank = {label: place for place, label in enumerate(scheme.labels_by_priority())}
    found = []
    for written in predictions:
        name = plain_class(written.path_class)
        if name is not None and name in scheme:
            found.append((written.geometry, scheme.label(name)))
    return sorted(found, key=lambda pair: rank[pair[1]])


def _counts(record: PrequentialRecord) -> NDArray[np.int64]:
    return np.array(record.confusion, np.int64).reshape(len(record.classes), len(record.classes))


def _together(parts: Sequence[Confusion]) -> Confusion:
    """Add matrices up by name: the scheme may have got a class while the training's predictions were shown."""
    names = tuple(dict.fromkeys(name for part in parts for name in part.names))
    counts = np.zeros((len(names), len(names)), np.int64)
    for part in parts:
        places = [names.index(name) for name in part.names]
        counts[np.ix_(places, places)] += part.counts
    return Confusion(counts, names)
