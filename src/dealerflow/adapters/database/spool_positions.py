"""How far each spool has been drained: a row in the main database, moved in the transaction of the work."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dealerflow.adapters.database.tables import spools
from dealerflow.domain.errors import LeaseLost


def drained_to(connection: sa.Connection, spool: str) -> int:
    """The position up to which the spool's orders are in this database; 0 for a spool that it has never seen."""
    return (
        connection.execute(sa.select(spools.c.position).where(spools.c.id == spool)).scalar_one_or_none() or 0
    )


def advance(connection: sa.Connection, spool: str, *, old: int, new: int) -> None:
    """Move the position on. Raises LeaseLost, to undo the transaction, if another drainer moved it in the meantime."""
    moved = sa.update(spools).where(spools.c.id == spool, spools.c.position == old).values(position=new)
    if connection.execute(moved).rowcount == 1:
        return
    if old == 0:
        postgres = connection.dialect.name == "postgresql"
        first = (postgresql if postgres else sqlite).insert(spools).values(id=spool, position=0)
        connection.execute(first.on_conflict_do_nothing())
        if connection.execute(moved).rowcount == 1:
            return
    raise LeaseLost(f"the spool {spool} was drained by another in the meantime")
