"""A project as the daemon holds it: its loop, its lease, its heartbeat; opened and closed as one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bridge.errors import ProjectBusyError, StoreError
from bridge.qupath import QuPathViewer
from bridge.store import Backups, Store
from bridge.store.lease import Lease, Look
from bridge.store.location import is_network_path
from bridge.watch import FileState, observe
from bridge.watch.observers import Observers
from scripts.config import FILE_NAME
from scripts.daemon import wording as said
from scripts.daemon.file_watch import FileWatch
from scripts.daemon.heartbeat import Beat, Heartbeat
from scripts.daemon.project_loop import ProjectLoop
from scripts.daemon.reading import Reader
from scripts.daemon.schedule import next_nightly
from scripts.daemon.slides_now import SlidesNow
from scripts.daemon.viewing import Viewing
from scripts.daemon.wanting import Predictions, Wants
from scripts.daemon.working import Worker
from scripts.daemon.world import Activity, World
from scripts.loop.computing import Computing
from scripts.loop.slide_jobs import prediction_cache
from scripts.options import SourceKind
from scripts.project import Project, open_store
from scripts.version import program_version

logger = logging.getLogger(__name__)
_RENEW_SECONDS = 15.0


@dataclass(slots=True)
class WatchedProject:
    """One project under watch.

    Attributes
    ----------
    is_lost
        Another process has taken the project over: nothing more is done to it here.
    """

    loop: ProjectLoop
    lease: Lease
    observers: Observers
    heartbeat: Heartbeat
    clock: Callable[[], float]
    stack: ExitStack
    settings_state: FileState | None = None
    is_lost: bool = False
    _renew_at: float = 0.0
    _mode: str = ""

    def tick(self) -> None:
        """Keep the lease, and look at the files."""
        if not self.is_lost and self.clock() >= self._renew_at:
            self._renew_at = self.clock() + _RENEW_SECONDS
            self._renew()
        if not self.is_lost and not self.loop.is_paused:
            self.loop.tick()

    def beat(self) -> None:
        """Tell what happens now; of a project that another process has, that one tells."""
        if self.is_lost:
            return
        loop = self.loop
        queue, now = loop.queue(), loop.world.now()
        mode = loop.files.mode
        if mode != self._mode and loop.reader.slides.entries:
            self._mode = mode
            logger.info("%s", said.watching(loop.project.root, len(loop.reader.slides.entries), mode))
        self.heartbeat.write(
            Beat(
                doing=loop.activity.now(),
                waiting=queue.waiting,
                failed=queue.failed,
                observing=mode,
                next_nightly=next_nightly(loop.project.settings.schedule, now),
                last_write=loop.worker.last_write,
                last_read=loop.reader.last_read,
                last_training=loop.worker.last_training,
                queue=queue.queued,
                failures=queue.failures,
                slides=len(loop.reader.slides.entries),
            )
        )

    def has_new_settings(self) -> bool:
        """Say whether the settings file was changed since this project was opened, or since this was last asked."""
        try:
            state = observe(self.loop.project.root / FILE_NAME)
        except OSError:  # a share that is away for a moment: the next look may get through
            return False
        is_new = state is not None and state != self.settings_state
        self.settings_state = state
        return is_new

    def close(self) -> None:
        """Let go of the project."""
        if not self.is_lost:
            self.heartbeat.stop()
        self.stack.close()

    def _renew(self) -> None:
        try:
            self.lease.renew()
        except ProjectBusyError as error:
            logger.error("%s", error)
            self.is_lost = self.loop.is_lost = True
        except StoreError as error:
            logger.warning("the lease can't be renewed just now: %s", error)


def open_watched(
    project: Project,
    world: World,
    clock: Callable[[], float],
    *,
    projects: Sequence[Path] = (),
    observers: Observers | None = None,
    look: Look | None = None,
    is_waiting: bool = True,
) -> WatchedProject:
    """Open a project for watching.

    Parameters
    ----------
    projects
        All that this process watches, for the heartbeat.
    observers
        None for those of the system.
    look, is_waiting
        As for ``Lease.take``.

    Raises
    ------
    ProjectBusyError
        Another SlideBridge is at work on it.
    BridgeError
        Its store can't be opened.
    """
    with ExitStack() as stack:
        slidebridge = program_version()
        lease = stack.enter_context(
            Lease.take(project.data_folder, "watch", version=slidebridge, now=world.now, stop=world.is_stopping)
        )
        store = stack.enter_context(open_store(project, is_dry_run=False))
        watching = stack.enter_context(observers or Observers((), project.settings.watch))
        asked = world.is_stopping
        world = replace(world, is_stopping=lambda: asked() or loop.is_lost)  # a training ends then
        computing = stack.enter_context(Computing(project, is_patient=True, clock=clock))
        loop = _loop(project, store, world, watching, clock, lease.check, computing)
        names = tuple(str(path) for path in projects or (project.root,))
        heartbeat = Heartbeat(project.data_folder, names, slidebridge, world.now, hide=world.hide)
        loop.begin()
        state = observe(project.root / FILE_NAME)
        return WatchedProject(loop, lease, watching, heartbeat, clock, stack.pop_all(), state)


def _loop(
    project: Project,
    store: Store,
    world: World,
    observers: Observers,
    clock: Callable[[], float],
    check_lease: Callable[[], None],
    computing: Computing,
) -> ProjectLoop:
    settings = project.settings
    backups = Backups(project.data_folder / "backups")
    slides = SlidesNow(project, store)
    reader = Reader(project, store, backups, slides, world)
    predictions = Predictions(prediction_cache(project))
    is_qupath = settings.source.kind is SourceKind.QUPATH
    viewer = QuPathViewer(project.source.root) if is_qupath else None
    viewing = Viewing(project, store, slides, world, clock, viewer)
    wants = Wants(project, store, slides, reader, predictions, viewing, world)
    activity = Activity()
    worker = Worker(
        project,
        store,
        backups,
        slides,
        reader,
        wants,
        predictions,
        world,
        activity,
        viewing,
        check_lease,
        computing,
    )
    project_file = project.root / settings.source.path if is_qupath else None
    files = FileWatch(
        project.source, settings.watch, observers, clock, project_file, is_network_path(project.source.root)
    )
    return ProjectLoop(project, store, files, reader, wants, worker, viewing, world, activity)
