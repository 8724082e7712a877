"""Learning curves and the confusion matrix, from what was judged and what was foreseen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from models.metrics import class_scores
from scripts.loop.prequential import PrequentialScore
from scripts.loop.validate_results import WHAT_TO_LABEL, IterationResult, Judged
from scripts.loop.validate_summary import ClassSummary, IterationSummary, summarize
from scripts.plain_words import counted
from scripts.report.facts import ClassCurve, ForeseenPoint, HeldOutPoint, Learning, Mistakes

_ONE_CLASS = 2  # it, and all together


def learning_of(
    results: Sequence[IterationResult],
    prequential: Sequence[PrequentialScore],
    models: Sequence[Judged],
    held_out: int,
) -> Learning:
    """Return the curves of every class that has a number.

    Parameters
    ----------
    results
        Judgements that still count.
    models
        All that could be judged.
    held_out
        Slides that judge.
    """
    summaries = [summarize(result) for result in results]
    names = list(dict.fromkeys([*_judged_names(summaries), *_foreseen_names(prequential)]))
    curves = (ClassCurve(n, tuple(_held_out(summaries, n)), tuple(_foreseen(prequential, n))) for n in names)
    judged = {result.model.checkpoint_id for result in results}
    unjudged = tuple(model.iteration for model in models if model.checkpoint_id not in judged)
    return Learning(
        tuple(curve for curve in curves if curve.held_out or curve.foreseen),
        len(results[-1].slides) if results else 0,
        unjudged,
        _gap(models, unjudged, held_out),
    )


def mistakes_of(results: Sequence[IterationResult], prequential: Sequence[PrequentialScore]) -> Mistakes | None:
    """Return the newest model's confusion matrix; without one, that of the newest training that was foreseen by."""
    if results:
        newest, slides = summarize(results[-1]), counted(len(results[-1].slides), "held-out slide")
        where = f"{slides}, judged by `slidebridge validate`"
        return Mistakes(newest.confusion, f"training {results[-1].model.iteration} on {where}")
    if prequential:
        last = prequential[-1]
        areas = counted(last.areas, "area")
        return Mistakes(
            last.confusion,
            f"what training {last.iteration} had predicted in {areas} before people labelled them;"
            " nothing judged on held-out slides is kept",
        )
    return None


def finite(value: float) -> float | None:
    """Return a number, or None for one that isn't."""
    return value if math.isfinite(value) else None


def _judged_names(summaries: Sequence[IterationSummary]) -> Iterator[str]:
    for summary in summaries[-1:]:
        yield from (one.name for one in summary.shown)


def _foreseen_names(prequential: Sequence[PrequentialScore]) -> Iterator[str]:
    for score in prequential:
        found = list(class_scores(score.confusion))
        yield from found[:1] if len(found) == _ONE_CLASS else found


def _held_out(summaries: Sequence[IterationSummary], name: str) -> Iterator[HeldOutPoint]:
    for summary in summaries:
        for one in summary.classes:
            if one.name == name:
                yield _point(summary, one)


def _point(summary: IterationSummary, one: ClassSummary) -> HeldOutPoint:
    model, spread = summary.result.model, one.spreads["f1"]
    slides = len(summary.result.slides)
    f1 = finite(one.pooled.scores.f1)
    return HeldOutPoint(model.iteration, f1, finite(spread.mean), finite(spread.sd), slides, model.is_promoted)


def _foreseen(prequential: Sequence[PrequentialScore], name: str) -> Iterator[ForeseenPoint]:
    for score in prequential:
        one = class_scores(score.confusion).get(name)
        if one is not None and math.isfinite(one.f1):
            yield ForeseenPoint(score.iteration, one.f1, score.areas)


def _gap(models: Sequence[Judged], unjudged: Sequence[int], held_out: int) -> str | None:
    if not models:
        return "There is no model yet: label a few boxes, and run `slidebridge train`."
    if not held_out:
        return f"Nothing is held out to judge by yet: {WHAT_TO_LABEL}. Then run `slidebridge sync`."
    if not unjudged:
        return None
    which = f"Training{'s' if len(unjudged) > 1 else ''} {', '.join(map(str, unjudged))}"
    is_there = "are" if len(unjudged) > 1 else "is"
    return (
        f"{which} {is_there} not judged on today's held-out labels: run `slidebridge validate`, then the report again."
    )
