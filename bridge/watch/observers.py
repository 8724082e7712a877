"""Being told of changes: the system's events where they can be trusted, a request to look now and then where not.

Events are hints; the rescan finds what they don't tell. Where there are none (network drives, a limit of the system's,
an observer that turns out to be deaf) nobody walks through the folders in search of changes, as watchdog's own polling
observer does with everything that lies in them: the daemon knows the annotation files by name, and ``scan`` asks for
each once. So for such roots ``Observers`` only says when that is due; new slides are found by the rescan.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge.watch.hints import HintQueue
from bridge.watch.observed_folder import ObserverFactory, native_observer
from bridge.watch.observed_root import ObservedRoot, WatchedRoot
from bridge.watch.settling import WatchOptions

logger = logging.getLogger(__name__)

_TEND_SECONDS = 5.0  # between two looks whether all that is observed still is
_START_SECONDS = 10.0  # to wait for the first observing to begin
_STOP_SECONDS = 5.0  # to wait for the thread, which may hang on a share


class Observers:
    """Collects hints from all watched sources. A context manager; every method may be called by any thread.

    Observers are started, looked after and started again by a thread of this class's: to reach a folder on a share may
    take long, and the daemon's main thread never waits.

    Parameters
    ----------
    roots
        What to watch; ``watch`` replaces it.
    options
        How to watch.
    make_observer
        Makes the system's observer.
    tend_seconds
        Between two looks whether all that is observed still is.
    """

    def __init__(
        self,
        roots: Iterable[WatchedRoot],
        options: WatchOptions,
        *,
        make_observer: ObserverFactory = native_observer,
        tend_seconds: float = _TEND_SECONDS,
    ) -> None:
        self._options = options
        self._make_observer = make_observer
        self._tend_seconds = tend_seconds
        self._hints = HintQueue()
        self._lock = threading.Lock()
        self._roots: dict[Path, ObservedRoot] = {}
        self._left: list[ObservedRoot] = []
        self._attend = threading.Event()  # there is something to do for the thread
        self._is_stopping = threading.Event()
        self._has_begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observers", daemon=True)
        self.watch(roots)

    def __enter__(self) -> Self:
        """Begin; what happens after this is told of (unless a share is so slow that observing begins later)."""
        self._thread.start()
        if not self._has_begun.wait(_START_SECONDS):
            logger.warning("observing hasn't begun yet: a watched folder doesn't answer; changes are found by rescans")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop observing."""
        self.close()

    def close(self) -> None:
        """Stop observing, and let whoever waits go on."""
        self._is_stopping.set()
        self._attend.set()
        self._hints.wake()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def watch(self, roots: Iterable[WatchedRoot]) -> None:
        """Watch these sources and no others; those that were watched before go on without a gap."""
        wanted = {watched.root: watched for watched in roots}
        with self._lock:
            self._left += [self._roots.pop(path) for path in [*self._roots] if path not in wanted]
            for path, watched in wanted.items():
                if path in self._roots:
                    self._roots[path].want(watched.folders)
                else:
                    self._roots[path] = ObservedRoot(watched, self._options, self._hints.put, self._make_observer)
        self._attend.set()

    def drain(self) -> frozenset[Path]:
        """Return the paths that something may have happened to since the last time.

        A folder stands for everything in it: it is new, or back, or there were too many events to name each.
        """
        return self._hints.drain()

    def wait(self, timeout: float) -> bool:
        """Wait until there is something to drain, or ``wake`` is called; False: nothing happened for so many seconds.

        May be true without anything to drain.
        """
        return self._hints.wait(timeout)

    def wake(self) -> None:
        """Let ``wait`` return at once: a lane has finished, a signal came. May be called by a signal's handler."""
        self._hints.wake()

    def missed(self, path: Path) -> None:
        """Take note of a change at rest that no event had told of (``AtRest.is_told``).

        Twice, without an event from that folder since: its source is polled from then on (where ``observing`` is
        ``auto``).
        """
        for root in self._observed():
            if path.is_relative_to(root.root) and root.missed(path):
                self._attend.set()

    def polls_due(self, now: float) -> tuple[Path, ...]:
        """Return the roots of the sources to ``scan`` now, for nobody tells of changes there; each is asked for once.

        Parameters
        ----------
        now
            Monotonic seconds.
        """
        return tuple(root.root for root in self._observed() if root.poll(now))

    def next_poll(self) -> float | None:
        """Return when ``polls_due`` has something next, monotonic seconds; None where events are relied on."""
        times = [root.next_poll() for root in self._observed()]
        return min((time for time in times if time is not None), default=None)

    def is_polling(self, root: Path) -> bool:
        """Say whether a watched source is polled."""
        with self._lock:
            return self._roots[root].is_polling

    def _observed(self) -> list[ObservedRoot]:
        with self._lock:
            return [*self._roots.values()]

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            self._attend.clear()
            try:
                self._tend()
            except Exception:  # of a kind that nobody foresaw; rescans go on meanwhile
                logger.exception("observing failed; it is tried again in %g s", self._tend_seconds)
            self._has_begun.set()
            self._attend.wait(self._tend_seconds)
        for root in self._observed():
            root.stop()

    def _tend(self) -> None:
        with self._lock:
            left, self._left = self._left, []
        for root in left:
            root.stop()
        for root in self._observed():
            if not self._is_stopping.is_set():
                root.tend()
