"""Payments and refunds."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response
from litestar.params import FromPath, RawBody
from msgspec import Meta

from dealerflow.application.access import require
from dealerflow.application.calls import Answer, answer
from dealerflow.application.orders import visible
from dealerflow.application.payments import PaymentForm, receive_payment
from dealerflow.application.records import Payment
from dealerflow.application.refunds import record_refund
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.money import Money
from dealerflow.web.api.orders import about_order
from dealerflow.web.auth import caller_of
from dealerflow.web.body import read_form
from dealerflow.web.idempotency import idempotent
from dealerflow.web.reading import known_caller
from dealerflow.web.routes import KEY, post
from dealerflow.web.system import HttpRequest


class RefundForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bank's or provider's reference of the refund, if there is one."""

    reference: Annotated[str, Meta(max_length=200)] | None = None


class PaymentTaken(msgspec.Struct, frozen=True, kw_only=True):
    """A payment as it stands. `before` is the part of the car's way for which it is due."""

    id: str
    order: str
    status: str
    amount: Money
    before: str


@post(
    "/orders/{order_id:str}/payments",
    form=PaymentForm,
    answers={202: PaymentTaken},
    errors=(409,),
    access=KEY,
)
def payments(request: HttpRequest, order_id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Pay what is due next. It is charged and recorded soon; `payment` of the order shows the result."""
    caller = known_caller(request, order_id)

    def run(work: UnitOfWork) -> Answer:
        visible(work, caller, order_id)
        return answer(202, _taken(receive_payment(work, caller, order_id, read_form(PaymentForm, body))))

    return about_order(request, order_id, body, caller, run)


@post("/payments/{payment_id:str}/refund", form=RefundForm, answers={202: PaymentTaken}, errors=(409,))
def refund(request: HttpRequest, payment_id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Note that a payment whose refund was asked for has been given back; a credit note follows. An empty body will do."""
    caller = caller_of(request)
    require(caller, "dealer", "dealer_admin", "admin")
    form = read_form(RefundForm, body if body.strip() else b"{}")

    def run(work: UnitOfWork) -> Answer:
        return answer(202, _taken(record_refund(work, caller, payment_id, form.reference)))

    return idempotent(request, body, caller, run)


def _taken(payment: Payment) -> PaymentTaken:
    return PaymentTaken(
        id=payment.id,
        order=payment.order_id,
        status=payment.status,
        amount=Money(payment.amount, payment.currency),
        before=payment.before,
    )


ROUTES = (payments, refund)
