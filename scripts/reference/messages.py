"""docs/reference/messages.md and messages.schema.json, from the structs of messages and events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from dealerflow.application import queues
from dealerflow.application.cloud_events import CloudEvent
from dealerflow.domain import events, messages
from dealerflow.domain.messages import AnyMessage, Envelope
from scripts.reference.markdown import code, table, whole
from scripts.reference.markdown import page as markdown_page

QUEUE = {message.__name__: queue for queue, carried in queues.CARRIES.items() for message in carried}

EVENTS = {
    events.ORDER_PLACED: ("An accepted order was stored and entered its first state.", ()),
    events.ORDER_MOVED: (
        "A decision was carried out: the order entered a state.",
        ("what the outcome asked for",),
    ),
    events.ORDER_PUT: (
        "An administrator put the order in a state.",
        ("reason", "from", "silent", "overridden"),
    ),
    events.ORDER_IMPORTED: ("An open order was brought in, into the state where it stood.", ()),
    events.PAYMENT_RECEIVED: (
        "A payment was taken in; it is not charged yet.",
        ("payment", "amount", "currency", "before"),
    ),
    events.PAYMENT_RECORDED: ("The provider charged it.", ("payment", "amount", "currency", "before")),
    events.PAYMENT_DECLINED: (
        "The provider refused it.",
        ("payment", "amount", "currency", "before", "reason"),
    ),
    events.REFUND_REQUESTED: ("What was paid is to be given back.", ("payment", "amount", "currency")),
    events.REFUND_RECORDED: ("It was given back.", ("payment", "amount", "currency")),
    events.INVOICE_ISSUED: ("An invoice got its number.", ("document", "number", "payment")),
    events.CREDIT_NOTE_ISSUED: ("A credit note got its number.", ("document", "number", "payment")),
    events.VEHICLE_STARTED: ("A car was begun and has its VIN.", ("vehicle", "vin")),
    events.VEHICLE_FAILED_QUALITY: ("A car failed its quality check.", ("defects", "failures")),
    events.VEHICLE_SCRAPPED: ("A car was given up; the order gets another.", ("vehicle",)),
    events.CAR_ANNOUNCED: ("A car that passed was announced to its delivery line.", ("queue",)),
    events.LOAD_DEPARTED: ("A load left with these cars of one dealership.", ("load", "orders")),
    events.DELIVERY_NOTE_ISSUED: ("The dealership's note for a load was written.", ("note", "load")),
    events.FUNCTION_RETURNED: ("A function of the pipeline answered.", ("function", "facts")),
    events.LINK_RENEWED: ("The customer got a new link; the old one is void.", ()),
}

INTRODUCTION = """Services speak through messages. A *message* is a command to one queue; an *event* is
something that happened. Both are msgspec structs in `src/dealerflow/domain/{messages,events}.py`; [their JSON
Schemas](messages.schema.json) are made from them.

Messages carry ids, never personal data. The one exception is `PlaceOrder`, the order on its way in."""

ENVELOPE = """## Envelope

A message travels in an envelope. `group` is what takes [fair
turns](../explanation/how-nothing-is-lost.md#fair-turns), `sent_at` is in milliseconds since 1970."""

EVENT = """## Events

An event is recorded in the transaction of the work that caused it. It gets its `position` from one sequencer
after that, so that who reads on from a position never misses one. `state` is the state entered, for moves
only ({moves}); `by` is an account's id, `customer` or `dealerflow`. A pipeline file may add events of its
own; the standard pipeline adds {own}."""

OUTSIDE = """## Outside

Webhooks get an event as [CloudEvents 1.0](https://cloudevents.io) in JSON: `type` is `dealerflow.` and the
event's type, `subject` the order's id, `data` the rest. The API gives it as in [the HTTP
API](http-api.md)."""


def page() -> str:
    """The page."""
    from dealerflow.pipeline.loader import standard  # noqa: PLC0415 - beside the only use

    own = sorted(
        {a.target for state in standard().states.values() for a in state.actions if a.kind == "event"}
    )
    event = EVENT.format(moves=code(sorted(events.MOVES)), own=code(own))
    rows = (
        (f"`{name}`", text, ", ".join(_detail(d) for d in details))
        for name, (text, details) in EVENTS.items()
    )
    return markdown_page(
        "Messages and events",
        INTRODUCTION,
        "## Messages",
        *_messages(),
        ENVELOPE,
        _fields(Envelope),
        event,
        table(("event", "when", "`details`"), rows),
        _fields(events.Event),
        OUTSIDE,
        _fields(CloudEvent),
    )


def message_types() -> tuple[type[messages.Message], ...]:
    """Every message that may be in an envelope."""
    return get_args(AnyMessage)


def _detail(name: str) -> str:
    return name if " " in name else f"`{name}`"


def _messages() -> Iterator[str]:
    for message in message_types():
        name = message.__name__
        yield f"### {name}"
        yield f"{whole(message.__doc__)} Queue: `{QUEUE[name]}`."
        yield _fields(message)


def _fields(struct: type[msgspec.Struct]) -> str:
    rows = []
    for field in msgspec.structs.fields(struct):
        default = "" if field.required else f"`{json.dumps(msgspec.to_builtins(_default(field)))}`"
        rows.append((f"`{field.encode_name}`", f"`{_type(field.type)}`", default))
    return table(("field", "type", "default"), rows)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default


def _type(kind: Any) -> str:
    if kind is AnyMessage:
        return "a message"
    text = kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
    for module in ("typing.", "dealerflow.domain.orders.", "dealerflow.domain.messages."):
        text = text.replace(module, "")
    return text


def schemas() -> str:
    """JSON Schemas of every message, of the envelope and of an event, inside and outside."""
    (_, _, _), components = msgspec.json.schema_components(
        [Envelope, events.Event, CloudEvent], ref_template="#/$defs/{name}"
    )
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Messages and events of Dealerflow",
        "$defs": dict(sorted(components.items())),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
