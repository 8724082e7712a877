"""Which areas train and which judge, and what was learned: decided once, for good."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects import sqlite

from bridge.annotations.split import HOLD_OUT, TRAIN
from bridge.errors import StoreError
from bridge.store.database import Database, touch_slide
from bridge.store.schema import learned, parts

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class AssignedPart:
    """An area of a slide and its part.

    Attributes
    ----------
    part
        ``"train"`` or ``"hold-out"``.
    bounds
        (min x, min y, max x, max y), level-0 pixels: how the area is known again when a person has nudged it.
    """

    slide_key: str
    area_key: str
    part: str
    bounds: Bounds | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """The split of a whole project, read at once: parts, bounds and what was learned from, by slide."""

    parts: Mapping[str, Mapping[str, str]]
    bounds: Mapping[str, Sequence[tuple[str, Bounds]]]
    learned: Mapping[str, frozenset[str]]

    def parts_of(self, slide_key: str) -> Mapping[str, str]:
        """Return the part of each area of a slide that was ever assigned."""
        return self.parts.get(slide_key, {})

    def bounds_of(self, slide_key: str) -> Sequence[tuple[str, Bounds]]:
        """Return (part, bounds) of each area of a slide that was ever assigned with its bounds."""
        return self.bounds.get(slide_key, ())

    def learned_of(self, slide_key: str) -> frozenset[str]:
        """Return the areas of a slide that any training learned from."""
        return self.learned.get(slide_key, frozenset())


class SplitRecords(Database):
    """The split. What was trained on never judges."""

    def assign_parts(self, assigned: Sequence[AssignedPart], now: datetime) -> None:
        """Put areas into their parts for ever, all of them or none; the same again changes nothing.

        Raises
        ------
        StoreError
            One is in the other part, or it is to judge and was learned from.
        ValueError
            No such part.
        """
        for area in assigned:
            if area.part not in (TRAIN, HOLD_OUT):
                raise ValueError(f"{area.part!r} is no part of the split; it is {TRAIN!r} or {HOLD_OUT!r}")
        if assigned:
            with self.writing() as connection:
                for area in assigned:
                    _assign(connection, area, now)

    def split(self) -> Split:
        """Return all of it, for whoever asks for every slide: two statements, however many there are."""
        with self.reading() as connection:
            assigned = connection.execute(select(parts)).all()
            trained = connection.execute(select(learned.c.slide_key, learned.c.area_key)).all()
        known: dict[str, dict[str, str]] = defaultdict(dict)
        bounds: dict[str, list[tuple[str, Bounds]]] = defaultdict(list)
        areas: dict[str, set[str]] = defaultdict(set)
        for row in assigned:
            known[row.slide_key][row.area_key] = row.part
            if row.bounds is not None:
                bounds[row.slide_key].append((row.part, _read_bounds(row.bounds)))
        for slide_key, area_key in trained:
            areas[slide_key].add(area_key)
        return Split(dict(known), dict(bounds), {key: frozenset(found) for key, found in areas.items()})

    def parts(self, slide_key: str) -> Mapping[str, str]:
        """Return the part of each area of a slide that was ever assigned."""
        with self.reading() as connection:
            return _parts(connection, slide_key)

    def record_learned(self, iteration: int, slide_key: str, keys: Collection[str]) -> None:
        """Record that a training learned from areas; the first one stands.

        Raises
        ------
        StoreError
            One of them is held out.
        """
        with self.writing() as connection:
            touch_slide(connection, slide_key)
            judges = {key for key, part in _parts(connection, slide_key).items() if part == HOLD_OUT}
            if judges & set(keys):
                raise StoreError(f"area {min(judges & set(keys))} of slide {slide_key} is held out; never train on it")
            rows = [{"slide_key": slide_key, "area_key": key, "iteration": iteration} for key in sorted(set(keys))]
            if rows:
                connection.execute(sqlite.insert(learned).on_conflict_do_nothing(), rows)

    def learned(self, slide_key: str) -> frozenset[str]:
        """Return the areas of a slide that any training learned from."""
        with self.reading() as connection:
            return _learned(connection, slide_key)


def _assign(connection: Connection, area: AssignedPart, now: datetime) -> None:
    slide_key, area_key, part = area.slide_key, area.area_key, area.part
    touch_slide(connection, slide_key)
    known = _parts(connection, slide_key).get(area_key)
    if known is not None and known != part:
        raise StoreError(f"area {area_key} of slide {slide_key} is in {known} for good, not in {part}")
    if part == HOLD_OUT and area_key in _learned(connection, slide_key):
        raise StoreError(f"area {area_key} of slide {slide_key} was learned from and can't judge any more")
    if known is None:
        row = {"slide_key": slide_key, "area_key": area_key, "part": part, "assigned_at": now}
        row["bounds"] = None if area.bounds is None else ",".join(str(float(side)) for side in area.bounds)
        connection.execute(insert(parts).values(row))


def _read_bounds(text: str) -> Bounds:
    left, top, right, bottom = (float(side) for side in text.split(","))
    return left, top, right, bottom


def _parts(connection: Connection, slide_key: str) -> dict[str, str]:
    rows = connection.execute(select(parts.c.area_key, parts.c.part).where(parts.c.slide_key == slide_key)).all()
    return {row.area_key: row.part for row in rows}


def _learned(connection: Connection, slide_key: str) -> frozenset[str]:
    return frozenset(
        connection.execute(select(learned.c.area_key).where(learned.c.slide_key == slide_key)).scalars().all()
    )
