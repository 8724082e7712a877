"""From judgements to the numbers of a table: per class and pooled, over pixels and over slides, also per group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from models.metrics import (
    ClassScores,
    Confusion,
    Froc,
    FrocOptions,
    ObjectCounts,
    Spread,
    class_scores,
    froc,
)
from scripts.loop.validate_results import IterationResult, SlideResult

OBJECT_F1 = "object_f1"
WHOLE = 0.9  # of a slide's tissue that must be judged for false positives "per slide" to mean a slide

_LESION_UM = FrocOptions().least_um - FrocOptions().grown_um  # isolated cells, and clusters of them, are shorter
_ONE_CLASS = 2  # it, and all together


@dataclass(frozen=True, slots=True)
class Row:
    """What a table says of one class on one set of pixels.

    Parameters
    ----------
    scores
        Of pixels.
    objects
        Of objects.
    """

    scores: ClassScores
    objects: ObjectCounts

    def values(self) -> dict[str, float]:
        """Return every score by name: those of pixels, then the objects' F1."""
        of_pixels = {field.name: getattr(self.scores, field.name) for field in fields(self.scores)}
        return {**of_pixels, OBJECT_F1: self.objects.f1}


def score_names() -> tuple[str, ...]:
    """Return what the scores of a row are called, in order."""
    return (*ClassScores.names(), OBJECT_F1)


@dataclass(frozen=True, slots=True)
class ClassSummary:
    """One class (or all of them together) in one iteration.

    Parameters
    ----------
    pooled
        Over all held-out pixels and objects together.
    spreads
        By score: mean and sd over slides, each alike.
    groups
        The same per group.
    froc
        None where it isn't computed.
    froc_missing
        Why not.
    """

    name: str
    pooled: Row
    spreads: Mapping[str, Spread]
    groups: Mapping[str, Mapping[str, Spread]]
    froc: Froc | None
    froc_missing: str | None


@dataclass(frozen=True, slots=True, eq=False)
class IterationSummary:
    """One iteration: all classes, and the confusion matrix."""

    result: IterationResult
    confusion: Confusion
    classes: tuple[ClassSummary, ...]

    @property
    def shown(self) -> tuple[ClassSummary, ...]:
        """The classes for tables and figures of people: of a single one, it and all together are the same numbers."""
        return self.classes[:1] if len(self.classes) == _ONE_CLASS else self.classes


def slide_rows(slide: SlideResult) -> Mapping[str, Row]:
    """Return the rows of one slide, by class, then all classes together."""
    found = slide.judgement
    return {name: Row(scores, found.objects[name]) for name, scores in class_scores(found.confusion).items()}


def summarize(result: IterationResult) -> IterationSummary:
    """Return the numbers of one iteration."""
    confusion = sum((s.judgement.confusion for s in result.slides), Confusion.empty(_names(result)))
    rows = [slide_rows(slide) for slide in result.slides]
    classes = [
        _class_summary(name, scores, result.slides, [row[name] for row in rows])
        for name, scores in class_scores(confusion).items()
    ]
    return IterationSummary(result, confusion, tuple(classes))


def _class_summary(name: str, scores: ClassScores, slides: Sequence[SlideResult], rows: Sequence[Row]) -> ClassSummary:
    objects = sum((row.objects for row in rows), ObjectCounts())
    groups = sorted({slide.group for slide in slides})
    by_group = {
        group: _spreads([row for slide, row in zip(slides, rows, strict=True) if slide.group == group])
        for group in groups
    }
    curve, missing = _froc(name, slides)
    return ClassSummary(name, Row(scores, objects), _spreads(rows), by_group, curve, missing)


def _spreads(rows: Sequence[Row]) -> Mapping[str, Spread]:
    return {name: Spread.of(row.values()[name] for row in rows) for name in score_names()}


def _froc(name: str, slides: Sequence[SlideResult]) -> tuple[Froc | None, str | None]:
    """Return a class's FROC over the slides that were judged whole; or why there is none."""
    judgements = [slide.judgement for slide in slides if slide.judgement.tissue_share >= WHOLE]
    whole = [judgement.detections[name] for judgement in judgements]
    if not whole:
        return None, (
            "false positives per slide mean something only where slides are judged whole, and of each slide less than"
            f" {WHOLE:.0%} of the tissue is held out and labelled"
        )
    if max(judgement.largest_um[name] for judgement in judgements) < _LESION_UM:
        return None, f"{name}: none of the labelled objects is as long as a lesion, {_LESION_UM:.0f} µm"
    if not any(detections.lesions for detections in whole):  # a long and thin one, by its ellipse
        return None, f"{name}: no slide that is judged whole has a lesion that counts"
    return froc(whole), None


def _names(result: IterationResult) -> tuple[str, ...]:
    return result.slides[0].judgement.confusion.names
