"""What the daemon has to do, does, and did: jobs that a crash neither loses nor doubles.

        ask_job              start_job             finish_job
(nothing) ───▶ WAITING ───────────────▶ RUNNING ───────────────▶ DONE
                 ▲  │                    │  │
                 │  │     retry_job,     │  │
                 │  │     requeue_jobs   │  │
                 └──┼────────────────────┘  │ supersede_job, or a newer input waits already
                    └───────────────────────┴─────────────────▶ SUPERSEDED

A newer input also supersedes what waits. Nothing is given up: what failed waits, longer each time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, update
from sqlalchemy import delete as delete_from

from bridge.errors import StoreError
from bridge.store.database import Database, touch_slide
from bridge.store.records import JobKind, JobRecord, JobState
from bridge.store.schema import jobs

KEPT = 1000  # ended jobs that stay, besides the newest done one of each kind and slide
_PRUNE_EVERY = 50  # jobs asked for between two prunings
_NEWER = "a newer input took its place"


class JobRecords(Database):
    """Jobs. At most one waits for each kind and slide, and none is done twice on the same input unless forced."""

    def ask_job(
        self, kind: JobKind, slide_key: str | None, input_hash: str, now: datetime, *, is_forced: bool = False
    ) -> JobRecord:
        """Return the job that does this: the one there is, in whichever state, or a new one that waits.

        A new one takes the place of the one of its kind and slide that waits; one that runs goes on.

        Parameters
        ----------
        slide_key
            None for a training.
        input_hash
            Names everything that the job works on. An input that may come back after another one, such as a file that
            a person set back, must say after what, or be forced: as the same input it counts as done.
        is_forced
            Do it anew though it was done.
        """
        with self.writing() as connection:
            there = _same(connection, kind, slide_key, input_hash, is_forced=is_forced)
            if there is not None:
                return there
            if slide_key is not None:
                touch_slide(connection, slide_key)
            _supersede_older(connection, kind, slide_key, now)
            job_id = _insert(connection, kind, slide_key, input_hash, now)
            if job_id % _PRUNE_EVERY == 0:
                _prune(connection)
            return _job(connection, job_id)

    def jobs(self, *states: JobState, limit: int | None = None) -> tuple[JobRecord, ...]:
        """Return jobs in any of these states, or all, the newest first."""
        found = select(jobs).order_by(jobs.c.id.desc()).limit(limit)
        if states:
            found = found.where(jobs.c.state.in_([state.value for state in states]))
        with self.reading() as connection:
            return tuple(_record(row) for row in connection.execute(found).all())

    def job(self, job_id: int) -> JobRecord:
        """Return one job.

        Raises
        ------
        StoreError
            There is no such job (any more).
        """
        with self.reading() as connection:
            return _job(connection, job_id)

    def start_job(self, job_id: int, now: datetime) -> JobRecord:
        """Begin a job that waits: one more attempt.

        Raises
        ------
        StoreError
            It doesn't wait.
        """
        began = {"state": JobState.RUNNING.value, "attempts": jobs.c.attempts + 1, "started_at": now, "ended_at": None}
        with self.writing() as connection:
            return _change(connection, job_id, (JobState.WAITING,), **began)

    def finish_job(self, job_id: int, now: datetime, note: str | None = None) -> JobRecord:
        """End a job that was done.

        Parameters
        ----------
        note
            What came of it, one line for people.

        Raises
        ------
        StoreError
            It doesn't run.
        """
        ended = {"state": JobState.DONE.value, "ended_at": now, "note": note, "error": None}
        with self.writing() as connection:
            return _change(connection, job_id, (JobState.RUNNING,), **ended)

    def retry_job(self, job_id: int, now: datetime, error: str | None, not_before: datetime) -> JobRecord:
        """End an attempt that failed; the job waits again, or is superseded where a newer one took its place.

        Parameters
        ----------
        error
            None when nothing was wrong and the job was only put off.

        Raises
        ------
        StoreError
            It doesn't run.
        """
        with self.writing() as connection:
            _expect(connection, job_id, (JobState.RUNNING,))
            return _wait_again(connection, job_id, now, not_before, error=error)

    def supersede_job(self, job_id: int, now: datetime, why: str) -> JobRecord:
        """End a job that isn't wanted any more, whether it waits or runs.

        Raises
        ------
        StoreError
            It was done, or superseded before.
        """
        wanted = (JobState.WAITING, JobState.RUNNING)
        with self.writing() as connection:
            return _change(connection, job_id, wanted, state=JobState.SUPERSEDED.value, ended_at=now, note=why)

    def requeue_jobs(self, now: datetime) -> tuple[JobRecord, ...]:
        """Let the jobs that a dead process left running wait again, due at once; return those that do.

        For the holder of the project's lease, before it begins a job of its own.
        """
        left = select(jobs.c.id).where(jobs.c.state == JobState.RUNNING.value).order_by(jobs.c.id)
        with self.writing() as connection:
            ids = connection.execute(left).scalars().all()
            ended = [_wait_again(connection, job_id, now, now) for job_id in ids]
        return tuple(job for job in ended if job.state is JobState.WAITING)


def _of(kind: JobKind | str, slide_key: str | None) -> Any:  # SQLAlchemy's own type says no more
    return and_(jobs.c.kind == getattr(kind, "value", kind), jobs.c.slide_key.is_not_distinct_from(slide_key))


def _same(
    connection: Connection, kind: JobKind, slide_key: str | None, input_hash: str, *, is_forced: bool
) -> JobRecord | None:
    """Return the newest job of the same input that makes another one needless."""
    states = [JobState.WAITING, JobState.RUNNING]
    if not is_forced:
        states += [JobState.DONE]
    found = select(jobs).where(_of(kind, slide_key), jobs.c.input_hash == input_hash)
    found = found.where(jobs.c.state.in_([state.value for state in states]))
    row = connection.execute(found.order_by(jobs.c.id.desc()).limit(1)).first()
    return None if row is None else _record(row)


def _supersede_older(connection: Connection, kind: JobKind, slide_key: str | None, now: datetime) -> None:
    older = update(jobs).where(_of(kind, slide_key), jobs.c.state == JobState.WAITING.value)
    connection.execute(older.values(state=JobState.SUPERSEDED.value, ended_at=now, note=_NEWER))


def _insert(connection: Connection, kind: JobKind, slide_key: str | None, input_hash: str, now: datetime) -> int:
    row = {"kind": kind.value, "slide_key": slide_key, "input_hash": input_hash, "state": JobState.WAITING.value}
    added = connection.execute(insert(jobs).values(row | {"attempts": 0, "created_at": now, "not_before": now}))
    assert added.inserted_primary_key is not None
    return int(added.inserted_primary_key[0])


def _wait_again(
    connection: Connection, job_id: int, now: datetime, not_before: datetime, **values: object
) -> JobRecord:
    """Put a running job back, unless a newer one of its kind and slide makes it needless."""
    job = _job(connection, job_id)
    newer = select(jobs.c.id).where(_of(job.kind, job.slide_key), jobs.c.id > job_id)
    newer = newer.where(jobs.c.state != JobState.SUPERSEDED.value)
    if connection.execute(newer.limit(1)).first() is None:
        values |= {"state": JobState.WAITING.value, "not_before": not_before}
    else:
        values |= {"state": JobState.SUPERSEDED.value, "ended_at": now, "note": _NEWER}
    return _change(connection, job_id, (JobState.RUNNING,), **values)


def _change(connection: Connection, job_id: int, states: tuple[JobState, ...], **values: Any) -> JobRecord:
    _expect(connection, job_id, states)
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(**values))
    return _job(connection, job_id)


def _expect(connection: Connection, job_id: int, states: tuple[JobState, ...]) -> None:
    job = _job(connection, job_id)
    if job.state not in states:
        wanted = " or ".join(state.value for state in states)
        raise StoreError(f"job {job_id} ({job.kind.value}) is {job.state.value}, not {wanted}; ask for it anew")


def _job(connection: Connection, job_id: int) -> JobRecord:
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise StoreError(f"there is no job {job_id}; it ended long ago and its record was pruned")
    return _record(row)


def _prune(connection: Connection) -> None:
    """Drop old ended jobs. The newest done one of each kind and slide stays: it says what need not be done again."""
    ended = jobs.c.state.in_([JobState.DONE.value, JobState.SUPERSEDED.value])
    newest_dropped = select(jobs.c.id).where(ended).order_by(jobs.c.id.desc()).limit(1).offset(KEPT)
    is_done = jobs.c.state == JobState.DONE.value
    last_done = select(func.max(jobs.c.id)).where(is_done).group_by(jobs.c.kind, jobs.c.slide_key)
    old = and_(ended, jobs.c.id <= newest_dropped.scalar_subquery(), jobs.c.id.not_in(last_done))
    connection.execute(delete_from(jobs).where(old))


def _record(row: Row[Any]) -> JobRecord:
    return JobRecord(
        row.id,
        JobKind(row.kind),
        row.slide_key,
        row.input_hash,
        JobState(row.state),
        row.attempts,
        row.created_at,
        row.not_before,
        row.started_at,
        row.ended_at,
        row.note,
        row.error,
    )
