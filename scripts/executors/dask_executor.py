"""Work done by the workers of a Dask client, through the standard library's interface.

Queues, retries and transport are Dask's; here is only what `distributed.Client.get_executor` lacks: work that ends with
one of our errors when its worker dies again and again, when all workers are gone, or when the scheduler is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future, InvalidStateError
from concurrent.futures import wait as wait_for
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from bridge.errors import BridgeError

if TYPE_CHECKING:
    from distributed import Client
    from distributed import Future as DaskFuture

T = TypeVar("T")


class ClusterGoneError(BridgeError):
    """The scheduler can't be reached any more, or no worker is left: nothing is done there now."""


class LostWorkError(BridgeError):
    """A piece of work whose worker died each time it was tried: the work is the reason, not the cluster."""


class DaskExecutor(Executor):
    """Does work on the workers of a Dask client.

    Work whose worker dies is done again by another, up to Dask's ``allowed-failures`` (3) times. A result stays on its
    worker no longer than until it has come here.

    Parameters
    ----------
    client
        Connected; stays open.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._asked: dict[Future[Any], DaskFuture[Any]] = {}
        self._lock = threading.Lock()
        self._is_shut = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:  # Any: as in the base class
        """Have a worker run the call; function, arguments and result are pickled.

        The future raises what the call raised, `LostWorkError`, or `ClusterGoneError`. Cancelled, it asks the worker to
        stop (`is_wanted`), and doesn't wait for that.
        """
        if self._is_shut:
            raise RuntimeError("no new work after shutdown")
        told: Future[T] = Future()
        if self._client.status in ("closing", "closed"):
            told.set_exception(ClusterGoneError("the cluster is gone: its scheduler can't be reached"))
            return told
        # Bound: some names of arguments mean something to Dask. And what is asked for twice is to be done twice.
        work = partial(_outcome, partial(fn, *args, **kwargs))
        asked = self._client.submit(work, key=f"{getattr(fn, '__name__', 'work')}-{uuid4().hex}", pure=False)
        with self._lock:
            self._asked[told] = asked
        told.add_done_callback(self._forget)
        asked.add_done_callback(partial(_pass_on, told))
        return told

    def fail_all(self, error: ClusterGoneError) -> None:
        """End everything that is waited for with an error."""
        for future in self._waiting():
            _settle(future, error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work; wait for what is under way, or cancel it."""
        self._is_shut = True
        waiting = self._waiting()
        if cancel_futures:
            for future in waiting:
                future.cancel()
        elif wait:
            wait_for(waiting)

    def _waiting(self) -> list[Future[Any]]:
        with self._lock:
            return list(self._asked)

    def _forget(self, told: Future[Any]) -> None:
        with self._lock:
            asked = self._asked.pop(told)
        if told.cancelled():
            asked.cancel()
        asked.release()


def is_wanted() -> bool:
    """Say, on a worker and in the middle of a piece of work, whether somebody still waits for it."""
    from distributed import get_worker

    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return task is not None and task.state == "executing"


@dataclass(frozen=True, slots=True)
class _Raised:
    """An error of ours that a piece of work ended with."""

    error: BridgeError


def _outcome(work: Callable[[], T]) -> T | _Raised:
    """Do a piece of work on a worker; its error comes back as a result.

    What a task raises Dask writes to the worker's log, with all it says: slides' names have no place there.
    """
    try:
        return work()
    except BridgeError as error:
        return _Raised(error.with_traceback(None))


def _pass_on(told: Future[Any], asked: DaskFuture[Any]) -> None:
    """Tell what came of a piece of work, in our own errors."""
    from distributed import KilledWorker

    if told.done():
        return
    try:
        result = asked.result()
    except KilledWorker as error:
        deaths = error.allowed_failures + 1
        _settle(told, LostWorkError(f"{deaths} workers died at it, one after another; had they enough memory?"))
    except CancelledError:
        _settle(told, ClusterGoneError("the cluster is gone: its scheduler dropped the work"))
    except Exception as error:  # whatever the call raised
        _settle(told, error)
    else:
        _settle(told, result.error if isinstance(result, _Raised) else None, result)


def _settle(future: Future[Any], error: BaseException | None, result: object = None) -> None:
    """Set what came of a piece of work, unless it was cancelled or told before."""
    with suppress(InvalidStateError):
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
