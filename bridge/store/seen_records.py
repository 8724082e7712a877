"""What the last reading of each slide found, for whoever only looks: good for as long as nothing of it differs.

A file that has the size and time that it had is taken for the same here; nothing is learned from it or written to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from bridge.store.database import Database
from bridge.store.records import SeenRecord
from bridge.store.schema import seen


class SeenRecords(Database):
    """One record a slide at most; whatever is recorded of the slide otherwise takes it away (``forget_seen``)."""

    def record_seen(self, found: Sequence[SeenRecord]) -> None:
        """Record what was found of slides, in place of what was before."""
        if not found:
            return
        row = insert(seen)
        names = [field.name for field in fields(SeenRecord) if field.name != "slide_key"]
        changed = row.on_conflict_do_update(
            index_elements=["slide_key"], set_={name: row.excluded[name] for name in names}
        )
        with self.writing() as connection:
            connection.execute(changed, [asdict(record) for record in found])

    def seen(self) -> Mapping[str, SeenRecord]:
        """Return all that is known, by slide: one statement, however many there are."""
        names = [field.name for field in fields(SeenRecord)]
        with self.reading() as connection:
            rows = connection.execute(select(seen)).all()
        return {row.slide_key: SeenRecord(**{name: getattr(row, name) for name in names}) for row in rows}

    def keep_seen(self, slide_keys: Collection[str]) -> None:
        """Forget what was found of all other slides: they left the project."""
        kept = set(slide_keys)
        with self.writing() as connection:
            gone = [key for key in connection.scalars(select(seen.c.slide_key)) if key not in kept]
            for key in gone:
                connection.execute(delete(seen).where(seen.c.slide_key == key))
