"""What happened since a moment, in lines that can be read over the first coffee."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from bridge.annotations.roles import Fate
from bridge.store import RunRecord, RunState
from scripts.loop.status_daemon import DaemonStatus
from scripts.loop.training_cost import TrainingCost
from scripts.loop.training_words import kind_in_words, reason_in_words
from scripts.naming.slide_names import SlideNames
from scripts.plain_words import counted
from scripts.report.anchors import anchor_of
from scripts.report.facts import Mood, News
from scripts.report.records import Records

_MOST_SLIDES = 12  # named in one line
_MOST_FAILURES = 12
_ANSWERS = {
    Fate.ACCEPTED: "predictions accepted",
    Fate.CORRECTED: "corrected",
    Fate.REJECTED: "rejected",
    Fate.LABELLED: "proposed boxes labelled",
    Fate.PATCH_LABEL: "given one class",
    Fate.DECLINED: "declined",
}

Plain = Callable[[str], str]
"""A message without what must not be shown: hidden names, folders of this machine."""


def news_of(
    records: Records,
    daemon: DaemonStatus,
    problems: Mapping[str, str],
    names: SlideNames,
    since: datetime,
    plain: Plain,
) -> tuple[News, ...]:
    """Return what happened, failures first.

    Parameters
    ----------
    problems
        Key of a slide → why it can't be read.
    """
    return (
        *_failures(daemon, names, plain),
        *_unread(problems, names),
        *_trainings(records.runs, since, plain),
        *_saves(records, names, since),
        *_foreseen(records, names, since),
        *_predictions(records, names, since),
        *_writes(records, names, since),
    )


def _failures(daemon: DaemonStatus, names: SlideNames, plain: Plain) -> Iterator[News]:
    for job in daemon.failed[:_MOST_FAILURES]:
        slides = () if job.slide_key is None else _named([job.slide_key], names)
        tried = f"tried {counted(job.attempts, 'time')}"
        what = {"read": "reading", "predict": "predicting", "write": "writing to"}.get(job.kind.value)
        doing = f"{what} the slide" if what is not None else f"the {job.kind.value} training"
        why = plain(" ".join((job.error or "").split()))
        yield News("Failed", f"{doing}: {why} ({tried}, and tried again)", Mood.BAD, slides)
    if len(daemon.failed) > _MOST_FAILURES:
        yield News("Failed", f"and {len(daemon.failed) - _MOST_FAILURES} more; `slidebridge status` tells", Mood.BAD)


def _unread(problems: Mapping[str, str], names: SlideNames) -> Iterator[News]:
    if problems:
        text = f"{counted(len(problems), 'slide')} can't be read; why stands in the table of slides"
        yield News("Not read", text, Mood.BAD, _named(list(problems), names))


def _trainings(runs: Sequence[RunRecord], since: datetime, plain: Plain) -> Iterator[News]:
    for run in runs:
        if (run.ended_at or run.started_at) < since:
            continue
        which = f"training {run.iteration}, {kind_in_words(run.kind)}"
        yield News("Training", f"{which}: {_verdict(run, plain)}", mood_of(run))


def _verdict(run: RunRecord, plain: Plain) -> str:
    if run.state is RunState.RUNNING:
        return "not ended yet"
    cost = TrainingCost.of(run)
    took = f" ({cost.line()})" if cost is not None else ""
    return (plain(reason_in_words(run.reason)) if run.reason else run.state.value) + took


def mood_of(run: RunRecord) -> Mood:
    """Return how a training's line is meant."""
    if run.state is RunState.FAILED:
        return Mood.PLAIN if (run.reason or "").startswith("stopped") else Mood.BAD
    return Mood.GOOD if run.promoted else Mood.PLAIN


def _saves(records: Records, names: SlideNames, since: datetime) -> Iterator[News]:
    found = [save for save in records.saves if save.at >= since]
    if not found:
        return
    fates: Counter[Fate] = Counter()
    for save in found:
        for (_, fate), number in save.fates.items():
            fates[fate] += number
    drawn = sum(sum(save.added.values()) for save in found)
    parts = [f"{drawn} drawn by hand"] if drawn else []
    parts += [f"{fates[fate]} {word}" for fate, word in _ANSWERS.items() if fates[fate]]
    keys = list(dict.fromkeys(save.slide_key for save in found))
    count = f"{counted(len(found), 'save')} of {counted(len(keys), 'slide')} read"
    yield News("Saves", ": ".join([count, ", ".join(parts)]) if parts else count, Mood.PLAIN, _named(keys, names))


def _foreseen(records: Records, names: SlideNames, since: datetime) -> Iterator[News]:
    found = [record for record in records.prequential if record.iteration and record.scored_at >= since]
    if found:
        keys = list(dict.fromkeys(record.slide_key for record in found))
        text = f"{counted(len(found), 'newly labelled area')} compared with what had been predicted there"
        yield News("Compared", text, Mood.PLAIN, _named(keys, names))


def _predictions(records: Records, names: SlideNames, since: datetime) -> Iterator[News]:
    by_model: dict[str, list[str]] = {}
    for cost in records.costs.values():
        if cost.predicted_at >= since:
            by_model.setdefault(cost.checkpoint_id, []).append(cost.slide_key)
    for model, keys in by_model.items():
        iteration = records.iterations.get(model)
        by = f"training {iteration}" if iteration is not None else "the weights that were taken over"
        yield News("Predictions", f"{counted(len(keys), 'slide')} predicted by {by}", Mood.PLAIN, _named(keys, names))


def _writes(records: Records, names: SlideNames, since: datetime) -> Iterator[News]:
    found = [write for write in records.writes.values() if write.at >= since]
    if found:
        predictions, proposals = sum(w.predictions for w in found), sum(w.proposals for w in found)
        brought = f"{counted(predictions, 'prediction')}, {counted(proposals, 'proposed box', 'proposed boxes')}"
        text = f"{counted(len(found), 'annotation file')} written to: {brought}"
        yield News("Written", text, Mood.PLAIN, _named([write.slide_key for write in found], names))


def _named(keys: Sequence[str], names: SlideNames) -> tuple[tuple[str, str], ...]:
    return tuple((anchor_of(key), names.of(key)) for key in keys[:_MOST_SLIDES])
