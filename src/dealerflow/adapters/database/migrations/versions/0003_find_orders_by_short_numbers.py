"""Find orders by short numbers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """From '0002' to '0003'."""
    op.create_index("ix_orders_short", "orders", [sa.text("substr(id, length(id) - 5)")])


def downgrade() -> None:
    """And back."""
    op.drop_index("ix_orders_short", table_name="orders")
