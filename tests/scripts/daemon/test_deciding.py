"""Decisions from plain facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.store import JobKind, JobRecord, JobState
from scripts.daemon.deciding import (
    Attention,
    has_come,
    is_due,
    order_compute,
    order_files,
    retry_delay,
    should_stop_training,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def job(number: int, kind: JobKind, slide: str | None = None, *, not_before: datetime = NOW) -> JobRecord:
    return JobRecord(number, kind, slide, "input", JobState.WAITING, 0, NOW, not_before)


@given(st.integers(1, 10_000), st.booleans())
def test_each_failure_waits_no_less_than_the_one_before_and_an_hour_at_most(attempts: int, is_conflict: bool) -> None:
    delay = retry_delay(attempts, is_conflict=is_conflict)
    assert timedelta(0) < delay <= timedelta(hours=1)
    assert retry_delay(attempts + 1, is_conflict=is_conflict) >= delay


def test_the_slide_that_somebody_waits_for_goes_before_the_next_training_and_all_others_after_it() -> None:
    jobs = [
        job(1, JobKind.PREDICT, "old"),
        job(2, JobKind.NIGHTLY),
        job(3, JobKind.TRAIN),
        job(4, JobKind.PREDICT, "new"),
        job(5, JobKind.PREDICT, "never saved"),
        job(6, JobKind.WRITE, "new"),
    ]
    attention = Attention(saved_at={"old": NOW - timedelta(hours=1), "new": NOW})
    for order in permutations(jobs):
        assert [j.id for j in order_compute(order, attention)] == [4, 3, 2, 1, 5]


def test_what_is_on_screen_goes_before_what_was_saved_last() -> None:
    jobs = [job(1, JobKind.PREDICT, "saved"), job(2, JobKind.PREDICT, "seen"), job(3, JobKind.TRAIN)]
    attention = Attention(frozenset({"seen"}), {"saved": NOW})
    assert [j.id for j in order_compute(jobs, attention)] == [2, 3, 1]


def test_without_anybody_waiting_the_training_goes_first() -> None:
    jobs = [job(1, JobKind.PREDICT, "a"), job(2, JobKind.TRAIN)]
    assert [j.id for j in order_compute(jobs, Attention())] == [2, 1]


def test_saves_are_read_before_anything_is_written() -> None:
    jobs = [job(1, JobKind.WRITE, "b"), job(2, JobKind.READ, "a"), job(3, JobKind.WRITE, "a"), job(4, JobKind.TRAIN)]
    attention = Attention(frozenset({"a"}))
    assert [j.id for j in order_files(jobs, attention)] == [2, 3, 1]


@pytest.mark.parametrize(
    ("newer", "progress", "was_stopped", "stops"),
    [(True, 0.1, False, True), (False, 0.1, False, False), (True, 0.9, False, False), (True, 0.1, True, False)],
)
def test_a_training_makes_way_for_newer_labels_early_and_never_twice_in_a_row(
    newer: bool, progress: float, was_stopped: bool, stops: bool
) -> None:
    assert should_stop_training(has_newer_labels=newer, progress=progress, was_last_stopped=was_stopped) is stops


@given(st.timedeltas(timedelta(days=-400), timedelta(days=400)))
def test_nothing_waits_for_ever_when_the_clock_is_set_back(jump: timedelta) -> None:
    moment = NOW + retry_delay(5)
    later = NOW + jump + timedelta(hours=2)
    assert has_come(moment, later) or moment - later <= timedelta(hours=1)
    assert has_come(moment, moment)


def test_a_job_is_due_from_its_moment_on() -> None:
    waiting = job(1, JobKind.TRAIN, not_before=NOW + timedelta(minutes=5))
    assert not is_due(waiting, NOW)
    assert is_due(waiting, NOW + timedelta(minutes=5))
