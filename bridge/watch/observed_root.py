"""One source's folders: observed as long as that can be trusted, and polled from then on."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.watch.changes import WatchedFolder
from bridge.watch.observed_folder import ObservedFolder, ObserverFactory
from bridge.watch.settling import Observing, WatchOptions

logger = logging.getLogger(__name__)

_MOST_MISSED = 2  # changes that no event told of before we stop to rely on events
_MOST_DEATHS = 3  # of an observer, without an event in between
_LIMITS = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE})
_RAISE_LIMITS = "raise fs.inotify.max_user_watches (and max_user_instances)"


@dataclass(frozen=True, slots=True)
class WatchedRoot:
    """A source to watch.

    Parameters
    ----------
    root
        The source's folder; names it.
    folders
        What of it to observe (``FileIndex.watched``).
    is_remote
        It lies on a network drive, where events don't tell what other machines do.
    """

    root: Path
    folders: tuple[WatchedFolder, ...]
    is_remote: bool = False


class ObservedRoot:
    """How the changes of one source are noticed. Thread-safe.

    Parameters
    ----------
    watched
        The source.
    options
        How to watch.
    heard
        Called with every path that something happened to.
    make_observer
        Makes the system's observer.
    """

    def __init__(
        self, watched: WatchedRoot, options: WatchOptions, heard: Callable[[str], None], make_observer: ObserverFactory
    ) -> None:
        self._options = options
        self._tell = heard
        self._make_observer = make_observer
        self._lock = threading.Lock()
        self._missed: list[str] = []  # folders in which a change was missed, and that no event came from since
        self._deaths = 0
        self._away: set[Path] = set()
        self._folders: dict[WatchedFolder, ObservedFolder] = {}
        self._polled: float | None = None
        self._is_new = True
        self.root = watched.root
        self._wanted = watched.folders
        is_remote = watched.is_remote and options.observing is Observing.AUTO
        self._is_polling = is_remote or options.observing is Observing.POLLING

    @property
    def is_polling(self) -> bool:
        """Whether its files are to be looked at every ``poll_seconds``, for no event will come."""
        with self._lock:
            return self._is_polling

    def want(self, folders: tuple[WatchedFolder, ...]) -> None:
        """Observe other folders from the next ``tend`` on."""
        with self._lock:
            self._wanted = folders

    def missed(self, path: Path) -> bool:
        """Take note of a change that no event told of; return whether it is polled from now on and wasn't before."""
        with self._lock:
            if self._is_polling or self._options.observing is not Observing.AUTO:
                return False
            self._missed.append(os.path.dirname(path))  # noqa: PTH120
            if len(self._missed) < _MOST_MISSED:
                return False
            self._is_polling = True
        self._say_polling(f"the system told nothing of {len(self._missed)} changes there")
        return True

    def poll(self, now: float) -> bool:
        """Say whether its files are to be looked at now; then they count as looked at."""
        with self._lock:
            due = self._next_poll()
            if due is None or due > now:
                return False
            self._polled = now
            return True

    def next_poll(self) -> float | None:
        """Return when its files are to be looked at next, monotonic seconds; None where events are relied on."""
        with self._lock:
            return self._next_poll()

    def _next_poll(self) -> float | None:
        if not self._is_polling:
            return None
        return float("-inf") if self._polled is None else self._polled + self._options.poll_seconds

    def tend(self) -> None:
        """Begin to observe, and begin anew what has gone deaf. Called by one thread only; may take a while."""
        if self.is_polling:
            self.stop()
            self._say_how()
            return
        with self._lock:
            wanted = self._wanted
        for folder in [folder for folder in self._folders if folder not in wanted]:
            self._folders.pop(folder).stop()
        for folder in wanted:
            observed = self._folders.setdefault(folder, ObservedFolder(folder, self._hear, self._make_observer))
            if not self.is_polling:
                self._tend_folder(observed)
        self._say_how()

    def stop(self) -> None:
        """Observe nothing any more."""
        for observed in self._folders.values():
            observed.stop()
        self._folders.clear()

    def _hear(self, path: str) -> None:
        if self._missed or self._deaths:
            folder = os.path.dirname(path)  # noqa: PTH120
            with self._lock:
                self._deaths = 0
                self._missed = [missed for missed in self._missed if missed != folder]
        self._tell(path)

    def _tend_folder(self, observed: ObservedFolder) -> None:
        path = observed.folder.path
        was_started = observed.is_started
        try:
            if was_started and not self._is_deaf(observed):
                return
            observed.stop()
            observed.start()
        except OSError as error:
            observed.stop()
            self._not_observed(path, error)
            return
        self._observed(path)

    def _is_deaf(self, observed: ObservedFolder) -> bool:
        if observed.is_another():
            return True
        if not observed.is_dead():
            return False
        with self._lock:
            self._deaths += 1
        return True

    def _observed(self, path: Path) -> None:
        if self._is_new:
            return
        if path in self._away and path == self.root:
            logger.info("the watched folder is there again; all in it is looked at root=%s", self.root)
        self._away.discard(path)
        with self._lock:
            has_died_often = self._deaths >= _MOST_DEATHS and self._options.observing is Observing.AUTO
            self._is_polling = self._is_polling or has_died_often
        if has_died_often:
            self._say_polling(f"observing it ended by itself {self._deaths} times")
        self._tell(str(path))  # what happened there meanwhile nobody told

    def _not_observed(self, path: Path, error: OSError) -> None:
        # "exists" answers "no" as well where a share is away, and "yes" where a folder came back a moment ago.
        if isinstance(error, FileNotFoundError | NotADirectoryError) or not os.path.exists(path):  # noqa: PTH110
            if path not in self._away and path == self.root:
                logger.warning("the watched folder can't be reached; waiting for it to come back root=%s", self.root)
            self._away.add(path)
            return
        with self._lock:
            self._is_polling = True
        said = error.strerror or str(error)
        if error.errno in _LIMITS:
            self._say_polling(f"the system has no more observers to give ({said}); {_RAISE_LIMITS}")
        else:
            self._say_polling(f"it can't be observed ({said})")

    def _say_polling(self, why: str) -> None:
        self._is_new = False
        seconds = self._options.poll_seconds
        logger.warning("looking for changes every %g s from now on: %s root=%s", seconds, why, self.root)

    def _say_how(self) -> None:
        if not self._is_new:
            return
        self._is_new = False
        if self.is_polling:
            logger.info("looking for changes every %g s root=%s", self._options.poll_seconds, self.root)
        else:
            logger.info("watching for changes as the system tells of them root=%s", self.root)
