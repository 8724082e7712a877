"""The workers of a Dask scheduler as one cluster: connected, checked, and watched for being there at all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from bridge.errors import ConfigError
from scripts.executors.connecting import connected
from scripts.executors.dask_executor import ClusterGoneError, DaskExecutor
from scripts.executors.scheduler import LOCAL
from scripts.options import ComputeOptions

if TYPE_CHECKING:
    from distributed import Client, Scheduler, WorkerPlugin

logger = logging.getLogger(__name__)
T = TypeVar("T")
_LOOK_SECONDS = 0.5  # between two looks at whether workers are there
_OURS = "slidebridge-"  # what we install begins with it
_ASK_SECONDS = 0.1  # between two looks at whether somebody wants us to stop


class StopAskedError(Exception):
    """Somebody asked to stop while work was waited for; it was cancelled."""


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
