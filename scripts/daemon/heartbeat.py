"""The heartbeat file: what a project's daemon does at this moment, for ``status`` and for whoever watches it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from bridge.store import JobKind
from bridge.store.holders import Holder, holder_from, lives, this_host, this_process
from scripts.daemon.names import hide_name

logger = logging.getLogger(__name__)
FILE_NAME = "daemon.json"
_MOST_BYTES = 262_144
_IDLE = 10
_Share = Annotated[float, Field(ge=0.0, le=1.0)]


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
    """

    kind: JobKind
    since: AwareDatetime
    slide: str | None = None
    note: str = ""
    progress: _Share | None = None


@dataclass(frozen=True, slots=True)
class LastWrite:
    """Our newest write to a slide's file."""

    slide: str
    at: AwareDatetime


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
    last_write
        None before the first.
    """

    doing: tuple[Doing, ...] = ()
    waiting: int = 0
    failed: int = 0
    observing: str = ""
    next_nightly: AwareDatetime | None = None
    last_write: LastWrite | None = None


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


_FILE: TypeAdapter[DaemonState] = TypeAdapter(DaemonState)


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
        self._state = DaemonState(process, began, 0, projects, Beat())

    def write(self, beat: Beat) -> bool:
        """Say what happens now; return whether it was written, or was written so lately that it can wait."""
        now, last, beat = self._now(), self._written, _hidden(beat, self._hide)
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
        self._put()

    def _put(self) -> bool:
        """Write the file whole, without waiting for the disk: after a crash an old one does no harm."""
        temp = self._path.with_name(f"{FILE_NAME}.{self._state.process.pid}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temp.write_bytes(_FILE.dump_json(self._state, indent=1))
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
        with (folder / FILE_NAME).open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        state = _FILE.validate_json(data)
    except (OSError, ValidationError) as error:
        logger.debug("no heartbeat folder=%s error=%s", folder, error)
        return None
    return state if holder_from(state.process.to_bytes()) is not None else None  # which looks at every field


def is_alive(state: DaemonState) -> bool | None:
    """Say whether the daemon of a heartbeat still runs; None when that can't be told, on another machine."""
    if state.ended_at is not None:
        return False
    return lives(state.process) if state.process.host == this_host() else None


def _hidden(beat: Beat, hide: Callable[[str], str]) -> Beat:
    doing = (replace(d, slide=_hidden_name(d.slide, hide), note=hide(d.note)) for d in beat.doing)
    last = beat.last_write
    return replace(
        beat,
        doing=tuple(doing),
        last_write=replace(last, slide=hide_name(last.slide, hide)) if last is not None else None,
    )


def _hidden_name(name: str | None, hide: Callable[[str], str]) -> str | None:
    return hide_name(name, hide) if name is not None else None


def _gist(beat: Beat) -> Beat:
    """Return what counts as a change: not how far a job is."""
    return replace(beat, doing=tuple(replace(d, note="", progress=None) for d in beat.doing))
