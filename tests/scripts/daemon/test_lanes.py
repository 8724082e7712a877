"""One thing at a time, and nothing that failed goes unseen."""

from __future__ import annotations

import threading

import pytest

from scripts.daemon.lanes import Lane
from scripts.executors import InlineExecutor


def test_a_threaded_lane_is_taken_until_its_work_ends() -> None:
    lane, may_end = Lane.threaded("test"), threading.Event()
    lane.give(lambda: may_end.wait(60) and None)
    assert not lane.is_free
    may_end.set()
    lane.close()
    assert lane.is_free


@pytest.mark.parametrize(
    "make", [lambda: Lane.threaded("test"), lambda: Lane(InlineExecutor())], ids=["threaded", "inline"]
)
def test_what_the_work_raised_is_raised_where_the_lane_is_asked(make) -> None:  # type: ignore[no-untyped-def]
    lane = make()

    def fail() -> None:
        raise KeyError("a defect")

    lane.give(fail)
    lane.close()
    with pytest.raises(KeyError, match="a defect"):
        _ = lane.is_free
    assert lane.is_free
