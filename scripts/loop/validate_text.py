"""A validation in words and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from models.metrics import ClassScores, Confusion, Froc, Spread, class_scores
from scripts.loop.prequential import PrequentialScore
from scripts.loop.validate_results import Validation
from scripts.loop.validate_summary import (
    ClassSummary,
    IterationSummary,
    Row,
    score_names,
    slide_rows,
    summarize,
)
from scripts.plain_words import counted

_TITLES = ("sensitivity", "specificity", "precision", "accuracy", "F1", "IoU", "object F1")
_WIDEST = 24  # of a class's or slide's name in a table


def summaries(validation: Validation) -> tuple[IterationSummary, ...]:
    """Return the numbers of each iteration."""
    return tuple(summarize(result) for result in validation.iterations)


def lines(validation: Validation) -> Iterator[str]:
    """Yield a validation for people: a table over iterations, then the newest in detail."""
    found = summaries(validation)
    if found:
        yield from _iteration_table(found)
        yield from _newest(found[-1], validation)
    yield from _prequential_table(validation.prequential)
    yield from (f"not judged: {line}" for line in validation.missing)
    yield from (f"left out: {line}" for line in validation.problems)
    if validation.is_stopped:
        yield "stopped before the end; what was judged is kept, and the next validation goes on from there"


def as_json(validation: Validation) -> Mapping[str, object]:
    """Return a validation for machines; a score that can't be had is null."""
    return {
        "classes": list(validation.classes),
        "by": validation.by,
        "iterations": [_iteration_json(summary) for summary in summaries(validation)],
        "prequential": [_prequential_json(score) for score in validation.prequential],
        "not_judged": list(validation.missing),
        "problems": list(validation.problems),
        "judged_now": validation.judged_now,
        "stopped": validation.is_stopped,
    }


def number(value: float) -> float | None:
    """Return a number as JSON and CSV have it; None for NaN."""
    return None if math.isnan(value) else round(value, 6)


def _iteration_table(found: Sequence[IterationSummary]) -> Iterator[str]:
    newest = found[-1]
    slides = len(newest.result.slides)
    yield (
        f"hold-out: {counted(slides, 'slide')}, {counted(newest.confusion.pixels, 'pixel')} of the newest model's"
        " grid; scores over all pixels, F1 per slide as mean ± sd"
    )
    yield _cells(["training", "class", *_TITLES, "F1 per slide", "FROC"])
    for summary in found:
        mark = "" if summary.result.model.is_promoted else " (not used)"
        for one in summary.shown:
            yield _cells(
                [
                    f"{summary.result.model.iteration}{mark}",
                    one.name,
                    *(_said(value) for value in one.pooled.values().values()),
                    _said_spread(one.spreads["f1"]),
                    _said(one.froc.score) if one.froc is not None else "–",
                ]
            )
    reasons = {one.froc_missing for one in newest.classes if one.froc_missing is not None}
    yield from (f"FROC is not computed: {reason}" for reason in sorted(reasons))


def _newest(summary: IterationSummary, validation: Validation) -> Iterator[str]:
    called = summary.result.model.called
    yield ""
    yield f"{called}, mean ± sd over slides, each alike"
    yield _cells(["class", *_TITLES], 16)
    for one in summary.shown:
        yield _cells([one.name, *(_said_spread(one.spreads[name]) for name in score_names())], 16)
    for group in sorted(summary.classes[0].groups) if validation.by is not None else ():
        for one in summary.shown:
            said = [_said_spread(one.groups[group][name]) for name in score_names()]
            yield _cells([f"{validation.by} {group or '(none)'}: {one.name}", *said], 16)
    yield ""
    yield f"{called}, slide by slide"
    yield _cells(["slide", "class", *_TITLES])
    for slide in summary.result.slides:
        for name, row in list(slide_rows(slide).items())[: len(summary.shown)]:
            yield _cells([slide.slide, name, *(_said(value) for value in row.values().values())])
    yield ""
    yield from _confusion_table(called, summary.confusion)


