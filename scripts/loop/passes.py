"""A pass of the loop: which of the steps pull, learn and push it makes, and what it tells."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Flag, auto
from pathlib import Path
from time import perf_counter, sleep

from bridge.annotations import SlideEntry
from bridge.errors import BridgeError, StoreError, WriteConflictError, WriteFailedError
from bridge.export import finish_displaced, recover
from bridge.store import Backups, Store
from bridge.store.pruning import prune
from models.training import Ranks
from scripts.daemon.schedule import NIGHTLY_MARK
from scripts.loop.computing import Computing
from scripts.loop.knowing import known_of_writes
from scripts.loop.learn import Learned, RunKind, learn, load_project_champion, settle_training
from scripts.loop.looks import tell_look
from scripts.loop.offers import settle_offers
from scripts.loop.pass_result import PassResult
from scripts.loop.pull import Pulled, SlideProblem, SlideState, pull
from scripts.loop.push import Pushed, SlidePushed, Wanted, is_stale, problem_of
from scripts.loop.renewal import Renewal
from scripts.loop.seeing import remember
from scripts.loop.sharing import Rivals, is_shared
from scripts.loop.slide_jobs import prediction_cache, write_one
from scripts.naming.project_names import project_names
from scripts.progress import READING, Progress, Renamed, Silent
from scripts.project import Project, open_project, open_to_write
from scripts.telling import system_said

logger = logging.getLogger(__name__)


class Step(Flag):
    """The steps of a pass; every pass reads first."""

    PULL = auto()
    LEARN = auto()
    PREDICT = auto()
    PROPOSE = auto()


STEPS: Mapping[str, Step] = {
    "sync": Step.PULL | Step.LEARN | Step.PREDICT | Step.PROPOSE,
    "pull": Step.PULL,
    "push": Step.PULL | Step.PREDICT | Step.PROPOSE,
    "train": Step.PULL | Step.LEARN,
    "predict": Step.PULL | Step.PREDICT,
    "propose": Step.PULL | Step.PROPOSE,
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a pass is asked to do.

    Parameters
    ----------
    kind
        Of the training, where there is to be one.
    asks_again
        Boxes that people declined may come again, and slides with such boxes get new ones.
    hours
        A nightly training ends within these, and within ``[schedule] hours``.
    stop
        Asked between two steps and two slides, and all through a training; what is not done then the next pass does.
    purpose
        The command: what others are told who want to write to the project meanwhile.
    given
        ``section.key`` → value, over the project's settings.
    ranks
        The processes that train together, of which this is the first.
    """

    steps: Step
    is_dry_run: bool = False
    is_forced: bool = False
    asks_again: bool = False
    kind: RunKind = RunKind.INCREMENTAL
    hours: float = math.inf
    stop: Callable[[], bool] = lambda: False
    purpose: str = "sync"
    given: Mapping[str, object] = field(default_factory=dict)
    ranks: Ranks = Ranks()  # noqa: RUF009 - frozen


def run(path: Path, request: Request, progress: Progress | None = None) -> PassResult:
    """Run one pass over the project that a path belongs to.

    A slide that fails is reported and the others go on.

    Raises
    ------
    ProjectBusyError
        Another SlideBridge is at work on the project, or took over because this machine stood still.
    BridgeError
        The project, its store or its champion can't be opened, or training failed.
    """
    project = _within_hours(open_project(path, given=request.given), request.hours)
    progress = progress or Silent()
    began = perf_counter()
    backups = Backups(project.data_folder / "backups")
    with open_to_write(project, request.purpose, is_dry_run=request.is_dry_run) as (store, check_lease):
        if request.kind is RunKind.NIGHTLY and not request.is_dry_run:
            store.mark(NIGHTLY_MARK, _now())
        entries = project.source.slides()
        progress = Renamed(progress, project_names(project, entries).hide_note)
        recovered = () if request.is_dry_run else _recover(project, store, backups, entries)
        progress.start(READING, len(entries))
        pulled = pull(
            project,
            store,
            backups,
            _now(),
            advance=lambda name: progress.advance(note=name),
            is_dry_run=request.is_dry_run,
        )
        learned = None
        if Step.LEARN in request.steps and not request.stop():
            learned = _learn(project, store, pulled, progress, request)
        check_lease()
        pushed = None
        if request.steps & (Step.PREDICT | Step.PROPOSE) and not request.stop():
            pushed = _push(project, store, backups, pulled, request, progress, check_lease)
        if not request.is_dry_run:
            recovered = (*recovered, *_settle_displaced(project, store, backups, entries))
            _prune(project, store, backups, pushed)
            _remember(project, store, pulled)
    result = PassResult(pulled, learned, pushed, perf_counter() - began, request.is_dry_run, recovered)
    details = result.cost.details()
    if details is not None:
        logger.debug("%s", details)
    return result


def _within_hours(project: Project, hours: float) -> Project:
    settings = project.settings
    schedule = replace(settings.schedule, hours=min(settings.schedule.hours, hours))
    return replace(project, loaded=replace(project.loaded, settings=replace(settings, schedule=schedule)))


def _learn(project: Project, store: Store, pulled: Pulled, progress: Progress, request: Request) -> Learned:
    """Train; a training that fails is reported, and the champion goes on predicting."""
    try:
        return learn(
            project,
            store,
            pulled,
            progress,
            _now,
            kind=request.kind,
            is_forced=request.is_forced,
            is_dry_run=request.is_dry_run,
            stop=request.stop,
            ranks=request.ranks,
        )
    except (BridgeError, OSError) as error:  # of the system's: the disk is full, say
        said = str(error) if isinstance(error, BridgeError) else system_said(error)
        logger.warning("training failed error=%s", said)
        return Learned(None, False, said, is_failed=True)


