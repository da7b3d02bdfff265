"""The queues, and how each is worked. One place for a queue's settings on one machine."""

from __future__ import annotations

import msgspec

from dealerflow.domain import messages as m

ORDERS = "orders"
DECISIONS = "decisions"
PAYMENTS = "payments"
INVOICES = "invoices"
NOTIFICATIONS = "notifications"
EVENTS = "events"
FUNCTIONS = "functions"
WEBHOOKS = "webhooks"
EXECUTIONS = "executions"
BUS = "bus"
DELIVERIES_PREFIX = "deliveries-"


class QueuePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a queue is worked.

    `batch`: messages worked in one transaction (1 where the work is a call to the outside). `ordered`: messages of one group
    are never with two workers at once. `max_attempts`: the handler's own failures until the message is dead. Times in ms.
    """

    batch: int = 100
    ordered: bool = True
    max_attempts: int = 8
    first_delay_ms: int = 500
    max_delay_ms: int = 15 * 60 * 1000
    lease_ms: int = 60_000


CALL_TO_THE_OUTSIDE = QueuePolicy(batch=1, ordered=False)
# Each mail is still handed over and acknowledged alone; only the claim is shared.
MAILS = QueuePolicy(batch=20, ordered=False)
_DAYS_OF_RETRIES = QueuePolicy(
    batch=1, ordered=False, max_attempts=12, first_delay_ms=5_000, max_delay_ms=12 * 3_600_000
)

POLICIES: dict[str, QueuePolicy] = {
    ORDERS: QueuePolicy(),
    DECISIONS: QueuePolicy(),
    PAYMENTS: CALL_TO_THE_OUTSIDE,
    INVOICES: QueuePolicy(),
    NOTIFICATIONS: MAILS,
    EVENTS: QueuePolicy(batch=500, ordered=False),
    FUNCTIONS: CALL_TO_THE_OUTSIDE,
    WEBHOOKS: _DAYS_OF_RETRIES,
}


# These carry what is told to services outside: a state machine for each order, a bus for the events. One machine has neither.
OUTSIDE: dict[str, QueuePolicy] = {
    EXECUTIONS: CALL_TO_THE_OUTSIDE,
    BUS: CALL_TO_THE_OUTSIDE,
}

DELIVERIES = DELIVERIES_PREFIX + "{delivery_line}"

# What each queue carries. (A queue that a pipeline file names itself carries AnnounceCar.)
CARRIES: dict[str, tuple[type[m.Message], ...]] = {
    ORDERS: (m.PlaceOrder,),
    DECISIONS: (m.MoveOrder,),
    PAYMENTS: (m.TakePayment,),
    INVOICES: (m.IssueInvoice, m.IssueCreditNote),
    NOTIFICATIONS: (m.SendMail, m.PublishToTopic),
    DELIVERIES: (m.IssueDeliveryNote, m.AnnounceCar),
    EVENTS: (m.PublishEvent,),
    FUNCTIONS: (m.CallFunction,),
    WEBHOOKS: (m.DeliverWebhook,),
    EXECUTIONS: (m.StartExecution,),
    BUS: (m.EmitEvent,),
}


def policy(queue: str) -> QueuePolicy:
    """The queue's settings; delivery lines and queues of one's own get the ordinary ones."""
    return POLICIES.get(queue) or OUTSIDE.get(queue) or QueuePolicy()


def deliveries(delivery_line: str) -> str:
    """The queue of a delivery line."""
    return DELIVERIES_PREFIX + delivery_line
