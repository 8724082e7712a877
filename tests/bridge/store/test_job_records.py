from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import insert

from bridge.errors import StoreError
from bridge.store import JobKind, JobState, Store, job_records
from bridge.store.schema import jobs, slides

SECOND = timedelta(seconds=1)


def due(store: Store, now: datetime) -> set[int]:
    """Return the jobs that may be begun."""
    return {job.id for job in store.jobs(JobState.WAITING) if job.not_before <= now}


def ask(store: Store, now: datetime, input_hash: str = "a", slide: str | None = "s1", **more: bool) -> int:
    return store.ask_job(JobKind.READ, slide, input_hash, now, **more).id


def test_a_job_from_asking_to_done(store: Store, now: datetime) -> None:
    job = store.ask_job(JobKind.READ, "s1", "a", now)
    assert (job.state, job.attempts, job.created_at, job.not_before) == (JobState.WAITING, 0, now, now)
    job = store.start_job(job.id, now + SECOND)
    assert (job.state, job.attempts, job.started_at) == (JobState.RUNNING, 1, now + SECOND)
    job = store.finish_job(job.id, now + 2 * SECOND, "3 objects read")
    assert (job.state, job.note, job.error, job.ended_at) == (JobState.DONE, "3 objects read", None, now + 2 * SECOND)
    assert store.job(job.id) == job


@pytest.mark.parametrize("slide", ["s1", None])
def test_what_was_done_is_not_done_again_unless_forced(store: Store, now: datetime, slide: str | None) -> None:
    done = ask(store, now, slide=slide)
    store.start_job(done, now)
    assert ask(store, now, slide=slide) == done
    store.finish_job(done, now)
    assert ask(store, now, slide=slide) == done
    again = ask(store, now, slide=slide, is_forced=True)
    assert again != done
    assert store.job(again).state is JobState.WAITING
    assert store.job(done).state is JobState.DONE


def test_newer_input_takes_the_place_of_what_waits(store: Store, now: datetime) -> None:
    older = ask(store, now, "a")
    newer = ask(store, now, "b")
    other_slide, other_kind = ask(store, now, "a", "s2"), store.ask_job(JobKind.WRITE, "s1", "a", now).id
    assert store.job(older).state is JobState.SUPERSEDED
    assert "newer" in (store.job(older).note or "")
    assert due(store, now) == {newer, other_slide, other_kind}


def test_newer_input_takes_the_place_of_what_failed_and_waits(store: Store, now: datetime) -> None:
    failed = ask(store, now, "a")
    store.start_job(failed, now)
    store.retry_job(failed, now, "file is cut", now)
    assert ask(store, now, "a") == failed
    newer = ask(store, now, "b")
    assert due(store, now) == {newer} and store.job(failed).state is JobState.SUPERSEDED


def test_running_job_is_left_when_a_newer_input_comes(store: Store, now: datetime) -> None:
    running = ask(store, now, "a")
    store.start_job(running, now)
    newer = ask(store, now, "b")
    assert store.job(running).state is JobState.RUNNING
    assert due(store, now) == {newer}


def test_failed_attempt_waits_for_its_time(store: Store, now: datetime) -> None:
    job = ask(store, now)
    store.start_job(job, now)
    later = now + 30 * SECOND
    waiting = store.retry_job(job, now, "disk full", later)
    assert (waiting.state, waiting.error, waiting.attempts) == (JobState.WAITING, "disk full", 1)
    assert due(store, later - SECOND) == set()
    assert due(store, later) == {job}
    store.start_job(job, later)
    assert store.finish_job(job, later).error is None
    assert store.job(job).attempts == 2
    assert store.jobs(JobState.WAITING) == ()


def test_failed_attempt_does_not_come_back_beside_a_newer_input(store: Store, now: datetime) -> None:
    running = ask(store, now, "a")
    store.start_job(running, now)
    newer = ask(store, now, "b")
    assert store.retry_job(running, now, "disk full", now).state is JobState.SUPERSEDED
    assert due(store, now) == {newer}


def test_what_a_dead_process_left_running_waits_again(store: Store, now: datetime) -> None:
    alone, replaced = ask(store, now, "a", "s1"), ask(store, now, "a", "s2")
    store.start_job(alone, now)
    store.start_job(replaced, now)
    newer = ask(store, now, "b", "s2")
    later = now + timedelta(hours=1)
    assert [job.id for job in store.requeue_jobs(later)] == [alone]
    assert (store.job(alone).attempts, store.job(alone).not_before) == (1, later)
    assert store.job(replaced).state is JobState.SUPERSEDED
    assert due(store, later) == {newer, alone}
    assert store.requeue_jobs(later) == ()


def test_jobs_by_state_newest_first(store: Store, now: datetime) -> None:
    ids = [ask(store, now, slide=f"s{i}") for i in range(4)]
    store.start_job(ids[0], now)
    assert [job.id for job in store.jobs()] == ids[::-1]
    assert [job.id for job in store.jobs(JobState.WAITING, limit=2)] == [ids[3], ids[2]]
    assert [job.id for job in store.jobs(JobState.WAITING, JobState.RUNNING)] == ids[::-1]


