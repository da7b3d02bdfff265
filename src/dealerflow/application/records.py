"""What the repositories of a unit of work keep beside orders and documents: one frozen record for each row."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from dealerflow.domain.billing import Term

PaymentStatus = Literal["received", "paid", "declined", "refund_requested", "refunded"]
VehicleStatus = Literal["building", "built", "scrapped", "delivered"]
RecipientKind = Literal["customer", "dealership", "account", "address"]


class Seller(msgspec.Struct, frozen=True, kw_only=True):
    """The legal entity behind a dealership. `tax_rate` in basis points, `number_prefix` begins its document
    numbers.
    """

    id: str
    name: str
    address: str
    tax_id: str
    country: str
    timezone: str
    currency: str
    tax_rate: int
    number_prefix: str


class Dealership(msgspec.Struct, frozen=True, kw_only=True):
    """A dealership. `models` None: it sells every model."""

    id: str
    name: str
    email: str
    seller: str
    delivery_line: str
    models: tuple[str, ...] | None
    terms: tuple[Term, ...]
    language: str = "en"
    active: bool = True


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An assembly line. `models` None: it builds every model. `taken` of its `places` are held by cars."""

    id: str
    plant: str
    name: str
    models: tuple[str, ...] | None
    places: int
    taken: int = 0

    def builds(self, model: str) -> bool:
        """Whether this line can build the model."""
        return self.models is None or model in self.models


class Vehicle(msgspec.Struct, frozen=True, kw_only=True):
    """A car that was begun. Its VIN is unique for ever, also when it is scrapped."""

    id: str
    vin: str
    plant: str
    status: VehicleStatus
    order_id: str | None
    at: int


class QualityFailure(msgspec.Struct, frozen=True, kw_only=True):
    """One failed quality check and its defects."""

    id: str
    order_id: str
    vehicle: str | None
    step: str
    at: int
    by: str
    note: str | None
    defects: tuple[str, ...]


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """Money of a customer. `amount` in minor units; `reference` is the provider's, `reason` says why it was
    declined.
    """

    id: str
    order_id: str
    amount: int
    currency: str
    before: str
    method: str
    status: PaymentStatus
    received_at: int
    settled_at: int | None = None
    reference: str | None = None
    reason: str | None = None
    refunded_at: int | None = None


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Cars that leave the plant together."""

    id: str
    plant: str
    carrier: str | None
    status: Literal["open", "departed"]
    created_by: str
    created_at: int
    departed_at: int | None = None


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One mail to one recipient. `facts` holds what was so when it was asked for; no personal data."""

    id: str
    key: str
    order_id: str | None
    template: str
    recipient_kind: RecipientKind
    recipient: str
    language: str
    status: Literal["queued", "sent", "refused"]
    at: int
    facts: dict[str, Any] = {}
    attachment: str | None = None
    subject: str | None = None
    sent_at: int | None = None


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A subscribed URL. `dealership` "" is the factory's and sees every event. No types: all types."""

    id: str
    dealership: str
    url: str
    event_types: tuple[str, ...]
    secret: str
    active: bool
    created_at: int


class WebhookDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one webhook. `response` is the last HTTP status."""

    id: str
    webhook: str
    event: str
    status: Literal["queued", "delivered", "failed"]
    at: int
    attempts: int = 0
    response: int | None = None
    error: str | None = None
    delivered_at: int | None = None


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """Where an order's state machine outside stands: it waits at `step` of the order with `token`, once it has one.

    `entered` is when it entered that state, in its own words. `restarts` counts the executions before this one.
    """

    order_id: str
    arn: str
    step: str
    started_at: int
    restarts: int = 0
    entered: str | None = None
    token: str | None = None
