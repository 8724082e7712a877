"""Commands of people's that are run when something happened (``[hooks]``): in turn, and never in the loop's way."""

from __future__ import annotations

import json
import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from time import monotonic
from types import TracebackType
from typing import Self

from scripts.daemon.people_process import Ran, run_command, split_command
from scripts.naming.slide_names import hide_name
from scripts.options import HookOptions
from scripts.project import Project

logger = logging.getLogger(__name__)
VERSION = 1  # of the JSON object; it grows by keys, and changes with this number otherwise
_MOST_WAITING = 50
_CLOSE_SECONDS = 2.0
_LONGEST_LINE = 300


class HookRunner:
    """Runs a project's hook commands in a thread of its own, one after the other.

    Each gets one JSON object on its standard input: ``event``, ``version``, ``at`` (UTC), ``project``, and the facts.
    Nothing of what happened is ever part of the command line. Where a command is slower than what happens, the oldest
    events are dropped.

    Parameters
    ----------
    project
        Its settings name the commands; they run in its folder.
    now
        The clock; aware moments.
    hide
        Takes slides' names out of a text.
    most_waiting
        Events that wait at most.
    """

    def __init__(
        self,
        project: Project,
        now: Callable[[], datetime],
        *,
        hide: Callable[[str], str] = lambda text: text,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        self._folder = project.root
        self._options = project.settings.hooks
        self._now, self._hide = now, hide
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._most = most_waiting
        self._changed = threading.Condition()
        self._is_closing = self._is_running = False
        self._must_end = threading.Event()
        self._dropped = 0
        self._thread: threading.Thread | None = None

    def tell(self, event: str, facts: Mapping[str, object]) -> None:
        """Have people told; returns at once, whatever their command does.

        Parameters
        ----------
        event
            ``predictions``, ``training``, ``nightly`` or ``failure``, as of the ``on_…`` options.
        """
        if not command_for(self._options, event):
            return
        data = event_json(event, facts, at=self._now(), project=str(self._folder), hide=self._hide)
        with self._changed:
            if self._is_closing:
                return
            if len(self._waiting) >= self._most:
                self._waiting.popleft()
                self._dropped += 1
                logger.warning(
                    "your [hooks] commands are slower than what happens: the oldest event is left out waiting=%d"
                    " left_out_so_far=%d",
                    self._most,
                    self._dropped,
                )
            self._waiting.append((event, data))
            self._start()
            self._changed.notify_all()

    def close(self, timeout: float = _CLOSE_SECONDS) -> int:
        """Let what waits be told for a while, kill what is late, and return how many events were left out for that."""
        until = monotonic() + timeout
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not (self._waiting or self._is_running), timeout)
            left = len(self._waiting)
            self._waiting.clear()
        self._must_end.set()
        if self._thread is not None:
            self._thread.join(max(until - monotonic(), 0.0) + 2 * _CLOSE_SECONDS)
            self._thread = None
        if left:
            logger.warning("stopping: events for your [hooks] commands are left out count=%d", left)
        return left

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="hooks", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (found := self._next()) is not None:
            try:
                self._run(*found)
            except Exception:  # whatever it was, the next event is told, and the daemon lives
                logger.exception("event=%s your [hooks] command could not be run", found[0])
            finally:
                with self._changed:
                    self._is_running = False
                    self._changed.notify_all()

    def _next(self) -> tuple[str, bytes] | None:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._is_closing)
            if not self._waiting:
                return None
            self._is_running = True
            return self._waiting.popleft()

    def _run(self, event: str, data: bytes) -> None:
        try:
            command = split_command(command_for(self._options, event))
        except ValueError as error:
            logger.warning("[hooks] on_%s is not run: %s", event, error)
            return
        began = monotonic()
        ran = run_command(command, data, self._folder, self._options.timeout_seconds, self._must_end.is_set)
        _log(event, ran, monotonic() - began)


def command_for(options: HookOptions, event: str) -> str:
    """Return the command line that is run for an event; empty for none."""
    commands = {
        "predictions": options.on_predictions,
        "training": options.on_training,
        "nightly": options.on_nightly,
        "failure": options.on_failure,
    }
    return commands[event].strip()


def event_json(
    event: str, facts: Mapping[str, object], *, at: datetime, project: str, hide: Callable[[str], str]
) -> bytes:
    """Return the line that a command reads: one JSON object in ASCII, whatever the system's encoding."""
    head = {"event": event, "version": VERSION, "at": at.isoformat(timespec="seconds"), "project": project}
    told = {key: _plain(value, hide) for key, value in facts.items()}
    if isinstance(name := facts.get("slide"), str):
        told["slide"] = hide_name(name, hide)
    return (json.dumps(head | told | head, allow_nan=False) + "\n").encode("ascii")  # first, and never overwritten


def _plain(value: object, hide: Callable[[str], str]) -> object:
    """Return a fact as JSON has it; a number that isn't one is null."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Enum():
            return _plain(value.value, hide)
        case datetime():
            return value.isoformat()
        case Mapping():
            return {hide(str(key)): _plain(item, hide) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item, hide) for item in value]
        case PurePath():
            return hide(str(value))
        case _:
            return hide(str(value))


def _log(event: str, ran: Ran, seconds: float) -> None:
    if ran.why is None:
        logger.debug("event=%s your [hooks] command ended seconds=%.1f", event, seconds)
        return
    said = f" it said: {ran.last_line[:_LONGEST_LINE]}" if ran.last_line else ""
    logger.warning("event=%s your [hooks] command failed: %s;%s check it by hand", event, ran.why, said)
