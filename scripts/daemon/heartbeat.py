"""The heartbeat file: what a project's daemon does at this moment, for ``status`` and for whoever watches it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from bridge.files import open_plain
from bridge.store import JobKind
from bridge.store.holders import Holder, holder_from, lives, this_host, this_process
from scripts.naming.slide_names import hide_name

logger = logging.getLogger(__name__)
FILE_NAME = "daemon.json"
_MOST_BYTES = 262_144
_IDLE = 10
_SOON = 0.02  # share of a step after which the rest can be told
_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
_Score = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Doing:
    """One job under way.

    Parameters
    ----------
    kind
        Of the job.
    since
        When it began.
    slide
        What the slide is called; None for a training.
    note
        How it goes, in a few words.
    progress
        Share that is done, 0 to 1; None where nobody knows.
    counted_since
        When what ``progress`` counts began; None where nothing is counted.
    usual_seconds
        How long such a job took before; None where nobody knows.
    """

    kind: JobKind
    since: AwareDatetime
    slide: str | None = None
    note: str = ""
    progress: _Share | None = None
    counted_since: AwareDatetime | None = None
    usual_seconds: _Seconds | None = None


@dataclass(frozen=True, slots=True)
class LastWrite:
    """Our newest write to a slide's file."""

    slide: str
    at: AwareDatetime


@dataclass(frozen=True, slots=True)
class LastRead:
    """The newest save of a person's that was read."""

    slide: str
    at: AwareDatetime


@dataclass(frozen=True, slots=True)
class LastTraining:
    """The newest training that came to its end.

    Parameters
    ----------
    is_used
        Its model is the one in use since.
    score
        On what is held out; None where nothing is.
    """

    at: AwareDatetime
    iteration: int
    is_used: bool
    score: _Score | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """Jobs of one kind that wait for their turn.

    Parameters
    ----------
    slide
        Whose turn is next; None for a training.
    """

    kind: JobKind
    count: int
    slide: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed the last time it was tried.

    Parameters
    ----------
    error
        What was met, and what would mend it.
    again_at
        When it is tried again.
    kind
        Of the job; None where all work on the project pauses.
    """

    error: str
    again_at: AwareDatetime
    kind: JobKind | None = None
    slide: str | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Beat:
    """What changes while a daemon lives.

    Parameters
    ----------
    doing
        Jobs under way.
    waiting, failed
        How many jobs are to be done, and how many of them failed the last time.
    observing
        How saves are noticed: ``events`` of the system, or ``polling``.
    next_nightly
        When the next nightly training begins; None for never.
    last_write, last_read, last_training
        None before the first of this daemon's.
    queue
        What waits and hasn't failed, by kind.
    failures
        What failed, the first few.
    slides
        How many the project has.
    """

    doing: tuple[Doing, ...] = ()
    waiting: int = 0
    failed: int = 0
    observing: str = ""
    next_nightly: AwareDatetime | None = None
    last_write: LastWrite | None = None
    last_read: LastRead | None = None
    last_training: LastTraining | None = None
    queue: tuple[Queued, ...] = ()
    failures: tuple[Failure, ...] = ()
    slides: int = 0


@dataclass(frozen=True, slots=True)
class DaemonState:
    """The heartbeat file, as read.

    Parameters
    ----------
    process
        Who writes it, and since when.
    at, count
        When the heart beat last, and how often it did.
    projects
        Folders that this daemon looks after.
    ended_at
        When it stopped by itself; None as long as it lives, or was killed.
    """

    process: Holder
    at: AwareDatetime
    count: int
    projects: tuple[str, ...]
    beat: Beat
    ended_at: AwareDatetime | None = None


@cache
def _file() -> TypeAdapter[DaemonState]:
    """Return what reads and writes the file; made where one is met, for that takes longer than all else here."""
    return TypeAdapter(DaemonState)


class Heartbeat:
    """Writes a project's heartbeat file: at every change, and else now and then. Never raises for a full disk.

    Parameters
    ----------
    folder
        The project's ``.slidebridge``.
    projects
        All projects of this process.
    version
        SlideBridge's.
    now
        The clock; aware moments.
    every_seconds
        Between two writes when nothing but progress changed; ten times that when nothing changed.
    hide
        Takes slides' names out of a text.

    Attributes
    ----------
    state
        What there is to tell now, whether it was written yet or not.
    """

    def __init__(
        self,
        folder: Path,
        projects: tuple[str, ...],
        version: str,
        now: Callable[[], datetime],
        *,
        every_seconds: float = 1.0,
        hide: Callable[[str], str] = lambda text: text,
    ) -> None:
        self._hide = hide
        self._path = folder / FILE_NAME
        self._now, self._every = now, timedelta(seconds=every_seconds)
        self._has_complained = False
        self._written: DaemonState | None = None
        began = now()
        process = this_process(host=this_host(), purpose="watch", version=version, since=began, token="")
        self._state = self.state = DaemonState(process, began, 0, projects, Beat())

    def write(self, beat: Beat) -> bool:
        """Say what happens now; return whether it was written, or was written so lately that it can wait."""
        now, last, beat = self._now(), self._written, _hidden(beat, self._hide)
        self.state = replace(self._state, beat=beat, at=now)
        if last is not None and last.at <= now < last.at + self._pause(beat, last.beat):
            return True
        self._state = replace(self._state, beat=beat, at=now, count=self._state.count + 1)
        return self._put()

    def _pause(self, beat: Beat, last: Beat) -> timedelta:
        if beat == last:
            return self._every * _IDLE
        return self._every if _gist(beat) == _gist(last) else timedelta()

    def stop(self) -> None:
        """Say that the daemon stopped, by its own will."""
        now = self._now()
        self._state = replace(self._state, beat=replace(self._state.beat, doing=()), at=now, ended_at=now)
        self.state = self._state
        self._put()

    def _put(self) -> bool:
        """Write the file whole, without waiting for the disk: after a crash an old one does no harm."""
        temp = self._path.with_name(f"{FILE_NAME}.{self._state.process.pid}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temp.write_bytes(_file().dump_json(self._state, indent=1))
            temp.replace(self._path)
        except OSError as error:  # disk full; on Windows, somebody reads it at this moment
            self._complain(error)
            return False
        self._written, self._has_complained = self._state, False
        return True

    def _complain(self, error: OSError) -> None:
        if not self._has_complained:
            logger.debug("heartbeat not written file=%s error=%s", self._path, error.strerror)
        self._has_complained = True


def read_heartbeat(folder: Path) -> DaemonState | None:
    """Return what a project's daemon last said; None where there never was one, or its file is damaged."""
    try:
        with open_plain(folder / FILE_NAME) as file:
            data = file.read(_MOST_BYTES + 1)
        state = _file().validate_json(data)
    except (OSError, ValidationError) as error:
        logger.debug("no heartbeat folder=%s error=%s", folder, error)
        return None
    return state if holder_from(state.process.to_bytes()) is not None else None  # which looks at every field


