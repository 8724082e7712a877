"""From facts to what the template shows: every number as it is written, every figure drawn."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from scripts.loop.costs import duration
from scripts.loop.training_words import kind_in_words, net_in_words
from scripts.report.charts import area_chart, learning_chart, loss_chart, savings_chart, times_chart
from scripts.report.disagreeing import MOST
from scripts.report.effort_words import not_told
from scripts.report.facts import AreaPoint, Disagreement, Mistakes, Mood, Picture, ReportFacts, RunRow, SlideRow
from scripts.report.words import NOTHING, area, count, moment, number, percent, with_sd
from scripts.web.layers import Layer

_STAGES = {
    "network": "network",
    "waiting_for_pixels": "waiting for pixels",
    "stitch": "joining tiles",
    "vectorize": "outlines",
    "other": "finding tissue, and all else",
    "read": "reading (in threads beside the others)",
}
_HEATS = 5
_MOST_CLASSES = 40  # in the legend of the pictures


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its text, and what it is sorted by."""

    text: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A cell of the confusion matrix."""

    share: str
    pixels: str
    look: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of predicting; ``width`` of 100 is its bar."""

    name: str
    share: str
    width: float


def view(facts: ReportFacts) -> Mapping[str, object]:
    """Return the template's values; a pure function of the facts."""
    zone = facts.now.tzinfo
    found = facts.effort.account
    return {
        "facts": facts,
        "made": moment(facts.now, zone),
        "made_iso": facts.now.isoformat(timespec="seconds"),
        "since_iso": facts.since.isoformat(timespec="seconds"),
        "since": moment(facts.since, zone),
        "numbers": list(_key_numbers(facts)),
        "disagreements": [_disagreement_cells(one, facts) for one in facts.disagreements[:MOST]],
        "learning": learning_chart(facts.learning.curves),
        "learning_rows": list(_learning_rows(facts)),
        "loss": loss_chart(facts.losses),
        "loss_rows": list(_loss_rows(facts)),
        "matrix": None if facts.mistakes is None else _matrix(facts.mistakes),
        "times": times_chart(found),
        "savings": savings_chart(found) if not_told(found) is None else None,
        "not_saved": not_told(found),
        "effort_rows": list(_effort_rows(facts)),
        "effort_facts": list(_effort_facts(facts)),
        "area": area_chart(_in_zone(facts), facts.runs),
        "area_rows": [(moment(point.at, zone), area(point.mm2)) for point in facts.area[-12:]],
        "cost_facts": list(_cost_facts(facts)),
        "stages": list(_stages(facts)),
        "slides": [_slide_cells(row, facts) for row in facts.slides],
        "anchors": {row.anchor for row in facts.slides},
        "classes": list(_drawn_classes(facts)),
        "runs": [_run_cells(run, facts, used=_in_use(facts)) for run in facts.runs],
        "words": {"number": number, "count": count, "area": area, "percent": percent, "nothing": NOTHING},
    }


