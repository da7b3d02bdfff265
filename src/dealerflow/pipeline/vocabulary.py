"""The words that a pipeline file may use, each with what it means.

One table for each kind of word. A word that is not here is refused when a file is loaded: nobody would carry
it out. `STANDARD` is what the program brings; an installation adds its own templates and topics with
`extended`. Every word is explained in docs/reference/pipeline-file.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

ROLES: dict[str, str] = {
    "dealer": "works at a dealership",
    "dealer_admin": "works at a dealership and manages its accounts",
    "production_manager": "decides which order a line builds next",
    "line_lead": "leads an assembly line; decides only for cars of that line",
    "quality_lead": "passes or fails built cars",
    "delivery_lead": "puts cars on loads and sends the loads off",
    "head_of_operations": "answers for the plant and is told of quality failures",
    "operator": "runs the software",
    "admin": "administers the installation",
}

DECIDERS: dict[str, str] = {**ROLES, "customer": "the order's own customer, through the signed link"}


class NeededDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A detail that a guard or effect reads: its name, its kind and, where that matters, its source."""

    name: str
    kind: str
    source: str | None = None


LINE = NeededDetail(name="line", kind="choice", source="lines")
DEFECTS = NeededDetail(name="defects", kind="codes", source="defects")
CONDITION = NeededDetail(name="condition", kind="choice")


class GuardRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a guard asks, the arguments that it takes (none if empty), and the detail that it reads."""

    meaning: str
    arguments: tuple[str, ...] = ()
    needs: NeededDetail | None = None


GUARDS: dict[str, GuardRule] = {
    "paid": GuardRule(
        meaning="what the order's payment terms ask for before this part of the way has been paid",
        arguments=("production", "delivery", "handover"),
    ),
    "no_vehicle": GuardRule(meaning="no vehicle exists for the order yet"),
    "line_builds_model": GuardRule(
        meaning="the line in the detail `line` builds the ordered model", needs=LINE
    ),
    "place_on_line": GuardRule(
        meaning="the line in the detail `line` has a free place, which the car takes with this decision",
        needs=LINE,
    ),
}


class EffectRule(msgspec.Struct, frozen=True, kw_only=True):
    """What an effect does. One that reads a detail can only belong to an outcome that asks for the detail."""

    meaning: str
    needs: NeededDetail | None = None


EFFECTS: dict[str, EffectRule] = {
    "set_line": EffectRule(
        meaning="gives the order to the line named in the detail `line`",
        needs=LINE,
    ),
    "make_vehicle": EffectRule(meaning="makes a vehicle with its VIN, if the order has none"),
    "scrap_vehicle": EffectRule(meaning="scraps the order's vehicle; the order has none after that"),
    "mark_built": EffectRule(meaning="marks the vehicle as built"),
    "mark_delivered": EffectRule(meaning="marks the vehicle as delivered"),
    "record_failure": EffectRule(
        meaning="records a quality failure with its defects and note, and counts it",
        needs=DEFECTS,
    ),
    "record_receipt": EffectRule(
        meaning="records in which condition the dealership received the car, and its note",
        needs=CONDITION,
    ),
    "ask_refund": EffectRule(meaning="asks for the refund of what has been paid, if anything has"),
}

ACTION_KINDS: dict[str, str] = {
    "mail": "a letter to the dealership, the customer or everyone with a role",
    "topic": "published to the topic's subscribers",
    "queue": "a message on a queue",
    "event": "an event of your own on the event bus, beside the one that every move raises",
    "function": "your own code",
}

MAIL_TARGETS: dict[str, str] = {
    "dealership": "the order's dealership",
    "customer": "the order's customer",
}
ROLE_PREFIX = (
    "role:"  # `mail: role:head_of_operations` reaches every account with that role in the order's scope
)

TEMPLATES: dict[str, str] = {
    "new_order": "to the dealership: an order waits for it",
    "order_placed": "the order was placed",
    "order_accepted": "the dealership accepted the order; payment link and amount due",
    "order_in_production": "the car is being built",
    "quality_failed": "a car failed its quality check: defects and how often it failed",
    "order_on_its_way": "the car has left the plant",
    "order_ready": "the car is ready to be picked up",
    "order_thanks": "the keys were handed over; thank you",
    "order_declined": "the dealership declined the order, with its reason",
    "order_cancelled": "the order was cancelled",
    "invoice": "an invoice, as PDF",
    "credit_note": "a credit note, as PDF",
    "delivery_note": "a delivery note with its cars, as PDF",
}

TOPICS: dict[str, str] = {
    "quality-alerts": "quality failures; every head of operations is subscribed",
}

PLACEHOLDERS: dict[str, str] = {
    "delivery_line": "the delivery line that serves the order's dealership",
}

# A stray message on one of these would stop work that is not the pipeline's.
RESERVED_QUEUES: tuple[str, ...] = (
    "orders",
    "decisions",
    "payments",
    "invoices",
    "notifications",
    "events",
    "functions",
    "webhooks",
)

# What the API calls an order that has been taken but not yet processed.
RESERVED_STATES: tuple[str, ...] = ("received",)

DETAIL_KINDS: dict[str, str] = {
    "text": "free text",
    "choice": "one of the choices",
    "codes": "a list of different choices",
}

SOURCES: dict[str, str] = {
    "lines": "the installation's assembly lines",
    "defects": "the installation's defect codes",
}


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """All words that a file may use, with what each means."""

    deciders: Mapping[str, str]
    roles: Mapping[str, str]
    guards: Mapping[str, GuardRule]
    effects: Mapping[str, EffectRule]
    templates: Mapping[str, str]
    topics: Mapping[str, str]

    def extended(self, *, templates: Mapping[str, str] = {}, topics: Mapping[str, str] = {}) -> Vocabulary:
        """This vocabulary with an installation's own templates and topics (name to meaning).

        Functions need no entry here: any `module:attribute`, or entry point of the group
        `dealerflow.functions`, will do.
        """
        return msgspec.structs.replace(
            self, templates={**self.templates, **templates}, topics={**self.topics, **topics}
        )


STANDARD = Vocabulary(
    deciders=DECIDERS, roles=ROLES, guards=GUARDS, effects=EFFECTS, templates=TEMPLATES, topics=TOPICS
)
"""What the program brings along."""
