"""The views: what is read, as it stands in JSON. Times are RFC 3339 in UTC with ms, money minor units with a currency."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from dealerflow.domain.money import Money


def moment(ms: int) -> str:
    """Milliseconds since the epoch as `2026-01-31T12:00:00.000Z`."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_or_none(ms: int | None) -> str | None:
    """As `moment`; None stays None."""
    return None if ms is None else moment(ms)


class CustomerView(msgspec.Struct, frozen=True, kw_only=True):
    """The customer. How to reach and bill the customer is for those who need it: see `order_views.sees_contact`."""

    name: str
    language: str
    email: str | None = None
    phone: str | None = None
    company: str | None = None
    address: str | None = None
    tax_id: str | None = None


class VehicleLabels(msgspec.Struct, frozen=True, kw_only=True):
    """The names of what was ordered, in the reader's language; `options` by code."""

    model: str
    trim: str
    colour: str
    options: dict[str, str]


class PriceLineView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the price, as it was when the car was ordered."""

    kind: str
    code: str
    title: str
    amount: Money


class VehicleView(msgspec.Struct, frozen=True, kw_only=True):
    """What was ordered."""

    model: str
    trim: str
    colour: str
    options: tuple[str, ...]
    labels: VehicleLabels
    price_lines: tuple[PriceLineView, ...]
    note: str | None = None


class DetailView(msgspec.Struct, frozen=True, kw_only=True):
    """What an outcome asks for. `choice_titles` names the choices that have a name; `max_length` is for texts."""

    name: str
    title: str
    kind: str
    required: bool
    choices: tuple[str, ...]
    choice_titles: dict[str, str]
    max_length: int | None = None


class OutcomeView(msgspec.Struct, frozen=True, kw_only=True):
    """What the reader may decide now. `blocked` says why it would be refused at this moment."""

    name: str
    title: str
    to: str
    details: tuple[DetailView, ...]
    blocked: str | None = None


class DueView(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be paid next, and before which part of the car's way."""

    amount: Money
    before: str


class PaymentItem(msgspec.Struct, frozen=True, kw_only=True):
    """One payment."""

    id: str
    status: str
    amount: Money
    before: str
    method: str
    received_at: str
    settled_at: str | None = None
    refunded_at: str | None = None
    reason: str | None = None


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """The money side of an order.

    `status` is none, received (being processed), paid (money has arrived, perhaps not all), refund_requested,
    refunded or declined. `paid`: nothing more is due. `open`: a payment would be taken now. `arrived` is what has
    been paid so far.
    """

    status: str
    paid: bool
    due: DueView | None
    open: bool
    arrived: Money | None
    payments: tuple[PaymentItem, ...]


class InvoiceView(msgspec.Struct, frozen=True, kw_only=True):
    """The latest invoice. `status` is none or issued; once it has a number its PDF can be fetched at `url`."""

    status: str = "none"
    number: str | None = None
    url: str | None = None


class HistoryItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. `state` is the state entered, None for what is no move.

    `by` is a name; for customers only whose side it was: customer, dealership or factory.
    """

    at: str
    type: str
    state: str | None
    outcome: str | None
    by: str | None
    details: dict[str, Any]


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order as this reader sees it. Of one that is accepted and not processed yet, what is not known is None.

    `decision` is an outcome that is on its way. `facts` are what the installation's functions found out, e.g.
    `estimated_arrival`.
    """

    id: str
    state: str
    state_title: str
    dealership: str | None = None
    dealership_name: str | None = None
    customer: CustomerView | None = None
    vehicle: VehicleView | None = None
    vin: str | None = None
    line: str | None = None
    load: str | None = None
    price: Money | None = None
    step: str | None = None
    decision: str | None = None
    outcomes: tuple[OutcomeView, ...] = ()
    payment: PaymentView
    invoice: InvoiceView = InvoiceView()
    failures: int | None = None
    placed_at: str | None = None
    entered_at: str | None = None
    facts: dict[str, Any] = {}
    history: tuple[HistoryItem, ...] | UnsetType = UNSET


