"""The state machines outside: which execution follows which order, and with what token it waits."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec.structs import replace

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.rows import from_row, to_row
from dealerflow.adapters.database.session import Session
from dealerflow.application import queues
from dealerflow.application.records import Execution
from dealerflow.application.work import Sending
from dealerflow.domain.messages import StartExecution
from dealerflow.domain.orders import Order


class SqlExecutions:
    """Implements `application.work.Executions`. `sending` None: there are no state machines outside."""

    def __init__(self, session: Session, sending: Sending | None = None) -> None:
        self._session = session
        self._sending = sending

    def begin(self, order: Order) -> None:
        if self._sending is not None:
            message = StartExecution(order=order.id, step=order.step)
            self._sending.send(queues.EXECUTIONS, message, group=order.dealership, order=order.id)

    def of(self, order_id: str) -> Execution | None:
        statement = sa.select(t.executions).where(t.executions.c.order_id == order_id)
        row = self._session.run(statement, touches=(t.executions,)).one_or_none()
        return from_row(Execution, row) if row else None

    def begun(self, execution: Execution) -> None:
        present = self.of(execution.order_id)
        if present is not None and present.arn == execution.arn:
            execution = replace(present, restarts=execution.restarts, started_at=execution.started_at)
        self._keep(execution, is_new=present is None)

    def arrived(self, execution: Execution) -> None:
        self._keep(execution, is_new=self.of(execution.order_id) is None)

    def _keep(self, execution: Execution, *, is_new: bool) -> None:
        row = to_row(execution)
        statement: sa.Insert | sa.Update = sa.insert(t.executions).values(row)
        if not is_new:
            statement = (
                sa.update(t.executions).where(t.executions.c.order_id == row.pop("order_id")).values(row)
            )
        self._session.run(statement, touches=(t.executions,))
