"""Which executor a setting or an option names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from scripts.executors.cluster import open_cluster
from scripts.executors.processes import open_executor
from scripts.options import ComputeOptions


@contextmanager
def open_chosen(
    options: ComputeOptions, workers: int, begin: Callable[[], None] | None = None
) -> Iterator[tuple[Executor, int]]:
    """Open what does independent pieces of work: processes of this machine, or the cluster that the options name.

    Parameters
    ----------
    workers
        Processes, where no cluster is named; one is the caller's own.
    begin
        As of `open_executor`; workers of a cluster log where they were started.

    Yields
    ------
    executor, at_once
        And how many pieces of work it does side by side.

    Raises
    ------
    ConfigError
        The cluster can't be used.
    """
    if not options.scheduler:
        with open_executor(workers, begin) as executor:
            yield executor, workers
        return
    with open_cluster(options) as cluster:
        yield cluster.executor, cluster.slots()
