"""``slidebridge watch``: the daemon, put together from the real world and run until it is asked to stop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

from bridge.annotations import SlideEntry
from bridge.errors import BridgeError, ConfigError
from bridge.store.lease import Look
from scripts.daemon import wording as said
from scripts.daemon.engine import RETRY_SECONDS, Daemon
from scripts.daemon.lanes import Lane
from scripts.daemon.live_view import Shown
from scripts.daemon.people_hooks import HookRunner
from scripts.daemon.watched_project import WatchedProject, open_watched
from scripts.daemon.world import World
from scripts.logs import about, daemon_logging, log_file
from scripts.naming.hidden import HiddenNames, hidden_names
from scripts.naming.project_names import project_names
from scripts.project import Project, open_project

if TYPE_CHECKING:
    from scripts.daemon.live_terminal import LiveTerminal

logger = logging.getLogger(__name__)
_LONGEST_WAIT = 0.25  # seconds between two looks: clocks, leases and other processes' wishes


def watch(
    paths: Sequence[Path],
    stop: Callable[[], bool],
    *,
    is_verbose: bool = False,
    is_quiet: bool = False,
    terminal: LiveTerminal | None = None,
) -> None:
    """Watch projects until asked to stop.

    Parameters
    ----------
    paths
        Each belongs to a project; a project named twice is watched once.
    stop
        Whether we were asked to.
    terminal
        Where to show what happens, below the log lines; None: log lines alone.

    Raises
    ------
    BridgeError
        None of the projects can be watched; of several, those that can are, and the others are told in the log.
    """
    projects = {project.root: project for project in map(open_project, paths)}
    if not projects:
        raise ConfigError("no project to watch; name a project folder")
    hidden = hidden_names()
    files = {root: log_file(project.data_folder) for root, project in projects.items()}
    lines = None if terminal is None else terminal.handler()
    logging_of = partial(daemon_logging, is_verbose=is_verbose, is_quiet=is_quiet, hide=hidden.hide, terminal=lines)
    with logging_of(files), ExitStack() as stack:
        opening = Opening(tuple(projects), stop, hidden)
        watched = opening.open_all()
        files_lane, compute = Lane.threaded("files"), Lane.threaded("compute", is_patient=True)
        daemon = Daemon(watched, files_lane, compute, opening.reopen, opening.retry)
        stack.callback(daemon.close)
        run(daemon, opening, stop, _drawing(terminal, opening))
        logger.info("%s", said.stopping([d.kind.value for w in daemon.projects for d in w.loop.activity.now()]))
        daemon.close()
        logger.info("%s", said.stopped())


def run(
    daemon: Daemon, opening: Opening, stop: Callable[[], bool], ticked: Callable[[Daemon], object] = lambda daemon: None
) -> None:
    """Tick until asked to stop; ``ticked`` is called after each."""
    while not stop():
        was_busy = daemon.tick()
        ticked(daemon)
        if was_busy:
            continue
        if daemon.projects:
            daemon.projects[0].observers.wait(daemon.rest(_LONGEST_WAIT))
        else:
            opening.wait(_LONGEST_WAIT)


def shown(daemon: Daemon, roots: Sequence[Path]) -> list[Shown]:
    """Return what there is to show of each project: what its heartbeat tells."""
    there = {one.loop.project.root: one.heartbeat.state for one in daemon.projects if not one.is_lost}
    names = [root.name for root in roots]
    return [Shown(root.name if names.count(root.name) == 1 else str(root), there.get(root)) for root in roots]


def _drawing(terminal: LiveTerminal | None, opening: Opening) -> Callable[[Daemon], object]:
    if terminal is None:
        return lambda daemon: None
    return lambda daemon: terminal.show(shown(daemon, opening.roots))


@dataclass(slots=True)
class Opening:
    """Opens projects, now or as soon as that is possible.

    Parameters
    ----------
    roots
        All that this process is to watch.
    wait
        Sleeps some seconds.
    """

    roots: tuple[Path, ...]
    stop: Callable[[], bool]
    hidden: HiddenNames
    wait: Callable[[float], None] = sleep
    _looks: dict[Path, Look] = field(default_factory=dict)  # what was seen of leases that others hold
    _told: dict[Path, str] = field(default_factory=dict)

    def open_all(self) -> list[WatchedProject]:
        """Open all projects that can be; the others are tried again by ``retry``.

        Raises
        ------
        BridgeError
            None of them can be.
        """
        opened: list[WatchedProject] = []
        errors: list[BridgeError] = []
        for root in self.roots:
            try:
                opened.append(self._open(root, is_waiting=len(self.roots) == 1))
            except BridgeError as error:
                errors.append(error)
        if not opened:
            raise self._hidden_error(errors[0])
        for root, met in zip(self._missing(opened), errors, strict=True):
            self._tell(root, met)
        return opened

    def retry(self, watched: Sequence[WatchedProject]) -> list[WatchedProject]:
        """Try to open what isn't watched: another process had it, or it couldn't be opened anew."""
        opened = []
        for root in self._missing(watched):
            try:
                opened.append(self._open(root, is_waiting=False))
            except BridgeError as error:
                self._tell(root, error)
        return opened

    def reopen(self, watched: WatchedProject) -> WatchedProject | None:
        """Open a project with its new settings; None when that must be tried again."""
        root = watched.loop.project.root
        with about(root):
            try:
                open_project(root).source.slides()
            except BridgeError as error:
                logger.warning("the settings were changed and can't be used, those before stay: %s", error)
                return watched
            watched.close()
            logger.info("the settings were changed, the project is opened anew project=%s", root)
        try:
            return self._open(root, is_waiting=False)
        except BridgeError as error:
            self._tell(root, error)
            return None

    def _missing(self, watched: Sequence[WatchedProject]) -> list[Path]:
        there = {one.loop.project.root for one in watched}
        return [root for root in self.roots if root not in there]

    def _tell(self, root: Path, error: BridgeError) -> None:
        """Say why a project isn't watched, once for each reason."""
        said_before, self._told[root] = self._told.get(root), type(error).__name__
        if said_before != self._told[root]:
            with about(root):
                logger.error("%s; tried again every %.0f s", error, RETRY_SECONDS)

    def _hidden_error(self, error: BridgeError) -> BridgeError:
        """Return an error that is told outside the log, without slides' names."""
        told = self.hidden.hide(str(error))
        return error if told == str(error) else BridgeError(told)

    def _open(self, root: Path, *, is_waiting: bool) -> WatchedProject:
        with about(root), ExitStack() as stack:
            project = open_project(root)
            self._know(project, project.source.slides())
            hooks = stack.enter_context(HookRunner(project, _now, hide=self.hidden.hide))
            world = World(_now, self.stop, hooks.tell, partial(self._know, project), self.hidden.hide)
            look = self._looks.setdefault(root, Look())
            watched = open_watched(project, world, monotonic, projects=self.roots, look=look, is_waiting=is_waiting)
            watched.stack.push(stack.pop_all())
            self._told.pop(root, None)
            return watched

    def _know(self, project: Project, entries: Sequence[SlideEntry]) -> None:
        self.hidden.know(project.root, project_names(project, entries))


def _now() -> datetime:
    return datetime.now(UTC)
