"""How an order looks to whoever reads it: pure, from what was read of it.

What is whose to see: everybody who sees an order sees what was ordered, its price, its state and its moves. How
to reach and bill the customer is for the customer, the dealership, administrators, operators (who look after mail)
and delivery leads (who arrange transport); the others know the customer by name. Names of staff, defects, notes
and what is no move are for staff.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from dealerflow.application.guards import GUARDS, Surroundings
from dealerflow.application.orders import SYSTEM, choices, roles_towards
from dealerflow.application.queries import Reader
from dealerflow.application.records import Line, Payment
from dealerflow.application.views import (
    CustomerView,
    DetailView,
    DueView,
    HistoryItem,
    InvoiceView,
    OrderView,
    OutcomeView,
    PaymentItem,
    PaymentView,
    PriceLineView,
    VehicleLabels,
    VehicleView,
    moment,
    moment_or_none,
)
from dealerflow.domain import events
from dealerflow.domain.billing import due
from dealerflow.domain.events import Event
from dealerflow.domain.languages import Text, in_language
from dealerflow.domain.money import Money
from dealerflow.domain.orders import RECEIVED, Customer, NewOrder, Order, Revision
from dealerflow.domain.people import Caller
from dealerflow.domain.quality import DefectCode
from dealerflow.pipeline.definition import CUSTOMER, Detail, Outcome, Pipeline, State

CONTACT_ROLES = ("admin", "operator", "delivery_lead")
CUSTOMER_FACTS = ("estimated_arrival",)
RECEIVED_TITLE: Text = {"en": "Received", "es": "Recibido"}
INVOICE_URL = "/api/v1/orders/{}/invoice"


class StaffMember(msgspec.Struct, frozen=True, kw_only=True):
    """Who stands behind an account's id in a history. `dealer`: works at a dealership."""

    name: str
    dealer: bool


class OrderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was read of one order. `invoice` is the number of the latest one. `history` None: not asked for."""

    order: Order
    customer: Customer
    revision: Revision
    dealership_name: str
    vin: str | None = None
    payments: tuple[Payment, ...] = ()
    invoice: str | None = None
    history: tuple[Event, ...] | None = None
    staff: dict[str, StaffMember] = {}


class FactoryAtOnce:
    """The factory as it was read once for a whole page of orders; what guards may look at (`Surroundings`)."""

    def __init__(self, lines: Sequence[Line], defects: Sequence[DefectCode]) -> None:
        self._lines = {line.id: line for line in lines}
        self._defects = list(defects)

    @property
    def factory(self) -> FactoryAtOnce:
        """Itself."""
        return self

    def line(self, line_id: str) -> Line | None:
        """The line, if there is one of this id."""
        return self._lines.get(line_id)

    def lines(self) -> list[Line]:
        """All lines, by id."""
        return list(self._lines.values())

    def defect_codes(self) -> list[DefectCode]:
        """All codes, in their order."""
        return self._defects


def sees_contact(caller: Caller, order: Order) -> bool:
    """Whether the caller may know how to reach and bill the customer."""
    own = caller.customer_of == order.id or bool({order.dealership, ""} & caller.dealerships)
    return own or caller.has(*CONTACT_ROLES)


def is_customer(caller: Caller, order: Order) -> bool:
    """Whether the order is seen with a customer's eyes only."""
    return caller.account is None and caller.customer_of == order.id


def show_order(facts: OrderFacts, reader: Reader, pipeline: Pipeline, now: Surroundings) -> OrderView:
    """The order for this reader, who must be allowed to see it."""
    order, language = facts.order, reader.language_for(facts.customer.language)
    state = pipeline.states.get(order.state)
    view = OrderView(
        id=order.id,
        state=order.state,
        state_title=in_language(state.title, language) if state else order.state,
        dealership=order.dealership,
        dealership_name=facts.dealership_name,
        customer=_customer(facts.customer, contact=sees_contact(reader.caller, order)),
        vehicle=show_vehicle(facts.revision, language),
        vin=facts.vin,
        line=order.line,
        load=order.load,
        price=Money(order.price, order.currency),
        step=order.step,
        decision=order.decision,
        outcomes=_outcomes(facts, reader.caller, state, now, language) if state else (),
        payment=_payment(order, facts.payments, state),
        invoice=_invoice(order.id, facts.invoice),
        failures=order.failures,
        placed_at=moment(order.placed_at),
        entered_at=moment(order.entered_at),
        facts=_facts(order, reader.caller),
    )
    if facts.history is None:
        return view
    return msgspec.structs.replace(view, history=_history(facts, facts.history, reader.caller))


