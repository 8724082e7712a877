"""When a person saved what was read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column; nobody knows it of earlier readings."""
    op.add_column("reads", sa.Column("saved_at", sa.String(length=32), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("reads", "saved_at")
