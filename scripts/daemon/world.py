"""What the daemon's work needs of the world around it, handed in so that tests can play it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock

from bridge.annotations import SlideEntry
from bridge.store import JobKind
from scripts.daemon.heartbeat import Doing

Tell = Callable[[str, Mapping[str, object]], None]


def tell_nobody(event: str, facts: Mapping[str, object]) -> None:
    """Ignore an event."""


@dataclass(frozen=True, slots=True)
class World:
    """Clock, listeners, and the wish to stop.

    Parameters
    ----------
    now
        The moment, aware.
    is_stopping
        Whether the daemon was asked to stop: long work asks it between its steps.
    tell
        Takes an event and its facts, for people's commands; never blocks.
    listed
        Takes the project's slides whenever they were listed anew.
    hide
        Takes slides' names out of a text that leaves the project.
    """

    now: Callable[[], datetime]
    is_stopping: Callable[[], bool] = lambda: False
    tell: Tell = tell_nobody
    listed: Callable[[Sequence[SlideEntry]], None] = lambda entries: None
    hide: Callable[[str], str] = lambda text: text


@dataclass(slots=True)
class Activity:
    """What is being done now: told by the lanes' threads, read by the main one. A ``Progress`` as well."""

    _lock: Lock = field(default_factory=Lock)
    _doing: dict[JobKind, Doing] = field(default_factory=dict)
    _totals: dict[JobKind, tuple[float, float | None]] = field(default_factory=dict)

    def begin(self, kind: JobKind, slide: str | None, now: datetime) -> None:
        """Take down that a job was begun; ``slide`` is what its slide is called."""
        with self._lock:
            self._doing[kind] = Doing(kind, now, slide)
            self._totals[kind] = (0.0, None)

    def end(self, kind: JobKind) -> None:
        """Take down that it ended."""
        with self._lock:
            self._doing.pop(kind, None)
            self._totals.pop(kind, None)

    def progress(self, kind: JobKind, now: Callable[[], datetime] | None = None) -> JobProgress:
        """Return what the work reports its steps to; with a clock it is taken down when each of them began."""
        return JobProgress(self, kind, now)

    def expect(self, kind: JobKind, seconds: float | None) -> None:
        """Take down how long such a job usually takes; None for not known."""
        with self._lock:
            if kind in self._doing:
                self._doing[kind] = replace(self._doing[kind], usual_seconds=seconds)

    def share(self, kind: JobKind) -> float:
        """Return how much of it is done, 0 to 1; 0 where nobody knows."""
        with self._lock:
            doing = self._doing.get(kind)
        return doing.progress or 0.0 if doing is not None else 0.0

    def now(self) -> tuple[Doing, ...]:
        """Return what is being done."""
        with self._lock:
            return tuple(self._doing.values())

    def _start(self, kind: JobKind, total: float | None, at: datetime | None) -> None:
        with self._lock:
            self._totals[kind] = (0.0, total)
            if kind in self._doing:
                self._doing[kind] = replace(self._doing[kind], counted_since=at)

    def _advance(self, kind: JobKind, amount: float, note: str) -> None:
        with self._lock:
            done, total = self._totals.get(kind, (0.0, None))
            self._totals[kind] = (done + amount, total)
            share = min(1.0, (done + amount) / total) if total else None
            if kind in self._doing:
                self._doing[kind] = replace(self._doing[kind], progress=share, note=note)


@dataclass(frozen=True, slots=True)
class JobProgress:
    """The progress of one job, as the loop's steps report it."""

    activity: Activity
    kind: JobKind
    now: Callable[[], datetime] | None = None

    def start(self, title: str, total: float | None) -> None:
        """Begin a step."""
        self.activity._start(self.kind, total, self.now() if self.now is not None else None)

    def advance(self, amount: float = 1.0, note: str = "") -> None:
        """Report work done since the last call."""
        self.activity._advance(self.kind, amount, note)
