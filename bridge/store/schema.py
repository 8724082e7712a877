"""The tables. Every change here comes with a migration; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class UtcTime(TypeDecorator[datetime]):
    """Moments as ISO 8601 text in UTC, microseconds always written, so that text order is time order."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Write a moment; one without time zone is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone; the store keeps UTC")
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Read a moment back."""
        return None if value is None else datetime.fromisoformat(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

slides = Table(
    "slides",
    metadata,
    Column("slide_key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("viewed_at", UtcTime),
    Column("predicted_with", Text),
    Column("suspicious_revision", Text),
)


def _slide_key(*, primary_key: bool = False) -> Column[str]:
    return Column("slide_key", Text, ForeignKey(slides.c.slide_key), nullable=False, primary_key=primary_key)


reads = Table(
    "reads",
    metadata,
    Column("id", Integer, primary_key=True),
    _slide_key(),
    Column("revision", Text, nullable=False),
    Column("first_read_at", UtcTime, nullable=False),
    Column("read_at", UtcTime, nullable=False),
    Column("human_count", Integer, nullable=False),
    Column("labelled_area_um2", Float),
    Column("saved_at", UtcTime),
    Index(None, "slide_key"),
)

writes = Table(
    "writes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("marker", Text, nullable=False, unique=True),
    _slide_key(),
    Column("base_revision", Text),
    Column("new_revision", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("temp_name", Text, nullable=False),
    Column("iteration", Integer, nullable=False),
    Column("begun_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("ended_at", UtcTime),
    Column("displaced_since", UtcTime),
    Column("why", Text),
    Column("kind", String(16), nullable=False),
    Column("carried_marker", Text),
    Index(None, "slide_key"),
)

# Versions of the slides' files in the backups. `human_keys`: fingerprints of what people drew, None where unread.
versions = Table(
    "versions",
    metadata,
    _slide_key(primary_key=True),
    Column("revision", Text, primary_key=True),
    Column("kept_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("size", Integer, nullable=False),
    Column("human_keys", LargeBinary),
    Index(None, "revision"),
)

# Our objects. `is_open`: the store takes it to be in the file. `closed_by`: the write that took it out or promoted it,
# so that a write which is abandoned after all gives it back. `now_…`: what a person made of it. `checkpoint_id`: the
# model that made it; NULL before the first, and in rows of before that was kept.
objects = Table(
    "objects",
    metadata,
    Column("id", Integer, primary_key=True),
    _slide_key(),
    Column("write_marker", Text, ForeignKey(writes.c.marker), nullable=False),
    Column("object_id", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("path_class", Text, nullable=False),
    Column("name", Text),
    Column("geometry", LargeBinary, nullable=False),
    Column("iteration", Integer, nullable=False),
    Column("checkpoint_id", Text),
    Column("is_editable", Boolean, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("closed_by", Text, ForeignKey(writes.c.marker)),
    Column("fate", String(16), nullable=False),
    Column("fate_revision", Text),
    Column("fate_at", UtcTime),
    Column("now_class", Text),
    Column("now_name", Text),
    Column("now_geometry", LargeBinary),
    UniqueConstraint("write_marker", "object_id"),
    Index(None, "slide_key", "object_id"),
    Index(None, "closed_by"),
)

planned_closes = Table(
    "planned_closes",
    metadata,
    Column("write_marker", Text, ForeignKey(writes.c.marker), primary_key=True),
    Column("object_id", Text, primary_key=True),
)

added = Table(
    "added",
    metadata,
    _slide_key(primary_key=True),
    Column("revision", Text, primary_key=True),
    Column("iteration", Integer, nullable=False),
    Column("count", Integer, nullable=False),
)

parts = Table(
    "parts",
    metadata,
    _slide_key(primary_key=True),
    Column("area_key", Text, primary_key=True),
    Column("part", String(16), nullable=False),
    Column("bounds", Text),
    Column("assigned_at", UtcTime, nullable=False),
)

learned = Table(
    "learned",
    metadata,
    _slide_key(primary_key=True),
    Column("area_key", Text, primary_key=True),
    Column("iteration", Integer, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("iteration", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("parent", Text),
    Column("data_hash", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("ended_at", UtcTime),
    Column("checkpoint_id", Text),
    Column("promoted", Boolean, nullable=False),
    Column("reason", Text),
    Column("metrics", JSON, nullable=False),
)

# What the daemon does, one row an asking. `slide_key`: NULL for trainings. Only old `done` and `superseded` rows go.
jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("slide_key", Text, ForeignKey(slides.c.slide_key)),
    Column("input_hash", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("not_before", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("note", Text),
    Column("error", Text),
    Index(None, "kind", "slide_key"),
    Index(None, "state", "not_before"),
)

marks = Table(
    "marks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", UtcTime, nullable=False),
)

prequential = Table(
    "prequential",
    metadata,
    _slide_key(primary_key=True),
    Column("area_key", Text, primary_key=True),
    Column("iteration", Integer, nullable=False),
    Column("scored_at", UtcTime, nullable=False),
    Column("classes", JSON, nullable=False),
    Column("confusion", JSON, nullable=False),
)

# How far the tissue of a slide looks from what the model that last predicted it was trained on.
looks = Table(
    "looks",
    metadata,
    _slide_key(primary_key=True),
    Column("checkpoint_id", Text, nullable=False),
    Column("distance", Float, nullable=False),
    Column("is_far", Boolean, nullable=False),
    Column("measured_at", UtcTime, nullable=False),
)

# What the last prediction of a slide by each of its newest models cost, in seconds.
costs = Table(
    "costs",
    metadata,
    _slide_key(primary_key=True),
    Column("checkpoint_id", Text, primary_key=True),
    Column("predicted_at", UtcTime, nullable=False),
    Column("wall_seconds", Float, nullable=False),
    Column("read_seconds", Float, nullable=False),
    Column("network_seconds", Float, nullable=False),
    Column("stitch_seconds", Float, nullable=False),
    Column("vectorize_seconds", Float, nullable=False),
    Column("waited_seconds", Float, nullable=False),
    Column("tiles", Integer, nullable=False),
    Column("tissue_um2", Float, nullable=False),
    Column("runs_on", Text, nullable=False),
)

# What the last reading of a slide found. `basis`: a digest of all else that it depends on. Of slides without a file,
# too, of which nothing else is known: so no foreign key.
seen = Table(
    "seen",
    metadata,
    Column("slide_key", Text, primary_key=True),
    Column("basis", Text, nullable=False),
    Column("file_size", Integer),
    Column("file_modified", Float),
    Column("revision", Text),
    Column("slide_path", Text, nullable=False),
    Column("slide_size", Integer, nullable=False),
    Column("slide_modified", Float, nullable=False),
    Column("facts", JSON, nullable=False),
)
