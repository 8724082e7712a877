"""The nightly training by hand, or by the system's own clock: projects one after the other, for bounded hours."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from bridge.errors import BridgeError, ProjectBusyError
from bridge.store import JobKind, JobRecord, JobState, Store
from bridge.store.holders import Holder, this_host
from bridge.store.lease import holder
from bridge.store.location import find_store
from models.training import Ranks
from scripts.daemon.beginning import FORCED
from scripts.daemon.happenings import training_ended
from scripts.daemon.people_hooks import HookRunner
from scripts.daemon.schedule import NIGHTLY_MARK, night_name
from scripts.logs import about
from scripts.loop.learn import RunKind
from scripts.loop.pass_result import PassResult
from scripts.loop.passes import STEPS, Request, run
from scripts.progress import Progress, Silent
from scripts.project import Project, open_project, open_store, user_folder

logger = logging.getLogger(__name__)

DAEMON = "watch"  # what a daemon's lease says it is for
_SECONDS_PER_HOUR = 3600.0
_TRAINING_SHARE = 0.8  # of the hours there are; the rest is for predicting and writing
_NEVER = datetime.min.replace(tzinfo=UTC)


class NightState(Enum):
    """What became of one project."""

    DONE = "done"
    CUT = "cut short"  # asked to stop, or out of hours: the next night goes on from there
    LEFT = "not begun"  # for the same reasons; the next night begins with it
    HANDED = "handed to the daemon"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NightRequest:
    """What is asked of a night.

    Parameters
    ----------
    hours
        For all projects together, in even shares; the training in each also keeps to its ``[schedule] hours``.
    hide
        Takes slides' names out of a text that leaves the project: the events of ``[hooks]``.
    ranks
        The processes that train together, of which this is the first.
    """

    hours: float = math.inf
    is_dry_run: bool = False
    is_forced: bool = False
    hide: Callable[[str], str] = lambda text: text
    ranks: Ranks = Ranks()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class Night:
    """The night of one project.

    Parameters
    ----------
    passed
        What was read, learned and written; None where nothing was begun.
    note
        Why not, in one line.
    """

    project: Path
    state: NightState
    passed: PassResult | None = None
    note: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether anything failed: the project, one of its slides, or the training."""
        return self.state is NightState.FAILED or (self.passed is not None and self.passed.has_failed)

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        passed = self.passed.as_json() if self.passed else None
        return {"project": str(self.project), "state": self.state.value, "note": self.note or None, "pass": passed}

    def lines(self) -> list[str]:
        """Return the facts for people."""
        note = [f"{self.state.value}: {self.note}"] if self.note else []
        return [f"{self.project}", *(f"  {line}" for line in (*(self.passed.lines() if self.passed else ()), *note))]


class _Bound:
    """Says when to stop; afterwards, whether it ever did.

    Parameters
    ----------
    until
        Of ``clock``; infinite for no bound.
    """

    def __init__(self, stop: Callable[[], bool], clock: Callable[[], float], until: float) -> None:
        self._stop, self._clock, self._until = stop, clock, until
        self.was_reached = False

    def __call__(self) -> bool:
        self.was_reached = self.was_reached or self._stop() or self.hours_left <= 0
        return self.was_reached

    @property
    def hours_left(self) -> float:
        return (self._until - self._clock()) / _SECONDS_PER_HOUR

    @property
    def why(self) -> str:
        return "asked to stop" if self._stop() else "out of hours"


def train_nightly(
    paths: Sequence[Path],
    request: NightRequest,
    stop: Callable[[], bool],
    progress: Progress | None = None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Night, ...]:
    """Train every project anew from everything that is labelled, then predict, propose and write.

    The project whose last night is longest ago begins: who was left out for want of hours is first the next time. A
    project that fails never stops the others.

    Parameters
    ----------
    paths
        Each belongs to a project; one that is named twice is trained once.
    stop
        Asked all through a training and between steps: the state is kept, and the next night goes on from there.

    Raises
    ------
    ConfigError
        A path belongs to no project, or its settings are wrong; nothing was begun.
    """
    projects = {project.root: project for project in map(open_project, paths)}
    until = clock() + request.hours * _SECONDS_PER_HOUR
    in_turn = sorted(projects.values(), key=_last_begun) if len(projects) > 1 else list(projects.values())
    nights = []
    for place, project in enumerate(in_turn):
        bound = _Bound(stop, clock, until)
        hours = _TRAINING_SHARE * bound.hours_left / (len(in_turn) - place)
        with about(project.root):
            nights.append(_night(project, replace(request, hours=hours), bound, progress or Silent(), now))
    return tuple(nights)


