"""The versions of the slides' files that lie in the backups: when each was kept, and what people had drawn in it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from bridge.store.database import Database, touch_slide
from bridge.store.records import VersionRecord
from bridge.store.schema import versions, writes
from bridge.store.write_lookup import own_writes


class VersionRecords(Database):
    """Which backups belong to which slide."""

    def record_version(
        self, slide_key: str, revision: str, now: datetime, *, size: int, human_keys: bytes | None = None
    ) -> None:
        """Record that a version is in the backups and is the slide's file now.

        Parameters
        ----------
        size
            Bytes.
        human_keys
            Fingerprints of what people drew in it; None keeps what is known.
        """
        row = insert(versions).values(
            slide_key=slide_key, revision=revision, kept_at=now, seen_at=now, size=size, human_keys=human_keys
        )
        known = func.coalesce(row.excluded.human_keys, versions.c.human_keys)
        seen = row.on_conflict_do_update(
            index_elements=["slide_key", "revision"], set_={"seen_at": now, "human_keys": known}
        )
        with self.writing() as connection:
            touch_slide(connection, slide_key)
            connection.execute(seen)

    def versions(self, slide_key: str) -> tuple[VersionRecord, ...]:
        """Return the versions of a slide, the one that was longest ago its file first."""
        order = (versions.c.seen_at, versions.c.kept_at)
        with self.reading() as connection:
            rows = connection.execute(select(versions).where(versions.c.slide_key == slide_key).order_by(*order)).all()
            ours = frozenset(connection.execute(own_writes().where(writes.c.slide_key == slide_key)).scalars())
        return tuple(_version(row, row.revision in ours) for row in rows)

    def is_shared_version(self, slide_key: str, revision: str) -> bool:
        """Say whether another slide has the same version among its own."""
        others = (versions.c.revision == revision) & (versions.c.slide_key != slide_key)
        with self.reading() as connection:
            return connection.execute(select(versions.c.revision).where(others).limit(1)).first() is not None

    def forget_version(self, slide_key: str, revision: str) -> None:
        """Record that a version was pruned."""
        this = (versions.c.slide_key == slide_key) & (versions.c.revision == revision)
        with self.writing() as connection:
            connection.execute(delete(versions).where(this))


def _version(row: Row[Any], is_ours: bool) -> VersionRecord:
    return VersionRecord(row.slide_key, row.revision, row.kept_at, row.seen_at, row.size, row.human_keys, is_ours)
