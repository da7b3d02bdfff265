"""docs/reference/queues.md, from the queues' settings and the table of handlers."""

from __future__ import annotations

from dealerflow.application import queues as q
from dealerflow.application.queues import QueuePolicy
from scripts.reference.markdown import page as markdown_page
from scripts.reference.markdown import table

CARRIES = {
    q.ORDERS: "Accepted orders. Its figures count the spool as well. On SQLite they are stored straight from there, and only "
    "one that failed is a message here.",
    q.DECISIONS: "`MoveOrder`: decisions that were claimed.",
    q.PAYMENTS: "`TakePayment`: payments that were received and are not charged yet.",
    q.INVOICES: "`IssueInvoice`, `IssueCreditNote`.",
    q.NOTIFICATIONS: "`SendMail`: one mail to one recipient; `PublishToTopic`.",
    q.EVENTS: "`PublishEvent`: recorded events that get their position.",
    q.FUNCTIONS: "`CallFunction`: functions that the pipeline attaches to states.",
    q.WEBHOOKS: "`DeliverWebhook`: one event to one URL. A delivery that fails is sent again as a message of its own, until "
    "12 tries are used up: after 20 s, then after four times as long each time, at most 12 h.",
    q.EXECUTIONS: "`StartExecution`. On AWS only: there an order has a state machine outside.",
    q.BUS: "`EmitEvent`. On AWS only: events on their way to the bus; nothing works this queue, it is only forwarded.",
    f"{q.DELIVERIES_PREFIX}<delivery line>": "`AnnounceCar` for cars that passed, "
    "`IssueDeliveryNote` for loads that left. One queue for each delivery line.",
}

INTRODUCTION = """A queue holds messages that are *waiting* (also those whose queue is paused), *in flight*
(in a worker's hands),
*delayed* (tried again later) or *dead*. Look at them and steer them on the page *Queues*, with `dealerflow
queues` or over the [HTTP API](http-api.md).

*Batch* is how many messages a worker claims at once. Those that only write to the database are worked in one
transaction, calls to the outside one after the other. *Ordered* means that messages of one group (a
dealership) are worked in the order sent, and never by two workers at once. *Attempts* are the handler's own
failures; an unreachable dependency counts none. The delay before the next attempt doubles, with jitter,
between the two figures."""

OWN = """A pipeline file may name further queues. They are worked like a delivery line's: the car that is
announced on one becomes an event `CarAnnounced` with the queue's name. The settings stand in
`src/dealerflow/application/queues.py`."""


def page() -> str:
    """The page."""
    rows = [_row(name, text) for name, text in CARRIES.items()]
    head = ("queue", "carries", "batch", "ordered", "attempts", "delay", "lease")
    return markdown_page("Queues", INTRODUCTION, table(head, rows), OWN)


def _row(name: str, text: str) -> tuple[str, ...]:
    policy = q.policy(name)
    return (
        f"`{name}`",
        text,
        str(policy.batch),
        "yes" if policy.ordered else "no",
        str(policy.max_attempts),
        _delay(policy),
        _duration(policy.lease_ms),
    )


def _delay(policy: QueuePolicy) -> str:
    return f"{_duration(policy.first_delay_ms)} – {_duration(policy.max_delay_ms)}"


def _duration(ms: int) -> str:
    for unit, length in (("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if ms >= length and ms % length == 0:
            return f"{ms // length} {unit}"
    return f"{ms / 1000:g} s"
