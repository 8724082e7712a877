"""Many threads' hints for one."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.watch.hints import HintQueue

ROOT = Path("/lab").absolute()
paths = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(lambda parts: ROOT.joinpath(*parts))


def test_what_was_put_is_drained_once() -> None:
    hints = HintQueue()
    for name in ("a", "b", "a"):
        hints.put(str(ROOT / name))
    assert hints.drain() == {ROOT / "a", ROOT / "b"}
    assert hints.drain() == frozenset()


@settings(max_examples=200, deadline=None)
@given(st.lists(paths, max_size=60), st.integers(1, 6))
def test_memory_is_bounded_and_nothing_is_lost(put: list[Path], most: int) -> None:
    hints = HintQueue(most)
    for path in put:
        hints.put(str(path))
    drained = hints.drain()
    assert len(drained) <= most
    assert all(any(path.is_relative_to(found) for found in drained) for path in put)


def test_burst_of_ten_thousand_events_is_a_few_folders() -> None:
    hints = HintQueue()
    for i in range(10_000):
        hints.put(str(ROOT / "data" / str(i % 7) / f"{i}.tmp"))
    drained = hints.drain()
    assert len(drained) <= 4096
    assert {ROOT / "data" / str(i) for i in range(7)} <= drained


def test_wait_returns_at_the_first_hint() -> None:
    hints = HintQueue()
    thread = threading.Timer(0.02, hints.put, [str(ROOT)])
    thread.start()
    assert hints.wait(30)
    thread.join()
    assert hints.drain() == {ROOT}


def test_wait_that_was_answered_waits_again() -> None:
    hints = HintQueue()
    for _ in range(3):
        hints.wake()
    assert hints.wait(0)
    assert not hints.wait(0)


def test_hints_put_while_nobody_waited_are_not_waited_for() -> None:
    hints = HintQueue()
    hints.put("a")
    hints.put("b")
    assert hints.wait(0)
    hints.drain()
    hints.put("a")
    assert hints.wait(0)


def test_no_hint_is_lost_between_threads() -> None:
    hints = HintQueue()

    def put(number: int) -> None:
        for i in range(300):
            hints.put(str(ROOT / f"{number}.{i}"))

    threads = [threading.Thread(target=put, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    found: set[Path] = set()
    deadline = time.monotonic() + 20
    while len(found) < 1200 and time.monotonic() < deadline:
        hints.wait(0.5)
        found |= hints.drain()
    assert len(found) == 1200


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such signal")
def test_signal_handler_may_wake_whoever_waits() -> None:
    hints = HintQueue()
    before = signal.signal(signal.SIGUSR1, lambda *_: hints.wake())
    try:
        timer = threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGUSR1])
        timer.start()
        assert hints.wait(30)
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