class DocumentItem(msgspec.Struct, frozen=True, kw_only=True):
    """An issued document in a list."""

    id: str
    kind: str
    number: str
    issued_at: str
    order: str
    payment: str
    total: Money
    url: str


class DocumentLineView(msgspec.Struct, frozen=True, kw_only=True):
    """`rate` in basis points (1900 = 19 %)."""

    text: str
    net: Money
    rate: int
    tax: Money


class PartyView(msgspec.Struct, frozen=True, kw_only=True):
    """The legal seller or the buyer."""

    name: str
    company: str
    address: str
    tax_id: str
    country: str


class DocumentView(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice or a credit note. It never changes."""

    id: str
    kind: str
    number: str
    issued_at: str
    timezone: str
    language: str
    order: str
    payment: str
    seller: PartyView
    buyer: PartyView
    lines: tuple[DocumentLineView, ...]
    net: Money
    tax: Money
    total: Money
    vin: str | None
    refers_to: str | None


class LoadCarView(msgspec.Struct, frozen=True, kw_only=True):
    """One car on a load. `blocked` says why the load could not depart with it now."""

    order: str
    dealership: str
    model: str
    colour: str
    vin: str | None
    state: str
    blocked: str | None = None


class LoadView(msgspec.Struct, frozen=True, kw_only=True):
    """A load. `orders` in the order of `cars`."""

    id: str
    status: str
    plant: str
    carrier: str | None
    created_at: str
    created_by: str
    departed_at: str | None
    orders: tuple[str, ...]
    cars: tuple[LoadCarView, ...]


class NoteCarView(msgspec.Struct, frozen=True, kw_only=True):
    """One car on a delivery note."""

    order: str
    model: str
    colour: str
    vin: str
    customer: str


class DeliveryNoteView(msgspec.Struct, frozen=True, kw_only=True):
    """What one dealership got with one load."""

    id: str
    load: str
    dealership: str
    dealership_name: str
    at: str
    carrier: str | None
    cars: tuple[NoteCarView, ...]


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, at its place in the order of all events."""

    id: str
    position: int
    type: str
    at: str
    order: str | None
    dealership: str | None
    state: str | None
    outcome: str | None
    by: str | None
    details: dict[str, Any]


class StateFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How many orders are in a state now, and how long the stays took that ended lately.

    Times in seconds, None where no stay ended; `sample` is how many were looked at.
    """

    state: str
    title: str
    orders: int
    median_s: float | None
    p95_s: float | None
    sample: int


class FirstPass(msgspec.Struct, frozen=True, kw_only=True):
    """Of the cars whose first quality check was decided lately, how many passed it; `share` from 0 to 1."""

    checked: int
    passed: int
    share: float | None


class DefectFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How often a defect was found lately."""

    code: str
    title: str
    count: int


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """An assembly line. `taken` of its `places` are held by cars; `waiting` orders could be built there."""

    id: str
    name: str
    plant: str
    models: tuple[str, ...] | None
    places: int
    taken: int
    waiting: int


class FiguresView(msgspec.Struct, frozen=True, kw_only=True):
    """How the factory flows. `since` is where "lately" begins."""

    at: str
    since: str
    orders: int
    states: tuple[StateFigures, ...]
    first_pass: FirstPass
    defects: tuple[DefectFigures, ...]
    lines: tuple[LineView, ...]


class WebhookView(msgspec.Struct, frozen=True, kw_only=True):
    """A subscribed URL. `dealership` None is the factory's. `secret` is shown once, when it is made."""

    id: str
    dealership: str | None
    url: str
    event_types: tuple[str, ...]
    active: bool
    created_at: str
    secret: str | UnsetType = UNSET


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one webhook. `response` is the last HTTP status that came back."""

    id: str
    webhook: str
    event: str
    type: str | None
    status: str
    attempts: int
    response: int | None
    error: str | None
    at: str
    delivered_at: str | None