def jpeg_uri(picture: Picture) -> str:
    """Return a picture as the address that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}"


def _in_zone(facts: ReportFacts) -> Sequence[AreaPoint]:
    zone = facts.now.tzinfo
    return [replace(point, at=point.at.astimezone(zone)) for point in facts.area]


def _key_numbers(facts: ReportFacts) -> Iterator[tuple[str, str, str]]:
    unread = sum(row.problem is not None for row in facts.slides)
    yield "Slides", count(len(facts.slides)), f"{unread} can't be read" if unread else "all can be read"
    labelled = facts.area[-1].mm2 if facts.area else None
    yield "Labelled completely", f"{area(labelled)} mm²" if labelled is not None else NOTHING, "all slides together"
    used = _in_use(facts)
    model = f"training {used.iteration}" if used is not None else "none yet"
    yield "Model in use", model, f"since {moment(used.ended_at, facts.now.tzinfo)}" if used is not None else ""
    yield _quality(facts)
    yield _saved(facts)
    waiting = facts.cost.waiting
    if waiting is not None:
        how_long = f"about {duration(waiting.seconds)}" if waiting.slides and waiting.seconds is not None else ""
        yield "To be predicted yet", count(waiting.slides), how_long or "by the model in use"


def _quality(facts: ReportFacts) -> tuple[str, str, str]:
    curves = facts.learning.curves
    last = curves[-1] if curves else None
    if last is not None and last.held_out:
        point = last.held_out[-1]
        if point.f1 is None:
            return f"F1 on held-out slides, {last.name}", NOTHING, "it is neither labelled nor predicted there"
        spread = f"per slide {with_sd(point.mean, point.sd)}"
        return f"F1 on held-out slides, {last.name}", number(point.f1), f"training {point.iteration}; {spread}"
    if last is not None and last.foreseen:
        seen = last.foreseen[-1]
        return f"F1 before labelling, {last.name}", number(seen.f1), f"training {seen.iteration}, {seen.areas} areas"
    return "F1", NOTHING, "nothing was judged yet"


def _saved(facts: ReportFacts) -> tuple[str, str, str]:
    found = facts.effort.account
    why_not = not_told(found)
    if why_not is not None or found.fit is None or found.counted_minutes is None:
        return "Annotation time saved", NOTHING, why_not or "not known yet"
    counted = f"counted: {found.counted_minutes:.0f} minutes"
    return "Annotation time saved", f"{found.fit.curve.savings:.1f} %", f"by H-AI-L's curve; {counted}"


def _disagreement_cells(one: Disagreement, facts: ReportFacts) -> Mapping[str, object]:
    where = NOTHING if one.centre_um is None else f"{one.centre_um[0]:,.0f}, {one.centre_um[1]:,.0f}"
    dice = ", ".join(f"{name}\N{NO-BREAK SPACE}{number(value, 2)}" for name, value in one.dice.items())
    when = "as labelled now" if one.at is None else moment(one.at, facts.now.tzinfo)
    return {"one": one, "score": number(one.score), "dice": dice, "where": where, "when": when}


def _learning_rows(facts: ReportFacts) -> Iterator[Sequence[str]]:
    for curve in facts.learning.curves:
        foreseen = {point.iteration: point for point in curve.foreseen}
        held_out = {point.iteration: point for point in curve.held_out}
        for iteration in curve.iterations:
            judged, seen = held_out.get(iteration), foreseen.get(iteration)
            yield (
                str(iteration),
                curve.name,
                number(judged.f1) if judged is not None else NOTHING,
                with_sd(judged.mean, judged.sd) if judged is not None else NOTHING,
                number(seen.f1) if seen is not None else NOTHING,
                count(seen.areas) if seen is not None else NOTHING,
            )


def _loss_rows(facts: ReportFacts) -> Iterator[Sequence[str]]:
    for curve in reversed(facts.losses):
        for net, points in curve.by_net().items():
            if points:
                last = points[-1]
                steps = f"{count(last.step)} of {count(last.planned)}"
                took = duration(last.seconds)
                began = moment(curve.started_at, facts.now.tzinfo)
                yield began, kind_in_words(curve.kind), net_in_words(net), steps, f"{last.loss:.4g}", took


def _matrix(found: Mistakes) -> Sequence[tuple[str, Sequence[HeatCell]]]:
    rows = []
    counts = found.confusion.counts.tolist()
    for place, (name, row) in enumerate(zip(found.confusion.names, counts, strict=True)):
        total = sum(row)
        cells = [_heat(value, total, is_right=place == other) for other, value in enumerate(row)]
        rows.append((name, cells))
    return rows


def _heat(pixels: int, total: int, *, is_right: bool) -> HeatCell:
    share = pixels / total if total else 0.0
    look = f"{'right' if is_right else 'wrong'} heat-{min(_HEATS, round(share * _HEATS + 0.3))}"
    return HeatCell(f"{share:.2f}" if total else NOTHING, count(pixels), look)


def _effort_rows(facts: ReportFacts) -> Iterator[Sequence[str]]:
    found = facts.effort.account
    for each in found.iterations:
        work = (each.work.accepted, each.work.corrected, each.work.added, each.work.rejected, each.work.declined)
        pace, mark = each.seconds_per_region, "*" if each.is_measured else ""
        yield (
            str(each.iteration),
            *map(count, work),
            count(each.work.patch_labels),
            count(each.work.boxes),
            count(each.regions),
            count(each.timed_regions),
            number(pace, 1) + mark,
            number(found.normalized(pace)),
        )


def _effort_facts(facts: ReportFacts) -> Iterator[tuple[str, str]]:
    found = facts.effort.account
    if not_told(found) is not None or found.fit is None:
        return
    if found.model_minutes is None or found.counted_minutes is None:
        return
    curve = found.fit.curve
    yield "τ (how soon predictions help; smaller is sooner)", f"{curve.tau:.1f} regions"
    yield "R, regions annotated", count(round(curve.regions))
    yield "P, share of the time saved", f"{curve.savings:.1f} %"
    yield "minutes saved, by the curve", f"{found.model_minutes:.0f}"
    yield "minutes saved, counted", f"{found.counted_minutes:.0f}"
    yield "the curve misses by", number(found.fit.error, 2)


def _cost_facts(facts: ReportFacts) -> Iterator[tuple[str, str]]:
    cost = facts.cost
    if cost.costs:
        rate = cost.seconds_per_mm2
        of = f", median of {len(cost.costs)}" if len(cost.costs) > 1 else ""
        yield f"a slide takes{of}", duration(cost.seconds)
        yield "a mm² of tissue takes", duration(rate) if rate is not None else NOTHING
        yield "tissue of a slide, tiles", f"{cost.tissue_mm2:.3g} mm², {cost.tiles:.0f}"
        yield "all slides together", duration(sum(one.wall_seconds for one in cost.costs))
        yield "computed by", ", ".join(sorted({one.runs_on for one in cost.costs}))
    trained = [run.cost for run in facts.runs if run.cost is not None]
    if trained:
        rates = [rate for one in trained if (rate := one.steps_per_second) is not None]
        yield f"a training takes, median of {len(trained)}", duration(median(one.seconds for one in trained))
        yield "training steps a second", f"{median(rates):.3g}" if rates else NOTHING
        yield "all trainings together", duration(sum(one.seconds for one in trained))


def _stages(facts: ReportFacts) -> Iterator[Stage]:
    if facts.cost.costs:
        shares = facts.cost.shares
        for stage, name in _STAGES.items():
            yield Stage(name, percent(shares[stage]), round(min(1.0, shares[stage]) * 100, 1))


def _slide_cells(row: SlideRow, facts: ReportFacts) -> Mapping[str, object]:
    picture = row.picture
    layers: Mapping[Layer, Sequence[object]] = {}
    if picture is not None:
        layers = {layer: [s for s in picture.shapes if s.layer is layer] for layer in _drawing_order()}
    return {
        "row": row,
        "uri": None if picture is None else jpeg_uri(picture),
        "layers": {layer: shapes for layer, shapes in layers.items() if shapes},
        "described": "" if picture is None else _described(picture),
        "cells": list(_slide_numbers(row, facts)),
    }


def _drawn_classes(facts: ReportFacts) -> Iterator[tuple[str, str]]:
    """Yield (class, colour) of all that is drawn over a picture, each once."""
    pictures = (row.picture for row in facts.slides if row.picture is not None)
    found = dict.fromkeys((shape.path_class, shape.colour) for picture in pictures for shape in picture.shapes)
    yield from sorted(found)[:_MOST_CLASSES]


def _drawing_order() -> Sequence[Layer]:
    return (Layer.PREDICTION, Layer.PROPOSAL, Layer.EXPERT)


def _described(picture: Picture) -> str:
    counts = picture.counts or {}
    said = [f"{counts[layer]} {word}" for layer, word in _LAYER_WORDS.items() if counts.get(layer)]
    return ", ".join(said) or "no outlines"


_LAYER_WORDS = {Layer.EXPERT: "by people", Layer.PREDICTION: "predicted", Layer.PROPOSAL: "proposed"}


def _slide_numbers(row: SlideRow, facts: ReportFacts) -> Iterator[Cell]:
    yield Cell(area(row.labelled_mm2), _value(row.labelled_mm2))
    yield Cell(count(row.objects), _value(row.objects))
    yield Cell(count(row.predictions), _value(row.predictions))
    yield Cell(count(row.proposals), _value(row.proposals))
    yield Cell(number(row.agreement, 2), _value(row.agreement))
    written = None if row.written_at is None else row.written_at.timestamp()
    yield Cell(moment(row.written_at, facts.now.tzinfo), _value(written))
    yield Cell(duration(row.seconds) if row.seconds is not None else NOTHING, _value(row.seconds))


def _value(number: float | None) -> str:
    return "" if number is None else f"{number:.6g}" if abs(number) < 1e9 else f"{number:.0f}"


def _in_use(facts: ReportFacts) -> RunRow | None:
    """Return the training whose model is in use."""
    return next((run for run in facts.runs if run.verdict == "used"), None)


def _run_cells(run: RunRow, facts: ReportFacts, *, used: RunRow | None) -> Mapping[str, object]:
    seconds = run.cost.seconds if run.cost is not None else None
    when = run.ended_at or run.started_at
    cells = [
        Cell(str(run.iteration), str(run.iteration)),
        Cell(kind_in_words(run.kind), run.kind),
        Cell(moment(run.started_at, facts.now.tzinfo), _value(when.timestamp())),
        Cell(duration(seconds) if seconds is not None else NOTHING, _value(seconds)),
        Cell(run.design or NOTHING, run.design or ""),
        Cell(number(run.score), _value(run.score)),
        Cell(number(run.champion_score), _value(run.champion_score)),
    ]
    result = {"used": "in use" if run is used else "was in use", "not used": "not better"}.get(run.verdict, run.verdict)
    mood = Mood.PLAIN if result == "was in use" else run.mood
    return {"run": run, "cells": cells, "result": result, "mood": mood.value}