def _last_begun(project: Project) -> datetime:
    try:
        with open_store(project, is_dry_run=True) as store:
            return store.marked(NIGHTLY_MARK) or _NEVER
    except BridgeError:  # its own night says what is wrong
        return _NEVER


def _night(
    project: Project, request: NightRequest, bound: _Bound, progress: Progress, now: Callable[[], datetime]
) -> Night:
    if bound():
        return Night(project.root, NightState.LEFT, note=bound.why)
    logger.info("the project's night begins project=%s", project.root.name)
    with ExitStack() as stack:
        hooks = HookRunner(project, now, hide=request.hide)
        stack.callback(hooks.close, project.settings.hooks.timeout_seconds)
        try:
            night = _train(project, request, bound, progress, now)
        except (BridgeError, OSError) as error:
            night = _failed(project, error)
        except Exception as error:  # a fault of ours must not cost the other projects their night
            logger.exception("the nightly training met a fault in SlideBridge")
            night = _failed(project, error)
        if not request.is_dry_run:
            _tell(hooks, night)
    logger.info("the project's night ends, %s project=%s: %s", night.state.value, project.root.name, _in_short(night))
    return night


def _in_short(night: Night) -> str:
    learned = None if night.passed is None else night.passed.learned
    return "; ".join(part for part in (night.note, learned.line() if learned else "") if part)


def _failed(project: Project, error: Exception) -> Night:
    return Night(project.root, NightState.FAILED, note=" ".join(str(error).split()) or type(error).__name__)


def _train(
    project: Project, request: NightRequest, bound: _Bound, progress: Progress, now: Callable[[], datetime]
) -> Night:
    asked = Request(
        STEPS["sync"],
        request.is_dry_run,
        request.is_forced,
        kind=RunKind.NIGHTLY,
        hours=request.hours,
        purpose="nightly",
        stop=bound,
        ranks=request.ranks,
    )
    try:
        passed = run(project.root, asked, progress)
    except ProjectBusyError as error:
        return _hand_over(project, request, error, now())
    if bound.was_reached:
        return Night(project.root, NightState.CUT, passed, f"{bound.why}; the next night goes on from there")
    return Night(project.root, NightState.DONE, passed)


def _hand_over(project: Project, request: NightRequest, error: ProjectBusyError, now: datetime) -> Night:
    """Ask the daemon that holds the project, if it runs on this machine; its database is nobody else's.

    Raises
    ------
    ProjectBusyError
        It is no daemon, or on another machine.
    """
    there = holder(project.data_folder)
    folder = find_store(project.data_folder, project.configured_store, user_folder())
    if there is None or folder is None or (there.purpose, there.host) != (DAEMON, this_host()):
        raise error
    name = night_name(project.settings.schedule, now)
    with Store.open(folder) as store:
        job = store.ask_job(
            JobKind.NIGHTLY, None, f"{FORCED if request.is_forced else ''}{name}", now, is_forced=request.is_forced
        )
    return _handed(project, there, job)


def _handed(project: Project, there: Holder, job: JobRecord) -> Night:
    daemon = f"the daemon (process {there.pid})"
    match job.state:
        case JobState.DONE:
            note = f"{daemon} has done it tonight; --force has it done again"
        case JobState.RUNNING:
            note = f"{daemon} is at it"
        case _ if job.error is not None:
            note = f"{daemon} will try it again; the last time it failed: {' '.join(job.error.split())}"
        case _:
            note = f"{daemon} will do it"
    return Night(project.root, NightState.HANDED, note=note)


def _tell(hooks: HookRunner, night: Night) -> None:
    """Have people's commands told what came of it."""
    if night.passed is not None and night.passed.learned is not None:
        hooks.tell("nightly", training_ended(night.passed.learned, night.passed.seconds))
    if night.state is NightState.FAILED:
        facts = {"what": JobKind.NIGHTLY.value, "slide": None, "error": night.note, "attempts": 1, "next_try": None}
        hooks.tell("failure", facts)
