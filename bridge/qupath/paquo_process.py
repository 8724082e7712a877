"""A child process that gets one request, answers in messages, and is gone afterwards with all that it started.

It has a session of its own, so that its Java machine and whatever that starts can be killed together, and pipes of its
own: messages come on its standard output, everything that people may read on its standard error.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from bridge.errors import QuPathBackendError
from bridge.qupath.paquo_protocol import Message, MessageReader, Say, StreamLimits, encode

logger = logging.getLogger(__name__)

_CHUNK = 2**16
_CHUNKS_AHEAD = 64  # what a child may send before we look: 4 MiB
_TAIL_BYTES = 2**14
_EXIT_SECONDS = 2.0  # between closing its pipe and being gone


def run_child(
    command: Sequence[str],
    request: Message,
    on_message: Callable[[Message], None],
    *,
    timeout_seconds: float,
    environ: Mapping[str, str],
    limits: StreamLimits = StreamLimits(),  # noqa: B008 - frozen
) -> None:
    """Run a child process until it has said ``end``; when this returns or raises, it and its offspring are dead.

    Parameters
    ----------
    on_message
        Gets every message but the last; what it raises ends the child and goes to the caller.
    timeout_seconds
        For everything.

    Raises
    ------
    QuPathBackendError
        The child couldn't be started, reported an error, died, stopped talking, said something else than messages or
        too much, or wasn't ready in time. One line, with the end of what it printed.
    """
    deadline = time.monotonic() + timeout_seconds
    process = _start(command, environ)
    tail = _Tail(process)
    output = _Output(process)
    try:
        for thread in (_Request(process, encode(request)), tail, output):
            thread.start()
        _listen(output, MessageReader(limits), on_message, deadline, timeout_seconds)
    except _EndedEarlyError as error:
        raise QuPathBackendError(f"{_how_it_ended(process, deadline)}{tail.shown()}") from error
    finally:
        output.stop()
        _kill_tree(process)
        tail.log()
        _close_pipes(process)


class _EndedEarlyError(Exception):
    """The child closed its pipe before it said ``end``."""


def _start(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # raw: a pipe can be closed under a thread that waits for it
            env=dict(environ),
            start_new_session=True,
            creationflags=flags,
        )
    except OSError as error:
        raise QuPathBackendError(f"the QuPath process can't be started: {error.strerror or error}") from error


def _read_piece(pipe: IO[bytes]) -> bytes:
    """Return what there is, waiting for something; empty at the end, or when the pipe was closed."""
    try:
        return pipe.read(_CHUNK)
    except (OSError, ValueError):
        return b""


class _Request(threading.Thread):
    """Hands the request over, beside the rest, for a child that doesn't read must not stop us.

    The pipe stays open: the child takes its end for ours, and goes too.
    """

    def __init__(self, process: subprocess.Popen[bytes], line: bytes) -> None:
        super().__init__(name="qupath-request", daemon=True)
        self._pipe = _pipe(process.stdin)
        self._line = line

    def run(self) -> None:
        left = memoryview(self._line)
        with contextlib.suppress(OSError, ValueError):  # the child is gone: whoever listens to it says so
            while left:
                left = left[self._pipe.write(left) :]


class _Output(threading.Thread):
    """Reads the pipe of messages; an empty piece is its end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(name="qupath-output", daemon=True)
        self._pipe = _pipe(process.stdout)
        self._is_stopped = threading.Event()
        self.pieces: queue.Queue[bytes] = queue.Queue(_CHUNKS_AHEAD)

    def run(self) -> None:
        piece = b"x"
        while piece and not self._is_stopped.is_set():
            piece = _read_piece(self._pipe)
            self._hand_on(piece)

    def _hand_on(self, piece: bytes) -> None:
        while not self._is_stopped.is_set():
            with contextlib.suppress(queue.Full):
                self.pieces.put(piece, timeout=0.1)
                return

    def stop(self) -> None:
        self._is_stopped.set()


class _Tail(threading.Thread):
    """Reads what the child prints for people, and keeps the end of it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(name="qupath-printed", daemon=True)
        self._pipe = _pipe(process.stderr)
        self._kept = b""

    def run(self) -> None:
        while piece := _read_piece(self._pipe):
            self._kept = (self._kept + piece)[-_TAIL_BYTES:]

    def shown(self) -> str:
        """Return the last line that says something, to be put behind a message."""
        self.join(0.2)  # the child is dead or dying; a grandchild may hold the pipe
        lines = [line for line in map(_printable, self._kept.decode("utf-8", "replace").splitlines()) if line]
        return f" ({lines[-1][:300]})" if lines else ""

    def log(self) -> None:
        """Log all of it, for ``--verbose``; the child is dead."""
        self.join(_EXIT_SECONDS)
        text = self._kept.decode("utf-8", "replace")
        if text:
            logger.debug("printed by the QuPath process:\n%s", text)


def _printable(line: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in line).split())


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "all three were asked for"
    return pipe


def _listen(
    output: _Output,
    reader: MessageReader,
    on_message: Callable[[Message], None],
    deadline: float,
    timeout_seconds: float,
) -> None:
    """Hand on messages until ``end``."""
    while True:
        piece = _next_piece(output, deadline, timeout_seconds)
        if not piece:
            raise _EndedEarlyError
        for message in reader.feed(piece):
            if message["say"] == Say.END.value:
                return
            if message["say"] == Say.ERROR.value:
                raise QuPathBackendError(_printable(str(message.get("text", "QuPath failed")))[:1000])
            on_message(message)


def _next_piece(output: _Output, deadline: float, timeout_seconds: float) -> bytes:
    left = deadline - time.monotonic()
    try:
        if left <= 0:  # also one that talks without end
            raise queue.Empty
        return output.pieces.get(timeout=left)
    except queue.Empty as error:
        raise QuPathBackendError(
            f"QuPath wasn't ready after {timeout_seconds:g} s and was stopped; nothing was changed; raise"
            " [qupath] timeout_seconds, or per_image_seconds for large images"
        ) from error


def _how_it_ended(process: subprocess.Popen[bytes], deadline: float) -> str:
    try:
        code = process.wait(max(0.0, min(_EXIT_SECONDS, deadline - time.monotonic())))
    except subprocess.TimeoutExpired:
        return "the QuPath process closed its pipe without an answer and was stopped; run again with --verbose"
    if code < 0:
        name = signal.Signals(-code).name if -code in {s.value for s in signal.Signals} else str(-code)
        return (
            f"the QuPath process was killed ({name}); if memory is short, raise or lower -Xmx in [qupath] java_options"
        )
    return f"the QuPath process ended with status {code} before it had answered; run again with --verbose"


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill the child and everything in its session or below it."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of the dead
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        with contextlib.suppress(OSError):
            _pipe(pipe).close()
