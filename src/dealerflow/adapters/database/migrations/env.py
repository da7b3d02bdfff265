"""Alembic runs this for every command. The connection is handed in, inside a transaction that its owner
commits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from alembic import context

from dealerflow.adapters.database.tables import metadata

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


def render(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Writes "true" and "false" so that each database gets its own; left alone, Alembic writes 1 and 0."""
    said = getattr(item, "arg", None)
    if kind == "server_default" and isinstance(said, sa.sql.elements.True_ | sa.sql.elements.False_):
        return f"sa.{said}()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # both databases undo a half-done step; Alembic would not believe it of SQLite
    # SQLite changes a column only by copying its table. The first revision has nothing to copy.
    render_as_batch=context.config.attributes.get("changes", True),
    render_item=render,
)
context.run_migrations()
