"""What ``status`` tells: what happens now, what is labelled, what was learned and written; without torch."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bridge.annotations import SlideEntry
from bridge.annotations.roles import Fate
from bridge.errors import BridgeError
from bridge.store import JobKind, RunRecord, RunState, Store
from scripts.gestures import answer_with_roi
from scripts.loop.costs import CostAccount, project_costs
from scripts.loop.patch_labels import missing_of
from scripts.loop.prequential import PrequentialScore, prequential_scores
from scripts.loop.seeing import see
from scripts.loop.status_daemon import DaemonStatus, read_daemon_status
from scripts.loop.status_slides import SlideStatus, slide_lines, slides_read_before, slides_seen
from scripts.loop.training_cost import TrainingCost
from scripts.loop.training_words import kind_in_words, reason_in_words
from scripts.naming.project_names import new_spare_key, project_names
from scripts.naming.slide_names import SlideNames
from scripts.options import SourceKind
from scripts.plain_words import counted
from scripts.project import Project, left_out, open_project, open_store
from scripts.telling import Said, Tone

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Slides:
    """The slides of a project, and how they were looked at.

    Parameters
    ----------
    problems
        Slide's name → why it can't be read.
    warnings
        One line each, for people.
    missing
        What must be labelled before a training can start; None for nothing, and where it wasn't asked.
    is_read_now
        False: as the daemon read them last.
    """

    slides: tuple[SlideStatus, ...]
    problems: Mapping[str, str]
    warnings: tuple[str, ...]
    missing: str | None
    is_read_now: bool


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a project, read without changing anything.

    Parameters
    ----------
    foreseen
        How well each training's predictions had foreseen what people then labelled.
    outcomes, added
        What became of our objects, and how many people drew by hand.
    by_iteration
        The same, by the training whose predictions and boxes people saw; 0: boxes before the first.
    cost
        Of predicting these slides.
    kind
        Where the annotations live.
    """

    root: Path
    names: SlideNames
    daemon: DaemonStatus
    found: Slides
    runs: tuple[RunRecord, ...]
    foreseen: tuple[PrequentialScore, ...]
    outcomes: Mapping[Fate, int]
    added: int
    by_iteration: Mapping[int, Mapping[str, int]]
    cost: CostAccount
    kind: SourceKind

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        found = self.found
        return {
            "project": str(self.root),
            "daemon": self.daemon.as_json(),
            "slides_read": "now" if found.is_read_now else "by the daemon",
            "slides": [slide.as_json() for slide in found.slides],
            "problems": dict(found.problems),
            "warnings": list(found.warnings),
            "missing": found.missing,
            "prediction": self.cost.as_json(),
            "iterations": [_run_json(run, self.names) for run in self.runs],
            "foreseen": [_foreseen_json(score) for score in self.foreseen],
            "outcomes": _counted(self.outcomes, self.added),
            "outcomes_by_iteration": {str(number): dict(counts) for number, counts in self.by_iteration.items()},
        }

    def lines(self) -> list[str]:
        """Return the facts for people."""
        return [said.text for said in self.said()]

    def said(self) -> Iterator[Said]:
        """Yield the facts for people, and at last what to do next."""
        found = self.found
        yield Said(f"project {self.root}", Tone.HEAD)
        yield from map(_toned, self.daemon.lines())
        is_now = found.is_read_now
        yield Said("slides, read now:" if is_now else "slides, as the daemon read them last:", Tone.HEAD)
        yield from map(Said, slide_lines(found.slides, self.daemon.now))
        yield from (_toned(f"  {name}: failed: {message}") for name, message in found.problems.items())
        yield from (_toned(f"  note: {warning}") for warning in found.warnings)
        yield from map(Said, self._learned())
        if found.missing:
            yield Said(f"before training can start: {found.missing}", Tone.NOTE)
        yield Said(f"next: {next_step(self)}", Tone.NEXT)

    def _learned(self) -> Iterator[str]:
        cost = self.cost.line()
        if cost is not None:
            yield cost
        yield from [_run_line(run, self.names) for run in self.runs[-5:]] or ["not trained yet"]
        if self.foreseen:
            yield f"foreseen of what people then labelled (1 is all): {_foreseen_line(self.foreseen)}"
        yield "so far: " + (_told(_counted(self.outcomes, self.added)) or "nothing answered")
        if len(self.by_iteration) > 1:
            latest = list(self.by_iteration.items())[-5:]
            yield from (f"  {_those_of(number)}: {_told(counts)}" for number, counts in latest)


