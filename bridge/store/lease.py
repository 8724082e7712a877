"""One writer per project: a small file beside the project says who it is, and that it is alive.

On the same machine a process that has ended frees the project at once. Of another machine only this is known: whether
the count in its file goes on, looked at twice and measured by our own clock; what a share says of times is never used.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge.errors import ProjectBusyError, StoreError
from bridge.store.holders import Holder, holder_from, lives, this_host, this_process
from bridge.store.lease_file import LeaseFile

logger = logging.getLogger(__name__)

STALE_SECONDS = 90.0  # longer than network file systems keep old answers
_LOOK_SECONDS = 1.0  # between two looks while waiting


@dataclass(slots=True)
class Look:
    """What was seen of another's lease, and since when it is so.

    Kept by a caller that never waits, from one try to the next.
    """

    content: bytes | None = None
    since: float = 0.0

    def still_seconds(self, content: bytes, now: float) -> float:
        """Return how long the lease has been as it is, monotonic seconds."""
        if content != self.content:
            self.content, self.since = content, now
        return now - self.since


class Lease:
    """The right to write to a project, held until ``release``; a context manager.

    Attributes
    ----------
    holder
        This process, as the file names it.
    """

    def __init__(self, file: LeaseFile, holder: Holder) -> None:
        self.holder = holder
        self._file = file

    @classmethod
    def take(
        cls,
        folder: Path,
        purpose: str,
        *,
        version: str = "",
        stale_seconds: float = STALE_SECONDS,
        is_waiting: bool = True,
        look: Look | None = None,
        stop: Callable[[], bool] = lambda: False,
        host: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Self:
        """Take the lease of a project, from a dead holder too.

        Parameters
        ----------
        folder
            The project's ``.slidebridge``, also where its database lies elsewhere; made if it isn't there.
        purpose
            The command, for people who meet the lease.
        stale_seconds
            A holder on another machine is dead when its file hasn't changed for so long.
        is_waiting
            Wait that long to find out; else raise at once, and with the same ``look`` the next try goes on from there.
        stop
            Asked while waiting: a signal came, say; then the project counts as busy.
        host
            This machine's name.
        now, clock, sleep
            The world's: a moment for people, monotonic seconds, seconds to wait.

        Raises
        ------
        ProjectBusyError
            Somebody holds it: another process, or this one.
        StoreError
            The folder can't be written.
        """
        here, token = host or this_host(), secrets.token_hex(16)
        mine = this_process(host=here, purpose=purpose, version=version, since=now(), token=token)
        taking = _Taking(LeaseFile(folder, here, sleep), mine, look or Look(), clock, stale_seconds)
        there = taking.attempt()
        if there is not None and is_waiting and not _is_of(there, here):
            there = taking.wait(there, stop)
        if there is not None:
            raise ProjectBusyError(_busy(folder, there, taking.free_in(there, has_waited=is_waiting)))
        return cls(taking.file, mine)

    def renew(self) -> None:
        """Say that this process is alive: at least every third of the ``stale_seconds``.

        Raises
        ------
        ProjectBusyError
            Another process has taken over meanwhile; nothing more may be written.
        StoreError
            The file can't be written just now; the lease is still held.
        """
        beating = replace(self.holder, beat=self.holder.beat + 1)
        with self._file.guarded():
            there = self._file.read()
            if there is not None and self._is_mine(there):
                self._file.replace(beating.to_bytes())
            elif there is not None or not self._file.create(beating.to_bytes()):  # gone: somebody tidied up
                raise ProjectBusyError(f"lease lost: {_busy(self._file.folder, there or b'')}")
        self.holder = beating

    def check(self) -> None:
        """Do nothing as long as the project is ours: one look, to be taken before each write.

        A machine that was asleep finds out here before it beats again.

        Raises
        ------
        ProjectBusyError
            Another process has taken over meanwhile.
        StoreError
            The file can't be read just now.
        """
        with self._file.answered():
            there = self._file.read()
        if there is not None and not self._is_mine(there):
            raise ProjectBusyError(f"lease lost: {_busy(self._file.folder, there)}")

    def release(self) -> None:
        """Let go of the project; one that another has taken over meanwhile stays theirs."""
        try:
            with self._file.guarded():
                there = self._file.read()
                if there is not None and self._is_mine(there):
                    self._file.remove(there)
        except StoreError as error:  # the share went away: others see that this process has ended
            logger.warning("lease not given back: %s", error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _is_mine(self, content: bytes) -> bool:
        found = holder_from(content)
        return found is not None and found.token == self.holder.token


def holder(folder: Path) -> Holder | None:
    """Return who holds a project, as its file says; None when nobody does, or the file is damaged.

    ``bridge.store.holders.lives`` tells of one on this machine whether it is still there.

    Raises
    ------
    StoreError
        The file can't be read.
    """
    file = LeaseFile(folder)
    with file.answered():
        found = file.read()
    return None if found is None else holder_from(found)


@dataclass(frozen=True, slots=True)
class _Taking:
    file: LeaseFile
    mine: Holder
    look: Look
    clock: Callable[[], float]
    stale_seconds: float

    def attempt(self) -> bytes | None:
        """Take the lease if it is free; return what stands in its file otherwise."""
        with self.file.guarded():
            there = self.file.read()
            if there is not None:
                if not self._is_free(there):
                    return there
                logger.info("taking the project over: %s has ended", _who(there))
                self.file.remove(there)
            if not self.file.create(self.mine.to_bytes()):
                return self.file.read() or b""
            there = self.file.read()  # where locks don't work another may have been as fast
            return None if there is None or there == self.mine.to_bytes() else there

    def wait(self, there: bytes, stop: Callable[[], bool]) -> bytes | None:
        """Try until the other's lease is free, or shows a sign of life."""
        logger.warning("waiting up to %.0f s to see whether %s is still at work", self.stale_seconds, _who(there))
        again: bytes | None = there
        while again == there and not stop():
            self.file.sleep(min(_LOOK_SECONDS, self.stale_seconds / 4))
            again = self.attempt()
        return again

    def free_in(self, there: bytes, *, has_waited: bool) -> float:
        """Return after how many seconds it is free if nobody is behind it; 0 where somebody is known to be."""
        if holder_from(there) is not None and (has_waited or _is_of(there, self.mine.host)):
            return 0.0
        return self.stale_seconds - self.look.still_seconds(there, self.clock())

    def _is_free(self, there: bytes) -> bool:
        still_seconds = self.look.still_seconds(there, self.clock())
        other = holder_from(there)
        if other is None or other.host != self.mine.host:
            return still_seconds >= self.stale_seconds
        return not lives(other)


def _is_of(content: bytes, host: str) -> bool:
    other = holder_from(content)
    return other is not None and other.host == host


def _who(content: bytes) -> str:
    other = holder_from(content)
    return "the writer of a damaged lease.json" if other is None else other.line()


def _busy(folder: Path, content: bytes, free_in: float = 0.0) -> str:
    other = holder_from(content)
    if other is None:
        return f"{folder.parent}: lease.json is damaged; if nobody is at work it is free in {free_in:.0f} s, try again"
    way_out = "try again when it has ended"
    if other.purpose == "watch":
        way_out = "it does this by itself; stop it first to run by hand"
    if free_in > 0:
        way_out += f" (or in {free_in:.0f} s, should that machine be off)"
    return f"{folder.parent}: {other.line()} is at work on this project; {way_out}"
