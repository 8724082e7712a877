"""Where expert and model disagree most: newly labelled areas that were foreseen badly, held-out slides found badly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from shapely.geometry.base import BaseGeometry

from bridge.annotations.labels import area_key
from bridge.store import PrequentialRecord
from models.metrics import Confusion, Scores
from scripts.loop.pull import SlideState
from scripts.loop.validate_results import IterationResult
from scripts.naming.slide_names import SlideNames
from scripts.report.anchors import anchor_of
from scripts.report.facts import Disagreement
from scripts.report.learning import finite

MOST = 10
_UNSCORED = 0  # iteration of an area in which nobody's predictions could be seen
_MODELS = 2

AreaPlaces = Mapping[tuple[str, str], tuple[float, float]]
"""(slide's key, area's key) → its centre, µm from the slide's corner."""


def disagreements(
    results: Sequence[IterationResult],
    records: Sequence[PrequentialRecord],
    keys: Sequence[str],
    names: SlideNames,
    places: AreaPlaces,
) -> tuple[Disagreement, ...]:
    """Return what the newest models were compared on and has a score, the worst first.

    Parameters
    ----------
    results
        Judgements; the newest model's count.
    records
        Of areas, as they were foreseen.
    keys
        Of the slides that judge, in the order of their judgements.
    """
    found = [*_judged(results, keys), *_foreseen(records, names, places)]
    return tuple(sorted(found, key=lambda one: (one.score, one.name, one.kind)))


def worst_areas(records: Sequence[PrequentialRecord]) -> Sequence[PrequentialRecord]:
    """Return the areas that were foreseen worst: those whose place is worth knowing."""
    scored = [(Scores(_confusion(r)).score, r) for r in _in_newest(records)]
    found = [(score, r.slide_key, r.area_key, r) for score, r in scored if math.isfinite(score)]
    return [r for *_, r in sorted(found, key=lambda one: one[:3])[:MOST]]


def places_of(states: Sequence[SlideState]) -> AreaPlaces:
    """Return where the completely labelled areas of slides lie."""
    return {(s.key, area_key(area)): _centre(area, s.reading.mpp) for s in states for area in s.plan.complete}


def _centre(area: BaseGeometry, mpp: tuple[float, float]) -> tuple[float, float]:
    left, top, right, bottom = area.bounds
    return (left + right) / 2 * mpp[0], (top + bottom) / 2 * mpp[1]


def _in_newest(records: Sequence[PrequentialRecord]) -> Sequence[PrequentialRecord]:
    """Return the records of the two newest models that were compared: what older ones got wrong is past."""
    newest = sorted({r.iteration for r in records if r.iteration != _UNSCORED})[-_MODELS:]
    return [r for r in records if r.iteration in newest]


def _judged(results: Sequence[IterationResult], keys: Sequence[str]) -> Iterator[Disagreement]:
    for result in results[-1:]:
        for slide, key in zip(result.slides, keys, strict=True):
            scores = Scores(slide.judgement.confusion)
            if math.isfinite(scores.score):
                yield Disagreement(
                    anchor_of(key),
                    slide.slide,
                    "held-out labels of the slide",
                    result.model.iteration,
                    scores.score,
                    _dice(scores),
                    scores.pixels,
                )


def _foreseen(records: Sequence[PrequentialRecord], names: SlideNames, places: AreaPlaces) -> Iterator[Disagreement]:
    for record in _in_newest(records):
        scores = Scores(_confusion(record))
        if not math.isfinite(scores.score):
            continue
        yield Disagreement(
            anchor_of(record.slide_key),
            names.of(record.slide_key),
            "a new area, before it was labelled",
            record.iteration,
            scores.score,
            _dice(scores),
            scores.pixels,
            record.scored_at,
            places.get((record.slide_key, record.area_key)),
        )


def _dice(scores: Scores) -> Mapping[str, float | None]:
    return {name: finite(value) for name, value in scores.dice.items()}


def _confusion(record: PrequentialRecord) -> Confusion:
    size = len(record.classes)
    return Confusion(np.array(record.confusion, np.int64).reshape(size, size), record.classes)
