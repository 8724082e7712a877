"""The report's facts for machines: without pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from scripts.report.facts import ClassCurve, Disagreement, ReportFacts, RunRow, SlideRow


def to_json(facts: ReportFacts) -> Mapping[str, object]:
    """Return the facts as JSON holds them; what isn't known is null.

    ``effort`` is what ``slidebridge effort --json`` says, without the project's folder; ``prediction`` what ``status
    --json`` says by that name.
    """
    effort = {name: value for name, value in facts.effort.as_json().items() if name != "project"}
    return {
        "project": facts.project,
        "made": facts.now.isoformat(),
        "since": facts.since.isoformat(),
        "news": [{"topic": one.topic, "text": one.text, "mood": one.mood.value} for one in facts.news],
        "watched": facts.is_watched,
        "missing": facts.missing,
        "disagreements": [_disagreement(one) for one in facts.disagreements],
        "learning": [_curve(curve) for curve in facts.learning.curves],
        "unjudged": list(facts.learning.unjudged),
        "confusion": None if facts.mistakes is None else _mistakes(facts),
        "effort": effort,
        "labelled_mm2": [{"at": point.at.isoformat(), "mm2": round(point.mm2, 6)} for point in facts.area],
        "prediction": facts.cost.as_json(),
        "slides": [_slide(row) for row in facts.slides],
        "iterations": [_run(run) for run in facts.runs],
        "warnings": list(facts.warnings),
        "environment": dict(facts.environment),
    }


def _disagreement(one: Disagreement) -> Mapping[str, object]:
    return {
        "slide": one.name,
        "compared": one.kind,
        "iteration": one.iteration,
        "score": round(one.score, 4),
        "dice": {name: None if value is None else round(value, 4) for name, value in one.dice.items()},
        "pixels": one.pixels,
        "at": _time(one.at),
        "centre_um": None if one.centre_um is None else [round(side, 1) for side in one.centre_um],
    }


def _curve(curve: ClassCurve) -> Mapping[str, object]:
    return {
        "class": curve.name,
        "held_out": [_rounded(asdict(point)) for point in curve.held_out],
        "foreseen": [_rounded(asdict(point)) for point in curve.foreseen],
    }


def _mistakes(facts: ReportFacts) -> Mapping[str, object]:
    assert facts.mistakes is not None, "asked by whoever knows"
    found = facts.mistakes
    return {"of": found.origin, "classes": list(found.confusion.names), "counts": found.confusion.counts.tolist()}


def _slide(row: SlideRow) -> Mapping[str, object]:
    return {
        "slide": row.name,
        "use": row.part,
        "objects_of_people": row.objects,
        "labelled_mm2": None if row.labelled_mm2 is None else round(row.labelled_mm2, 6),
        "predictions": row.predictions,
        "proposals": row.proposals,
        "iteration": row.iteration,
        "written_at": _time(row.written_at),
        "agreement": None if row.agreement is None else round(row.agreement, 4),
        "agreement_of": row.agreement_of or None,
        "seconds": None if row.seconds is None else round(row.seconds, 4),
        "has_picture": row.picture is not None,
        "notes": list(row.notes),
        "problem": row.problem or row.picture_problem or (row.picture.note if row.picture is not None else None),
    }


def _run(run: RunRow) -> Mapping[str, object]:
    return {
        "iteration": run.iteration,
        "kind": run.kind,
        "started": run.started_at.isoformat(),
        "ended": _time(run.ended_at),
        "design": run.design,
        "became": run.verdict,
        "score": run.score,
        "champion_score": run.champion_score,
        "reason": run.reason or None,
        "cost": None if run.cost is None else run.cost.as_json(),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _rounded(values: Mapping[str, object]) -> Mapping[str, object]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}
