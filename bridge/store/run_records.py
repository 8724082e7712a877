"""Trainings, by iteration."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from bridge.errors import StoreError
from bridge.store.database import Database
from bridge.store.records import RunRecord, RunState
from bridge.store.schema import runs

_FAILED = RunState.FAILED.value
_RUNNING = RunState.RUNNING.value
_ENDED_UNHEARD = "its process ended without a word"


class RunRecords(Database):
    """Trainings. A project has one at a time: a new one ends what a dead process left running."""

    def start_run(self, now: datetime, *, kind: str, parent: str | None, data_hash: str) -> int:
        """Begin a training and return its iteration, from 1; failed runs leave no gap.

        To go on with a run that was killed (``running()``), don't start another.

        Parameters
        ----------
        kind
            What set it off: incremental, nightly …
        parent
            Id of the checkpoint that it begins from.
        data_hash
            Of everything that it will learn from.
        """
        with self.writing() as connection:
            lost = update(runs).where(runs.c.state == _RUNNING)
            connection.execute(lost.values(state=_FAILED, ended_at=now, reason=_ENDED_UNHEARD))
            newest = connection.execute(select(func.max(runs.c.iteration)).where(runs.c.state != _FAILED)).scalar()
            iteration = (newest or 0) + 1
            row = {"iteration": iteration, "kind": kind, "parent": parent, "data_hash": data_hash, "started_at": now}
            connection.execute(insert(runs).values(row | {"state": _RUNNING, "promoted": False, "metrics": {}}))
        return iteration

    def finish_run(
        self,
        iteration: int,
        now: datetime,
        *,
        checkpoint_id: str,
        promoted: bool,
        reason: str,
        metrics: Mapping[str, object],
    ) -> None:
        """End a training with its candidate.

        Parameters
        ----------
        reason
            Why the candidate was promoted or not.
        metrics
            Anything that JSON holds.

        Raises
        ------
        StoreError
            No such training is running.
        """
        self._end(
            iteration,
            state=RunState.FINISHED.value,
            ended_at=now,
            checkpoint_id=checkpoint_id,
            promoted=promoted,
            reason=reason,
            metrics=dict(metrics),
        )

    def fail_run(self, iteration: int, why: str, now: datetime) -> None:
        """End a training that came to nothing; its number goes to the next one.

        Raises
        ------
        StoreError
            No such training is running.
        """
        self._end(iteration, state=_FAILED, ended_at=now, reason=why)

    def runs(self) -> tuple[RunRecord, ...]:
        """Return all trainings, oldest first, failed ones too."""
        with self.reading() as connection:
            rows = connection.execute(select(runs).order_by(runs.c.id)).all()
        return tuple(_record(row) for row in rows)

    def running(self) -> RunRecord | None:
        """Return the training that was begun and hasn't ended: under way, or killed and to be resumed."""
        with self.reading() as connection:
            row = connection.execute(select(runs).where(runs.c.state == _RUNNING)).first()
        return None if row is None else _record(row)

    def last_trained_data_hash(self) -> str | None:
        """Return what the last finished training had learned from."""
        finished = select(runs.c.data_hash).where(runs.c.state == RunState.FINISHED.value)
        with self.reading() as connection:
            return connection.execute(finished.order_by(runs.c.id.desc()).limit(1)).scalar_one_or_none()

    def _end(self, iteration: int, **values: object) -> None:
        with self.writing() as connection:
            connection.execute(update(runs).where(runs.c.id == _running_id(connection, iteration)).values(**values))


def _running_id(connection: Connection, iteration: int) -> int:
    is_it = (runs.c.iteration == iteration) & (runs.c.state == _RUNNING)
    found = connection.execute(select(runs.c.id).where(is_it)).scalar_one_or_none()
    if found is None:
        raise StoreError(
            f"training {iteration} is not running: it ended, or another process took over; start a new one"
        )
    return int(found)


def _record(row: Row[Any]) -> RunRecord:
    return RunRecord(
        row.iteration,
        row.kind,
        row.parent,
        row.data_hash,
        row.started_at,
        RunState(row.state),
        row.ended_at,
        row.checkpoint_id,
        row.promoted,
        row.reason,
        row.metrics,
    )
