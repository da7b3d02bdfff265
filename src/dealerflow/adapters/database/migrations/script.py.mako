# ruff: noqa: PLR0915 - a statement for each table
"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """From ${repr(down_revision) if down_revision else "an empty database"} to ${repr(up_revision)}."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """And back; what the new tables and columns held is lost."""
    ${downgrades if downgrades else "pass"}
