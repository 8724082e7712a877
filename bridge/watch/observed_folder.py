"""The system's events of one folder, by watchdog; it knows when it has gone deaf."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from bridge.watch.changes import WatchedFolder

ObserverFactory = Callable[[], BaseObserver]

# Not that a file was opened or read, which we do ourselves, nor that "something in this folder" changed: what did is
# told anyway.
_EVENTS: list[type[FileSystemEvent]] = [
    *(FileCreatedEvent, FileModifiedEvent, FileClosedEvent, FileMovedEvent, FileDeletedEvent),
    *(DirCreatedEvent, DirMovedEvent, DirDeletedEvent),
]
_JOIN_SECONDS = 5.0  # for threads of the observer, which are daemons: a share that hangs keeps nobody

Identity = tuple[int, int]


def native_observer() -> BaseObserver:
    """Return the system's own way to observe: inotify, FSEvents, ReadDirectoryChangesW."""
    return Observer()


class ObservedFolder:
    """One folder, observed from ``start`` to ``stop``.

    Parameters
    ----------
    folder
        What to observe.
    heard
        Called with every path that something happened to, in a thread of the observer's.
    make_observer
        Makes an observer that wasn't started.
    """

    def __init__(
        self, folder: WatchedFolder, heard: Callable[[str], None], make_observer: ObserverFactory = native_observer
    ) -> None:
        self._folder = folder
        self._heard = heard
        self._make_observer = make_observer
        self._observer: BaseObserver | None = None
        self._identity: Identity | None = None

    @property
    def folder(self) -> WatchedFolder:
        """What is observed."""
        return self._folder

    @property
    def is_started(self) -> bool:
        """Whether it was started and not stopped; it may be deaf all the same."""
        return self._observer is not None

    def start(self) -> None:
        """Begin to observe.

        Raises
        ------
        OSError
            The folder isn't there, can't be observed, or the system has no more to spare.
        """
        shown = str(self._folder.path)
        real = os.path.realpath(shown)  # a link is watched as a link, not as what it leads to
        identity = identify(self._folder.path)
        observer = self._make_observer()
        try:
            ear = _Ear(self._heard, real, shown)
            observer.schedule(ear, real, recursive=self._folder.is_recursive, event_filter=_EVENTS)
            observer.start()
        except OSError:
            _stop(observer)
            raise
        except (RuntimeError, SystemError) as error:  # FSEvents and kqueue
            _stop(observer)
            raise OSError(f"the system's observer doesn't start: {error}") from error
        self._observer, self._identity = observer, identity

    def stop(self) -> None:
        """Stop; may be started again."""
        observer, self._observer, self._identity = self._observer, None, None
        if observer is not None:
            _stop(observer)

    def is_dead(self) -> bool:
        """Say whether a thread of the observer has ended by itself."""
        if self._observer is None:
            return False
        return not (self._observer.is_alive() and all(emitter.is_alive() for emitter in self._observer.emitters))

    def is_another(self) -> bool:
        """Say whether another folder has come to the place of the one observed: the system goes on with the old one.

        Raises
        ------
        OSError
            There is no folder, or it can't be reached.
        """
        return self._identity is not None and identify(self._folder.path) != self._identity


def identify(path: Path) -> Identity:
    """Return what tells a folder from another that has come to its place.

    Raises
    ------
    OSError
        There is none, or it can't be reached.
    """
    status = path.stat()
    return status.st_dev, status.st_ino


class _Ear(FileSystemEventHandler):
    """Tells of paths as the folder is called by whoever asked, whatever a link's end is called."""

    def __init__(self, heard: Callable[[str], None], real: str, shown: str) -> None:
        self._heard = heard
        self._real = real
        self._shown = shown

    def on_any_event(self, event: FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            if path:
                self._heard(self._as_shown(os.fsdecode(path)))

    def _as_shown(self, path: str) -> str:
        return self._shown + path[len(self._real) :] if path.startswith(self._real) else path


def _stop(observer: BaseObserver) -> None:
    observer.stop()
    if observer.is_alive():
        observer.join(_JOIN_SECONDS)