def next_step(status: Status) -> str:
    """Return what a person should do now."""
    found, daemon = status.found, status.daemon
    boxes = sum(slide.last_write.proposals for slide in found.slides if slide.last_write is not None)
    if found.problems or daemon.failed:
        again = "; what failed is tried again by itself" if daemon.is_watching else ""
        return f"mend what failed, above; slidebridge doctor looks for causes{again}"
    if not found.slides:
        return "put slides into the folder, or add them in QuPath"
    if daemon.is_watching and (daemon.waiting or (daemon.state is not None and daemon.state.beat.doing)):
        return "nothing to do, the daemon is at work; `slidebridge watch` shows it live where it runs"
    if not daemon.is_watching and not boxes and not status.runs:
        return "slidebridge sync proposes the first boxes; or slidebridge watch, which goes on by itself"
    label = f"label inside the proposed boxes, {answer_with_roi(status.kind, 'each box')}, and save"
    if daemon.is_watching:
        return f"{label}; it is noticed" if boxes else "nothing to do; saves are noticed"
    return (
        f"{label}; then slidebridge sync, or slidebridge watch" if boxes else "slidebridge sync, or slidebridge watch"
    )


def read_status(path: Path, *, is_read: bool = False, now: datetime | None = None) -> Status:
    """Read the state of the project that a path belongs to; nothing is recorded or written.

    Parameters
    ----------
    now
        From when it is told how long ago something was; None asks the clock.
    is_read
        Read every file, even where a daemon has just done so, or a pass found it as it is by size and time.

    Raises
    ------
    BridgeError
        There is no project, or its store can't be opened.
    """
    project = open_project(path)
    now = now or datetime.now(UTC)
    with open_store(project, is_dry_run=True) as store:
        entries = _entries(project, store)
        names = project_names(project, entries, spare_key=new_spare_key())
        daemon = read_daemon_status(project, store, names, now)
        if is_read or not daemon.is_watching:
            found = _see(project, store, names, now, is_read=is_read)
        else:
            found = _read_before(project, store, names, daemon)
        costs = project_costs(store, [entry.key for entry in entries if names.of(entry.key) not in found.problems])
        details = costs.details()
        if details is not None:
            logger.debug("%s", details)
        return Status(
            project.root,
            names,
            daemon,
            found,
            store.runs(),
            prequential_scores(store),
            store.outcome_counts(),
            store.added_count(),
            _by_iteration(store),
            costs,
            project.settings.source.kind,
        )


def _by_iteration(store: Store) -> Mapping[int, Mapping[str, int]]:
    """Return what became of each training's predictions and boxes, where anything did."""
    numbers = [0, *(run.iteration for run in store.runs())]
    counted = {number: _counted(store.outcome_counts(number), store.added_count(number)) for number in numbers}
    return {number: counts for number, counts in counted.items() if any(counts.values())}


def _counted(outcomes: Mapping[Fate, int], added: int) -> Mapping[str, int]:
    return {fate.value: count for fate, count in outcomes.items()} | {"added by hand": added}


