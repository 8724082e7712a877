"""The workers of a Dask scheduler as one executor: connected, checked, and watched for being there at all.

Queues, retries and transport are Dask's; here is only what `distributed.Client.get_executor` lacks: work that ends with
one of our errors when its worker dies again and again, when all workers are gone, or when the scheduler is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, InvalidStateError
from concurrent.futures import wait as wait_for
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from bridge.errors import BridgeError, ConfigError
from scripts.executors.choice import LOCAL
from scripts.executors.connecting import connected
from scripts.options import ComputeOptions

if TYPE_CHECKING:
    from distributed import Client, Scheduler, WorkerPlugin
    from distributed import Future as DaskFuture

logger = logging.getLogger(__name__)
T = TypeVar("T")
_LOOK_SECONDS = 0.5  # between two looks at whether workers are there
_OURS = "slidebridge-"  # what we install begins with it
_ASK_SECONDS = 0.1  # between two looks at whether somebody wants us to stop


class ClusterGoneError(BridgeError):
    """The scheduler can't be reached any more, or no worker is left: nothing is done there now."""


class LostWorkError(BridgeError):
    """A piece of work whose worker died each time it was tried: the work is the reason, not the cluster."""


class StopAskedError(Exception):
    """Somebody asked to stop while work was waited for; it was cancelled."""


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


class Cluster:
    """A connected cluster.

    Parameters
    ----------
    client
        Connected; whoever opened it closes it.
    timeout_seconds
        Workers that are gone may take so long to come back.
    """

    def __init__(self, client: Client, timeout_seconds: float) -> None:
        self._client = client
        self._timeout = timeout_seconds
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._look, name="cluster", daemon=True)
        self._error: ClusterGoneError | None = None
        self.executor = DaskExecutor(client)
        self._watch.start()

    def own_name(self, name: str) -> str:
        """Return a name for what is installed that is this connection's: when that is gone, so is what it installed."""
        return f"{_OURS}{name}-{uuid4().hex[:8]}-{self._client.id}"

    def slots(self) -> int:
        """Return how many pieces of work the workers do at once; 0 when none is there."""
        return sum(self._threads().values())

    def slots_by_host(self) -> dict[str, int]:
        """Return for each machine, by its address, how many pieces of work it does at once."""
        hosts: dict[str, int] = {}
        for address, threads in self._threads().items():
            host = host_of(address)
            hosts[host] = hosts.get(host, 0) + threads
        return hosts

    def install(self, plugin: WorkerPlugin, name: str) -> None:
        """Give all workers, those that come later too, what work needs: once, and not with each piece of it.

        Raises
        ------
        ClusterGoneError
            The scheduler is gone.
        ConfigError
            A worker can't take it: some package is not there.
        """
        try:
            self._client.register_plugin(plugin, name)
        except (OSError, CancelledError) as error:
            raise ClusterGoneError(f"the cluster is gone: {error or type(error).__name__}") from error
        except Exception as error:  # whatever the worker met; Dask makes a plain Exception of it
            if self._client.status != "running":
                raise ClusterGoneError("the cluster is gone: its scheduler can't be reached") from error
            raise ConfigError(
                f"[compute] a worker can't take our work, {error}; install there what is installed here"
            ) from error

    def remove(self, name: str) -> None:
        """Take back what was installed; of workers that are gone there is nothing to take."""
        if self._client.status != "running" or self._error is not None:
            return
        try:
            self._client.unregister_worker_plugin(name)
        except (OSError, ValueError) as error:  # the scheduler is just going, or came back and knows nothing of it
            logger.debug("nothing to take back from the cluster name=%s error=%s", name, error)

    def result(self, future: Future[T], stop: Callable[[], bool]) -> T:
        """Wait for a piece of work.

        Raises
        ------
        StopAskedError
            ``stop`` said so first; the work is cancelled.
        """
        while True:
            try:
                return future.result(_ASK_SECONDS)
            except TimeoutError:
                if future.done():  # the work itself ended with such an error
                    raise
            if stop():
                future.cancel()
                raise StopAskedError

    def close(self) -> None:
        """Stop watching; what is still waited for ends with an error."""
        self._closing.set()
        self._watch.join()
        self.executor.fail_all(ClusterGoneError("the connection to the cluster was closed"))

    def _threads(self) -> dict[str, int]:
        if self._client.status != "running":
            return {}
        try:
            scheduler = self._client.scheduler
            assert scheduler is not None, "a running client has one"
            found = self._client.sync(scheduler.ncores, callback_timeout=self._timeout)
        except (OSError, CancelledError):  # the scheduler is gone, or just going
            return {}
        return {str(address): int(threads) for address, threads in found.items()}

    def _look(self) -> None:
        gone_since: float | None = None
        while not self._closing.wait(_LOOK_SECONDS):
            if self.slots() > 0:
                gone_since = None
                continue
            gone_since = monotonic() if gone_since is None else gone_since
            if monotonic() - gone_since >= self._timeout or self._client.status == "closed":
                what = "no worker is left" if self._client.status == "running" else "its scheduler can't be reached"
                self._error = ClusterGoneError(f"the cluster is gone: {what}, for {self._timeout:g} s")
                self.executor.fail_all(self._error)


def host_of(address: str) -> str:
    """Return the machine of a worker's address, ``tcp://machine:port``."""
    return address.rpartition("://")[2].rpartition(":")[0]


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


@contextmanager
def open_cluster(options: ComputeOptions) -> Iterator[Cluster]:
    """Connect to the scheduler that the options name, or start workers on this machine.

    Raises
    ------
    ConfigError
        Dask is not installed, the scheduler can't be reached in time, has no workers, or workers of other versions.
    """
    with ExitStack() as stack:
        client = stack.enter_context(connected(options))
        try:
            client.run_on_scheduler(_drop_orphans)
        except OSError as error:  # gone already: told when work is asked for
            logger.debug("the cluster was not tidied: %s", error)
        cluster = Cluster(client, options.timeout_seconds)
        stack.callback(cluster.close)
        if options.scheduler == LOCAL:
            from scripts.executors.our_worker import OurWorker

            cluster.install(OurWorker(), cluster.own_name("interrupts"))
        logger.info("work goes to a cluster scheduler=%s at_once=%d", options.scheduler, cluster.slots())
        yield cluster


async def _drop_orphans(dask_scheduler: Scheduler) -> None:
    """Have workers forget the models of processes that ended without a word; done by the scheduler."""
    for name in list(dask_scheduler.worker_plugins):
        if name.startswith(_OURS) and not any(client and name.endswith(client) for client in dask_scheduler.clients):
            with suppress(ValueError):  # another has just done it
                await dask_scheduler.unregister_worker_plugin(None, name)


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