def show_received(order_id: str, new: NewOrder | None, language: str | None) -> OrderView:
    """An order that was accepted and is not processed yet; `new` is what intake still has of it, if anything."""
    tongue = language or (new.customer.language if new else "en")
    view = OrderView(
        id=order_id,
        state=RECEIVED,
        state_title=in_language(RECEIVED_TITLE, tongue),
        payment=PaymentView(status="none", paid=False, due=None, open=False, arrived=None, payments=()),
        history=(),
    )
    if new is None:
        return view
    return msgspec.structs.replace(
        view,
        dealership=new.dealership,
        customer=_customer(new.customer, contact=True),
        vehicle=show_vehicle(new.revision, tongue),
        price=Money(new.revision.price, new.revision.currency),
        placed_at=moment(new.at),
    )


def _customer(customer: Customer, *, contact: bool) -> CustomerView:
    if not contact:
        return CustomerView(name=customer.name, language=customer.language)
    return msgspec.convert(customer, CustomerView, from_attributes=True)


def show_vehicle(revision: Revision, language: str) -> VehicleView:
    """What was ordered, with the names copied into the order."""
    named = {(line.kind, line.code): in_language(line.title, language) for line in revision.lines}
    return VehicleView(
        model=revision.model,
        trim=revision.trim,
        colour=revision.colour,
        options=revision.options,
        labels=VehicleLabels(
            model=named.get(("model", revision.model), revision.model),
            trim=named.get(("trim", revision.trim), revision.trim),
            colour=named.get(("colour", revision.colour), revision.colour),
            options={code: named.get(("option", code), code) for code in revision.options},
        ),
        price_lines=tuple(
            PriceLineView(
                kind=line.kind,
                code=line.code,
                title=in_language(line.title, language),
                amount=Money(line.amount, revision.currency),
            )
            for line in revision.lines
        ),
        note=revision.note,
    )


def _facts(order: Order, caller: Caller) -> dict[str, Any]:
    if not is_customer(caller, order):
        return order.facts
    return {name: order.facts[name] for name in CUSTOMER_FACTS if name in order.facts}


# --- what may be decided ---


def _outcomes(
    facts: OrderFacts, caller: Caller, state: State, now: Surroundings, language: str
) -> tuple[OutcomeView, ...]:
    order = facts.order
    if order.decision is not None:
        return ()
    roles = roles_towards(now, caller, order)
    open_to = [o for o in state.outcomes.values() if o.via == "person" and roles & set(o.by)]
    offered = choices(now, order) if open_to else {}
    shown = show_outcomes(open_to, now, offered, language)
    return tuple(
        msgspec.structs.replace(view, blocked=blocked(now, order, outcome))
        for view, outcome in zip(shown, open_to, strict=True)
    )


def show_outcomes(
    outcomes: Collection[Outcome], now: Surroundings, offered: Mapping[str, Collection[str]], language: str
) -> list[OutcomeView]:
    """Outcomes in this language. `offered` are the choices that exist now, by source: "lines", "defects"."""
    titles = _choice_titles(now, language)
    return [
        OutcomeView(
            name=outcome.name,
            title=in_language(outcome.title, language),
            to=outcome.to,
            details=tuple(_detail(detail, offered, titles, language) for detail in outcome.details),
        )
        for outcome in outcomes
    ]


def blocked(now: Surroundings, order: Order, outcome: Outcome) -> str | None:
    """Why this outcome would be refused now, whatever details are given with it."""
    reasons = (GUARDS[guard.name].blocks(now, order, guard.argument, None) for guard in outcome.guards)
    return next((reason for reason in reasons if reason), None)


