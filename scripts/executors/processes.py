"""Work in the caller's own thread, or side by side in processes of this machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class InlineExecutor(Executor):
    """Runs what it is given at once, in the calling thread."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:  # Any: as in the base class
        """Run the call and return its future, done."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def open_executor(workers: int, begin: Callable[[], None] | None = None) -> Executor:
    """Return an executor of so many processes; with one, the work is done in the caller's own.

    ``begin`` is called first in each new process: nothing of the caller's logging or settings is there. What is given
    to it must be importable by name, as must what it returns. Ctrl-C ends the processes at once, without a word: the
    caller's own process says what there is to say.
    """
    if workers == 1:
        return InlineExecutor()
    context = multiprocessing.get_context("spawn")  # a fork of a process with torch's threads may hang
    return ProcessPoolExecutor(workers, context, initializer=partial(_begin, begin))


def begin_logging() -> None:
    """Log what happens, a line each, to the error stream."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)


def _begin(begin: Callable[[], None] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    if begin is not None:
        begin()


def _end_with_parent() -> None:
    """End this process when the one that gave it work is gone: killed, it can't tell its workers to stop."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "only workers wait for their parent"
    parent.join()
    os._exit(1)
