"""What intake asks of the main database."""

from __future__ import annotations

from dealerflow.adapters.database.spool_positions import drained_to
from dealerflow.adapters.database.unit_of_work import SqlDatabase
from dealerflow.application import reference
from dealerflow.domain.intake import Snapshot


class SqlIntakeFeed:
    """Implements `application.intake.IntakeFeed`."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    def snapshot_number(self) -> int:
        with self._database.read() as work:
            return work.reference.snapshot_number()

    def snapshot(self) -> Snapshot | None:
        with self._database.read() as work:
            return reference.snapshot(work)

    def drained(self, spool: str) -> int:
        with self._database.read() as work:
            return drained_to(work.connection, spool)

    def forget_old_calls(self, before: int) -> None:
        with self._database.begin() as work:
            work.calls.forget(before)
