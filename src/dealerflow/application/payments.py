"""Payments. They know nothing of invoices: a recorded payment puts a message on the invoices queue, and that is all.

receive (HTTP)  ->  TakePayment  ->  charge (outside)  ->  recorded  ->  IssueInvoice
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec
from msgspec.structs import replace

from dealerflow.application import queues
from dealerflow.application.orders import SYSTEM, record, visible
from dealerflow.application.records import Payment
from dealerflow.application.refunds import ask_for_refund
from dealerflow.application.tracking import works_for
from dealerflow.application.work import UnitOfWork
from dealerflow.domain import events
from dealerflow.domain.billing import due
from dealerflow.domain.errors import Conflict, Fault, Forbidden, Invalid
from dealerflow.domain.messages import Envelope, IssueInvoice, TakePayment, message_of
from dealerflow.domain.money import Money, shown
from dealerflow.domain.orders import Order
from dealerflow.domain.people import Caller


class PaymentForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payment as the customer or the dealership makes it. Without `amount` it is what is due next."""

    method: Literal["test_card"]
    amount: Money | None = None


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider answered. `reference` is the provider's own id; `declined` says why it was refused."""

    reference: str | None = None
    declined: str | None = None


class PaymentProvider(Protocol):
    """Takes money."""

    def charge(self, key: str, method: str, amount: int, currency: str) -> Charge:
        """Take `amount` minor units. The same `key` again is not charged again and gives the same answer. Raises Outage."""


def receive_payment(work: UnitOfWork, caller: Caller, order_id: str, form: PaymentForm) -> Payment:
    """Store a payment as received and queue it.

    Raises NotFound, Forbidden, Conflict (nothing due, or one under way), Invalid (an amount that is not due).
    """
    order = visible(work, caller, order_id, lock=True)
    if caller.customer_of != order.id and not works_for(caller, order):
        raise Forbidden("a payment is made by the customer or the dealership")
    amount, before = _due(work, order)
    if form.amount is not None and form.amount != Money(amount, order.currency):
        raise Invalid(
            [
                Fault(
                    "/amount",
                    f"what is due next is {shown(amount, order.currency)} (before {before}); pay that, or leave amount out",
                )
            ]
        )
    payment = Payment(
        id=work.ids.new("pay"),
        order_id=order.id,
        amount=amount,
        currency=order.currency,
        before=before,
        method=form.method,
        status="received",
        received_at=work.clock.now(),
    )
    work.billing.add_payment(payment)
    record(work, order, events.PAYMENT_RECEIVED, by=caller.name, details=_details(payment))
    work.send(queues.PAYMENTS, TakePayment(payment=payment.id), group=order.dealership, order=order.id)
    return payment


def _due(work: UnitOfWork, order: Order) -> tuple[int, str]:
    state = work.pipelines.get(order.pipeline).state(order.state)
    if state.payments == "closed":
        raise Conflict(f"nothing can be paid while the order is in “{order.state}”", state=order.state)
    if any(payment.status == "received" for payment in work.billing.payments(order.id)):
        raise Conflict("a payment of this order is being processed; wait for its result")
    next_due = due(order.terms, order.price, order.paid)
    if next_due is None:
        raise Conflict("nothing is due: the order is paid")
    return next_due


def _details(payment: Payment) -> dict[str, Any]:
    return {
        "payment": payment.id,
        "amount": payment.amount,
        "currency": payment.currency,
        "before": payment.before,
    }


class TakePayments:
    """Charges a received payment at the provider and records the answer."""

    def __init__(self, provider: PaymentProvider) -> None:
        self._provider = provider

    def prepare(self, work: UnitOfWork, envelope: Envelope) -> Payment | None:
        """The payment, unless it was settled already."""
        payment = work.billing.payment(message_of(envelope, TakePayment).payment)
        return payment if payment.status == "received" else None

    def perform(self, payment: Payment, envelope: Envelope) -> Charge:
        """The one call to the outside; the payment's id keeps it from being charged twice."""
        return self._provider.charge(payment.id, payment.method, payment.amount, payment.currency)

    def record(self, work: UnitOfWork, envelope: Envelope, answer: Charge) -> None:
        """Record what the provider answered; a recorded payment gets its invoice from the invoices queue."""
        payment = work.billing.payment(message_of(envelope, TakePayment).payment)
        order = work.orders.get(payment.order_id, lock=True)
        status: Literal["paid", "declined"] = "declined" if answer.declined else "paid"
        settled = replace(
            payment,
            status=status,
            settled_at=work.clock.now(),
            reference=answer.reference,
            reason=answer.declined,
        )
        if not work.billing.settle(settled, expected="received"):
            return
        if settled.status == "declined":
            record(
                work,
                order,
                events.PAYMENT_DECLINED,
                by=SYSTEM,
                details={**_details(payment), "reason": answer.declined},
            )
            return
        work.orders.add_paid(order.id, payment.amount)
        record(work, order, events.PAYMENT_RECORDED, by=SYSTEM, details=_details(payment))
        work.send(queues.INVOICES, IssueInvoice(payment=payment.id), group=order.dealership, order=order.id)
        if "ask_refund" in work.pipelines.get(order.pipeline).state(order.state).effects:
            ask_for_refund(work, order, settled, by="dealerflow")
