"""What the last reading of each slide found, for whoever only looks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; the next pass fills it."""
    op.create_table(
        "seen",
        sa.Column("slide_key", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("file_size", sa.Integer(), nullable=True),
        sa.Column("file_modified", sa.Float(), nullable=True),
        sa.Column("revision", sa.Text(), nullable=True),
        sa.Column("slide_path", sa.Text(), nullable=False),
        sa.Column("slide_size", sa.Integer(), nullable=False),
        sa.Column("slide_modified", sa.Float(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("slide_key", name=op.f("pk_seen")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("seen")
