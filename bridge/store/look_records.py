"""How unlike its training slides the model that last predicted a slide found it."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from bridge.store.database import Database, touch_slide
from bridge.store.records import LookRecord
from bridge.store.schema import looks


class LookRecords(Database):
    """One look a slide: the newest model's."""

    def record_look(self, look: LookRecord) -> bool:
        """Record how a slide looks to a model, in place of what is known of the slide.

        Returns
        -------
        bool
            Whether that is news: nothing, or another model's look, was known.
        """
        row = asdict(look)
        changed = insert(looks).values(row).on_conflict_do_update(index_elements=["slide_key"], set_=row)
        known = select(looks.c.checkpoint_id).where(looks.c.slide_key == look.slide_key)
        with self.writing() as connection:
            touch_slide(connection, look.slide_key)
            before = connection.execute(known).scalar_one_or_none()
            connection.execute(changed)
        return before != look.checkpoint_id

    def looks(self) -> tuple[LookRecord, ...]:
        """Return the looks of all slides that were ever measured, by key."""
        with self.reading() as connection:
            rows = connection.execute(select(looks).order_by(looks.c.slide_key)).all()
        return tuple(LookRecord(r.slide_key, r.checkpoint_id, r.distance, r.is_far, r.measured_at) for r in rows)
