"""Moments to remember, by name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from bridge.store.database import Database
from bridge.store.schema import marks


class MarkRecords(Database):
    """When something of the whole project was last done, such as ``"nightly"``."""

    def mark(self, name: str, at: datetime) -> None:
        """Remember a moment in place of the one before, also where that was later: clocks are set back."""
        row = insert(marks).values(name=name, at=at)
        with self.writing() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"at": row.excluded.at}))

    def marked(self, name: str) -> datetime | None:
        """Return the moment that was last remembered; None for never."""
        with self.reading() as connection:
            return connection.execute(select(marks.c.at).where(marks.c.name == name)).scalar_one_or_none()
