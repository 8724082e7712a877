"""A Dask cluster of processes on this machine, for tests.

Imported by tests as ``cluster_lab`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import LocalCluster, Worker, WorkerPlugin
from distributed.security import Security

from cluster_work import note, wait_until
from scripts.options import ComputeOptions


@contextmanager
def running_cluster(workers: int, security: Security | None = None) -> Iterator[LocalCluster]:
    """Give a running cluster; one whose worker is killed starts another without a word."""
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        memory_limit=0,
        silence_logs=logging.CRITICAL,
        security=security,
        protocol="tcp://" if security is None else "tls://",
    ) as cluster:
        yield cluster


def reached(cluster: LocalCluster, seconds: float = 30.0) -> ComputeOptions:
    """Return the settings that name a cluster."""
    return ComputeOptions(cluster.scheduler_address, timeout_seconds=seconds)


class Door(WorkerPlugin):
    """Lets no prediction begin on a worker while the folder has a file ``shut``; who waits is noted in ``waiting``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def setup(self, worker: Worker) -> None:
        from scripts.loop.worker_side import ChampionPlugin, Order

        find = ChampionPlugin._found

        def found(plugin: ChampionPlugin, order: Order) -> Path:
            if (self._folder / "shut").exists():
                note(self._folder / "waiting")
                wait_until(lambda: not (self._folder / "shut").exists())
            return find(plugin, order)

        ChampionPlugin._found = found  # type: ignore[method-assign]
