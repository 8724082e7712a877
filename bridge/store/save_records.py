"""What each save of a person's brought, and when it was made: the loop's measure of annotation effort."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from bridge.annotations.roles import Fate
from bridge.store.database import Database
from bridge.store.object_records import UNCOUNTED, stands
from bridge.store.records import SaveRecord
from bridge.store.schema import added, objects, reads, writes
from bridge.store.write_lookup import own_writes

_Row = Any  # SQLAlchemy's, typed by their columns, which differ
_Key = tuple[str, str]  # slide, revision


class SaveRecords(Database):
    """Readings of what people saved, with their outcomes."""

    def saves(self) -> tuple[SaveRecord, ...]:
        """Return every save of a person's that was read and believed, by time; files as we wrote them are none.

        The sums over all saves are those of ``outcome_counts`` and ``added_count``.
        """
        with self.reading() as connection:
            ours = frozenset(connection.execute(own_writes()).scalars().all())
            read = connection.execute(select(reads).order_by(reads.c.id)).all()
            drawn = connection.execute(
                select(added.c.slide_key, added.c.revision, added.c.iteration, added.c["count"].label("number"))
            ).all()
            answered = connection.execute(
                select(
                    objects.c.slide_key, objects.c.fate_revision, objects.c.fate_at, objects.c.iteration, objects.c.fate
                ).where(stands(), objects.c.fate.not_in(UNCOUNTED))
            ).all()
        return _saves(read, drawn, answered, ours)

    def first_look(self) -> datetime | None:
        """Return when anything was first read or written here; what was saved before has no known beginning."""
        with self.reading() as connection:
            moments = [
                connection.execute(select(func.min(column))).scalar()
                for column in (reads.c.first_read_at, writes.c.begun_at)
            ]
        return min((moment for moment in moments if moment is not None), default=None)


def _saves(
    read: Iterable[_Row], drawn: Iterable[_Row], answered: Iterable[_Row], ours: Collection[object]
) -> tuple[SaveRecord, ...]:
    by_revision: Mapping[_Key, list[_Row]] = defaultdict(list)
    for row in read:
        by_revision[row.slide_key, row.revision].append(row)
    fates: Mapping[int, Counter[tuple[int, Fate]]] = defaultdict(Counter)
    counts: Mapping[int, Counter[int]] = defaultdict(Counter)
    for row in answered:
        rows = by_revision[row.slide_key, row.fate_revision]
        if rows:  # a revision may come back: it is the reading that was the newest then
            fates[_reading_at(rows, row.fate_at).id][row.iteration, Fate(row.fate)] += 1
    for row in drawn:
        rows = by_revision[row.slide_key, row.revision]
        if rows and row.number:
            counts[rows[0].id][row.iteration] += row.number
    found = [
        SaveRecord(
            row.slide_key, row.revision, row.saved_at or row.first_read_at, dict(fates[row.id]), dict(counts[row.id])
        )
        for row in read
        if row.revision not in ours or row.id in fates or row.id in counts
    ]
    return tuple(sorted(found, key=lambda save: (save.at, save.slide_key)))


def _reading_at(rows: Sequence[_Row], at: datetime) -> _Row:
    return rows[max(bisect_right([row.first_read_at for row in rows], at) - 1, 0)]
