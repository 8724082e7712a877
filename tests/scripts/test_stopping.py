"""Stopping at the first signal after the step, at the second at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scripts.stopping import StopFlag, stopped_by_signals

PROGRAM = """
import signal
import sys
import time
from scripts.stopping import stopped_by_signals

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it

with stopped_by_signals("stopping after this step") as stop:
    print("ready", flush=True)
    while not stop.wait(60):
        pass
    print("step ended", flush=True)
    if "hang" in sys.argv:
        while True:
            time.sleep(0.05)
print("state kept")
"""


def _started(*arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_ends_the_step_and_says_so_in_one_line(number: signal.Signals) -> None:
    process = _started()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "step ended\nstate kept\n", "slidebridge: stopping after this step\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to one process")
@pytest.mark.parametrize(("second", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_second_signal_ends_the_process_at_once(second: signal.Signals, status: int) -> None:
    process = _started("hang")
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None and process.stdout.readline() == "step ended\n"
    process.send_signal(second)
    assert process.wait(60) == status
    assert "state kept" not in process.communicate(timeout=60)[0]


def test_asked_twice_it_exits_and_tells_once() -> None:
    said: list[str] = []
    flag = StopFlag("ending", said.append)
    assert not flag()
    flag.ask()
    assert flag() and said == ["ending"]
    with pytest.raises(SystemExit) as caught:
        flag.ask(143)
    assert caught.value.code == 143 and said == ["ending"]


def test_wait_ends_when_asked_and_no_earlier() -> None:
    flag = StopFlag("ending", lambda _: None)
    slept: list[float] = []
    assert not flag.wait(1.1, slept.append)
    assert sum(slept) == pytest.approx(1.1)
    slept.clear()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            flag.ask()

    assert flag.wait(60, sleep)
    assert len(slept) == 3
    assert flag.wait(60, slept.append) and len(slept) == 3


def test_handlers_are_put_back_whatever_happens() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RuntimeError), stopped_by_signals("ending"):
        assert signal.getsignal(signal.SIGTERM) is not before
        raise RuntimeError
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with stopped_by_signals("ending") as flag:
            signal.raise_signal(signal.SIGTERM)
            assert not flag()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_outside_the_main_thread_only_asking_stops() -> None:
    seen: list[bool] = []

    def work() -> None:
        with stopped_by_signals("ending", lambda _: None) as flag:
            flag.ask()
            seen.append(flag())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert seen == [True]
