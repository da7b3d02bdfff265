"""Open orders as another system knew them, to be brought in from a file."""

from __future__ import annotations

from typing import Any

from tests.stories.driver import Dealerflow, Json, Order

VINS = ["1M8GDM9AXKP042788", "5GZCZ43D13S812715", "11111111111111111"]


def open_order(reference: str, dealership: str, state: str, **more: Any) -> Json:
    """A row of such a file; `more` are further fields."""
    return {
        "reference": reference,
        "dealership": dealership,
        "state": state,
        "customer": {"name": f"Customer of {reference}", "email": f"{reference}@example.com"},
        "vehicle": {"model": "meridian", "trim": "base", "colour": "deep-blue", "options": []},
        **more,
    }


def imported(dealerflow: Dealerflow) -> dict[str, Order]:
    """The orders that were brought in, by their reference. Each customer is sent a new link by the dealership."""
    found = {}
    for order in dealerflow.head.lists("/orders"):
        if reference := order["facts"].get("reference"):
            link = dealerflow.dealer(order["dealership"]).sends(f"/orders/{order['id']}/link", expect=200)
            customer = dealerflow.new_customer(order["customer"]["name"], f"{reference}@example.com")
            found[reference] = customer.knows({**order, **link})
    return found
