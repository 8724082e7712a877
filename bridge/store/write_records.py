"""The journal of our writes: what was begun, what stands, what never counted.

    begin_write ──▶ BEGUN ──finish_write──▶ FINISHED
                      └────abandon_write──▶ ABANDONED ◀──abandon_write── FINISHED

The objects of a write count only while it is FINISHED. Beside it runs ``displaced_since``: a file that was at the
target's name lies under the temporary one until ``settle_write``. A delivery to an open viewer stays BEGUN, and nothing
else is written to the slide, until a save carries its marker or the viewer is gone: whatever is saved before that is
judged by the write before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

import shapely
from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or

from bridge.annotations.ownership import WrittenObject
from bridge.annotations.roles import Fate
from bridge.errors import StoreError
from bridge.store.database import forget_seen, touch_slide
from bridge.store.records import WriteKind, WriteRecord, WriteState
from bridge.store.schema import objects, planned_closes, versions, writes
from bridge.store.write_lookup import WriteLookup, recent_writes, row_of, standing_writes


class WriteRecords(WriteLookup):
    """Our writes."""

    def begin_write(
        self,
        slide_key: str,
        marker: str,
        *,
        base_revision: str | None,
        new_revision: str,
        target: Path,
        temp_name: str,
        iteration: int,
        written: Sequence[WrittenObject],
        closes: Collection[str],
        now: datetime,
        base_size: int | None = None,
        kind: WriteKind = WriteKind.EDITS,
        carried_marker: str | None = None,
    ) -> WriteRecord:
        """Journal a write before any file is touched.

        Parameters
        ----------
        written
            Objects that the new file adds, as read back from its bytes.
        closes
            ``WrittenObject.object_id`` of ours that the new file no longer holds as ours (deleted or promoted).
        base_size
            Bytes of the file as it was read, which a backup has now: it is listed among the slide's versions.
        carried_marker
            The marker in the new file where that isn't this write's own.

        Raises
        ------
        StoreError
            An earlier write to the slide has no end yet, or the marker was used before.
        """
        record = WriteRecord(
            marker, slide_key, base_revision, new_revision, target, temp_name, iteration, begun_at=now, kind=kind
        )
        with self.writing() as connection:
            touch_slide(connection, slide_key)
            self._check_may_begin(connection, record)
            connection.execute(insert(writes).values(_columns(record) | {"carried_marker": carried_marker}))
            _plan(connection, record, written, closes)
            if base_revision is not None and base_size is not None:
                version = {"slide_key": slide_key, "revision": base_revision, "kept_at": now, "seen_at": now}
                connection.execute(insert_or(versions).values(version | {"size": base_size}).on_conflict_do_nothing())
        return record

    def finish_write(self, marker: str, now: datetime, *, displaced_since: datetime | None = None) -> None:
        """Record that the new file is in place: its objects count, those that it closes are closed.

        Parameters
        ----------
        displaced_since
            When the old file, if it still lies under the temporary name, was replaced.

        Raises
        ------
        StoreError
            No such write, or it was abandoned.
        """
        with self.writing() as connection:
            row = row_of(connection, marker)
            if row.state == WriteState.ABANDONED.value:
                raise StoreError(f"write {marker} was abandoned ({row.why}); read the file again and write anew")
            if row.state == WriteState.FINISHED.value:
                return
            forget_seen(connection, row.slide_key)
            state = WriteState.FINISHED.value
            _update(connection, marker, state=state, ended_at=now, displaced_since=displaced_since)
            planned = select(planned_closes.c.object_id).where(planned_closes.c.write_marker == marker)
            connection.execute(
                update(objects)
                .where(objects.c.slide_key == row.slide_key, objects.c.object_id.in_(planned), objects.c.is_open)
                .where(objects.c.write_marker != marker)
                .values(is_open=False, closed_by=marker)
            )
            connection.execute(update(objects).where(objects.c.write_marker == marker).values(is_open=True))
            _forget_plan(connection, marker)
            _forget_superseded(connection, row.slide_key)

    def abandon_write(self, marker: str, why: str, now: datetime, *, displaced_since: datetime | None = None) -> None:
        """Record that nothing of a write counts; what it had closed is open again.

        Parameters
        ----------
        displaced_since
            Since when a file that was at the target's name lies under the temporary one; None when none does.
        """
        with self.writing() as connection:
            forget_seen(connection, row_of(connection, marker).slide_key)
            state = WriteState.ABANDONED.value
            _update(connection, marker, state=state, ended_at=now, why=why, displaced_since=displaced_since)
            connection.execute(
                update(objects).where(objects.c.closed_by == marker).values(is_open=True, closed_by=None)
            )
            connection.execute(delete(objects).where(objects.c.write_marker == marker))
            _forget_plan(connection, marker)

    def settle_write(self, marker: str, why: str | None = None) -> None:
        """Record that no displaced file of a write needs looking after any more."""
        with self.writing() as connection:
            row = row_of(connection, marker)
            _update(connection, marker, displaced_since=None, why=why or row.why)

    def keep_live(self, marker: str, object_ids: Collection[str]) -> None:
        """Take objects out of what a delivery will close: the viewer found them gone or changed, and left them.

        The save that shows the delivery then tells what a person made of them.
        """
        if not object_ids:
            return
        with self.writing() as connection:
            plan = planned_closes.c
            named = plan.object_id.in_(tuple(object_ids))
            connection.execute(delete(planned_closes).where(plan.write_marker == marker, named))

    def _check_may_begin(self, connection: Connection, record: WriteRecord) -> None:
        begun = (writes.c.slide_key == record.slide_key) & (writes.c.state == WriteState.BEGUN.value)
        earlier, kind = connection.execute(select(writes.c.marker, writes.c.kind).where(begun)).first() or (None, None)
        if kind == WriteKind.DELIVERY.value:
            raise StoreError(
                f"results for slide {record.slide_key} ({earlier}) wait in the viewer that has it open; save it there,"
                " or close it, and try again"
            )
        if earlier is not None:
            raise StoreError(
                f"an earlier write to slide {record.slide_key} ({earlier}) was cut short; start again, that settles it"
            )
        if connection.execute(select(writes.c.id).where(writes.c.marker == record.marker)).first() is not None:
            raise StoreError(f"write marker {record.marker} was used before; every write needs a new one")


def _plan(
    connection: Connection, record: WriteRecord, written: Sequence[WrittenObject], closes: Collection[str]
) -> None:
    if written:
        shapes = shapely.to_wkb([w.geometry for w in written])
        rows = [_object_columns(record, w, bytes(s)) for w, s in zip(written, shapes, strict=True)]
        connection.execute(insert(objects), rows)
    if closes:
        rows = [{"write_marker": record.marker, "object_id": object_id} for object_id in sorted(closes)]
        connection.execute(insert(planned_closes), rows)


def _forget_plan(connection: Connection, marker: str) -> None:
    """Drop what a write was going to close: it has ended."""
    connection.execute(delete(planned_closes).where(planned_closes.c.write_marker == marker))


def _forget_superseded(connection: Connection, slide_key: str) -> None:
    """Drop objects that came to nothing and that no viewer can be expected to bring back (``superseded``)."""
    recent = recent_writes(slide_key)
    stands = select(writes.c.marker).where(standing_writes(slide_key))
    connection.execute(
        delete(objects).where(
            objects.c.slide_key == slide_key,
            objects.c.write_marker.in_(stands),
            objects.c.write_marker.not_in(recent),
            func.coalesce(objects.c.closed_by, "").not_in(recent),
            objects.c.fate.in_((Fate.OPEN.value, Fate.OVERWRITTEN.value)),
            ~objects.c.is_open,
        )
    )


def _object_columns(record: WriteRecord, item: WrittenObject, geometry: bytes) -> dict[str, object]:
    return {
        "slide_key": record.slide_key,
        "write_marker": record.marker,
        "object_id": item.object_id,
        "role": item.role.value,
        "path_class": item.path_class,
        "name": item.name,
        "geometry": geometry,
        "iteration": item.iteration,
        "checkpoint_id": item.checkpoint,
        "is_editable": item.is_editable,
        "is_open": False,
        "fate": Fate.OPEN.value,
    }


def _columns(record: WriteRecord) -> dict[str, object]:
    return {
        "marker": record.marker,
        "slide_key": record.slide_key,
        "base_revision": record.base_revision,
        "new_revision": record.new_revision,
        "target": str(record.target),
        "temp_name": record.temp_name,
        "iteration": record.iteration,
        "begun_at": record.begun_at,
        "state": record.state.value,
        "kind": record.kind.value,
    }


def _update(connection: Connection, marker: str, **values: object) -> None:
    connection.execute(update(writes).where(writes.c.marker == marker).values(**values))
