"""Taking orders, apart from the main database: what intake needs of the world, and what an accepted order becomes.

    body ──check──> AcceptedForm ──new_order──> NewOrder ──spool──> on disk ──> 202
              against the snapshot in memory

The rules are in `domain.intake`; here is what the single-machine web process and a Lambda share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from dealerflow.application.queues import ORDERS
from dealerflow.domain.intake import AcceptedForm, Snapshot
from dealerflow.domain.messages import AnyMessage, Envelope, PlaceOrder
from dealerflow.domain.money import Money
from dealerflow.domain.orders import RECEIVED, Customer, NewOrder, Revision

_OPTION = "option"


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What an append came to. `replayed`: the key was known, nothing was appended, and `answer` is the first one's."""

    position: int | None
    answer: bytes
    replayed: bool = False


Done = Callable[[Accepted | Exception], None]


class Spool(Protocol):
    """Where accepted orders are kept until they are processed: intake's own store. Only intake writes to it."""

    @property
    def id(self) -> str:
        """The drainer remembers its position in the spool with this id."""

    @property
    def last(self) -> int:
        """The position of the newest order, 0 if there never was one."""

    def sent_at(self, position: int) -> int | None:
        """When (ms) the order at this position, or else the next one, was accepted. Raises Unavailable."""

    def append(
        self,
        message: AnyMessage,
        done: Done,
        *,
        at: int,
        answer: bytes = b"",
        key: str | None = None,
        request: str = "",
    ) -> None:
        """Append; `done` is called once, in any thread, when the message is on disk or cannot be.

        `at` in ms. With a `key` the `answer` is kept for a day: the same key with the same `request` gives that answer again,
        with another it gives KeyReused. Unavailable when nothing can be written now; then nothing was.
        """

    def find(
        self, key: str, request: str, done: Callable[[Accepted | Exception | None], None], *, at: int
    ) -> None:
        """What an append with this key would give because the key is known; None if it is not. `done` and `at` as there."""

    def prune(self, position: int) -> None:
        """Delete up to and including `position`, soon."""

    def expire_keys(self, before: int) -> None:
        """Delete the keys used before this time (ms), soon: for the room they take, since old keys count no more."""

    def put_snapshot(self, number: int, body: bytes) -> None:
        """Keep this snapshot unless a newer one is kept. Raises Unavailable."""

    def snapshot(self) -> tuple[int, bytes] | None:
        """The snapshot that is kept, with its number. Raises Unavailable."""


class IntakeFeed(Protocol):
    """What intake asks of the main database, now and then. Raises Outage while that is away."""

    def snapshot_number(self) -> int:
        """The number of the newest snapshot; 0 before there is one."""

    def snapshot(self) -> Snapshot | None:
        """The newest snapshot; None while there is no catalogue."""

    def drained(self, spool: str) -> int:
        """The position up to which this spool's orders are in the main database."""

    def forget_old_calls(self, before: int) -> None:
        """Forget what was answered to calls before this time (ms)."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an order that was taken. `price` is final; `tracking_url` is the customer's own."""

    id: str
    state: str
    price: Money
    tracking_url: str


def new_order(accepted: AcceptedForm, *, catalogue_version: int, order_id: str, at: int) -> NewOrder:
    """The order as it goes on its way: with labels, prices and payment terms copied in. `at` ms since epoch."""
    form, quote = accepted.form, accepted.quote
    entered, vehicle = form.customer, form.vehicle
    return NewOrder(
        id=order_id,
        dealership=form.dealership,
        at=at,
        customer=Customer(
            name=entered.name,
            email=entered.email,
            phone=entered.phone,
            language=accepted.language,
            company=entered.company,
            address=entered.address,
            tax_id=entered.tax_id,
        ),
        revision=Revision(
            number=1,
            catalogue_version=catalogue_version,
            model=vehicle.model,
            trim=vehicle.trim,
            colour=vehicle.colour,
            options=vehicle.options,
            labels={
                f"{_OPTION}:{line.code}" if line.kind == _OPTION else line.kind: line.title
                for line in quote.lines
            },
            lines=quote.lines,
            price=quote.total.amount,
            currency=quote.total.currency,
            note=form.note,
            vin_code=quote.vin_code,
        ),
        terms=accepted.dealership.terms,
    )


def envelope_of(message: PlaceOrder) -> Envelope:
    """The order in its envelope. Its id is made from the order's, so that the same order twice is the same message."""
    new = message.new
    return Envelope(
        id=f"msg_{new.id}",
        queue=ORDERS,
        message=message,
        group=new.dealership,
        order=new.id,
        sent_at=new.at,
        trace=message.trace,
    )


def receipt(new: NewOrder, tracking_url: str) -> Receipt:
    """What the customer is told at once."""
    price = Money(new.revision.price, new.revision.currency)
    return Receipt(id=new.id, state=RECEIVED, price=price, tracking_url=tracking_url)
