"""Connecting to a Dask scheduler, or starting one with workers here; refused in one line where that makes no sense."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from bridge.errors import ConfigError
from bridge.installing import how_to_add
from scripts.executors.scheduler import LOCAL
from scripts.options import ComputeOptions
from scripts.version import PACKAGE, is_release, program_version

if TYPE_CHECKING:
    from distributed import Client
    from distributed.security import Security

_CORES_PER_WORKER = 2  # one reads and glues while the other is in the network


@contextmanager
def connected(options: ComputeOptions) -> Iterator[Client]:
    """Connect, and check that there are workers that can do our work; closed again on leaving.

    Raises
    ------
    ConfigError
        Dask is not installed, the scheduler can't be reached in time, has no workers, or workers of other versions.
    """
    try:
        from distributed import Client
        from distributed.versions import VersionMismatchWarning
    except ImportError as error:
        raise ConfigError(
            f"[compute] scheduler = {options.scheduler!r} needs Dask: {how_to_add('dask', ['dask', 'distributed'])}"
        ) from error
    with _dask_silent(), ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("ignore", VersionMismatchWarning)  # told below, in one line, where it matters
        address: Any = options.scheduler
        if address == LOCAL:
            address = stack.enter_context(_local_cluster(options))
        try:
            client = Client(
                address,
                timeout=options.timeout_seconds,
                security=_security(options),
                set_as_default=False,
                name=PACKAGE,
            )
            stack.callback(client.close)
            client.wait_for_workers(1, timeout=options.timeout_seconds)
            found: Any = client.get_versions(packages=[PACKAGE])  # Any: awaitable for other clients than this kind
        except OSError as error:  # a timeout is one
            raise ConfigError(_unreachable(options, error)) from error
        check_versions({str(options.scheduler): found["scheduler"]}, "scheduler")  # it unpickles work, to pass it on
        check_versions(found["workers"])
        kept = stack.pop_all()
    with _dask_silent(), kept:
        yield client


@contextmanager
def _dask_silent() -> Iterator[None]:
    """Keep Dask's own loggers still in this process: what there is to say of a cluster we say, in one line."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    levels = {name: logging.getLogger(name).level for name in names}
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def check_versions(workers: Mapping[str, Any], what: str = "worker") -> None:
    """Refuse workers that would do another work than we do, or can't read what we send.

    Parameters
    ----------
    workers
        As `distributed.Client.get_versions` tells them, by address.
    what
        They are, if not workers.

    Raises
    ------
    ConfigError
        Names the worker, what it has and what it should have.
    """
    ours, python = program_version(), f"{sys.version_info.major}.{sys.version_info.minor}"
    for address, told in workers.items():
        packages = told["packages"]
        theirs = packages.get(PACKAGE)
        if theirs is None:
            raise ConfigError(f"{what} {address} has no SlideBridge; install {_named(ours)} where it runs")
        if theirs != ours:
            here = f"here is {ours}; install {_named(ours)} there"
            raise ConfigError(f"{what} {address} has SlideBridge {theirs}, {here}")
        if not str(packages["python"]).startswith(f"{python}."):
            has = ".".join(str(packages["python"]).split(".")[:2])
            raise ConfigError(f"{what} {address} runs Python {has}, here is {python}; start it with the same")


def _named(version: str) -> str:
    """Return what to install: no package index has what lies between two releases."""
    if is_release(version):
        return f"{PACKAGE}[dask]=={version}"
    return f"{PACKAGE}[dask] from the same sources as here"


def local_workers(options: ComputeOptions, cores: int) -> int:
    """Return how many processes ``local`` starts."""
    return options.workers or max(1, cores // _CORES_PER_WORKER)


def cores_here() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@contextmanager
def _local_cluster(options: ComputeOptions) -> Iterator[Any]:
    from distributed import LocalCluster

    cluster = LocalCluster(
        n_workers=local_workers(options, cores_here()),
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # else it asks for one port, which another may have
        silence_logs=logging.CRITICAL,
        memory_limit=0,  # Dask would take each worker's share for its all, and end one that holds a model and a slide
    )
    try:
        yield cluster
    finally:
        cluster.close()


def _security(options: ComputeOptions) -> Security | None:
    if not options.scheduler.startswith("tls://"):
        return None
    from distributed.security import Security

    for path in (options.tls_ca, options.tls_cert, options.tls_key):
        if path is not None and not path.is_file():
            raise ConfigError(f"[compute] certificate {path} is not there")
    key = options.tls_key or options.tls_cert
    return Security(
        require_encryption=True,
        tls_ca_file=str(options.tls_ca),
        tls_client_cert=str(options.tls_cert),
        tls_client_key=str(key),
    )


def _unreachable(options: ComputeOptions, error: Exception) -> str:
    where, seconds = options.scheduler, f"{options.timeout_seconds:g} s"
    if "worker" in str(error):
        return f"[compute] {where} has no worker, within {seconds}; start some with `dask worker {where}`"
    return (
        f"[compute] no Dask scheduler answers at {where} within {seconds}; start it with `dask scheduler`, or set"
        ' scheduler = "" to predict in this process'
    )
