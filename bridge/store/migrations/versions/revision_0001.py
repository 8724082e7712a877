"""The first version: slides, reads, writes, objects, split, runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("data_hash", sa.Text(), nullable=False),
        sa.Column("started_at", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("ended_at", sa.String(length=32), nullable=True),
        sa.Column("checkpoint_id", sa.Text(), nullable=True),
        sa.Column("promoted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_table(
        "slides",
        sa.Column("slide_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("viewed_at", sa.String(length=32), nullable=True),
        sa.Column("predicted_with", sa.Text(), nullable=True),
        sa.Column("suspicious_revision", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("slide_key", name=op.f("pk_slides")),
    )
    op.create_table(
        "added",
        sa.Column("slide_key", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["slide_key"], ["slides.slide_key"], name=op.f("fk_added_slide_key")),
        sa.PrimaryKeyConstraint("slide_key", "revision", name=op.f("pk_added")),
    )
    op.create_table(
        "learned",
        sa.Column("slide_key", sa.Text(), nullable=False),
        sa.Column("area_key", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["slide_key"], ["slides.slide_key"], name=op.f("fk_learned_slide_key")),
        sa.PrimaryKeyConstraint("slide_key", "area_key", name=op.f("pk_learned")),
    )
    op.create_table(
        "parts",
        sa.Column("slide_key", sa.Text(), nullable=False),
        sa.Column("area_key", sa.Text(), nullable=False),
        sa.Column("part", sa.String(length=16), nullable=False),
        sa.Column("bounds", sa.Text(), nullable=True),
        sa.Column("assigned_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["slide_key"], ["slides.slide_key"], name=op.f("fk_parts_slide_key")),
        sa.PrimaryKeyConstraint("slide_key", "area_key", name=op.f("pk_parts")),
    )
    op.create_table(
        "reads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slide_key", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("first_read_at", sa.String(length=32), nullable=False),
        sa.Column("read_at", sa.String(length=32), nullable=False),
        sa.Column("human_count", sa.Integer(), nullable=False),
        sa.Column("labelled_area_um2", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["slide_key"], ["slides.slide_key"], name=op.f("fk_reads_slide_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reads")),
    )
    op.create_index(op.f("ix_reads_slide_key"), "reads", ["slide_key"], unique=False)
    op.create_table(
        "writes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("marker", sa.Text(), nullable=False),
        sa.Column("slide_key", sa.Text(), nullable=False),
        sa.Column("base_revision", sa.Text(), nullable=True),
        sa.Column("new_revision", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("temp_name", sa.Text(), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("begun_at", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("ended_at", sa.String(length=32), nullable=True),
        sa.Column("displaced_since", sa.String(length=32), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("carried_marker", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["slide_key"], ["slides.slide_key"], name=op.f("fk_writes_slide_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_writes")),
        sa.UniqueConstraint("marker", name=op.f("uq_writes_marker")),
    )
    op.create_index(op.f("ix_writes_slide_key"), "writes", ["slide_key"], unique=False)
    op.create_table(
        "versions",
        sa.Column("slide_key", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("kept_at", sa.String(length=32), nullable=False),
        sa.Column("seen_at", sa.String(length=32), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("human_keys", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["slide_key"], ["slides.slide_key"], name=op.f("fk_versions_slide_key")),
        sa.PrimaryKeyConstraint("slide_key", "revision", name=op.f("pk_versions")),
    )
    op.create_index(op.f("ix_versions_revision"), "versions", ["revision"], unique=False)
    op.create_table(
        "objects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slide_key", sa.Text(), nullable=False),
        sa.Column("write_marker", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("path_class", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("geometry", sa.LargeBinary(), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("is_editable", sa.Boolean(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("fate", sa.String(length=16), nullable=False),
        sa.Column("fate_revision", sa.Text(), nullable=True),
        sa.Column("fate_at", sa.String(length=32), nullable=True),
        sa.Column("now_class", sa.Text(), nullable=True),
        sa.Column("now_name", sa.Text(), nullable=True),
        sa.Column("now_geometry", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["closed_by"], ["writes.marker"], name=op.f("fk_objects_closed_by")),
        sa.ForeignKeyConstraint(["slide_key"], ["slides.slide_key"], name=op.f("fk_objects_slide_key")),
        sa.ForeignKeyConstraint(["write_marker"], ["writes.marker"], name=op.f("fk_objects_write_marker")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objects")),
        sa.UniqueConstraint("write_marker", "object_id", name=op.f("uq_objects_write_marker_object_id")),
    )
    op.create_index(op.f("ix_objects_closed_by"), "objects", ["closed_by"], unique=False)
    op.create_index(op.f("ix_objects_slide_key_object_id"), "objects", ["slide_key", "object_id"], unique=False)
    op.create_table(
        "planned_closes",
        sa.Column("write_marker", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["write_marker"], ["writes.marker"], name=op.f("fk_planned_closes_write_marker")),
        sa.PrimaryKeyConstraint("write_marker", "object_id", name=op.f("pk_planned_closes")),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("planned_closes")
    op.drop_index(op.f("ix_objects_slide_key_object_id"), table_name="objects")
    op.drop_index(op.f("ix_objects_closed_by"), table_name="objects")
    op.drop_table("objects")
    op.drop_index(op.f("ix_versions_revision"), table_name="versions")
    op.drop_table("versions")
    op.drop_index(op.f("ix_writes_slide_key"), table_name="writes")
    op.drop_table("writes")
    op.drop_index(op.f("ix_reads_slide_key"), table_name="reads")
    op.drop_table("reads")
    op.drop_table("parts")
    op.drop_table("learned")
    op.drop_table("added")
    op.drop_table("slides")
    op.drop_table("runs")
