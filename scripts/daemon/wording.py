"""What the daemon says about itself, one line an event: a sentence, then its facts as ``key=value``.

Every line names a slide as ``slide=…``, so that ``[privacy] hash_names`` finds even a name of one letter. Import the
module as ``said``: ``logger.info(said.written(pushed, iteration))``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.annotations import SlideEntry
from bridge.annotations.roles import Fate, Role
from bridge.ingest import SlideReading
from bridge.store import JobKind, JobRecord

if TYPE_CHECKING:  # they come with torch, which a daemon that only reads never loads
    from scripts.loop.learn import Learned
    from scripts.loop.push import SlidePushed

_WORK = {
    JobKind.READ: "reading the slide's annotations",
    JobKind.TRAIN: "training",
    JobKind.NIGHTLY: "the nightly training",
    JobKind.PREDICT: "predicting the slide",
    JobKind.WRITE: "writing to the slide's annotation file",
}
_COUNTED = {
    Role.ANNOTATION: "annotations",
    Role.ROI: "labelled_areas",
    Role.IGNORE: "ignored_areas",
    Role.PATCH_LABEL: "patch_labels",
    Role.PREDICTION: "open_predictions",
    Role.PROPOSAL: "open_proposals",
    Role.OTHER: "others",
}
_ANSWERS = {
    Fate.ACCEPTED: "predictions_accepted",
    Fate.CORRECTED: "predictions_corrected",
    Fate.REJECTED: "predictions_rejected",
    Fate.LABELLED: "proposals_labelled",
    Fate.DECLINED: "proposals_declined",
}


def watching(project: Path, slides: int, mode: str) -> str:
    """Say that a project is watched from now on; ``mode`` is ``events`` or ``polling``."""
    how = "the system tells of saves" if mode == "events" else "files are looked at again and again"
    return f"watching, {how}{_facts(project=project, slides=slides)}"


def waiting_for(entry: SlideEntry, what: str) -> str:
    """Say what a slide has to wait for, a clause such as "the viewer to save again"."""
    return f"waiting for {what}{_facts(slide=entry.name)}"


def read(entry: SlideEntry, reading: SlideReading) -> str:
    """Say what a save holds, and what became of what we had written."""
    found = reading.reconciled
    counts = {word: n for role, word in _COUNTED.items() if (n := len(found.of(role)))} or {"objects": 0}
    answers = {word: n for fate, word in _ANSWERS.items() if (n := len(found.with_fate(fate)))}
    return f"a save was read{_facts(slide=entry.name, **counts, **answers)}"


def doubted(entry: SlideEntry, why: str) -> str:
    """Say that a save is not learned from, for now."""
    return f"a save is not learned from: {_line(why)}{_facts(slide=entry.name)}"


def training_begins(slides: int, *, parent: int | None, is_nightly: bool = False) -> str:
    """Say that a training begins; ``parent`` is the training that it goes on from, None for the first weights."""
    words = "the nightly training begins, from everything that is labelled" if is_nightly else "training begins"
    return f"{words}{_facts(labelled_slides=slides, goes_on_from=f'training {parent}' if parent else 'the start')}"


def training_ended(learned: Learned, seconds: float, *, is_nightly: bool = False) -> str:
    """Say what came of a training."""
    words = "the nightly training" if is_nightly else "training"
    if learned.iteration is None:
        return f"{words} was not done: {_line(learned.reason)}"
    facts = _facts(
        training=learned.iteration,
        score=learned.score,
        score_before=learned.champion_score,
        steps=learned.steps,
        seconds=round(seconds, 1),
    )
    return f"{words} ended, {_line(learned.reason)}{facts}"


def predicted(
    entry: SlideEntry, outlines: int, iteration: int, seconds: float, cost: Mapping[str, object] | None = None
) -> str:
    """Say that a slide was predicted, before anything is written; ``cost``: where the time went."""
    facts = _facts(slide=entry.name, outlines=outlines, training=iteration, seconds=round(seconds, 1), **(cost or {}))
    return f"predicted{facts}"


def written(pushed: SlidePushed, iteration: int) -> str:
    """Say what was written to a slide's file; ``iteration`` is the predictions' training, 0 before the first model."""
    summary = pushed.summary
    facts = _facts(
        slide=pushed.name,
        predictions=summary.written if summary and (summary.written or iteration) else None,
        of_them_as_detections=(summary.as_detections or None) if summary else None,
        proposals=len(pushed.proposals),
        answers_made_plain=pushed.promoted or None,
        training=iteration or None,
    )
    return f"wrote to the slide's annotation file{facts}{f' note: {pushed.shortage}' if pushed.shortage else ''}"


def failed(job: JobRecord, error: object, next_try: datetime, *, slide: str | None = None) -> str:
    """Say that a job failed, why, and when it is tried again."""
    then = f"tried again at {_moment(next_try)}"
    return f"{_WORK[job.kind]} failed, {then}: {_line(error)}{_facts(slide=slide, attempts=job.attempts)}"


def taken_up(jobs: int) -> str:
    """Say at the start what a process that ended had left."""
    return f"going on where the last run ended{_facts(jobs=jobs)}"


def stopping(doing: Sequence[str]) -> str:
    """Say that the daemon was asked to stop; ``doing`` are the jobs that end their step first."""
    return f"stopping after the current step{_facts(doing=', '.join(doing) or None)}; a second signal stops at once"


def stopped() -> str:
    """Say that the daemon ends."""
    return "stopped; nothing is lost, the next start goes on from here"


def work(kind: JobKind) -> str:
    """Return what a job of this kind is, a noun for people."""
    return _WORK[kind]


def fact(value: object) -> str:
    """Return a fact as it stands after ``key=``: on one line, a text with a space in quotes."""
    if isinstance(value, float):
        return f"{value:.3g}" if math.isfinite(value) else "none"
    text = _line(value)
    return repr(text) if " " in text or not text else text


def _moment(at: datetime) -> str:
    return f"{at.astimezone():%H:%M:%S}"


def _line(text: object) -> str:
    """Return a message as one line."""
    return " ".join(str(text).split())


def _facts(**facts: object) -> str:
    """Return facts as `` key=value``; None is left out."""
    return "".join(f" {key}={fact(value)}" for key, value in facts.items() if value is not None)