def seconds_left(doing: Doing, now: datetime) -> float | None:
    """Return how long a job should still take; None where nobody knows.

    From how much of it is done; else from how long such a job took before, as long as it doesn't take longer.
    """
    if doing.progress is not None and doing.counted_since is not None:
        spent = (now - doing.counted_since).total_seconds()
        if not _SOON <= doing.progress < 1 or spent <= 0:  # at its end it judges and saves, which nobody counts
            return None
        return spent * (1 - doing.progress) / doing.progress
    if doing.usual_seconds is None:
        return None
    left = doing.usual_seconds - (now - doing.since).total_seconds()
    return left if left > 0 else None


def is_alive(state: DaemonState) -> bool | None:
    """Say whether the daemon of a heartbeat still runs; None when that can't be told, on another machine."""
    if state.ended_at is not None:
        return False
    return lives(state.process) if state.process.host == this_host() else None


def _hidden(beat: Beat, hide: Callable[[str], str]) -> Beat:
    doing = (replace(d, slide=_hidden_name(d.slide, hide), note=hide(d.note)) for d in beat.doing)
    failures = (replace(f, slide=_hidden_name(f.slide, hide), error=hide(f.error)) for f in beat.failures)
    written, read = beat.last_write, beat.last_read
    return replace(
        beat,
        doing=tuple(doing),
        last_write=replace(written, slide=hide_name(written.slide, hide)) if written is not None else None,
        last_read=replace(read, slide=hide_name(read.slide, hide)) if read is not None else None,
        queue=tuple(replace(queued, slide=_hidden_name(queued.slide, hide)) for queued in beat.queue),
        failures=tuple(failures),
    )


def _hidden_name(name: str | None, hide: Callable[[str], str]) -> str | None:
    return hide_name(name, hide) if name is not None else None


def _gist(beat: Beat) -> Beat:
    """Return what counts as a change: not how far a job is."""
    return replace(beat, doing=tuple(replace(d, note="", progress=None) for d in beat.doing))
