"""Our last write to each slide, for people who ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from bridge.annotations import MachineRole
from bridge.store.database import Database
from bridge.store.records import WriteKind, WriteState
from bridge.store.schema import objects, writes


@dataclass(frozen=True, slots=True)
class LastWrite:
    """Our newest write to a slide's file that stands; what a person restored is not one.

    Parameters
    ----------
    at
        When the new file was in place.
    iteration
        The training whose predictions were written; 0 before the first.
    predictions, proposals
        How many of each it brought.
    """

    slide_key: str
    marker: str
    at: datetime
    iteration: int
    predictions: int = 0
    proposals: int = 0


class WriteOverview(Database):
    """Writes, counted."""

    def last_writes(self) -> tuple[LastWrite, ...]:
        """Return the last write to every slide that was ever written to, by key."""
        newest = (
            select(func.max(writes.c.id))
            .where(writes.c.state == WriteState.FINISHED.value, writes.c.kind != WriteKind.RESTORE.value)
            .group_by(writes.c.slide_key)
        )
        last = select(writes).where(writes.c.id.in_(newest)).order_by(writes.c.slide_key)
        markers = select(writes.c.marker).where(writes.c.id.in_(newest))
        brought = (
            select(objects.c.write_marker, objects.c.role, func.count())
            .where(objects.c.write_marker.in_(markers))
            .group_by(objects.c.write_marker, objects.c.role)
        )
        with self.reading() as connection:
            counts = {(marker, role): count for marker, role, count in connection.execute(brought).all()}
            rows = connection.execute(last).all()
        return tuple(
            LastWrite(
                row.slide_key,
                row.marker,
                row.ended_at or row.begun_at,
                row.iteration,
                counts.get((row.marker, MachineRole.PREDICTION.value), 0),
                counts.get((row.marker, MachineRole.PROPOSAL.value), 0),
            )
            for row in rows
        )
