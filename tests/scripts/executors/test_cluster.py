"""Work given to a real cluster of processes: done once or again, refused, stopped, and never waited for in vain."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster, Worker, WorkerPlugin

from bridge.errors import ConfigError, SlideNotFoundError
from cluster_lab import reached, running_cluster
from cluster_work import die, divide, kill, not_there, note, pid_in, wait_for, wait_until, wait_until_unwanted
from scripts.executors import (
    Cluster,
    ClusterGoneError,
    LostWorkError,
    StopAskedError,
    open_cluster,
)


@pytest.fixture(scope="module")
def running() -> Iterator[LocalCluster]:
    """A cluster of two processes; work may lose its worker once."""
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}), running_cluster(2) as cluster:
        yield cluster


@pytest.fixture
def cluster(running: LocalCluster) -> Iterator[Cluster]:
    """A connection to it."""
    with open_cluster(reached(running)) as opened:
        yield opened


def test_results_come_in_the_order_asked_for_from_other_processes(cluster: Cluster) -> None:
    assert list(cluster.executor.map(divide, [4, 3, 2])) == [3, 4, 6]
    assert cluster.executor.submit(os.getpid).result() != os.getpid()
    assert cluster.slots() == 2


def test_what_work_raises_is_raised_here_and_other_work_goes_on(cluster: Cluster) -> None:
    failing, dividing = cluster.executor.submit(not_there, "7.svs"), cluster.executor.submit(divide, 0)

    with pytest.raises(SlideNotFoundError, match=r"^slide 7\.svs is not there$"):
        failing.result()
    with pytest.raises(ZeroDivisionError):
        dividing.result()
    assert cluster.executor.submit(divide, 6).result() == 2


def test_logs_of_workers_say_nothing_of_what_our_errors_name(cluster: Cluster) -> None:
    cluster._client.run(logging.getLogger("distributed.worker").setLevel, logging.INFO)

    with pytest.raises(SlideNotFoundError):
        cluster.executor.submit(not_there, "7.svs").result()
    with pytest.raises(ZeroDivisionError):
        cluster.executor.submit(divide, 0).result()

    told = str(cluster._client.get_worker_logs())
    assert "ZeroDivisionError" in told
    assert "7.svs" not in told


def test_names_of_arguments_mean_nothing_to_the_cluster(cluster: Cluster) -> None:
    assert cluster.executor.submit(divide, 2, workers=8).result() == 4


def test_same_work_asked_for_twice_is_done_twice(cluster: Cluster, tmp_path: Path) -> None:
    noted = tmp_path / "noted"

    list(cluster.executor.map(note, [noted, noted]))

    assert len(noted.read_text("utf-8").split()) == 2


def test_work_whose_worker_is_killed_is_done_by_another(cluster: Cluster, tmp_path: Path) -> None:
    go, begun = tmp_path / "go", tmp_path / "begun"
    future = cluster.executor.submit(wait_for, go, begun)
    wait_until(lambda: pid_in(begun) is not None)
    killed = pid_in(begun)
    assert killed is not None

    kill(killed)
    wait_until(lambda: pid_in(begun) != killed)
    go.touch()

    assert future.result() == pid_in(begun)


def test_work_that_kills_its_workers_is_given_up(cluster: Cluster, tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    with pytest.raises(LostWorkError, match="2 workers died at it"):
        cluster.executor.submit(die, begun).result()

    assert len(set(begun.read_text("utf-8").split())) == 2
    assert cluster.executor.submit(divide, 3).result() == 4


def test_stop_ends_the_waiting_and_the_work(cluster: Cluster, tmp_path: Path) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    future = cluster.executor.submit(wait_until_unwanted, begun, ended)

    with pytest.raises(StopAskedError):
        cluster.result(future, begun.exists)

    wait_until(lambda: pid_in(ended) is not None)
    assert pid_in(ended) == pid_in(begun)


def test_closed_connection_leaves_nobody_waiting(running: LocalCluster, tmp_path: Path) -> None:
    go, begun = tmp_path / "go", tmp_path / "begun"
    with open_cluster(reached(running)) as cluster:
        future = cluster.executor.submit(wait_for, go, begun)
    go.touch()

    with pytest.raises(ClusterGoneError):
        future.result(60)


def test_without_workers_nobody_waits_for_ever(tmp_path: Path) -> None:
    with running_cluster(1) as running, open_cluster(reached(running, seconds=0.6)) as cluster:
        begun = tmp_path / "begun"
        future = cluster.executor.submit(wait_for, tmp_path / "go", begun)
        wait_until(begun.exists)
        running.scale(0)
        kill(pid_in(begun) or 0)

        with pytest.raises(ClusterGoneError, match="no worker is left"):
            future.result(60)
        assert cluster.slots() == 0

        running.close()  # the scheduler too, while nothing is waited for
        wait_until(lambda: cluster._client.status == "closed")
        with pytest.raises(ClusterGoneError, match="scheduler can't be reached"):
            cluster.executor.submit(divide, 1).result()
        with pytest.raises(ClusterGoneError):
            cluster.install(Unloadable(), "any")


def test_what_a_process_left_behind_is_dropped_by_the_next_and_not_before(running: LocalCluster) -> None:
    with open_cluster(reached(running)) as first:
        name = first.own_name("model")
        first.install(WorkerPlugin(), name)
        with open_cluster(reached(running)):
            assert name in running.scheduler.worker_plugins
    assert name in running.scheduler.worker_plugins  # as if it had been killed

    with open_cluster(reached(running)):
        assert name not in running.scheduler.worker_plugins


class Unloadable(WorkerPlugin):
    """Needs what a worker doesn't have."""

    def setup(self, worker: Worker) -> None:
        raise ModuleNotFoundError("No module named 'torch'")


def test_workers_that_lack_a_package_are_refused(cluster: Cluster) -> None:
    with pytest.raises(ConfigError, match=r"a worker can't take our work, .*No module named 'torch'.*; install there"):
        cluster.install(Unloadable(), "unloadable")
    cluster.remove("unloadable")


PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from bridge.errors import SlideNotFoundError
from scripts.executors import open_cluster
from scripts.options import ComputeOptions

def not_there():
    raise SlideNotFoundError("slide 7.svs is not there")

def work(folder):
    (folder / "begun").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)
    return "done"

if __name__ == "__main__":
    asked = []
    signal.signal(signal.SIGINT, lambda *_: asked.append(1))  # whoever runs the tests in the background ignores it
    folder = Path(sys.argv[1])
    with open_cluster(ComputeOptions("local", 1)) as cluster:
        future = cluster.executor.submit(work, folder)
        while not (folder / "begun").exists():
            time.sleep(0.02)
        os.killpg(0, signal.SIGINT)  # as a terminal does
        while not asked:
            time.sleep(0.02)
        (folder / "go").touch()
        print(future.result(60))
        print(cluster.executor.submit(not_there).exception(60))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to a group of processes")
def test_workers_of_ours_leave_an_interrupt_and_what_fails_to_us(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, "utf-8")
    root = Path(__file__).parents[3]

    done = subprocess.run(
        [sys.executable, "-W", "error", str(program), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        start_new_session=True,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "done\nslide 7.svs is not there\n", "")
