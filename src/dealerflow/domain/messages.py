"""Every message that travels between the services: commands in the imperative, addressed to one queue.

What happened (events in the past tense) is in `domain.events`. Messages carry ids, not personal data; the one
exception is `PlaceOrder`, the order on its way in, which carries what the customer entered until it is processed.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from dealerflow.domain.events import Event
from dealerflow.domain.orders import NewOrder


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Base of all commands. The JSON form carries the class name as `type`."""


class PlaceOrder(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Store an accepted order and start its state machine. `trace` is the W3C traceparent of the request that brought it."""

    new: NewOrder
    trace: str | None = None  # here too, because intake's stores keep messages without their envelopes


class MoveOrder(Message, frozen=True, kw_only=True):
    """Carry out a decision that was claimed at `step`. `by` is an account id, "customer" or "dealerflow"."""

    order: str
    step: str
    outcome: str
    by: str
    details: dict[str, Any] = {}


class TakePayment(Message, frozen=True, kw_only=True):
    """Charge a payment that was received, and record the answer."""

    payment: str


class IssueInvoice(Message, frozen=True, kw_only=True):
    """Give this recorded payment its one invoice."""

    payment: str


class IssueCreditNote(Message, frozen=True, kw_only=True):
    """Give this recorded refund its one credit note."""

    payment: str


class IssueDeliveryNote(Message, frozen=True, kw_only=True):
    """Write the one note that this dealership gets with this load."""

    load: str
    dealership: str


class AnnounceCar(Message, frozen=True, kw_only=True):
    """Tell a delivery line that a car of this order now waits for a load."""

    order: str
    step: str


class SendMail(Message, frozen=True, kw_only=True):
    """Send one mail, which stands as a row in the mail log, to its one recipient."""

    mail: str


class PublishToTopic(Message, frozen=True, kw_only=True):
    """Pass what happened in a state on to each subscriber of a topic."""

    topic: str
    template: str | None
    order: str
    step: str
    failures: int = 0


class CallFunction(Message, frozen=True, kw_only=True):
    """Run a function that the pipeline attaches to a state. `number` is the action's place in the state."""

    function: str
    order: str
    step: str
    number: int


class PublishEvent(Message, frozen=True, kw_only=True):
    """Give a recorded event its position, and pass it on to whoever subscribed."""

    event: str


class DeliverWebhook(Message, frozen=True, kw_only=True):
    """Post one event to one subscribed URL."""

    delivery: str


class StartExecution(Message, frozen=True, kw_only=True):
    """Let a state machine outside (Step Functions) stand where the order stands: at this step of it."""

    order: str
    step: str


class EmitEvent(Message, frozen=True, kw_only=True):
    """Put an event, which has its position, on the bus outside (EventBridge)."""

    event: Event


AnyMessage = (
    PlaceOrder
    | MoveOrder
    | TakePayment
    | IssueInvoice
    | IssueCreditNote
    | IssueDeliveryNote
    | AnnounceCar
    | SendMail
    | PublishToTopic
    | CallFunction
    | PublishEvent
    | DeliverWebhook
    | StartExecution
    | EmitEvent
)


class Unreadable(Message, frozen=True, kw_only=True):
    """Stands for a stored message that could not be decoded. It is only ever seen among the dead letters."""

    body: str


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A message and what its way needs. `group` is what takes fair turns (the dealership), `sent_at` ms since epoch."""

    id: str
    queue: str
    message: AnyMessage
    group: str = ""
    order: str | None = None
    sent_at: int = 0
    trace: str | None = None


_M = TypeVar("_M", bound=Message)


def message_of(envelope: Envelope, type_: type[_M]) -> _M:
    """The envelope's message, which must be of this type."""
    if not isinstance(envelope.message, type_):
        raise TypeError(f"a {type(envelope.message).__name__} is not worked here, only {type_.__name__}")
    return envelope.message


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """An envelope in a worker's hands. `lease` proves, at acknowledgement, that it is still this worker's."""

    envelope: Envelope
    attempt: int
    lease: str
