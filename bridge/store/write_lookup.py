"""What the journal says of our writes: which stand, which are open, what they left in people's files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select, tuple_

from bridge.errors import StoreError
from bridge.store.database import Database
from bridge.store.records import WriteKind, WriteRecord, WriteState
from bridge.store.schema import writes

_REMEMBERED_WRITES = 16
_AT_ONCE = 400  # slides in one statement, two values each: SQLite takes 999 values or more, by how it was built


class WriteLookup(Database):
    """Our writes, to be looked up."""

    def write(self, marker: str) -> WriteRecord:
        """Return one write.

        Raises
        ------
        StoreError
            There is none of this marker.
        """
        with self.reading() as connection:
            return _record(row_of(connection, marker))

    def unfinished_writes(self) -> tuple[WriteRecord, ...]:
        """Return the writes to files that were cut short or whose displaced file is still there, oldest first."""
        is_begun = (writes.c.state == WriteState.BEGUN.value) & (writes.c.kind != WriteKind.DELIVERY.value)
        return self._writes(or_(is_begun, writes.c.displaced_since.is_not(None)))

    def open_deliveries(self) -> tuple[WriteRecord, ...]:
        """Return the deliveries that no save has shown yet, oldest first: at most one per slide."""
        return self._writes(_is_open_delivery())

    def last_delivery(self, slide_key: str) -> str | None:
        """Return the marker of the newest delivery for a slide, whatever became of it; None before the first."""
        ours = (writes.c.slide_key == slide_key) & (writes.c.kind == WriteKind.DELIVERY.value)
        with self.reading() as connection:
            newest = select(writes.c.marker).where(ours).order_by(writes.c.id.desc()).limit(1)
            return connection.execute(newest).scalar_one_or_none()

    def open_delivery(self, slide_key: str) -> WriteRecord | None:
        """Return the slide's delivery that no save has shown yet, or None."""
        return next(iter(self._writes(_is_open_delivery(), writes.c.slide_key == slide_key)), None)

    def _writes(self, *where: ColumnElement[bool]) -> tuple[WriteRecord, ...]:
        with self.reading() as connection:
            rows = connection.execute(select(writes).where(*where).order_by(writes.c.id)).all()
        return tuple(_record(row) for row in rows)

    def newest_marker(self, slide_key: str) -> str | None:
        """Return the marker that our last write that stands left in the file; None before the first."""
        left = func.coalesce(writes.c.carried_marker, writes.c.marker)
        with self.reading() as connection:
            newest = select(left).where(standing_writes(slide_key)).order_by(writes.c.id.desc()).limit(1)
            return connection.execute(newest).scalar_one_or_none()

    def newest_markers(self) -> Mapping[str, str]:
        """Return, by slide, what ``newest_marker`` says of each: one statement, however many there are."""
        left = func.coalesce(writes.c.carried_marker, writes.c.marker)
        finished = writes.c.state == WriteState.FINISHED.value
        newest = select(func.max(writes.c.id)).where(finished).group_by(writes.c.slide_key)
        with self.reading() as connection:
            rows = connection.execute(select(writes.c.slide_key, left).where(writes.c.id.in_(newest))).all()
        return {row[0]: row[1] for row in rows}

    def newest_own_revisions(self) -> Mapping[str, tuple[str, datetime]]:
        """Return, by slide, what our last write to its file left there, and when; of writes that stand."""
        in_file = (writes.c.state == WriteState.FINISHED.value) & (writes.c.kind != WriteKind.DELIVERY.value)
        newest = select(func.max(writes.c.id)).where(in_file).group_by(writes.c.slide_key)
        found = select(writes.c.slide_key, writes.c.new_revision, writes.c.ended_at, writes.c.begun_at)
        with self.reading() as connection:
            rows = connection.execute(found.where(writes.c.id.in_(newest))).all()
        return {row.slide_key: (row.new_revision, row.ended_at or row.begun_at) for row in rows}

    def own_among(self, revisions: Mapping[str, str]) -> frozenset[str]:
        """Return the slides whose revision (slide → revision) is a write of ours, as ``is_own_revision`` says of one.

        One statement for some hundred slides.
        """
        found: set[str] = set()
        wanted = sorted(revisions.items())
        pair = tuple_(writes.c.slide_key, writes.c.new_revision)
        with self.reading() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                ours = own_writes().with_only_columns(writes.c.slide_key)
                found |= set(connection.scalars(ours.where(pair.in_(wanted[start : start + _AT_ONCE]))))
        return frozenset(found)

    def remembers_write(self, slide_key: str, marker: str | None) -> bool:
        """Say whether a marker is that of a write of ours to the slide that stands, and all its objects are known."""
        with self.reading() as connection:
            recent = connection.scalars(recent_writes(slide_key)).all()
        return marker is not None and marker in recent

    def is_own_revision(self, slide_key: str, revision: str) -> bool:
        """Say whether a revision of the slide's file is a write of ours, finished or under way."""
        ours = own_writes().where(writes.c.slide_key == slide_key, writes.c.new_revision == revision)
        with self.reading() as connection:
            return connection.execute(ours.limit(1)).first() is not None

    def awaited_revisions(self, slide_key: str) -> frozenset[str]:
        """Return the revisions that an unfinished write, or one with a displaced file, may still ask for."""
        is_open = or_(writes.c.state == WriteState.BEGUN.value, writes.c.displaced_since.is_not(None))
        pairs = select(writes.c.base_revision, writes.c.new_revision).where(writes.c.slide_key == slide_key, is_open)
        with self.reading() as connection:
            rows = connection.execute(pairs).all()
        return frozenset(revision for row in rows for revision in row if revision is not None)

    def written_folders(self) -> tuple[Path, ...]:
        """Return the folders that we ever wrote into."""
        with self.reading() as connection:
            targets = connection.execute(select(writes.c.target).distinct()).scalars().all()
        return tuple(sorted({Path(target).parent for target in targets}))


def _is_open_delivery() -> ColumnElement[bool]:
    return (writes.c.state == WriteState.BEGUN.value) & (writes.c.kind == WriteKind.DELIVERY.value)


def own_writes() -> Select[tuple[str]]:
    """Return a query of the revisions that writes of ours made, finished or under way; not what they restored."""
    stands = writes.c.state != WriteState.ABANDONED.value
    return select(writes.c.new_revision).where(stands, writes.c.kind == WriteKind.EDITS.value)


def standing_writes(slide_key: str) -> ColumnElement[bool]:
    """Return the condition for writes to a slide that stand."""
    return (writes.c.slide_key == slide_key) & (writes.c.state == WriteState.FINISHED.value)


def recent_writes(slide_key: str) -> Select[Any]:
    """Return a query of the markers of the newest writes to a slide that stand: those whose objects are all known."""
    return (
        select(writes.c.marker).where(standing_writes(slide_key)).order_by(writes.c.id.desc()).limit(_REMEMBERED_WRITES)
    )


def row_of(connection: Connection, marker: str) -> Row[Any]:
    """Return a write's row.

    Raises
    ------
    StoreError
        There is none of this marker.
    """
    row = connection.execute(select(writes).where(writes.c.marker == marker)).first()
    if row is None:
        raise StoreError(f"the store knows no write {marker}; it is another project's, or the store was replaced")
    return row


def _record(row: Row[Any]) -> WriteRecord:
    return WriteRecord(
        row.marker,
        row.slide_key,
        row.base_revision,
        row.new_revision,
        Path(row.target),
        row.temp_name,
        row.iteration,
        row.begun_at,
        WriteState(row.state),
        row.displaced_since,
        row.why,
        WriteKind(row.kind),
    )
