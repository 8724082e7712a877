import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import psutil
import pytest

from scripts.executors import open_executor


def _note(path: Path) -> None:
    with path.open("a") as file:
        file.write(f"{os.getpid()}\n")


def _interrupt_oneself(_: int) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def _divide(by: int) -> float:
    return 12 / by


def test_one_worker_is_the_caller_itself(tmp_path: Path) -> None:
    with open_executor(1) as executor:
        assert executor.submit(os.getpid).result() == os.getpid()


def test_more_workers_are_other_processes_which_begin_as_told(tmp_path: Path) -> None:
    noted = tmp_path / "begun"
    with open_executor(2, partial(_note, noted)) as executor:
        worker = executor.submit(os.getpid).result()

    assert worker != os.getpid()
    assert str(worker) in noted.read_text().split()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_asked_for_and_faults_are_raised(workers: int) -> None:
    with open_executor(workers) as executor:
        assert list(executor.map(_divide, [4, 3, 2])) == [3, 4, 6]
        with pytest.raises(ZeroDivisionError):
            list(executor.map(_divide, [4, 0, 2]))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal to send to one process")
def test_interrupted_worker_ends_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    with open_executor(2) as executor, pytest.raises(BrokenProcessPool):
        executor.submit(_interrupt_oneself, 0).result()

    assert capfd.readouterr().err == ""


def _work_on(noted: Path) -> None:
    _note(noted)
    threading.Event().wait(120)


def _give_work(noted: Path) -> None:
    with open_executor(2) as executor:
        executor.submit(_work_on, noted).result()


def test_workers_end_with_the_process_that_was_killed(tmp_path: Path) -> None:
    noted = tmp_path / "worker"
    parent = multiprocessing.get_context("spawn").Process(target=_give_work, args=(noted,))
    parent.start()
    assert _becomes_true(lambda: noted.is_file() and noted.read_text().endswith("\n"))
    worker = int(noted.read_text())

    parent.kill()
    parent.join()

    assert _becomes_true(lambda: not psutil.pid_exists(worker) or psutil.Process(worker).status() == "zombie")


def _becomes_true(claim: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not claim() and time.monotonic() < deadline:
        time.sleep(0.05)
    return claim()