def _toned(line: str) -> Said:
    """Return a line in the tone of what it tells; a slide may be called anything, so only our own words count."""
    words = line.lstrip()
    if words.startswith("failed: ") or (line.startswith("  ") and ": failed: " in line):
        return Said(line, Tone.BAD)
    if words.startswith("note: "):
        return Said(line, Tone.NOTE)
    return Said(line, Tone.GOOD if words.startswith("now: ") else Tone.PLAIN)


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def name_table(path: Path) -> tuple[tuple[str, str], ...]:
    """Return (what logs, events and status call it, its name) for every slide of a project.

    Raises
    ------
    BridgeError
        There is no project, or its source can't be read.
    """
    project = open_project(path)
    return project_names(project, project.source.slides()).table()


def _entries(project: Project, store: Store) -> tuple[SlideEntry, ...]:
    """Return the project's slides; while its file can't be read, those that the store knows."""
    try:
        return project.source.slides()
    except BridgeError:  # said by whoever reads the slides
        return tuple(SlideEntry(s.key, s.name, Path(s.name), Path(s.name)) for s in store.slides())


def _see(project: Project, store: Store, names: SlideNames, now: datetime, *, is_read: bool) -> Slides:
    seen = see(project, store, now, is_read=is_read)
    found = seen.slides.values()
    warnings = [*left_out(project.source), *(line for slide in found for line in slide.warnings)]
    warnings += [slide.suspicion for slide in found if slide.suspicion is not None]
    warnings += [slide.unheeded for slide in found if slide.unheeded is not None]
    unheeded = sum(slide.unheeded_count for slide in found)
    return Slides(
        slides_seen(seen.slides, store, names),
        {names.of(p.entry.key): names.hide(p.message) for p in seen.problems},
        tuple(names.hide(warning) for warning in warnings),
        missing_of([slide.taught for slide in found], unheeded, project.settings.model, project.settings.source.kind),
        is_read_now=True,
    )


def _read_before(project: Project, store: Store, names: SlideNames, daemon: DaemonStatus) -> Slides:
    warnings: tuple[str, ...]
    try:
        entries, warnings = project.source.slides(), left_out(project.source)
    except BridgeError as error:
        entries, warnings = _entries(project, store), (str(error),)
    problems = {job.slide_key: job.error for job in daemon.failed if job.kind is JobKind.READ}
    return Slides(
        slides_read_before(entries, store, names),
        {names.of(key): names.hide(error) for key, error in problems.items() if key is not None and error is not None},
        tuple(names.hide(warning) for warning in warnings),
        None,
        is_read_now=False,
    )


def _run_json(run: RunRecord, names: SlideNames) -> Mapping[str, object]:
    cost = TrainingCost.of(run)
    return {
        "iteration": run.iteration,
        "kind": run.kind,
        "started": run.started_at,
        "state": run.state.value,
        "checkpoint": run.checkpoint_id,
        "promoted": run.promoted,
        "reason": names.hide(run.reason) if run.reason else run.reason,
        "metrics": dict(run.metrics),
        "cost": None if cost is None else cost.as_json(),
    }


def _foreseen_json(score: PrequentialScore) -> Mapping[str, object]:
    dice = {name: round(value, 4) if math.isfinite(value) else None for name, value in score.dice.items()}
    found = round(score.score, 4) if math.isfinite(score.score) else None
    return {"iteration": score.iteration, "areas": score.areas, "score": found, "dice": dice}


def _foreseen_line(scores: Sequence[PrequentialScore]) -> str:
    told = (f"{s.score:.2f} by training {s.iteration} ({counted(s.areas, 'area')})" for s in scores[-10:])
    return ", ".join(told)


def _those_of(number: int) -> str:
    return f"of training {number}" if number else "before the first training"


def _run_line(run: RunRecord, names: SlideNames) -> str:
    verdict = "its model is used" if run.promoted else run.state.value
    why = names.hide(reason_in_words(run.reason))
    called = f"training {run.iteration} {kind_in_words(run.kind)}"
    cost = TrainingCost.of(run)
    took = f" ({cost.line()})" if cost is not None else ""
    if why and (run.state is RunState.FINISHED or why.startswith("stopped")):
        return f"{called}: {why}{took}"  # these words have the verdict in them
    return f"{called}: {verdict}" + (f", {why}" if why else "") + took
