"""An order: what was ordered, by whom, and where its car is. The states themselves are data (see `pipeline/`)."""

from __future__ import annotations

from typing import Any

import msgspec

from dealerflow.domain.billing import Term

RECEIVED = "received"  # shown for an order that was accepted by intake and is not processed yet


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """The customer's personal data. It stands in this one place; everything else carries the order's id."""

    name: str
    email: str
    phone: str | None = None
    language: str = "en"
    company: str | None = None
    address: str | None = None
    tax_id: str | None = None


class PricedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One price line as it was when the car was ordered. `amount` in minor units, tax included."""

    kind: str
    code: str
    title: dict[str, str]
    amount: int


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """What was ordered, with labels and prices copied in, so that later changes of the catalogue touch nothing."""

    number: int
    catalogue_version: int
    model: str
    trim: str
    colour: str
    options: tuple[str, ...]
    labels: dict[str, dict[str, str]]
    lines: tuple[PricedLine, ...]
    price: int
    currency: str
    note: str | None = None
    vin_code: str = ""  # the model's part of the VIN, positions 4 to 8


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as intake accepted it: complete, priced, with its id. `at` ms since epoch, the time of its 202."""

    id: str
    dealership: str
    at: int
    customer: Customer
    revision: Revision
    terms: tuple[Term, ...]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Where an order stands.

    `step` names this entry into `state`; `decision` is the outcome that was claimed for it and is on its way.
    `line_place` is the assembly line whose place the car holds. Amounts in minor units of `currency`.
    """

    id: str
    dealership: str
    state: str
    step: str
    entered_at: int
    placed_at: int
    pipeline: str
    price: int
    currency: str
    terms: tuple[Term, ...]
    paid: int = 0
    language: str = "en"
    revision: int = 1
    model: str = ""
    decision: str | None = None
    decided_by: str | None = None
    vehicle: str | None = None
    line: str | None = None
    line_place: str | None = None
    failures: int = 0
    load: str | None = None
    link_number: int = 0
    facts: dict[str, Any] = {}
