"""The mail log, each mail with the address that it goes to now: addresses stand with the customer, dealership or account."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from dealerflow.adapters.database.engine import transaction
from dealerflow.adapters.database.rows import from_row
from dealerflow.adapters.database.search import is_called
from dealerflow.adapters.database.tables import accounts, customers, dealerships, mails, orders
from dealerflow.application.mail_log import LoggedMail

_m = mails.c
_to = sa.func.coalesce(
    sa.case(
        (
            _m.recipient_kind == "customer",
            sa.select(customers.c.email).where(customers.c.order_id == _m.recipient).scalar_subquery(),
        ),
        (
            _m.recipient_kind == "dealership",
            sa.select(dealerships.c.email).where(dealerships.c.id == _m.recipient).scalar_subquery(),
        ),
        (
            _m.recipient_kind == "account",
            sa.select(accounts.c.email).where(accounts.c.id == _m.recipient).scalar_subquery(),
        ),
    ),
    _m.recipient,
)
_newest_first = sa.select(
    _m.id, _to.label("to"), _m.subject, _m.template, _m.status, _m.at, _m.order_id.label("order"), _m.sent_at
).order_by(_m.id.desc())


class SqlMailLog:
    """Implements `application.mail_log.MailLog`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def page(self, *, order: str | None, limit: int, before: str | None) -> list[LoggedMail]:
        query: sa.Select[Any] = _newest_first.limit(limit)
        if before is not None:
            query = query.where(_m.id < before)
        with transaction(self._engine, "read") as connection:
            if order is not None:
                ids = connection.execute(sa.select(orders.c.id).where(is_called(order))).scalars().all()
                query = query.where(_m.order_id.in_(ids))
            return [from_row(LoggedMail, row) for row in connection.execute(query)]

    def one(self, mail_id: str) -> LoggedMail | None:
        query: sa.Select[Any] = _newest_first.where(_m.id == mail_id)
        with transaction(self._engine, "read") as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else from_row(LoggedMail, row)
