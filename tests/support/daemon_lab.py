"""A daemon driven by hand: fake clock, events told by the test, lanes in the calling thread; everything else is real.

Imported by tests as ``daemon_lab`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from shapely.geometry.base import BaseGeometry

from bridge.store import JobKind, JobRecord, JobState, Store
from bridge.watch.observed_root import WatchedRoot
from lab_support import SETTINGS, draw_slide, xml_of
from scripts.daemon.engine import Daemon
from scripts.daemon.lanes import Lane
from scripts.daemon.watched_project import WatchedProject, open_watched
from scripts.daemon.world import World
from scripts.executors import InlineExecutor
from scripts.project import open_project

SETTLE = 2.0
RESCAN = 60.0


@dataclass
class Clock:
    """Time that passes only when told; the wall clock may jump."""

    monotonic: float = 1000.0
    wall: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def pass_by(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += timedelta(seconds=seconds)


@dataclass
class ToldObservers:
    """Observers that hear what the test tells them, or nothing when they are deaf."""

    is_deaf: bool = False
    missed_paths: list[Path] = field(default_factory=list)
    _paths: set[Path] = field(default_factory=set)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._paths.clear()

    def tell(self, path: Path) -> None:
        if not self.is_deaf:
            self._paths.add(path)

    def watch(self, roots: Iterable[WatchedRoot]) -> None: ...

    def drain(self) -> frozenset[Path]:
        found, self._paths = frozenset(self._paths), set()
        return found

    def polls_due(self, now: float) -> tuple[Path, ...]:
        return ()

    def next_poll(self) -> float | None:
        return None

    def is_polling(self, root: Path) -> bool:
        return False

    def missed(self, path: Path) -> None:
        self.missed_paths.append(path)

    def wake(self) -> None: ...


@dataclass
class DaemonLab:
    """A folder of slides and a daemon that watches it, step by step."""

    root: Path
    clock: Clock = field(default_factory=Clock)
    observers: ToldObservers = field(default_factory=ToldObservers)
    events: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)
    is_stopping: bool = False
    daemon: Daemon | None = None
    _told: dict[Path, int] = field(default_factory=dict)

    @classmethod
    def with_slides(cls, root: Path, count: int = 1, *, settings: str = "") -> DaemonLab:
        """Draw some slides without annotations, and write the settings."""
        for number in range(count):
            draw_slide(root / f"case{number}.tif", seed=number)
        text = SETTINGS.replace("settle_seconds = 0.01", f"settle_seconds = {SETTLE}\nrescan_seconds = {RESCAN}")
        (root / "slidebridge.toml").write_text(text + settings, "utf-8")
        return cls(root)

    def start(self) -> WatchedProject:
        """Start the daemon."""
        world = World(
            lambda: self.clock.wall, lambda: self.is_stopping, lambda name, facts: self.events.append((name, facts))
        )
        watched = open_watched(
            open_project(self.root),
            world,
            lambda: self.clock.monotonic,
            observers=self.observers,  # type: ignore[arg-type]  # it has what the daemon calls
        )
        self.daemon = Daemon([watched], Lane(InlineExecutor()), Lane(InlineExecutor()))
        return watched

    def close(self) -> None:
        """Stop the daemon, as a signal would."""
        if self.daemon is not None:
            self.daemon.close()
            self.daemon = None

    def restart(self) -> WatchedProject:
        """Stop and start again."""
        self.close()
        return self.start()

    @property
    def watched(self) -> WatchedProject:
        assert self.daemon is not None
        return self.daemon.projects[0]

    @property
    def store(self) -> Store:
        return self.watched.loop.store

    def xml(self, number: int = 0) -> Path:
        return self.root / f"case{number}.xml"

    def save(self, layers: Mapping[str, Sequence[tuple[BaseGeometry, str]]] | bytes, number: int = 0) -> bytes:
        """Save as a person does, and have the system tell of it."""
        data = layers if isinstance(layers, bytes) else xml_of(layers)
        self.xml(number).write_bytes(data)
        self.observers.tell(self.xml(number))
        return data

    def tick(self, count: int = 1) -> None:
        """Let the daemon look, some times."""
        assert self.daemon is not None
        for _ in range(count):
            self.daemon.tick()

    def run(
        self, seconds: float = 3 * SETTLE, *, step: float = SETTLE / 4, until: Callable[[], bool] = lambda: False
    ) -> None:
        """Let time pass in small steps; at each the daemon does all that it has to do."""
        assert self.daemon is not None
        end = self.clock.monotonic + seconds
        while self.clock.monotonic < end and not until():
            for _ in range(500):
                if not self.daemon.tick() or until():
                    break
            self.tell_of_writes()
            self.clock.pass_by(step)

    def tell_of_writes(self) -> None:
        """Have the system tell of our own writes, as it does of everybody's."""
        for path in self.root.glob("*.xml"):
            state = path.stat().st_mtime_ns
            if self._told.get(path) != state:
                self._told[path] = state
                self.observers.tell(path)

    def jobs(self, kind: JobKind, *states: JobState) -> list[JobRecord]:
        """Return the jobs of a kind, oldest first."""
        return [job for job in reversed(self.store.jobs(*states)) if job.kind is kind]
