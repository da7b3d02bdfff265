"""Brings a database to the schema that this program needs, and says whether it has it.

Alembic is loaded only where there is something to do: most starts find the schema as it should be.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dealerflow.adapters.database.engine import transaction
from dealerflow.domain.errors import DealerflowError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"  # the newest revision in migrations/versions; a test compares the two
SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 0x6465616C6572  # "dealer": PostgreSQL's advisory lock that only one migration at a time holds


class NewerSchema(DealerflowError):
    """The database was made by a newer version of Dealerflow; start that one, or restore a backup."""


def upgrade(engine: sa.Engine, to: str = HEAD) -> bool:
    """Take all steps up to `to`; False if there were none to take. All or none: one transaction.

    Of several processes one takes the steps and the others wait for it. Raises Outage, NewerSchema.
    """
    if revision(engine) == to:
        return False
    with _migrating(engine) as (config, connection):
        if _revision(connection) == to:  # another process was quicker
            return False
        from alembic import command  # noqa: PLC0415 - costs a quarter of a second, and is rarely needed
        from alembic.util.exc import CommandError  # noqa: PLC0415

        try:
            command.upgrade(config, to)
        except CommandError as error:
            raise NewerSchema from error
        return True


def downgrade(engine: sa.Engine, to: str = "base") -> None:
    """Take steps back. What the undone steps had added is lost."""
    with _migrating(engine) as (config, _):
        from alembic import command  # noqa: PLC0415

        command.downgrade(config, to)


def revision(engine: sa.Engine) -> str | None:
    """The revision that the database has; None for an empty one. Raises Outage."""
    with transaction(engine, "read") as connection:
        return _revision(connection)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


@contextmanager
def _migrating(engine: sa.Engine) -> Iterator[tuple[Config, sa.Connection]]:
    with transaction(engine) as connection:  # on SQLite this is the lock
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield alembic_config(connection), connection


def alembic_config(connection: sa.Connection) -> Config:
    """Alembic's configuration for this connection; there is no alembic.ini."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
