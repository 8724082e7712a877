"""Slides, and the revisions of their files that were read and believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from bridge.store.database import Database, touch_slide
from bridge.store.records import ReadRecord, SlideRecord
from bridge.store.schema import reads, slides


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """A slide whose file is as it was read and believed last.

    Parameters
    ----------
    name
        What a person calls the slide.
    human_count
        Objects of people's, by today's settings.
    """

    slide_key: str
    revision: str
    name: str
    human_count: int


class SlideRecords(Database):
    """What is known of each slide."""

    def slides(self) -> tuple[SlideRecord, ...]:
        """Return all slides that were ever read or written, by key."""
        with self.reading() as connection:
            rows = connection.execute(select(slides).order_by(slides.c.slide_key)).all()
        return tuple(
            SlideRecord(r.slide_key, r.name, r.viewed_at, r.predicted_with, r.suspicious_revision) for r in rows
        )

    def record_read(
        self,
        slide_key: str,
        revision: str,
        now: datetime,
        *,
        human_count: int,
        labelled_area_um2: float | None = None,
        saved_at: datetime | None = None,
        name: str | None = None,
    ) -> None:
        """Record that a settled revision was read; the same one again only moves ``read_at`` on.

        Parameters
        ----------
        saved_at
            When the file was saved, by its own time: believed when it lies between the last look at the revision before
            and now. A copy may carry an old time, and a share's clock may be wrong.
        name
            What a person calls the slide; kept when None.
        """
        found = {"read_at": now, "human_count": human_count, "labelled_area_um2": labelled_area_um2}
        with self.writing() as connection:
            touch_slide(connection, slide_key, name)
            connection.execute(update(slides).where(slides.c.slide_key == slide_key).values(suspicious_revision=None))
            last = connection.execute(_newest_read(slide_key)).first()
            if last is not None and last.revision == revision:
                connection.execute(update(reads).where(reads.c.id == last.id).values(found))
            else:
                first = {"slide_key": slide_key, "revision": revision, "first_read_at": now}
                first["saved_at"] = saved_at if _is_believed(saved_at, last, now) else None
                connection.execute(insert(reads).values(first | found))

    def last_read(self, slide_key: str) -> ReadRecord | None:
        """Return the revision that was last read and believed."""
        with self.reading() as connection:
            row = connection.execute(_newest_read(slide_key)).first()
        return None if row is None else _read_record(row)

    def last_reads(self) -> Mapping[str, ReadRecord]:
        """Return, by slide, what ``last_read`` says of each: one statement, however many there are."""
        with self.reading() as connection:
            return {row.slide_key: _read_record(row) for row in _newest_reads(connection)}

    def record_reads_again(self, found: Sequence[ReadAgain], now: datetime) -> None:
        """Record of many slides that their last revision was read again, as ``record_read`` does of one.

        Its labelled area stays as it was recorded. Of a slide whose last revision is another one, nothing is recorded.
        """
        if not found:
            return
        with self.writing() as connection:
            last = {(row.slide_key, row.revision): row.id for row in _newest_reads(connection)}
            known = [r for r in found if (r.slide_key, r.revision) in last]
            if not known:
                return
            rows = [{"row": last[r.slide_key, r.revision], "people": r.human_count} for r in known]
            names = [{"key": r.slide_key, "called": r.name} for r in known]
            again = update(reads).where(reads.c.id == bindparam("row"))
            connection.execute(again.values(read_at=now, human_count=bindparam("people")), rows)
            believed = update(slides).where(slides.c.slide_key == bindparam("key"))
            connection.execute(believed.values(name=bindparam("called"), suspicious_revision=None), names)

    def reads(self, slide_key: str) -> tuple[ReadRecord, ...]:
        """Return every revision that was read, oldest first: the times of a person's saves."""
        with self.reading() as connection:
            rows = connection.execute(select(reads).where(reads.c.slide_key == slide_key).order_by(reads.c.id)).all()
        return tuple(_read_record(row) for row in rows)

    def record_suspicious(self, slide_key: str, revision: str) -> None:
        """Record a save that lost so much that it isn't believed, until the next one or a person's word."""
        self._set(slide_key, suspicious_revision=revision)

    def suspicious_revision(self, slide_key: str) -> str | None:
        """Return the save that isn't believed; None when the last one read was."""
        with self.reading() as connection:
            return connection.execute(
                select(slides.c.suspicious_revision).where(slides.c.slide_key == slide_key)
            ).scalar_one_or_none()

    def record_viewed(self, slide_key: str, now: datetime) -> None:
        """Record that a person has the slide on the screen."""
        self._set(slide_key, viewed_at=now)

    def record_predicted(self, slide_key: str, checkpoint_id: str) -> None:
        """Record whose predictions were last made for the slide."""
        self._set(slide_key, predicted_with=checkpoint_id)

    def forget_predicted(self, slide_key: str) -> None:
        """Record that the predictions made for the slide are not in its file any more."""
        self._set(slide_key, predicted_with=None)

    def predicted_with(self, slide_key: str) -> str | None:
        """Return the id of the checkpoint whose predictions were last made for the slide."""
        with self.reading() as connection:
            return connection.execute(
                select(slides.c.predicted_with).where(slides.c.slide_key == slide_key)
            ).scalar_one_or_none()

    def _set(self, slide_key: str, **values: object) -> None:
        with self.writing() as connection:
            touch_slide(connection, slide_key)
            connection.execute(update(slides).where(slides.c.slide_key == slide_key).values(**values))


def _newest_read(slide_key: str) -> Any:  # a Select of the table's columns
    return select(reads).where(reads.c.slide_key == slide_key).order_by(reads.c.id.desc()).limit(1)


def _newest_reads(connection: Connection) -> Sequence[Row[Any]]:
    newest = select(func.max(reads.c.id)).group_by(reads.c.slide_key)
    return connection.execute(select(reads).where(reads.c.id.in_(newest))).all()


def _read_record(row: Row[Any]) -> ReadRecord:
    return ReadRecord(
        row.slide_key,
        row.revision,
        row.first_read_at,
        row.read_at,
        row.human_count,
        row.labelled_area_um2,
        row.saved_at,
    )


def _is_believed(saved_at: datetime | None, last: Row[Any] | None, now: datetime) -> bool:
    return saved_at is not None and saved_at <= now and (last is None or last.read_at <= saved_at)
