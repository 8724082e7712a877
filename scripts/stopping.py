"""Stopping when asked: the first signal ends the work after the current step, the second ends it at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # not every system has the last two
_LOOK_SECONDS = 0.2


def tell_stderr(line: str) -> None:
    """Write a line to stderr, past Python's buffers: a signal may come while they are being written to."""
    with suppress(OSError):  # nobody reads it any more: no reason not to stop
        os.write(2, f"slidebridge: {line}\n".encode())


class StopFlag:
    """Whether we were asked to stop; called, it says so.

    Parameters
    ----------
    told
        What the first request is answered with, in one line.
    tell
        Gets that line.

    Notes
    -----
    A plain attribute and no ``threading.Event``: a signal handler that sets an event waits for ever when it comes while
    the same thread holds the event's lock.
    """

    def __init__(self, told: str, tell: Callable[[str], None] = tell_stderr) -> None:
        self._told = told
        self._tell = tell
        self._is_set = False

    def __call__(self) -> bool:
        """Say whether we were asked to stop."""
        return self._is_set

    def ask(self, exit_status: int = 130) -> None:
        """Ask to stop: the first time after the current step, from then on at once.

        Raises
        ------
        SystemExit
            It is not the first time.
        """
        if self._is_set:
            raise SystemExit(exit_status)
        self._is_set = True
        self._tell(self._told)

    def wait(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> bool:
        """Sleep, but no longer than until we are asked to stop; say whether we were.

        Parameters
        ----------
        sleep
            Does the sleeping, in short pieces: on Windows a longer one would outlast the signal.
        """
        while seconds > 0 and not self._is_set:
            sleep(min(seconds, _LOOK_SECONDS))
            seconds -= _LOOK_SECONDS
        return self._is_set


@contextmanager
def stopped_by_signals(told: str, tell: Callable[[str], None] = tell_stderr) -> Iterator[StopFlag]:
    """Yield a flag that Ctrl-C, SIGTERM, and Windows' Ctrl-Break set; afterwards the signals do what they did before.

    A signal that is being ignored stays so (``nohup``, a job in the background). Outside the main thread signals can't
    be caught: the flag is then one that only ``ask`` sets.
    """
    flag = StopFlag(told, tell)

    def caught(number: int, frame: FrameType | None) -> None:
        flag.ask(128 + number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        caught_here = [signal.Signals[name] for name in _SIGNALS if name in signal.Signals.__members__]
        before = {number: signal.getsignal(number) for number in caught_here}
    ours = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    try:
        for number in ours:
            signal.signal(number, caught)
        yield flag
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
