"""Paths that something may have happened to, from many threads to one; bounded, however many events there are."""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path

_MOST_PATHS = 4096  # from there on only folders are kept, which say: look at everything in it


class HintQueue:
    """A set of paths that any thread adds to and one thread drains.

    Parameters
    ----------
    most
        Paths kept before they are reduced to the folders that they lie in, and these to nothing but the folders that
        *they* lie in, and so on: memory stays bounded, and no change goes unnoticed.
    """

    def __init__(self, most: int = _MOST_PATHS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._folders: set[str] = set()  # those of the paths that stand for all in them
        # Unlike an Event it may be used by a signal's handler, whatever the interrupted thread was doing.
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()

    def put(self, path: str) -> None:
        """Add a path."""
        with self._lock:
            is_first = not self._paths
            if os.path.dirname(path) not in self._folders:  # noqa: PTH120
                self._paths.add(path)
            while len(self._paths) > self._most:
                self._collapse()
        if is_first:
            self.wake()

    def _collapse(self) -> None:
        self._folders = {os.path.dirname(path) for path in self._paths}  # noqa: PTH120
        self._paths = set(self._folders)

    def drain(self) -> frozenset[Path]:
        """Return what was added since the last time; a folder stands for everything that lies in it."""
        with self._lock:
            paths, self._paths, self._folders = self._paths, set(), set()
        return frozenset(Path(path) for path in paths)

    def wake(self) -> None:
        """Let ``wait`` return at once; may be called by any thread and by a signal's handler."""
        if self._bell.empty():  # one ring is enough, and where nobody waits they would pile up for months
            self._bell.put(None)

    def wait(self, timeout: float) -> bool:
        """Wait for a first path, or for ``wake``.

        Parameters
        ----------
        timeout
            Seconds.

        Returns
        -------
        bool
            False: nothing happened.
        """
        try:
            self._bell.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return False
        while not self._bell.empty():  # one waking answers all calls so far
            self._bell.get_nowait()
        return True
