"""The daemon: some projects, two lanes, one thread that never blocks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import monotonic

from bridge.store import JobKind
from scripts.daemon.lanes import Lane
from scripts.daemon.project_loop import ProjectLoop, Work
from scripts.daemon.watched_project import WatchedProject
from scripts.logs import about

logger = logging.getLogger(__name__)
_SHORTEST_REST = 0.01  # seconds between two looks, whatever there is to look at
RETRY_SECONDS = 30.0  # between two tries at what isn't watched
_SETTINGS_SECONDS = 5.0  # between two looks at the settings files


@dataclass(slots=True)
class Daemon:
    """Gives the lanes work from the projects, in turn.

    Parameters
    ----------
    projects
        Opened, their leases held.
    files, compute
        The lanes.
    reopen
        Closes a project and opens it with its new settings; gives it back as it was where they are wrong.
    retry
        Given what is watched, opens what else is to be and can be by now.
    clock
        Monotonic seconds.
    """

    projects: list[WatchedProject]
    files: Lane
    compute: Lane
    reopen: Callable[[WatchedProject], WatchedProject | None] = lambda watched: watched
    retry: Callable[[Sequence[WatchedProject]], list[WatchedProject]] = lambda watched: []
    clock: Callable[[], float] = monotonic
    _look_at: float = 0.0
    _retry_at: float = 0.0
    _turn: int = 0
    _is_closed: bool = field(default=False)

    def tick(self) -> bool:
        """Look at everything once, and give each free lane some work; return whether any was given."""
        self._reopen_changed()
        self._retry_missing()
        for watched in self.projects:
            _tick(watched)
        given = [
            self._give(self.files, ProjectLoop.next_file_work),
            self._give(self.compute, ProjectLoop.next_compute_work),
        ]
        for watched in self.projects:
            _beat(watched)
        self._part_from_lost()
        return any(given)

    def rest(self, longest: float) -> float:
        """Return for how many seconds no file needs looking at, as far as is known; ``longest`` at most.

        A save that comes to rest is read at that moment, not at the next look at all else.
        """
        files = [watched.loop.files for watched in self.projects]
        nearest = min((each.next_time() - each.clock() for each in files), default=longest)
        return min(max(nearest, _SHORTEST_REST), longest)

    @property
    def is_idle(self) -> bool:
        """Whether no lane works."""
        return self.files.is_free and self.compute.is_free

    def close(self) -> None:
        """Wait for the steps under way, and let go of everything."""
        if self._is_closed:
            return
        self._is_closed = True
        with ExitStack() as stack:
            for watched in self.projects:
                stack.callback(watched.close)
            self.files.close()
            self.compute.close()

    def _reopen_changed(self) -> None:
        """Take up changed settings between two jobs: no work under way is stopped for them."""
        if self.clock() < self._look_at or not self.is_idle:
            return
        self._look_at = self.clock() + _SETTINGS_SECONDS
        reopened = [self.reopen(w) if not w.is_lost and w.has_new_settings() else w for w in self.projects]
        self.projects = [watched for watched in reopened if watched is not None]

    def _retry_missing(self) -> None:
        if self.clock() < self._retry_at:
            return
        if self._retry_at:
            self.projects = [*self.projects, *self.retry(self.projects)]
        self._retry_at = self.clock() + RETRY_SECONDS

    def _part_from_lost(self) -> None:
        """Let go of projects that others took over, once no lane is at work on one."""
        lost = [watched for watched in self.projects if watched.is_lost]
        if not lost or not self.is_idle:
            return
        self.projects = [watched for watched in self.projects if not watched.is_lost]
        for watched in lost:
            watched.close()

    def _give(self, lane: Lane, next_work: Callable[[ProjectLoop], tuple[JobKind, str | None, Work] | None]) -> bool:
        if not lane.is_free:
            return False
        for watched in self._in_turn():
            found = next_work(watched.loop)
            if found is not None:
                lane.give(self._told(watched, *found))
                return True
        return False

    def _in_turn(self) -> Sequence[WatchedProject]:
        self._turn = (self._turn + 1) % max(len(self.projects), 1)
        return [*self.projects[self._turn :], *self.projects[: self._turn]]

    def _told(self, watched: WatchedProject, kind: JobKind, slide: str | None, work: Work) -> Work:
        activity, now = watched.loop.activity, watched.loop.world.now

        def run() -> None:
            activity.begin(kind, slide, now())
            try:
                work()
            finally:
                activity.end(kind)
                for one in self.projects[:1]:  # that which the main thread waits for
                    one.observers.wake()

        return run


def _tick(watched: WatchedProject) -> None:
    with about(watched.loop.project.root):
        try:
            watched.tick()
        except Exception as error:  # a defect of ours in one project must not end the daemon for the others
            logger.exception("a defect in SlideBridge, please report it")
            watched.loop.pause(error)


def _beat(watched: WatchedProject) -> None:
    with about(watched.loop.project.root):
        watched.beat()
