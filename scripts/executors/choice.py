"""Which executor a setting or an option names, and whether it may."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from bridge.errors import ConfigError
from scripts.options import ComputeOptions

LOCAL = "local"
_ADDRESS = re.compile(r"(tcp|tls)://[^\s/]+:\d{1,5}")


def check_scheduler(options: ComputeOptions) -> None:
    """Refuse a scheduler that can't be one, and certificates without use or in want of others.

    Raises
    ------
    ConfigError
        With what is allowed.
    """
    scheduler = options.scheduler
    if scheduler not in ("", LOCAL) and not _ADDRESS.fullmatch(scheduler):
        raise ConfigError(
            f'[compute] scheduler {scheduler!r} is none; set "" (this process), "local", "tcp://host:8786" or'
            ' "tls://host:8786"'
        )
    certificates = (options.tls_ca, options.tls_cert, options.tls_key)
    if scheduler.startswith("tls://") and (options.tls_ca is None or options.tls_cert is None):
        raise ConfigError(f"[compute] {scheduler} needs certificates; set tls_ca and tls_cert")
    if not scheduler.startswith("tls://") and any(path is not None for path in certificates):
        raise ConfigError(f"[compute] certificates are for tls:// addresses, not for {scheduler!r}")


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
    from scripts.executors.cluster import open_cluster
    from scripts.executors.processes import open_executor

    if not options.scheduler:
        with open_executor(workers, begin) as executor:
            yield executor, workers
        return
    with open_cluster(options) as cluster:
        yield cluster.executor, cluster.slots()
