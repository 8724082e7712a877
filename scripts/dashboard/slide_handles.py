"""Slides held open while somebody looks at them: a few at once, closed when nobody has for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bridge.slides import Slide, open_slide

FileVersion = tuple[str, int, int]
"""Path, size and time of a slide's file: a slide that was replaced is another one."""


def version_of(path: Path) -> FileVersion:
    """Return which version of a file is there now.

    Raises
    ------
    OSError
        None is.
    """
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns


@dataclass(slots=True)
class _Held:
    slide: Slide
    used_at: float
    users: int = 0


@dataclass(slots=True)
class SlideHandles:
    """Open slides; threads may share it.

    Parameters
    ----------
    clock
        Monotonic seconds.
    most
        Slides held open at once, besides those that are being read from.
    idle_seconds
        After which one is closed.
    """

    clock: Callable[[], float]
    most: int = 4
    idle_seconds: float = 60.0
    _held: OrderedDict[FileVersion, _Held] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def lent(self, path: Path) -> Iterator[Slide]:
        """Lend a slide; it stays open as long as it is lent.

        Raises
        ------
        OSError, SlideError
            It isn't there, or can't be opened.
        """
        held = self._take(version_of(path), path)
        try:
            yield held.slide
        finally:
            with self._lock:
                held.users -= 1
                held.used_at = self.clock()
            self.close_idle()

    def close_idle(self) -> None:
        """Close what nobody has used for a while, and the oldest of too many."""
        with self._lock:
            now, free = self.clock(), [v for v, held in self._held.items() if not held.users]
            old = [v for v in free if now >= self._held[v].used_at + self.idle_seconds]
            too_many = free[: max(0, len(self._held) - self.most)]
            closing = [self._held.pop(version) for version in dict.fromkeys([*old, *too_many])]
        for held in closing:
            held.slide.close()

    def close(self) -> None:
        """Close all; one that is being read from closes when that ends."""
        with self._lock:
            closing = list(self._held.values())
            self._held.clear()
        for held in closing:
            held.slide.close()

    def __len__(self) -> int:
        return len(self._held)

    def _take(self, version: FileVersion, path: Path) -> _Held:
        with self._lock:
            held = self._held.get(version)
            if held is not None:
                held.users += 1
                self._held.move_to_end(version)
                return held
        slide = open_slide(path)  # outside the lock: on a share it takes its time
        with self._lock:
            there = self._held.get(version)
            held = there if there is not None else self._held.setdefault(version, _Held(slide, self.clock()))
            held.users += 1
        if there is not None:  # another thread was faster
            slide.close()
        return held
