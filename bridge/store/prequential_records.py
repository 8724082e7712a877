"""How well predictions had foreseen what people then labelled: one score an area."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects.sqlite import insert

from bridge.store.database import Database, touch_slide
from bridge.store.records import PrequentialRecord
from bridge.store.schema import prequential


class PrequentialRecords(Database):
    """Scores. An area is scored once, before anything learns from it."""

    def record_prequential(self, score: PrequentialRecord) -> None:
        """Record the score of an area; one that has a score keeps it."""
        row = {"slide_key": score.slide_key, "area_key": score.area_key, "iteration": score.iteration}
        row |= {"scored_at": score.scored_at, "classes": list(score.classes)}
        row |= {"confusion": [list(counts) for counts in score.confusion]}
        with self.writing() as connection:
            touch_slide(connection, score.slide_key)
            connection.execute(insert(prequential).values(row).on_conflict_do_nothing())

    def prequential(self) -> tuple[PrequentialRecord, ...]:
        """Return all scores, oldest first."""
        order = (prequential.c.scored_at, prequential.c.slide_key, prequential.c.area_key)
        with self.reading() as connection:
            rows = connection.execute(select(prequential).order_by(*order)).all()
        return tuple(_record(row) for row in rows)

    def scored_areas(self, slide_key: str) -> frozenset[str]:
        """Return the areas of a slide that have a score."""
        of_slide = select(prequential.c.area_key).where(prequential.c.slide_key == slide_key)
        with self.reading() as connection:
            return frozenset(connection.execute(of_slide).scalars().all())


def _record(row: Row[Any]) -> PrequentialRecord:
    confusion = tuple(tuple(counts) for counts in row.confusion)
    return PrequentialRecord(row.slide_key, row.area_key, row.iteration, row.scored_at, tuple(row.classes), confusion)
