from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bridge.errors import StoreError
from bridge.store import RunState, Store


def start(store: Store, now: datetime, data_hash: str = "d") -> int:
    return store.start_run(now, kind="nightly", parent="c0", data_hash=data_hash)


def finish(store: Store, iteration: int, now: datetime, **more: object) -> None:
    given = {"checkpoint_id": "c1", "promoted": True, "reason": "better", "metrics": {"dice": {"Tumor": 0.5}}} | more
    store.finish_run(iteration, now, **given)  # type: ignore[arg-type]


def test_a_run_from_start_to_end(store: Store, now: datetime) -> None:
    assert store.last_trained_data_hash() is None
    iteration = start(store, now, "d1")
    assert iteration == 1
    assert store.running() == store.runs()[0]
    assert store.last_trained_data_hash() is None
    finish(store, iteration, now + timedelta(hours=1))
    (run,) = store.runs()
    assert run.state is RunState.FINISHED
    assert (run.checkpoint_id, run.promoted, run.reason) == ("c1", True, "better")
    assert run.metrics == {"dice": {"Tumor": 0.5}}
    assert (run.parent, run.ended_at) == ("c0", now + timedelta(hours=1))
    assert store.running() is None
    assert store.last_trained_data_hash() == "d1"


def test_failed_runs_leave_no_gap_in_the_iterations(store: Store, now: datetime) -> None:
    finish(store, start(store, now, "d1"), now)
    store.fail_run(start(store, now, "d2"), "disk full", now)
    assert start(store, now, "d3") == 2
    assert [(r.iteration, r.state) for r in store.runs()] == [
        (1, RunState.FINISHED),
        (2, RunState.FAILED),
        (2, RunState.RUNNING),
    ]
    assert store.last_trained_data_hash() == "d1"


def test_run_of_a_dead_process_is_taken_over(store: Store, now: datetime) -> None:
    start(store, now)
    assert start(store, now) == 1
    assert [r.state for r in store.runs()] == [RunState.FAILED, RunState.RUNNING]


def test_run_that_is_not_promoted_counts_as_iteration(store: Store, now: datetime) -> None:
    finish(store, start(store, now), now, promoted=False)
    assert start(store, now) == 2


def test_run_ends_once(store: Store, now: datetime) -> None:
    iteration = start(store, now)
    finish(store, iteration, now)
    with pytest.raises(StoreError, match="not running"):
        finish(store, iteration, now)
    with pytest.raises(StoreError, match="not running"):
        store.fail_run(iteration, "x", now)
    with pytest.raises(StoreError, match="not running"):
        store.fail_run(7, "x", now)
