"""Work in threads, some at a time, and no more of them however long a folder doesn't answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

THREADS = 4  # at work on one kind of request of one project at once
T = TypeVar("T")


class SilentError(Exception):
    """Some work took longer than anybody waits for it; it may be going on."""


@dataclass(slots=True)
class Lane:
    """Does work in a few threads; a thread that hangs keeps its place until it ends, whoever has given up waiting.

    Parameters
    ----------
    patience
        Seconds after which nobody waits for some work any more, be it under way or not begun.
    """

    patience: float
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(THREADS))
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "dashboard"))

    async def do(self, work: Callable[[], T]) -> T:
        """Return what some work returns.

        Raises
        ------
        SilentError
            It takes too long.
        """
        limit = asyncio.timeout(self.patience)
        try:
            async with limit:
                return await self.do_however_long(work)
        except TimeoutError:
            if limit.expired():
                raise SilentError from None
            raise

    async def do_however_long(self, work: Callable[[], T]) -> T:
        """Return what some work returns, without an end to waiting."""
        await self._room.acquire()
        loop = asyncio.get_running_loop()

        def leave(_: Future[T]) -> None:
            with suppress(RuntimeError):  # the server has ended meanwhile, and its loop with it
                loop.call_soon_threadsafe(self._room.release)

        done = self._threads.submit(copy_context().run, work)  # slides' names that it meets are to be hidden in the log
        done.add_done_callback(leave)
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Begin nothing more; what is under way isn't waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Latest(Generic[T]):
    """One answer that many pages ask for again and again: found out once at a time, for all who ask meanwhile.

    Parameters
    ----------
    lane
        Where it is found out.

    Attributes
    ----------
    begun
        When it was begun to find it out, the last time.
    known
        The last answer, and when it was begun to find it out; None before the first.
    """

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._under_way: asyncio.Task[T] | None = None
        self.begun: datetime | None = None
        self.known: tuple[T, datetime] | None = None

    async def ask(self, work: Callable[[], T], now: datetime) -> T:
        """Return the answer: that of some work, or of the like that is under way already.

        Raises
        ------
        SilentError
            It takes too long; the work goes on, and is not begun a second time.
        """
        if self._under_way is None or self._under_way.done():
            self.begun = now
            self._under_way = asyncio.create_task(self._find(work, now))
        limit = asyncio.timeout(self._lane.patience)
        try:
            async with limit:
                return await asyncio.shield(self._under_way)
        except TimeoutError:
            if limit.expired():
                raise SilentError from None
            raise

    async def _find(self, work: Callable[[], T], now: datetime) -> T:
        answer = await self._lane.do_however_long(work)
        self.known = answer, now
        return answer
