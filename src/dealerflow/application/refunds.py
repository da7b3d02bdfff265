"""Refunds: asked for when a paid order ends without a car, recorded by a person, answered with a credit note."""

from __future__ import annotations

from msgspec.structs import replace

from dealerflow.application import queues
from dealerflow.application.mails import ask_for_mail, office_of
from dealerflow.application.records import Payment
from dealerflow.application.work import UnitOfWork
from dealerflow.domain import events
from dealerflow.domain.billing import IMPORTED
from dealerflow.domain.errors import Conflict, Forbidden, NotFound
from dealerflow.domain.events import Event
from dealerflow.domain.messages import IssueCreditNote
from dealerflow.domain.orders import Order
from dealerflow.domain.people import Caller


def ask_for_refunds(work: UnitOfWork, order: Order, *, by: str) -> None:
    """Ask for each recorded payment of the order to be given back. The order must be locked."""
    for payment in work.billing.payments(order.id):
        if payment.status == "paid":
            ask_for_refund(work, order, payment, by=by)


def ask_for_refund(work: UnitOfWork, order: Order, payment: Payment, *, by: str) -> None:
    """Ask the dealership to give this payment back."""
    if not work.billing.settle(replace(payment, status="refund_requested"), expected="paid"):
        raise Conflict(f"payment {payment.id} changed at the same time")
    _record(work, order, events.REFUND_REQUESTED, payment, by)
    facts = {"refund": payment.amount, "currency": payment.currency}
    office = office_of(work.people.dealership(order.dealership))
    ask_for_mail(work, "refund_requested", office, cause=payment.id, about=order, facts=facts)


def record_refund(work: UnitOfWork, caller: Caller, payment_id: str, reference: str | None) -> Payment:
    """Note that the money has been given back; a credit note follows. Open to the dealership and the administrator.

    Raises NotFound (none, or not visible), Forbidden, Conflict (no refund is asked for).
    """
    payment = work.billing.payment(payment_id)
    order = work.orders.get(payment.order_id, lock=True)
    if not caller.sees(order.id, order.dealership, order.link_number):
        raise NotFound(f"there is no payment {payment_id}")
    if not (caller.has("admin") or order.dealership in caller.dealerships or "" in caller.dealerships):
        raise Forbidden("a refund is recorded by the dealership or an administrator")
    refunded = replace(payment, status="refunded", refunded_at=work.clock.now(), reason=reference)
    if payment.status != "refund_requested" or not work.billing.settle(refunded, expected="refund_requested"):
        raise Conflict(
            f"no refund is asked for: payment {payment.id} is “{work.billing.payment(payment.id).status}”"
        )
    work.orders.add_paid(order.id, -payment.amount)
    _record(work, order, events.REFUND_RECORDED, refunded, caller.name)
    if payment.method != IMPORTED:  # who wrote the invoice writes the credit note
        work.send(
            queues.INVOICES, IssueCreditNote(payment=payment.id), group=order.dealership, order=order.id
        )
    return refunded


def _record(work: UnitOfWork, order: Order, type_: str, payment: Payment, by: str) -> None:
    details = {"payment": payment.id, "amount": payment.amount, "currency": payment.currency}
    work.happenings.record(
        Event(
            id=work.ids.new("evt"),
            type=type_,
            at=work.clock.now(),
            dealership=order.dealership,
            order=order.id,
            by=by,
            details=details,
        )
    )