def _now() -> datetime:
    return datetime.now(UTC)


def _push(
    project: Project,
    store: Store,
    backups: Backups,
    pulled: Pulled,
    request: Request,
    progress: Progress,
    check_lease: Callable[[], None],
) -> Pushed:
    with Computing(project) as computing:
        return _push_with(computing, store, backups, pulled, request, progress, check_lease)


def _push_with(
    computing: Computing,
    store: Store,
    backups: Backups,
    pulled: Pulled,
    request: Request,
    progress: Progress,
    check_lease: Callable[[], None],
) -> Pushed:
    project = computing.project
    wanted = Wanted(Step.PREDICT in request.steps, Step.PROPOSE in request.steps, request.is_forced, request.asks_again)
    settings = project.settings
    champion = load_project_champion(project)
    champion_id = champion.id if champion else None
    facts = known_of_writes(store, (s.reading for s in pulled.slides))
    stale = [s for s in pulled.slides if is_stale(s, facts, project.scheme, champion_id, wanted, settings.propose.k)]
    done: list[SlidePushed] = []
    problems: list[SlideProblem] = []
    renewal = Renewal(
        project,
        store,
        champion,
        request.is_forced,
        request.is_dry_run,
        request.stop,
        asks_again=request.asks_again,
        computing=computing,
    )
    renewal.expect(stale)
    rivals, slides = Rivals(), stale
    if wanted.proposals and is_shared(settings.propose):
        progress.start("predicting", len(stale))
        slides, rivals = renewal.compete(pulled.slides, stale, lambda s: progress.advance(note=s.reading.entry.name))
    progress.start("predicting and writing", len(slides))
    for state in slides:
        if request.stop():
            break
        check_lease()
        try:
            done.append(_push_one(renewal, backups, state, wanted, rivals, request))
        except BridgeError as error:
            problems.append(problem_of(state, error))
        progress.advance(note=state.reading.entry.name)
    if not request.is_dry_run:
        prediction_cache(project).prune(_keys(pulled), champion_id)
        store.forget_costs(_keys(pulled))
    costs = tuple(renewal.costs.values())
    return Pushed(tuple(done), tuple(problems), has_champion=champion is not None, costs=costs)


def _keys(pulled: Pulled) -> list[str]:
    """Return the keys of all slides of the project, readable now or not."""
    return [*(s.key for s in pulled.slides), *(p.entry.key for p in pulled.problems)]


def _push_one(
    renewal: Renewal, backups: Backups, state: SlideState, wanted: Wanted, rivals: Rivals, request: Request
) -> SlidePushed:
    project, store, champion = renewal.project, renewal.store, renewal.champion
    prediction = renewal.predict(state)
    line = None
    if prediction is not None and champion is not None and not request.is_dry_run:
        line = tell_look(store, state.key, state.reading.entry.name, prediction.unlikeness, champion, _now())
    pushed = write_one(
        project,
        store,
        backups,
        state,
        prediction,
        wanted,
        champion=champion,
        now=_now,
        rivals=rivals,
        is_dry_run=request.is_dry_run,
    )
    return pushed if line is None else replace(pushed, warnings=(*pushed.warnings, line))


def _recover(project: Project, store: Store, backups: Backups, entries: Sequence[SlideEntry]) -> tuple[str, ...]:
    """Finish or undo what an earlier pass was killed in."""
    owners = {entry.key: (project.source, entry) for entry in entries}
    settle_seconds = project.settings.watch.settle_seconds
    report = recover(store, backups, _now(), settle_seconds=settle_seconds, resolve=owners.get)
    settled = settle_training(project, store, _now())
    offered = settle_offers(project, store, entries, _now())
    return (*report.messages, *([settled] if settled is not None else []), *offered)


def _settle_displaced(project: Project, store: Store, backups: Backups, entries: Sequence[SlideEntry]) -> list[str]:
    """Wait until no tool can still be writing into a file that was exchanged, and let it go."""
    waiting = store.unfinished_writes()
    if not waiting:
        return []
    settle_seconds = project.settings.watch.settle_seconds
    sleep(settle_seconds)
    owners = {entry.key: entry for entry in entries}
    lost = []
    for record in waiting:
        entry = owners.get(record.slide_key)
        blocker = (lambda e=entry: project.source.blocker(e)) if entry is not None else (lambda: None)
        target = None if entry is None else entry.written_path
        try:
            finish_displaced(
                record.marker, store, backups, _now(), settle_seconds=settle_seconds, target=target, blocker=blocker
            )
        except (WriteConflictError, WriteFailedError) as error:
            lost.append(str(error))
    return lost


def _remember(project: Project, store: Store, pulled: Pulled) -> None:
    """Keep what was found for whoever looks next; that must not fail a pass that did its work."""
    try:
        remember(project, store, pulled, _now())
    except BridgeError as error:
        logger.warning("not kept what was found of the slides, the next look reads them: %s", error)


def _prune(project: Project, store: Store, backups: Backups, pushed: Pushed | None) -> None:
    """Let go of old versions of what was written to; that must not fail a pass that did its work."""
    for slide in pushed.slides if pushed is not None else ():
        try:
            prune(store, backups, slide.key, project.settings.store)
        except StoreError as error:
            logger.warning("slide=%s not pruned: %s", slide.name, error)