def test_steps_out_of_turn_are_refused(store: Store, now: datetime) -> None:
    job = ask(store, now)
    with pytest.raises(StoreError, match=r"job 1 \(read\) is waiting, not running"):
        store.finish_job(job, now)
    store.start_job(job, now)
    with pytest.raises(StoreError, match="is running, not waiting"):
        store.start_job(job, now)
    store.finish_job(job, now)
    with pytest.raises(StoreError, match="is done"):
        store.supersede_job(job, now, "asked to stop")
    with pytest.raises(StoreError, match="no job 99"):
        store.job(99)


def test_pruning_drops_only_old_ended_jobs(store: Store, now: datetime) -> None:
    old = now - timedelta(days=300)
    kept = {state: ask(store, old, slide=state.value) for state in JobState}
    for state in (JobState.RUNNING, JobState.DONE):
        store.start_job(kept[state], old)
    store.finish_job(kept[JobState.DONE], old)
    store.supersede_job(kept[JobState.SUPERSEDED], old, "x")
    row = {"kind": "read", "slide_key": "busy", "state": "done", "attempts": 1, "created_at": now, "not_before": now}
    with store.writing() as connection:
        connection.execute(insert(slides).values(slide_key="busy", name="busy"))
        connection.execute(insert(jobs), [row | {"input_hash": str(i)} for i in range(job_records.KEPT + 100)])
    newest = [ask(store, now, slide=f"new {i}") for i in range(100)][-1]
    left = store.jobs()
    ended = [job for job in left if job.state in (JobState.DONE, JobState.SUPERSEDED)]
    assert len(ended) == job_records.KEPT + 1  # and the newest done one of its slide
    assert {job.slide_key for job in left} >= {"busy", f"new {99}"}
    assert left[0].id == newest
    assert {job.state for job in left if job.created_at == old} == set(JobState) - {JobState.SUPERSEDED}
    assert ask(store, now, slide="done") == kept[JobState.DONE]


class Jobs(RuleBasedStateMachine):
    """Whatever the daemon asks, in whichever order, and however often it dies."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store.open(Path(self.folder.name))
        self.now = datetime(2026, 3, 1, tzinfo=UTC)
        self.done: dict[tuple[JobKind, str | None, str], int] = {}
        self.forced: dict[tuple[JobKind, str | None, str], int] = {}
        self.running: set[int] = set()

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(seconds=st.integers(0, 60))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule(
        kind=st.sampled_from([JobKind.READ, JobKind.TRAIN]),
        slide=st.sampled_from(["s1", "s2", None]),
        input_hash=st.sampled_from("abc"),
        is_forced=st.booleans(),
    )
    def ask(self, kind: JobKind, slide: str | None, input_hash: str, is_forced: bool) -> None:
        before = {job.id for job in self.store.jobs()}
        job = self.store.ask_job(kind, slide, input_hash, self.now, is_forced=is_forced)
        assert (job.kind, job.slide_key, job.input_hash) == (kind, slide, input_hash)
        if job.id not in before:
            assert job.state is JobState.WAITING
            if is_forced:
                self.forced[kind, slide, input_hash] = self.forced.get((kind, slide, input_hash), 0) + 1
        else:
            assert job.state is not JobState.SUPERSEDED
            assert not is_forced or job.state in (JobState.WAITING, JobState.RUNNING)

    @precondition(lambda self: due(self.store, self.now))
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        job = self.store.job(data.draw(st.sampled_from(sorted(due(self.store, self.now)))))
        assert self.store.start_job(job.id, self.now).attempts == job.attempts + 1
        self.running.add(job.id)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), how=st.sampled_from(["finish", "retry", "supersede"]), wait=st.integers(0, 90))
    def end(self, data: st.DataObject, how: str, wait: int) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(job_id)
        if how == "finish":
            job = self.store.finish_job(job_id, self.now)
            key = (job.kind, job.slide_key, job.input_hash)
            self.done[key] = self.done.get(key, 0) + 1
        elif how == "retry":
            self.store.retry_job(job_id, self.now, "x", self.now + wait * SECOND)
        else:
            self.store.supersede_job(job_id, self.now, "x")

    @rule()
    def die_and_come_back(self) -> None:
        self.store.close()
        self.store = Store.open(Path(self.folder.name))
        again = {job.id for job in self.store.requeue_jobs(self.now)}
        assert again <= self.running
        self.running.clear()

    @invariant()
    def never_two_wait_for_the_same(self) -> None:
        waiting = [(job.kind, job.slide_key) for job in self.store.jobs(JobState.WAITING)]
        assert len(waiting) == len(set(waiting))

    @invariant()
    def nothing_is_done_twice_unless_forced(self) -> None:
        assert all(count <= 1 + self.forced.get(key, 0) for key, count in self.done.items())

    @invariant()
    def what_runs_runs_until_it_is_ended(self) -> None:
        assert {job.id for job in self.store.jobs(JobState.RUNNING)} == self.running


TestJobs = Jobs.TestCase
TestJobs.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