def _confusion_table(called: str, confusion: Confusion) -> Iterator[str]:
    yield f"{called}, pixels: rows what is true, columns what was predicted"
    yield _cells(["", *confusion.names], 14)
    for name, row in zip(confusion.names, confusion.counts.tolist(), strict=True):
        yield _cells([name, *map(str, row)], 14)


def _prequential_table(scores: Sequence[PrequentialScore]) -> Iterator[str]:
    if not scores:
        return
    yield ""
    yield "foreseen: what each training's model had predicted where people then labelled (prequential), F1"
    yield _cells(["training", "class", "F1", "areas", "pixels"])
    for score in scores:
        for name, one in class_scores(score.confusion).items():
            yield _cells([str(score.iteration), name, _said(one.f1), str(score.areas), str(score.confusion.pixels)])


def _cells(cells: Sequence[str], width: int = 11) -> str:
    first = max(width, 14)
    return "  ".join(
        f"{cell[:_WIDEST]:<{first}}" if place < 2 else f"{cell:>{width}}" for place, cell in enumerate(cells)
    ).rstrip()


def _said(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _said_spread(spread: Spread) -> str:
    if math.isnan(spread.mean):
        return "–"
    return f"{spread.mean:.3f}" if math.isnan(spread.sd) else f"{spread.mean:.3f} ± {spread.sd:.3f}"


def _iteration_json(summary: IterationSummary) -> Mapping[str, object]:
    model = summary.result.model
    return {
        "iteration": model.iteration,
        "checkpoint": model.checkpoint_id,
        "promoted": model.is_promoted,
        "weights_are_there": model.is_there,
        "pixels": summary.confusion.pixels,
        "classes": {one.name: _class_json(one) for one in summary.classes},
        "slides": [
            {
                "slide": slide.slide,
                "group": slide.group,
                "pixels": slide.judgement.confusion.pixels,
                "tissue_share": number(slide.judgement.tissue_share),
                "seconds": round(slide.seconds, 2),
                "classes": {name: _row_json(row) for name, row in slide_rows(slide).items()},
            }
            for slide in summary.result.slides
        ],
        "confusion": _confusion_json(summary.confusion),
    }


def _class_json(one: ClassSummary) -> Mapping[str, object]:
    return {
        **_row_json(one.pooled),
        "per_slide": _spreads_json(one.spreads),
        "groups": {group: _spreads_json(spreads) for group, spreads in one.groups.items()},
        "froc": _froc_json(one.froc) if one.froc is not None else None,
        "froc_missing": one.froc_missing,
    }


def _row_json(row: Row) -> Mapping[str, object]:
    objects = row.objects
    return {
        **{name: number(value) for name, value in row.values().items()},
        "objects": {"found": objects.found, "missed": objects.missed, "spurious": objects.spurious},
    }


def _spreads_json(spreads: Mapping[str, Spread]) -> Mapping[str, object]:
    return {name: {"mean": number(s.mean), "sd": number(s.sd), "count": s.count} for name, s in spreads.items()}


def _froc_json(curve: Froc) -> Mapping[str, object]:
    return {
        "score": number(curve.score),
        "slides": curve.slides,
        "lesions": curve.lesions,
        "false_positives_per_slide": list(curve.rates),
        "sensitivities": [number(value) for value in curve.at_rates],
    }


def _confusion_json(confusion: Confusion) -> Mapping[str, object]:
    return {"classes": list(confusion.names), "counts": confusion.counts.tolist()}


def _prequential_json(score: PrequentialScore) -> Mapping[str, object]:
    return {
        "iteration": score.iteration,
        "areas": score.areas,
        "pixels": score.confusion.pixels,
        "classes": {name: _scores_json(scores) for name, scores in class_scores(score.confusion).items()},
    }


def _scores_json(scores: ClassScores) -> Mapping[str, object]:
    return {name: number(getattr(scores, name)) for name in ClassScores.names()}
