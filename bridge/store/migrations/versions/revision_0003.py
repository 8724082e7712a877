"""Lineage: which model made an object; and how unlike its training slides each slide looks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column and a table; rows stay as they are."""
    op.add_column("objects", sa.Column("checkpoint_id", sa.Text(), nullable=True))
    op.create_table(
        "looks",
        sa.Column("slide_key", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("distance", sa.Float(), nullable=False),
        sa.Column("is_far", sa.Boolean(), nullable=False),
        sa.Column("measured_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["slide_key"], ["slides.slide_key"], name=op.f("fk_looks_slide_key")),
        sa.PrimaryKeyConstraint("slide_key", name=op.f("pk_looks")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("looks")
    op.drop_column("objects", "checkpoint_id")
