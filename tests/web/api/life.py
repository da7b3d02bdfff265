"""Takes orders through their states over HTTP, as the people of the demo would."""

from __future__ import annotations

from typing import Any

from httpx import Response

from tests.web.harness import Client

API = "/api/v1"

# state → who decides its usual way on, and what
WAY: dict[str, tuple[str, str, dict[str, Any]]] = {
    "order_placed": ("dealer@northside", "accept", {}),
    "order_arrived": ("production", "start_production", {"line": "A"}),
    "production_started": ("line-a", "finish", {}),
    "quality_check": ("quality", "pass", {}),
    "on_delivery": ("dealer@northside", "receive", {"condition": "ok"}),
    "at_dealership": ("dealer@northside", "hand_over", {}),
}


def placed(anyone: Client, **changes: Any) -> dict[str, Any]:
    """An order that was taken and processed: what its 202 said, with its `key`."""
    taken = anyone.place(**changes)
    anyone.system.process()
    return taken


def seen(client: Client, order_id: str) -> dict[str, Any]:
    """The order as this caller sees it."""
    answer = client.get(f"{API}/orders/{order_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def decide(client: Client, order_id: str, outcome: str, **details: Any) -> Response:
    """Ask for this outcome of the order's present step."""
    step = seen(client.as_("admin"), order_id)["step"]
    form = {"outcome": outcome, "step": step, "details": details}
    return client.post(f"{API}/orders/{order_id}/decisions", form)


def decided(client: Client, order_id: str, outcome: str, **details: Any) -> None:
    """Decide, and carry it out."""
    answer = decide(client, order_id, outcome, **details)
    assert answer.status_code == 202, answer.text
    client.system.process()


def paid(anyone: Client, order: dict[str, Any]) -> dict[str, Any]:
    """Pay what is due next, with the customer's key; what the 202 said."""
    answer = anyone.post(f"{API}/orders/{order['id']}/payments?key={order['key']}", {"method": "test_card"})
    assert answer.status_code == 202, answer.text
    anyone.system.process()
    taken: dict[str, Any] = answer.json()
    return taken


def departed(anyone: Client, *orders: str) -> str:
    """Put these on a load and let it depart; its id."""
    delivery = anyone.as_("delivery")
    load = delivery.post(f"{API}/loads", {"orders": orders, "carrier": "Transportes Sur"})
    assert load.status_code == 201, load.text
    answer = delivery.post(f"{API}/loads/{load.json()['id']}/departure")
    assert answer.status_code == 202, answer.text
    anyone.system.process()
    return str(load.json()["id"])


def brought(anyone: Client, order: dict[str, Any], state: str, dealer: str = "dealer@northside") -> None:
    """Take a placed order to this state on the usual way, paying when it has arrived."""
    while (now := seen(anyone.as_("admin"), order["id"]))["state"] != state:
        if now["state"] == "quality_passed":
            departed(anyone, order["id"])
            continue
        who, outcome, details = WAY[now["state"]]
        who = dealer if who.startswith("dealer") else who
        decided(anyone.as_(who), order["id"], outcome, **details)
        if now["state"] == "order_placed":
            paid(anyone, order)
