"""The tables of a project: its slides, and its trainings with their scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.store import JobRecord, JobState, LookRecord, ReadRecord, RunRecord, RunState, SlideRecord
from bridge.store.write_overview import LastWrite
from scripts.daemon.wording import work
from scripts.dashboard.live import training_since
from scripts.dashboard.looking import Look, Watched
from scripts.loop.costs import duration
from scripts.loop.prequential import prequential_scores
from scripts.loop.training_cost import TrainingCost
from scripts.loop.training_words import kind_in_words, reason_in_words

_NONE = "–"
_Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what is read, and what it is sorted by."""

    text: str
    value: str

    @classmethod
    def of(cls, number: int | None) -> Cell:
        """Return a number's; a dash for none."""
        return cls(_NONE, "") if number is None else cls(f"{number:,}", str(number))

    def as_json(self) -> Mapping[str, str]:
        """Return it for the page's script."""
        return {"text": self.text, "value": self.value}


@dataclass(frozen=True, slots=True)
class SlideRow:
    """One slide, as the store knows it: no file is opened for the table.

    Parameters
    ----------
    id
        In addresses.
    cells
        In the order of ``COLUMNS``.
    is_bad
        Something of it failed, or its newest save is doubted.
    """

    id: str
    name: str
    cells: tuple[Cell, ...]
    is_bad: bool = False

    def as_json(self) -> Mapping[str, object]:
        """Return it for the page's script."""
        return {"id": self.id, "cells": [cell.as_json() for cell in self.cells], "bad": self.is_bad}


COLUMNS = (
    ("By people", "number", "number", "annotations that people drew or accepted, when the file was read last"),
    ("Predictions", "number", "number", "that the last write brought"),
    ("Proposals", "number", "number", "boxes to be labelled next that the last write brought"),
    ("Read", "text", "when", "when the newest save was read"),
    ("Written to", "text", "when", "when SlideBridge last wrote to the file"),
    ("What waits", "text", "", "jobs to be done, and what failed"),
)
"""(title, kind, class, hint) of the columns of the slides' table, behind the name."""


def slide_rows(watched: Watched, look: Look) -> Sequence[SlideRow]:
    """Return a row for every slide of a project, in its order.

    Raises
    ------
    StoreError
        The store can't be read.
    """
    store = look.store
    reads, known = store.last_reads(), {slide.key: slide for slide in store.slides()}
    writes = {write.slide_key: write for write in store.last_writes()}
    looks = {found.slide_key: found for found in store.looks()}
    jobs: dict[str | None, list[JobRecord]] = {}
    for job in reversed(store.jobs(JobState.RUNNING, JobState.WAITING)):
        jobs.setdefault(job.slide_key, []).append(job)
    return [
        _row(
            watched.slide_id(key := entry.key),
            look.names.of(key),
            reads.get(key),
            writes.get(key),
            _waits(jobs.get(key, []), known.get(key), looks.get(key)),
            is_bad=_is_bad(jobs.get(key, []), known.get(key)),
        )
        for entry in look.entries.values()
    ]


def _row(id: str, name: str, read: ReadRecord | None, write: LastWrite | None, waits: str, *, is_bad: bool) -> SlideRow:
    cells = (
        Cell.of(None if read is None else read.human_count),
        Cell.of(None if write is None else write.predictions),
        Cell.of(None if write is None else write.proposals),
        _when(None if read is None else read.first_read_at),
        _when(None if write is None else write.at),
        Cell(waits or _NONE, waits),
    )
    return SlideRow(id, name, cells, is_bad)


def _when(at: datetime | None) -> Cell:
    return Cell("not yet", "") if at is None else Cell(_minute(at), at.isoformat())


def _minute(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def _waits(jobs: Sequence[JobRecord], slide: SlideRecord | None, look: LookRecord | None) -> str:
    said = [f"{work(job.kind)}{' (failed)' if job.error is not None else ''}" for job in jobs]
    if slide is not None and slide.suspicious_revision is not None:
        said.append("somebody's word on its newest save")
    if look is not None and look.is_far:
        said.append("looks unlike the slides that were learned from")
    return "; ".join(said)


def _is_bad(jobs: Sequence[JobRecord], slide: SlideRecord | None) -> bool:
    return any(job.error is not None for job in jobs) or (slide is not None and slide.suspicious_revision is not None)


@dataclass(frozen=True, slots=True)
class Training:
    """One training, in words.

    Parameters
    ----------
    score, before
        Of its model and of the one before it on what is held out; None where nothing is.
    foreseen
        How well its predictions had foreseen what people then labelled; None where nobody did yet.
    """

    iteration: int
    kind: str
    at: str
    verdict: str
    badge: str
    reason: str
    took: str
    score: float | None
    before: float | None
    foreseen: float | None

    @property
    def scores(self) -> tuple[str, str, str]:
        """The three scores as they are read."""
        return _shown(self.score), _shown(self.before), _shown(self.foreseen)


@dataclass(frozen=True, slots=True)
class Learning:
    """The learning curve so far, the newest training first."""

    trainings: tuple[Training, ...]

    def chart(self) -> _Json:
        """Return what the page draws: scores by training, oldest first."""
        scored = [t for t in reversed(self.trainings) if t.score is not None or t.foreseen is not None]
        return {
            "iterations": [t.iteration for t in scored],
            "series": [
                {"title": "On held-out areas", "values": [t.score for t in scored]},
                {"title": "On what people labelled next", "values": [t.foreseen for t in scored]},
            ],
        }


def read_learning(look: Look, now: datetime) -> Learning:
    """Return the trainings of a project.

    Raises
    ------
    StoreError
        The store can't be read.
    """
    runs = look.store.runs()
    foreseen = {score.iteration: _number(score.score) for score in prequential_scores(look.store)}
    used = [run.iteration for run in runs if run.promoted and run.state is RunState.FINISHED]
    is_training = training_since(look, now) is not None
    return Learning(
        tuple(
            _training(look, run, foreseen, _verdict(run, used[-1:] == [run.iteration], is_training=is_training))
            for run in reversed(runs)
        )
    )


def _training(look: Look, run: RunRecord, foreseen: Mapping[int, float | None], verdict: tuple[str, str]) -> Training:
    cost = TrainingCost.of(run)
    return Training(
        run.iteration,
        kind_in_words(run.kind),
        _minute(run.started_at),
        *verdict,
        look.names.hide(reason_in_words(run.reason)),
        "" if cost is None else duration(cost.seconds),
        _number(run.metrics.get("score")),
        _number(run.metrics.get("champion_score")),
        foreseen.get(run.iteration) if run.state is RunState.FINISHED else None,
    )


def _verdict(run: RunRecord, is_in_use: bool, *, is_training: bool) -> tuple[str, str]:
    """Return how a training ended, and how good that is."""
    if run.state is RunState.RUNNING:
        return ("under way", "accent") if is_training else ("broken off, goes on later", "plain")
    if run.state is RunState.FAILED:
        return ("stopped", "plain") if (run.reason or "").startswith("stopped") else ("failed", "bad")
    if is_in_use:
        return "in use", "good"
    return ("was in use", "plain") if run.promoted else ("not better", "plain")


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]  # it was looked at


def _shown(score: float | None) -> str:
    return _NONE if score is None else f"{score:.3f}"
