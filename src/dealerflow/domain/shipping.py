"""Loads and delivery notes."""

from __future__ import annotations

import msgspec


class NoteCar(msgspec.Struct, frozen=True, kw_only=True):
    """One car on a delivery note. `model` and `colour` are the labels shown to people, `customer` the customer's name."""

    order: str
    model: str
    colour: str
    vin: str
    customer: str


class DeliveryNote(msgspec.Struct, frozen=True, kw_only=True):
    """What one dealership gets with one load. `at` ms since epoch."""

    id: str
    load: str
    dealership: str
    dealership_name: str
    at: int
    timezone: str
    language: str
    carrier: str | None
    cars: tuple[NoteCar, ...]