def _choice_titles(now: Surroundings, language: str) -> dict[str, dict[str, str]]:
    return {
        "lines": {line.id: line.name for line in now.factory.lines()},
        "defects": {code.code: in_language(code.title, language) for code in now.factory.defect_codes()},
    }


def _detail(
    detail: Detail,
    offered: Mapping[str, Collection[str]],
    titles: dict[str, dict[str, str]],
    language: str,
) -> DetailView:
    codes: Collection[str] = detail.choices if detail.source is None else offered.get(detail.source, ())
    named = titles.get(detail.source or "", {})
    own = {code: in_language(title, language) for code, title in detail.choice_titles.items()}
    return DetailView(
        name=detail.name,
        title=in_language(detail.title, language),
        kind=detail.kind,
        required=detail.required,
        choices=tuple(codes),
        choice_titles={code: title for code in codes if (title := own.get(code) or named.get(code))},
        max_length=detail.max_length if detail.kind == "text" else None,
    )


# --- money ---


def _payment(order: Order, payments: Sequence[Payment], state: State | None) -> PaymentView:
    next_due = due(order.terms, order.price, order.paid)
    under_way = any(payment.status == "received" for payment in payments)
    takes = state is not None and state.payments == "open"
    over = state is not None and state.final and not takes  # declined or cancelled: nothing is owed any more
    asked = None
    if next_due is not None and not over:
        asked = DueView(amount=Money(next_due[0], order.currency), before=next_due[1])
    return PaymentView(
        status=_payment_status(payments),
        paid=next_due is None,
        due=asked,
        open=takes and next_due is not None and not under_way,
        arrived=Money(order.paid, order.currency),
        payments=tuple(_payment_item(payment) for payment in payments),
    )


def _payment_status(payments: Sequence[Payment]) -> str:
    found = {payment.status for payment in payments}
    order = ("received", "refund_requested", "paid", "refunded", "declined")
    return next((status for status in order if status in found), "none")


def _payment_item(payment: Payment) -> PaymentItem:
    return PaymentItem(
        id=payment.id,
        status=payment.status,
        amount=Money(payment.amount, payment.currency),
        before=payment.before,
        method=payment.method,
        received_at=moment(payment.received_at),
        settled_at=moment_or_none(payment.settled_at),
        refunded_at=moment_or_none(payment.refunded_at),
        reason=payment.reason if payment.status == "declined" else None,
    )


def _invoice(order_id: str, number: str | None) -> InvoiceView:
    if number is None:
        return InvoiceView()
    return InvoiceView(status="issued", number=number, url=INVOICE_URL.format(order_id))


# --- what happened ---


def _history(facts: OrderFacts, happened: Sequence[Event], caller: Caller) -> tuple[HistoryItem, ...]:
    if is_customer(caller, facts.order):
        moves = (event for event in happened if event.type in events.MOVES)
        return tuple(_for_customer(event, facts.staff) for event in moves)
    return tuple(_for_staff(event, facts.staff) for event in happened)


def _for_staff(event: Event, staff: dict[str, StaffMember]) -> HistoryItem:
    by = staff[event.by].name if event.by in staff else event.by
    return _item(event, by, event.details)


def _for_customer(event: Event, staff: dict[str, StaffMember]) -> HistoryItem:
    """A decline or a cancellation is explained to the customer; an administrator's reasons are internal."""
    reason = event.details.get("reason") if event.type == events.ORDER_MOVED else None
    return _item(event, _side(event.by, staff), {"reason": reason} if reason else {})


def _side(by: str | None, staff: dict[str, StaffMember]) -> str | None:
    if by is None or by == CUSTOMER:
        return by
    member = staff.get(by)
    return "dealership" if member and member.dealer else "factory"


def _item(event: Event, by: str | None, details: dict[str, Any]) -> HistoryItem:
    return HistoryItem(
        at=moment(event.at), type=event.type, state=event.state, outcome=event.outcome, by=by, details=details
    )


def staff_ids(history: Sequence[Event]) -> set[str]:
    """The accounts whose names a history needs."""
    return {event.by for event in history if event.by is not None} - {CUSTOMER, SYSTEM}
