"""What predictions cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; what earlier predictions cost nobody knows."""
    op.create_table(
        "costs",
        sa.Column("slide_key", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("predicted_at", sa.String(length=32), nullable=False),
        sa.Column("wall_seconds", sa.Float(), nullable=False),
        sa.Column("read_seconds", sa.Float(), nullable=False),
        sa.Column("network_seconds", sa.Float(), nullable=False),
        sa.Column("stitch_seconds", sa.Float(), nullable=False),
        sa.Column("vectorize_seconds", sa.Float(), nullable=False),
        sa.Column("waited_seconds", sa.Float(), nullable=False),
        sa.Column("tiles", sa.Integer(), nullable=False),
        sa.Column("tissue_um2", sa.Float(), nullable=False),
        sa.Column("runs_on", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["slide_key"], ["slides.slide_key"], name=op.f("fk_costs_slide_key")),
        sa.PrimaryKeyConstraint("slide_key", "checkpoint_id", name=op.f("pk_costs")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("costs")
