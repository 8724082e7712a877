"""``slidebridge watch``: the daemon, put together from the real world and run until it is asked to stop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic

from bridge.annotations import SlideEntry
from bridge.errors import BridgeError, ConfigError
from scripts.daemon import wording as said
from scripts.daemon.engine import Daemon
from scripts.daemon.lanes import Lane
from scripts.daemon.names import HiddenNames, project_names
from scripts.daemon.people_hooks import HookRunner
from scripts.daemon.watched_project import WatchedProject, open_watched
from scripts.daemon.world import World
from scripts.logs import about, daemon_logging, log_file
from scripts.project import Project, open_project

logger = logging.getLogger(__name__)
_LONGEST_WAIT = 0.25  # seconds between two looks: clocks, leases and other processes' wishes


def watch(paths: Sequence[Path], stop: Callable[[], bool], *, is_verbose: bool = False, is_quiet: bool = False) -> None:
    """Watch projects until asked to stop.

    Parameters
    ----------
    paths
        Each belongs to a project; a project named twice is watched once.
    stop
        Whether we were asked to.

    Raises
    ------
    BridgeError
        None of the projects can be watched; of several, those that can are, and the others are told in the log.
    """
    projects = {project.root: project for project in map(open_project, paths)}
    if not projects:
        raise ConfigError("no project to watch; name a project folder")
    hidden = HiddenNames()
    files = {root: log_file(project.data_folder) for root, project in projects.items()}
    with daemon_logging(files, is_verbose=is_verbose, is_quiet=is_quiet, hide=hidden.hide), ExitStack() as stack:
        opening = _Opening(tuple(projects), stop, hidden)
        watched = opening.open_all(projects.values())
        files_lane, compute = Lane.threaded("files"), Lane.threaded("compute", is_patient=True)
        daemon = Daemon(watched, files_lane, compute, watched[0].observers.wake, opening.reopen)
        stack.callback(daemon.close)
        run(daemon, stop)
        logger.info("%s", said.stopping([d.kind.value for w in daemon.projects for d in w.loop.activity.now()]))
        daemon.close()
        logger.info("%s", said.stopped())


def run(daemon: Daemon, stop: Callable[[], bool]) -> None:
    """Tick until asked to stop, or until every project was taken over by others."""
    while daemon.projects and not stop():
        if not daemon.tick() and daemon.projects:
            daemon.projects[0].observers.wait(_LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class _Opening:
    roots: tuple[Path, ...]
    stop: Callable[[], bool]
    hidden: HiddenNames

    def open_all(self, projects: Iterable[Project]) -> list[WatchedProject]:
        opened: list[WatchedProject] = []
        errors: list[BridgeError] = []
        for project in projects:
            with about(project.root):
                try:
                    opened.append(self._open(project))
                except BridgeError as error:
                    errors.append(error)
                    logger.error("%s", error)
        if not opened:
            raise self._hidden_error(errors[0])
        return opened

    def _hidden_error(self, error: BridgeError) -> BridgeError:
        """Return an error that is told outside the log, without slides' names."""
        told = self.hidden.hide(str(error))
        return error if told == str(error) else BridgeError(told)

    def reopen(self, watched: WatchedProject) -> WatchedProject | None:
        root = watched.loop.project.root
        with about(root):
            try:
                project = open_project(root)
            except BridgeError as error:
                logger.warning("the settings were changed and can't be used, those before stay: %s", error)
                return watched
            watched.close()
            logger.info("the settings were changed, the project is opened anew project=%s", root)
            try:
                return self._open(project)
            except BridgeError as error:
                logger.error("%s", error)
                return None

    def _open(self, project: Project) -> WatchedProject:
        self._know(project, project.source.slides())
        with ExitStack() as stack:
            hooks = stack.enter_context(HookRunner(project, _now, hide=self.hidden.hide))
            world = World(_now, self.stop, hooks.tell, partial(self._know, project), self.hidden.hide)
            watched = open_watched(project, world, monotonic, projects=self.roots)
            watched.stack.push(stack.pop_all())
            return watched

    def _know(self, project: Project, entries: Sequence[SlideEntry]) -> None:
        self.hidden.know(project.root, project_names(project, entries))


def _now() -> datetime:
    return datetime.now(UTC)
