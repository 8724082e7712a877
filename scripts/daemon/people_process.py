"""One run of a command of people's: fed, listened to a little, and ended with all that it started when it is late."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time
from typing import Any

import psutil

_KEPT_BYTES = 4096  # of the output: its end, where the reason of a failure stands
_LOOK_SECONDS = 0.05
_CLOCK_SECONDS = 2.0  # how exactly systems tell when a process began
_END_SECONDS = 2.0  # for a killed command to let go of its pipes


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended.

    Parameters
    ----------
    status
        Its exit status; None when it was killed or never started.
    output
        The end of what it printed, both streams.
    why
        What went wrong, a clause; None when it ended well.
    """

    status: int | None
    output: str
    why: str | None

    @property
    def last_line(self) -> str:
        """The last line that says something."""
        return next((line.strip() for line in reversed(self.output.splitlines()) if line.strip()), "")


def split_command(command: str, *, is_windows: bool = sys.platform == "win32") -> tuple[str, ...]:
    r"""Split a command line into program and arguments; no shell, so ``|``, ``>``, ``$X`` and ``*`` mean nothing.

    Quote paths with spaces. On Windows a backslash is a backslash.

    Raises
    ------
    ValueError
        A quote isn't closed.

    Examples
    --------
    >>> split_command("'/my tools/tell' --to lab", is_windows=False)
    ('/my tools/tell', '--to', 'lab')
    >>> split_command(r'"C:\My Tools\tell.exe" --to lab', is_windows=True)
    ('C:\\My Tools\\tell.exe', '--to', 'lab')
    """
    parts = shlex.split(command, posix=not is_windows)
    return tuple(_unquoted(part) for part in parts) if is_windows else tuple(parts)


def run_command(
    command: tuple[str, ...], data: bytes, folder: Path, seconds: float, is_stopped: Callable[[], bool]
) -> Ran:
    """Run a command with data on its standard input, and wait until it and its output have ended.

    Parameters
    ----------
    folder
        Where it runs.
    seconds
        After that it is killed, and everything that it started.
    is_stopped
        Asked all the while; True kills it as well.
    """
    try:
        return asyncio.run(_run(command, data, folder, seconds, is_stopped))
    except (OSError, ValueError) as error:  # not there, not executable; a NUL in an argument
        return Ran(None, "", f"not started: {getattr(error, 'strerror', None) or error}")


async def _run(
    command: tuple[str, ...], data: bytes, folder: Path, seconds: float, is_stopped: Callable[[], bool]
) -> Ran:
    loop, began = asyncio.get_running_loop(), monotonic()
    transport, talk = await loop.subprocess_exec(
        _Talk, *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder, **_apart()
    )
    started = time()
    try:
        talk.feed(transport, data)
        while not talk.is_over and monotonic() - began < seconds and not is_stopped():
            await asyncio.wait({talk.over}, timeout=_LOOK_SECONDS)
        if talk.is_over:
            status = transport.get_returncode()
            return Ran(status, talk.said(), f"exit status {status}" if status else None)
        _kill_all(transport.get_pid(), has_ended=transport.get_returncode() is not None, since=started)
        await asyncio.wait({talk.over}, timeout=_END_SECONDS)
        why = "killed, because SlideBridge stops" if is_stopped() else f"killed after {seconds:g} s"
        return Ran(None, talk.said(), why)
    finally:
        transport.close()


class _Talk(asyncio.SubprocessProtocol):
    """Keeps the end of the output, and knows when process and output are over."""

    def __init__(self) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._kept = bytearray()
        self._waits_for = {"process", "output"}

    @property
    def is_over(self) -> bool:
        return self.over.done()

    def feed(self, transport: asyncio.SubprocessTransport, data: bytes) -> None:
        pipe: Any = transport.get_pipe_transport(0)  # Any: typeshed has it as the base class, without write
        pipe.write(data)
        pipe.close()  # after what is buffered has gone

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._kept += data
        del self._kept[:-_KEPT_BYTES]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:  # 0: it closed its input without reading all of it, which is its own affair
            self._end("output")

    def process_exited(self) -> None:
        self._end("process")

    def said(self) -> str:
        return self._kept.decode("utf-8", errors="replace")

    def _end(self, part: str) -> None:
        self._waits_for.discard(part)
        if not self._waits_for and not self.over.done():
            self.over.set_result(None)


def _apart() -> dict[str, Any]:  # Any: keyword arguments of Popen
    """Return how to start a process so that it can be killed with its children, and Ctrl-C doesn't reach it."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _kill_all(pid: int, *, has_ended: bool, since: float) -> None:
    """Kill a process and what it started; those whose parent has ended are found by their group, where there is one."""
    found = _descendants(pid, since)
    # The number of a process that has ended may be another's by now, and a group's with it.
    if sys.platform != "win32" and not (has_ended and psutil.pid_exists(pid)):
        with suppress(ProcessLookupError, PermissionError):  # macOS refuses for a group of zombies
            os.killpg(pid, signal.SIGKILL)
    for process in found:
        with suppress(psutil.Error):
            process.kill()


def _descendants(pid: int, since: float) -> list[psutil.Process]:
    """Return a process that still runs, and what it started since a moment, children before their own."""
    below: dict[int, list[psutil.Process]] = {}
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["ppid", "create_time"]):
        if (process.info["create_time"] or 0.0) < since - _CLOCK_SECONDS:
            continue  # older: its parent's number was somebody else's then
        below.setdefault(process.info["ppid"], []).append(process)
        if process.pid == pid:
            found.append(process)
    parents = [pid]
    while parents:
        children = below.pop(parents.pop(), [])
        found += children
        parents += [child.pid for child in children]
    return found


def _unquoted(part: str) -> str:
    return part[1:-1] if len(part) > 1 and part[0] == part[-1] and part[0] in "\"'" else part
