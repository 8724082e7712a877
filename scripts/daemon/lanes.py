"""Where the daemon's work runs: one thread per lane, or, in tests, the caller's own."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

_NICENESS = 10


def _give_way() -> None:
    """Have this thread, and those that it starts, run only while nobody else wants the processor."""
    if sys.platform == "linux":  # elsewhere only whole processes have a priority
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


@dataclass(slots=True)
class Lane:
    """One piece of work at a time.

    Parameters
    ----------
    executor
        Of one thread, or inline.
    """

    executor: Executor
    _running: Future[None] | None = None

    @classmethod
    def threaded(cls, name: str, *, is_patient: bool = False) -> Lane:
        """Return a lane with a thread of its own; a patient one gives way to everything else on the machine."""
        begin = _give_way if is_patient else None
        return cls(ThreadPoolExecutor(max_workers=1, thread_name_prefix=name, initializer=begin))

    @property
    def is_free(self) -> bool:
        """Whether new work may be given; what the last work raised is raised here, for nothing else would."""
        running = self._running
        if running is None:
            return True
        if not running.done():
            return False
        self._running = None
        running.result()
        return True

    def give(self, work: Callable[[], None]) -> None:
        """Begin some work; the lane must be free."""
        assert self._running is None, "a lane does one thing at a time"
        self._running = self.executor.submit(work)

    def close(self) -> None:
        """Wait for the work under way, and let the thread go."""
        self.executor.shutdown(wait=True, cancel_futures=True)
