"""Work that is due: rows that ask for a message which must be on its queue as long as the work is not done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.application import queues
from dealerflow.domain import messages as m
from dealerflow.domain.billing import IMPORTED


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """`message` must be on `queue`. `repairable`: it may be sent again if it is gone."""

    check: str
    subject: str
    queue: str
    message: m.AnyMessage
    group: str
    order: str | None
    repairable: bool = True


def key_of(message: m.Message) -> tuple[str, ...]:
    """What makes two messages the same piece of work."""
    if isinstance(message, m.PlaceOrder):
        return ("PlaceOrder", message.new.id)
    fields = ("order", "step") if isinstance(message, m.MoveOrder) else message.__struct_fields__
    return (type(message).__name__, *(str(getattr(message, field)) for field in fields))


_dealership_of = (
    sa.select(t.orders.c.dealership).where(t.orders.c.id == sa.literal_column("order_id")).scalar_subquery()
)


def everything_due(connection: sa.Connection) -> Iterator[Due]:
    """All work that rows in the database say is not done yet."""
    yield from _decisions(connection)
    yield from _payments(connection)
    yield from _documents(connection, "invoice", "every payment has its one invoice", m.IssueInvoice)
    yield from _documents(
        connection, "credit_note", "every refund has its one credit note", m.IssueCreditNote
    )
    yield from _delivery_notes(connection)
    yield from _mails(connection)
    yield from _events(connection)


def _decisions(connection: sa.Connection) -> Iterator[Due]:
    o = t.orders.c
    claimed = sa.select(o.id, o.step, o.decision, o.decided_by, o.dealership).where(o.decision.is_not(None))
    for row in connection.execute(claimed):
        move = m.MoveOrder(order=row.id, step=row.step, outcome=row.decision, by=row.decided_by or "")
        yield Due(
            check="every decision is carried out",
            subject=row.id,
            queue=queues.DECISIONS,
            message=move,
            group=row.dealership,
            order=row.id,
            repairable=False,  # its details are gone with it; the claim is given back instead
        )


def _payments(connection: sa.Connection) -> Iterator[Due]:
    p = t.payments.c
    received = sa.select(p.id, p.order_id, t.orders.c.dealership).join(t.orders, t.orders.c.id == p.order_id)
    for row in connection.execute(received.where(p.status == "received")):
        yield _due("every payment is settled", row, queues.PAYMENTS, m.TakePayment(payment=row.id))


def _documents(
    connection: sa.Connection, kind: str, check: str, message: type[m.IssueInvoice | m.IssueCreditNote]
) -> Iterator[Due]:
    p, d = t.payments.c, t.documents.c
    settled = ("paid", "refund_requested", "refunded") if kind == "invoice" else ("refunded",)
    without = (
        sa.select(p.id, p.order_id, t.orders.c.dealership)
        .join(t.orders, t.orders.c.id == p.order_id)
        .where(p.status.in_(settled), p.method != IMPORTED)
        .where(~sa.exists().where(d.kind == kind, d.payment_id == p.id))
    )
    for row in connection.execute(without):
        yield _due(check, row, queues.INVOICES, message(payment=row.id))


def _delivery_notes(connection: sa.Connection) -> Iterator[Due]:
    d, n, h = t.departures.c, t.delivery_notes.c, t.dealerships.c
    without = (
        sa.select(d.load, d.dealership, h.delivery_line)
        .distinct()
        .join(t.dealerships, h.id == d.dealership)
        .where(~sa.exists().where(n.load == d.load, n.dealership == d.dealership))
    )
    for row in connection.execute(without):
        message = m.IssueDeliveryNote(load=row.load, dealership=row.dealership)
        yield Due(
            check="every departure has its notes",
            subject=f"{row.load} {row.dealership}",
            queue=queues.deliveries(row.delivery_line),
            message=message,
            group=row.dealership,
            order=None,
        )


def _mails(connection: sa.Connection) -> Iterator[Due]:
    queued = sa.select(t.mails.c.id, t.mails.c.order_id, _dealership_of.label("dealership")).where(
        t.mails.c.status == "queued"
    )
    for row in connection.execute(queued):
        yield _due("every due mail is sent once", row, queues.NOTIFICATIONS, m.SendMail(mail=row.id))


def _events(connection: sa.Connection) -> Iterator[Due]:
    e = t.events.c
    for row in connection.execute(sa.select(e.id, e.order_id, e.dealership).where(e.position.is_(None))):
        yield _due("every event has its position", row, queues.EVENTS, m.PublishEvent(event=row.id))


def _due(check: str, row: Any, queue: str, message: m.AnyMessage) -> Due:
    return Due(
        check=check,
        subject=row.id,
        queue=queue,
        message=message,
        group=row.dealership or "",
        order=row.order_id,
    )
