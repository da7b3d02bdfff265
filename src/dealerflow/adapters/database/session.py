"""One transaction as the repositories see it: statements at once, additions gathered and written in bulk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

Rows = list[dict[str, Any]]


class Session:
    """Wraps the connection of one unit of work.

    `add` gathers rows; they are written, table by table in the order first used, before the next statement that touches one of
    their tables and before the commit. A batch of a hundred messages thereby costs a few bulk inserts.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._added: dict[sa.Table, Rows] = {}

    @property
    def dialect(self) -> str:
        """ "sqlite" or "postgresql"."""
        return self.connection.dialect.name

    def add(self, table: sa.Table, row: dict[str, Any]) -> None:
        """Insert this row, at the latest at commit. All rows of a table must have the same columns."""
        self._added.setdefault(table, []).append(row)

    def pending(self, table: sa.Table) -> Rows:
        """What was added to the table and is not written yet."""
        return self._added.get(table, [])

    def run(
        self, statement: Any, parameters: Any = None, *, touches: Sequence[sa.Table] = ()
    ) -> sa.CursorResult[Any]:
        """Execute a statement, after the rows that were added to the tables it touches (none named: all) are written."""
        self.flush(touches)
        return self.connection.execute(statement, parameters)

    def flush(self, tables: Sequence[sa.Table] = ()) -> None:
        """Write what was added (to these tables, or to all)."""
        if not self._added:
            return
        for table in list(self._added):
            if not tables or table in tables:
                rows = self._added.pop(table)
                self.connection.execute(_insert(table), rows)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that can fail alone. Its additions stay gathered; one that the database refuses shows at `flush`, not here."""
        marks = {table: len(rows) for table, rows in self._added.items()}
        before = self._added
        nested = self.connection.begin_nested()
        self._added = {table: list(rows) for table, rows in before.items()}
        try:
            yield
        except BaseException:
            nested.rollback()
            self._added = {table: rows[: marks[table]] for table, rows in before.items()}
            raise
        nested.commit()


_inserts: dict[sa.Table, sa.Insert] = {}


def _insert(table: sa.Table) -> sa.Insert:
    if table not in _inserts:
        _inserts[table] = sa.insert(table)
    return _inserts[table]
