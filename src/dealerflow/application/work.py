"""The unit of work: one message, one transaction. What a handler writes, sends and notes commits together,
at the edge.

A unit of work gathers what it is told to add and writes it in bulk before it commits, so that a batch of
messages costs a few statements. What one handler changed is seen by the next one in the same unit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, Protocol

from dealerflow.application.calls import KeptAnswers
from dealerflow.application.ports import Clock, Ids
from dealerflow.application.records import (
    Dealership,
    Execution,
    Line,
    Load,
    Mail,
    Payment,
    PaymentStatus,
    QualityFailure,
    Seller,
    Vehicle,
    VehicleStatus,
    Webhook,
    WebhookDelivery,
)
from dealerflow.domain.billing import Document, DocumentKind
from dealerflow.domain.events import Event
from dealerflow.domain.messages import AnyMessage, Claimed
from dealerflow.domain.orders import Customer, NewOrder, Order, Revision
from dealerflow.domain.people import Account
from dealerflow.domain.quality import DefectCode
from dealerflow.domain.shipping import DeliveryNote
from dealerflow.pipeline.definition import Pipeline

if TYPE_CHECKING:  # reference data is told in the terms of this file
    from dealerflow.application.reference import Reference


class Orders(Protocol):
    """Orders, their customers and what was ordered."""

    def add(self, new: NewOrder, order: Order, *, silent: bool = False) -> None:
        """Store a new order with its first entry. `silent`: the state's actions were left out."""

    def get(self, order_id: str, *, lock: bool = False) -> Order:
        """Raises NotFound. `lock` holds the row until the unit of work ends."""

    def customer(self, order_id: str) -> Customer: ...

    def revision(self, order_id: str) -> Revision:
        """The newest revision."""

    def claim_step(self, order: Order, outcome: str, by: str) -> bool:
        """Claim `order.step` for this outcome; False if the step is over or was decided. Also stores
        `line_place`.
        """

    def enter(
        self, order: Order, left: str, *, outcome: str | None, by: str, closes: bool, silent: bool = False
    ) -> bool:
        """Write the order's new state and step if it still stands at step `left`, and note the entry; False
        if it doesn't.

        `closes`: nothing follows this state. `silent`: its actions were left out.
        """

    def give_back(self, order: Order) -> None:
        """Undo `claim_step`: the step may be decided anew. Also stores `line_place`."""

    def times_in(self, order_id: str, state: str) -> int:
        """How often the order entered the state before now."""

    def add_paid(self, order_id: str, amount: int) -> None: ...

    def put_on_load(self, order_id: str, load: str, states: Collection[str]) -> bool:
        """Compare-and-set: False unless the order waits, undecided, in one of these states and on no load."""

    def take_off_load(self, load: str, keep: Collection[str] = ()) -> None: ...

    def on_load(self, load: str) -> list[Order]:
        """Locked, by id."""

    def set_facts(self, order_id: str, facts: dict[str, Any]) -> None:
        """Merge these facts into the order's."""

    def renew_link(self, order_id: str) -> int:
        """Make the customer's link void; the number of the new one."""

    def move_pipeline(self, order_id: str, step: str, pipeline: str) -> bool:
        """Compare-and-set: False unless the order still waits, undecided, in this step."""

    def following(self, pipeline: str, *, after: str, limit: int) -> list[Order]:
        """Orders that follow this pipeline, by id, from the one after `after` on."""


class Factory(Protocol):
    """Lines, vehicles and quality."""

    def line(self, line_id: str) -> Line | None: ...

    def lines(self) -> list[Line]: ...

    def take_place(self, line_id: str) -> bool:
        """Compare-and-set: False when the line is full."""

    def release_place(self, line_id: str) -> None: ...

    def next_serial(self, plant: str) -> tuple[str, int]:
        """The plant's VIN code and the next number for a VIN."""

    def vin_is_used(self, vin: str) -> bool:
        """Whether a car ever had this VIN."""

    def add_vehicle(self, vehicle: Vehicle) -> None:
        """Raises Conflict when the VIN was ever used."""

    def vehicle(self, vehicle_id: str) -> Vehicle: ...

    def set_vehicle_status(self, vehicle_id: str, status: VehicleStatus) -> None: ...

    def defect_codes(self) -> list[DefectCode]: ...

    def add_failure(self, failure: QualityFailure) -> None: ...

    def failure(self, step: str) -> QualityFailure | None:
        """The failure that was recorded at this step of a quality check."""

    def failures(self, order_id: str) -> list[QualityFailure]:
        """All failures of the order, oldest first."""

    def add_receipt(
        self, *, step: str, order_id: str, condition: str, note: str | None, at: int, by: str
    ) -> None: ...


class Billing(Protocol):
    """Payments and documents."""

    def add_payment(self, payment: Payment) -> None:
        """Raises Conflict while another payment of the order is being processed."""

    def payment(self, payment_id: str) -> Payment: ...

    def payments(self, order_id: str) -> list[Payment]: ...

    def settle(self, payment: Payment, *, expected: PaymentStatus) -> bool:
        """Compare-and-set on the status."""

    def document_for(self, kind: DocumentKind, payment_id: str) -> Document | None: ...

    def document(self, document_id: str) -> Document | None: ...

    def next_running(self, seller: str, kind: DocumentKind, year: int) -> tuple[int, int]:
        """(running number, restored series); the series stays locked until the unit of work ends."""

    def add_document(
        self, document: Document, *, seller: str, dealership: str, year: int, restored: int, running: int
    ) -> None: ...


