"""One table for the routes of this API: who is answered what. A route that is not in it fails."""

from __future__ import annotations

import re
from typing import Any

from dealerflow.web.api import catalogue, documents, events, figures, loads, orders, payments, webhooks
from tests.web.api.life import API, brought, departed, placed
from tests.web.harness import Client

WHO = (
    None, "dealer@northside", "dealer@harbour", "production", "line-a", "quality", "delivery", "head1", "operator", "admin",
)  # fmt: skip
# The order is northside's and stands, paid, in on_delivery; harbour's dealer is a stranger to it.
TABLE: dict[str, tuple[Any, str]] = {
    #                                            none north harb. prod. line  qual. deliv head  oper. admin
    "GET /orders":                        (None, "401 200 200 200 200 200 200 200 200 200"),
    "GET /orders/{order_id}":             (None, "401 200 404 200 200 200 200 200 200 200"),
    "POST /orders/{order_id}/decisions":  (
        {"outcome": "x", "step": "s"},           "401 409 404 409 409 409 409 409 409 409"),
    "POST /orders/{order_id}/payments":   (
        {"method": "test_card"},                 "401 409 404 403 403 403 403 403 403 403"),
    "POST /orders/{order_id}/link":       (None, "401 200 404 403 403 403 403 403 403 200"),
    "GET /orders/{order_id}/invoice":     (None, "401 200 404 403 403 403 403 403 403 200"),
    "GET /orders/{order_id}/documents":   (None, "401 200 404 403 403 403 403 403 403 200"),
    "GET /documents/{document_id}":       (None, "401 200 404 403 403 403 403 403 403 200"),
    "POST /payments/{payment_id}/refund": ({},   "401 409 404 403 403 403 403 403 403 409"),
    "GET /loads":                         (None, "401 403 403 403 403 403 200 403 403 200"),
    "GET /loads/{load_id}":               (None, "401 403 403 403 403 403 200 403 403 200"),
    "POST /loads":                        (
        {"orders": ["ord_unknown"]},             "401 403 403 403 403 403 422 403 403 403"),
    "PUT /loads/{load_id}":               (
        {"orders": []},                          "401 403 403 403 403 403 409 403 403 403"),
    "POST /loads/{load_id}/departure":    (None, "401 403 403 403 403 403 409 403 403 403"),
    "GET /delivery-notes":                (None, "401 200 200 403 403 403 200 403 403 200"),
    "GET /delivery-notes/{note_id}":      (None, "401 200 404 403 403 403 200 403 403 200"),
    "GET /events":                        (None, "401 200 200 200 200 200 200 200 200 200"),
    "GET /events/stream":                 (None, "401 200 200 200 200 200 200 200 200 200"),
    "GET /figures":                       (None, "401 403 403 403 403 403 403 200 403 200"),
    "GET /lines":                         (None, "401 403 403 200 200 200 200 200 200 200"),
    "GET /pipeline":                      (None, "401 200 200 200 200 200 200 200 200 200"),
    "GET /catalogue":                     (None, "200 200 200 200 200 200 200 200 200 200"),
    "GET /dealerships":                   (None, "200 200 200 200 200 200 200 200 200 200"),
    "POST /quote":                        (
        {"dealership": "x", "vehicle": {}},      "200 200 200 200 200 200 200 200 200 200"),
    "GET /webhooks":                      (None, "401 200 200 403 403 403 403 403 200 200"),
    "POST /webhooks":                     (
        {"url": "nowhere"},                      "401 422 422 403 403 403 403 403 422 422"),
    "GET /webhooks/{webhook_id}/deliveries": (
        None,                                    "401 404 404 403 403 403 403 403 200 200"),
    "POST /webhooks/{webhook_id}/deliveries/{delivery_id}/resend": (
        None,                                    "401 404 404 403 403 403 403 403 404 404"),
    "DELETE /webhooks/{webhook_id}":      (None, "401 404 404 403 403 403 403 403 204 204"),
}  # fmt: skip


def test_each_route_answers_each_person_as_the_table_says(anyone: Client) -> None:
    ids = _things(anyone)
    anyone.system.web.stopping.set()  # a stream ends by itself
    wrong = []
    for route, (body, statuses) in TABLE.items():
        method, path = route.split(" ")
        for who, status in zip(WHO, map(int, statuses.split()), strict=True):
            caller = anyone.as_(who)
            answer = caller.http.request(method, API + path.format(**ids), json=body, headers=caller.headers)
            if answer.status_code != status:
                wrong.append(f"{route} by {who}: {answer.status_code}, not {status}: {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


def _things(anyone: Client) -> dict[str, str]:
    """Ids of one of each."""
    hook = anyone.as_("operator").post(f"{API}/webhooks", {"url": "https://hooks.example.com"}).json()
    order = placed(anyone)
    brought(anyone, order, "quality_passed")
    load = departed(anyone, order["id"])
    dealer = anyone.as_("dealer@northside")
    shown = dealer.get(f"{API}/orders/{order['id']}").json()
    return {
        "order_id": order["id"],
        "payment_id": shown["payment"]["payments"][0]["id"],
        "document_id": dealer.get(f"{API}/orders/{order['id']}/documents").json()["items"][0]["id"],
        "load_id": load,
        "note_id": dealer.get(f"{API}/delivery-notes").json()["items"][0]["id"],
        "webhook_id": hook["id"],
        "delivery_id": "whd_unknown",
    }


def test_no_route_is_missing_from_the_table() -> None:
    modules = (catalogue, documents, events, figures, loads, orders, payments, webhooks)
    routes = {
        f"{method} {re.sub(':str', '', path)}"
        for module in modules
        for handler in module.ROUTES
        for path in handler.paths
        for method in handler.http_methods
        if method not in ("HEAD", "OPTIONS")
    }
    assert routes == set(TABLE)
