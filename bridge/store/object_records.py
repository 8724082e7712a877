"""Our objects and what became of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, select, update
from sqlalchemy.dialects.sqlite import insert

from bridge.annotations.ownership import WrittenObject
from bridge.annotations.roles import Fate, Outcome
from bridge.annotations.scheme import plain_class
from bridge.annotations.source import MachineRole
from bridge.store.database import Database, forget_seen, touch_slide
from bridge.store.records import ObjectOrigin, WriteState
from bridge.store.schema import added, objects, writes

UNCOUNTED = (Fate.OPEN.value, Fate.OVERWRITTEN.value)
_ANSWERED = (Fate.REJECTED.value, Fate.DECLINED.value)
_AT_ONCE = 500  # slides in one statement: SQLite takes 999 values or more, by how it was built
_ADOPTED = (Fate.ACCEPTED.value, Fate.CORRECTED.value)


@dataclass(frozen=True, slots=True)
class _Known:
    row: int
    fate: str
    is_open: bool
    revision: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class SlideObjects:
    """All that is known of our objects on one slide, read at once.

    Parameters
    ----------
    live, superseded, rejected, adopted
        As the methods of ``ObjectRecords`` of these names return them.
    """

    live: tuple[WrittenObject, ...] = ()
    superseded: tuple[WrittenObject, ...] = ()
    rejected: tuple[WrittenObject, ...] = ()
    adopted: tuple[WrittenObject, ...] = ()
    _last: Mapping[str, _Known] = field(default_factory=dict)

    def is_news(self, outcomes: Iterable[Outcome]) -> bool:
        """Say whether ``record_outcomes`` would change anything."""
        return any(_is_news(outcome, self._last) for outcome in outcomes)


class ObjectRecords(Database):
    """Predictions and proposals as written, with their fates.

    An object counts once, with its latest fate; one that is gone from the file closes at once, one that is still there
    (accepted, corrected, a patch label …) stays live until a write of ours deletes or promotes it.
    """

    def live_objects(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return, as we wrote them, the objects that the store takes to be in the file."""
        return self._written(objects.c.slide_key == slide_key, objects.c.is_open)

    def superseded(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return, as we wrote them, objects that are not in the file any more unless a viewer brought them back.

        Our recent writes deleted or promoted them, a save overwrote them, or a person deleted them. A viewer that had
        been open all along saves them again, a person undoes, an earlier version is restored: those that the file holds
        belong among the written ones of ``reconcile`` (without, they would pass for a person's, or for nobody's), and
        ``record_outcomes`` takes them for live again.
        """
        return self._written(objects.c.slide_key == slide_key, ~objects.c.is_open)

    def rejected(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return, as we wrote them, the predictions that a person deleted."""
        return self._written(objects.c.slide_key == slide_key, objects.c.fate == Fate.REJECTED.value)

    def declined(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return the proposals that a person deleted."""
        return self._written(objects.c.slide_key == slide_key, objects.c.fate == Fate.DECLINED.value)

    def adopted(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return the predictions that a person ever accepted or corrected, with the person's outline and class."""
        with self.reading() as connection:
            return _as_adopted(_rows(connection, objects.c.slide_key == slide_key, objects.c.fate.in_(_ADOPTED)))

    def objects_of(self, slide_keys: Collection[str]) -> Mapping[str, SlideObjects]:
        """Return what is known of our objects on some slides; a slide without any is absent.

        One statement for some hundred slides: for whoever asks for many.
        """
        found: dict[str, list[Row[Any]]] = defaultdict(list)
        keys = sorted(slide_keys)
        with self.reading() as connection:
            for start in range(0, len(keys), _AT_ONCE):
                for row in _rows(connection, objects.c.slide_key.in_(keys[start : start + _AT_ONCE])):
                    found[row.slide_key].append(row)
        return {key: _slide_objects(rows) for key, rows in found.items()}

    def origin(self, object_id: str) -> ObjectOrigin | None:
        """Return who made an object of ours, as last written; None for one that no write of ours is known to have made.

        Objects that came to nothing are forgotten some writes after they were taken out.
        """
        made = select(objects, writes.c.begun_at, writes.c.ended_at).join(
            writes, objects.c.write_marker == writes.c.marker
        )
        newest = made.where(stands(), objects.c.object_id == object_id).order_by(objects.c.id.desc()).limit(1)
        with self.reading() as connection:
            row = connection.execute(newest).first()
        return None if row is None else _origin(row)

    def record_outcomes(
        self, slide_key: str, outcomes: Sequence[Outcome], revision: str, now: datetime, *, is_stale: bool = False
    ) -> None:
        """Record what a person made of our objects; the same outcomes again change nothing.

        Parameters
        ----------
        outcomes
            Of ``reconcile``, for objects of ``live_objects``, and of ``superseded`` where the file holds them; others
            are passed over.
        revision
            Of the file that shows it.
        is_stale
            The file is of a viewer that hadn't seen our newest write (``Reconciliation.marker``): what a person had
            deleted is in it again, but stays rejected or declined. In a file of somebody who had, they undid it.
        """
        with self.writing() as connection:
            known = _last_of_each(connection, slide_key)
            news = [o for o in outcomes if _is_news(o, known)]
            again = [o for o in news if is_stale and _is_answered(o, known)]
            news = [o for o in news if not (is_stale and _is_answered(o, known))]
            rows = list(_changes(news, known, revision, now))
            if rows or again:
                forget_seen(connection, slide_key)
            if rows:
                connection.execute(update(objects).where(objects.c.id == bindparam("row")), rows)
            if again:
                places = [known[o.written.object_id].row for o in again]
                connection.execute(update(objects).where(objects.c.id.in_(places)).values(is_open=True))

    def outcome_counts(self, iteration: int | None = None) -> Mapping[Fate, int]:
        """Count fates over all slides; open and overwritten objects don't count.

        Parameters
        ----------
        iteration
            Only objects whose predictions the expert saw from this training; None: all.
        """
        counted = select(objects.c.fate, func.count()).where(stands(), objects.c.fate.not_in(UNCOUNTED))
        if iteration is not None:
            counted = counted.where(objects.c.iteration == iteration)
        with self.reading() as connection:
            rows = connection.execute(counted.group_by(objects.c.fate)).all()
        return {Fate(fate): count for fate, count in rows}

    def record_added(self, slide_key: str, iteration: int, count: int, revision: str) -> None:
        """Record how many objects a person drew by hand in a revision; the same revision again counts nothing."""
        values = {"slide_key": slide_key, "revision": revision, "iteration": iteration, "count": count}
        with self.writing() as connection:
            touch_slide(connection, slide_key)
            connection.execute(insert(added).values(values).on_conflict_do_nothing())

    def added_count(self, iteration: int | None = None) -> int:
        """Count objects drawn by hand while the expert saw a training's predictions; None: all."""
        total = select(func.coalesce(func.sum(added.c["count"]), 0))
        if iteration is not None:
            total = total.where(added.c.iteration == iteration)
        with self.reading() as connection:
            return int(connection.execute(total).scalar_one())

    def _written(self, *where: ColumnElement[bool]) -> tuple[WrittenObject, ...]:
        with self.reading() as connection:
            return _as_written(_rows(connection, *where))


def _as_written(rows: Sequence[Row[Any]]) -> tuple[WrittenObject, ...]:
    shapes = shapely.from_wkb([row.geometry for row in rows])
    return tuple(_object(r, r.path_class, r.name, shape) for r, shape in zip(rows, shapes, strict=True))


def _as_adopted(rows: Sequence[Row[Any]]) -> tuple[WrittenObject, ...]:
    shapes = shapely.from_wkb([row.now_geometry for row in rows])
    return tuple(_object(r, r.now_class, r.now_name, shape) for r, shape in zip(rows, shapes, strict=True))


def _slide_objects(rows: Sequence[Row[Any]]) -> SlideObjects:
    written = _as_written(rows)
    pairs = list(zip(rows, written, strict=True))
    return SlideObjects(
        tuple(item for row, item in pairs if row.is_open),
        tuple(item for row, item in pairs if not row.is_open),
        tuple(item for row, item in pairs if row.fate == Fate.REJECTED.value),
        _as_adopted([row for row in rows if row.fate in _ADOPTED]),
        {r.object_id: _Known(r.id, r.fate, r.is_open, r.fate_revision, r.fate_at) for r in rows},
    )


def _origin(row: Row[Any]) -> ObjectOrigin:
    return ObjectOrigin(
        row.object_id,
        row.slide_key,
        MachineRole(row.role),
        row.path_class,
        Fate(row.fate),
        row.checkpoint_id,
        row.iteration,
        row.write_marker,
        row.ended_at or row.begun_at,
    )


def stands() -> ColumnElement[bool]:
    """Return the condition that the write of an object stands."""
    finished = select(writes.c.marker).where(writes.c.state == WriteState.FINISHED.value)
    return objects.c.write_marker.in_(finished)


def _rows(connection: Connection, *where: ColumnElement[bool]) -> Sequence[Row[Any]]:
    return connection.execute(select(objects).where(stands(), *where).order_by(objects.c.id)).all()


def _object(row: Row[Any], path_class: str, name: str | None, geometry: BaseGeometry) -> WrittenObject:
    return WrittenObject(
        row.object_id,
        MachineRole(row.role),
        path_class,
        geometry,
        name,
        row.iteration,
        row.is_editable,
        row.write_marker,
        row.checkpoint_id,
    )


def _last_of_each(connection: Connection, slide_key: str) -> Mapping[str, _Known]:
    of = objects.c
    of_each = (of.object_id, of.id, of.fate, of.is_open, of.fate_revision, of.fate_at)
    found = select(*of_each).where(of.slide_key == slide_key, stands())
    return {row[0]: _Known(*row[1:]) for row in connection.execute(found.order_by(of.id)).all()}


def _is_news(outcome: Outcome, known: Mapping[str, _Known]) -> bool:
    before = known.get(outcome.written.object_id)
    if before is None:
        return False
    if not before.is_open:
        return outcome.annotation is not None
    return outcome.fate is not Fate.OPEN or before.fate != Fate.OPEN.value


def _is_answered(outcome: Outcome, known: Mapping[str, _Known]) -> bool:
    return outcome.fate is Fate.OPEN and known[outcome.written.object_id].fate in _ANSWERED


def _changes(
    outcomes: Sequence[Outcome], known: Mapping[str, _Known], revision: str, now: datetime
) -> Iterator[dict[str, object]]:
    for outcome in outcomes:
        annotation, before = outcome.annotation, known[outcome.written.object_id]
        is_same = outcome.fate.value == before.fate  # decided by an earlier save: that one's work
        yield {
            "row": before.row,
            "is_open": annotation is not None,
            "closed_by": None,
            "fate": outcome.fate.value,
            "fate_revision": before.revision if is_same else revision,
            "fate_at": before.at if is_same else now,
            "now_class": None if annotation is None else _class_now(outcome),
            "now_name": None if annotation is None else annotation.name,
            "now_geometry": None if annotation is None else shapely.to_wkb(annotation.geometry),
        }


def _class_now(outcome: Outcome) -> str:
    said = outcome.path_class or (outcome.annotation and outcome.annotation.path_class)
    written = outcome.written.path_class
    return said or plain_class(written) or written
