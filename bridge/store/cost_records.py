"""What predictions cost: of every slide the last one by each of its newest models."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Row, and_, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from bridge.store.database import Database, touch_slide
from bridge.store.records import CostRecord
from bridge.store.schema import costs

_MOST_MODELS = 5  # per slide: enough to see whether a new model is dearer, and never more rows than that


class CostRecords(Database):
    """One record per slide and model, the last; of a few models a slide, the newest."""

    def record_cost(self, cost: CostRecord) -> None:
        """Record what a prediction cost, in place of what the same model's last one of the slide did."""
        row = asdict(cost)
        changed = (
            insert(costs).values(row).on_conflict_do_update(index_elements=["slide_key", "checkpoint_id"], set_=row)
        )
        of_slide = costs.c.slide_key == cost.slide_key
        newest = select(costs.c.checkpoint_id).where(of_slide).order_by(costs.c.predicted_at.desc()).limit(_MOST_MODELS)
        with self.writing() as connection:
            touch_slide(connection, cost.slide_key)
            connection.execute(changed)
            connection.execute(delete(costs).where(of_slide, costs.c.checkpoint_id.not_in(newest)))

    def costs(self) -> tuple[CostRecord, ...]:
        """Return all that is known, by slide, and of a slide the oldest prediction first."""
        with self.reading() as connection:
            rows = connection.execute(select(costs).order_by(costs.c.slide_key, costs.c.predicted_at)).all()
        return tuple(_record(row) for row in rows)

    def newest_costs(self) -> tuple[CostRecord, ...]:
        """Return what each slide's newest prediction cost, by slide."""
        newest = (
            select(costs.c.slide_key, func.max(costs.c.predicted_at).label("at")).group_by(costs.c.slide_key).subquery()
        )
        is_it = and_(costs.c.slide_key == newest.c.slide_key, costs.c.predicted_at == newest.c["at"])
        with self.reading() as connection:
            rows = connection.execute(select(costs).join(newest, is_it).order_by(costs.c.slide_key)).all()
        return tuple({row.slide_key: _record(row) for row in rows}.values())

    def forget_costs(self, slide_keys: Collection[str]) -> int:
        """Forget what predictions of all other slides cost, and return how many records went."""
        kept = set(slide_keys)
        with self.writing() as connection:
            known = connection.execute(select(costs.c.slide_key).distinct()).scalars()
            gone = [key for key in known if key not in kept]
            return sum(connection.execute(delete(costs).where(costs.c.slide_key == key)).rowcount for key in gone)


def _record(row: Row[Any]) -> CostRecord:
    return CostRecord(**{field.name: getattr(row, field.name) for field in fields(CostRecord)})