class Shipping(Protocol):
    """Loads, departures and delivery notes."""

    def add_load(self, load: Load) -> None: ...

    def load(self, load_id: str, *, lock: bool = False) -> Load:
        """Raises NotFound."""

    def change_carrier(self, load_id: str, carrier: str | None) -> None: ...

    def depart(self, load_id: str, at: int, cars: Iterable[tuple[str, str]]) -> bool:
        """Compare-and-set from open to departed, with the (order, dealership) pairs that left."""

    def departed(self, load_id: str, dealership: str) -> list[str]:
        """The orders that left with this load for this dealership."""

    def note_for(self, load_id: str, dealership: str) -> DeliveryNote | None: ...

    def note(self, note_id: str) -> DeliveryNote | None: ...

    def add_note(self, note: DeliveryNote) -> None: ...


class People(Protocol):
    """Dealerships, sellers and accounts."""

    def dealership(self, dealership_id: str) -> Dealership: ...

    def seller(self, seller_id: str) -> Seller: ...

    def account(self, account_id: str, *, lock: bool = False) -> Account | None:
        """`lock` holds the row until the unit of work ends: who writes it again must not undo another's change."""

    def account_by_email(self, email: str) -> Account | None:
        """The account that logs in with this address, active or not."""

    def accounts_with(self, role: str, scope: str | None = None) -> list[Account]:
        """Active accounts with the role (in this scope or in all scopes), by id."""

    def accounts_in(self, scope: str) -> list[Account]:
        """Every account, active or not, with a role in exactly this scope, by id."""


class Happenings(Protocol):
    """Events, mails, topics and webhooks."""

    def record(self, event: Event) -> None:
        """Also sends `PublishEvent`."""

    def event(self, event_id: str) -> Event | None: ...

    def entered(self, order_id: str, step: str) -> Event | None:
        """The move with which the order entered this step."""

    def publish(self, event_ids: Sequence[str]) -> list[Event]:
        """Give these, and what was recorded before them, their positions in order of recording; those that got one
        now, with it. One publisher at a time.
        """

    def add_mail(self, mail: Mail) -> None: ...

    def mail(self, mail_id: str) -> Mail | None: ...

    def mail_sent(
        self, mail_id: str, *, at: int, subject: str, status: Literal["sent", "refused"]
    ) -> None: ...

    def subscribers(self, topic: str) -> list[tuple[str, str]]:
        """(kind, target) of each, kind one of role, address, url, queue."""

    def webhooks(self) -> list[Webhook]:
        """The active ones."""

    def webhook(self, webhook_id: str) -> Webhook | None: ...

    def add_webhook(self, webhook: Webhook) -> None: ...

    def end_webhook(self, webhook_id: str) -> None:
        """Make it inactive, for good. One that has ended stays so."""

    def add_delivery(self, delivery: WebhookDelivery) -> None: ...

    def delivery(self, delivery_id: str) -> WebhookDelivery | None: ...

    def set_delivery(self, delivery: WebhookDelivery) -> None: ...


class Executions(Protocol):
    """The state machines outside that follow the orders, where there are any (Step Functions)."""

    def begin(self, order: Order) -> None:
        """The order stands where no state machine brought it (placed, imported, put by hand, moved to another pipeline): let
        one stand there too. Where there are none outside this does nothing: the order's row is all.
        """

    def of(self, order_id: str) -> Execution | None:
        """The one that follows the order now; locked with the order's row, not by itself."""

    def begun(self, execution: Execution) -> None:
        """A new execution follows the order. One that reported its arrival already keeps its token."""

    def arrived(self, execution: Execution) -> None:
        """The execution entered a state, and waits there with its token."""


class Pipelines(Protocol):
    """The pipeline versions that orders follow."""

    @property
    def current(self) -> Pipeline:
        """The one that new orders start with."""

    def get(self, pipeline_id: str) -> Pipeline: ...


class Sending(Protocol):
    """The part of a unit of work that sends."""

    def send(
        self, queue: str, message: AnyMessage, *, group: str = "", order: str | None = None, delay_ms: int = 0
    ) -> None:
        """Put a message on a queue; it is there when (and only if) this unit of work commits."""


class UnitOfWork(Sending, Protocol):
    """Everything that a handler may touch."""

    @property
    def clock(self) -> Clock: ...

    @property
    def ids(self) -> Ids: ...

    @property
    def pipelines(self) -> Pipelines: ...

    @property
    def orders(self) -> Orders: ...

    @property
    def factory(self) -> Factory: ...

    @property
    def billing(self) -> Billing: ...

    @property
    def shipping(self) -> Shipping: ...

    @property
    def people(self) -> People: ...

    @property
    def happenings(self) -> Happenings: ...

    @property
    def reference(self) -> Reference: ...

    @property
    def executions(self) -> Executions: ...

    @property
    def calls(self) -> KeptAnswers: ...

    def acknowledge(self, claimed: Sequence[Claimed]) -> None:
        """Take these off their queue, in this transaction. Raises LeaseLost if one is no longer ours."""

    def savepoint(self) -> AbstractContextManager[None]:
        """A part that can fail alone: what it wrote and sent is undone when the block raises."""


class Database(Protocol):
    """Gives units of work. Raises Outage when the database is away."""

    def begin(self) -> AbstractContextManager[UnitOfWork]:
        """One transaction that commits at the end of the block, and is undone when the block raises."""

    def read(self) -> AbstractContextManager[UnitOfWork]:
        """A consistent view for reading; nothing is written."""
