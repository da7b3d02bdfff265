from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from httpx import Response

from tests.web.api.life import API, brought, decide, decided, paid, placed, seen
from tests.web.harness import Client


def posted(client: Client, order: dict[str, Any], form: Any, key: bool = False, **headers: str) -> Response:
    query = f"?key={order['key']}" if key else ""
    return client.post(f"{API}/orders/{order['id']}/decisions{query}", form, **headers)


def step_of(anyone: Client, order: dict[str, Any]) -> str:
    return str(seen(anyone.as_("admin"), order["id"])["step"])


def test_a_decision_is_answered_with_what_was_decided(anyone: Client) -> None:
    order = placed(anyone)
    step = step_of(anyone, order)
    rung = anyone.system.rung
    answer = posted(anyone.as_("dealer@northside"), order, {"outcome": "accept", "step": step})
    assert answer.status_code == 202
    assert answer.json() == {"id": order["id"], "state": "order_placed", "step": step, "outcome": "accept"}
    assert anyone.system.rung == rung + 1
    anyone.system.process()
    assert seen(anyone.as_("admin"), order["id"])["state"] == "order_arrived"


def test_customers_cancel_with_their_key(anyone: Client) -> None:
    order = placed(anyone)
    form = {"outcome": "cancel", "step": step_of(anyone, order), "details": {"reason": "changed my mind"}}
    assert posted(anyone, order, form, key=True).status_code == 202
    anyone.system.process()
    shown = seen(anyone, f"{order['id']}?key={order['key']}")
    assert shown["state"] == "cancelled"
    last = shown["history"][-1]
    assert (last["by"], last["outcome"], last["details"]) == (
        "customer",
        "cancel",
        {"reason": "changed my mind"},
    )


def test_decisions_are_checked_in_the_promised_order(anyone: Client) -> None:
    order = placed(anyone)
    step = step_of(anyone, order)
    harbour, production, dealer = (
        anyone.as_(who) for who in ("dealer@harbour", "production", "dealer@northside")
    )
    wrong_everything = {"outcome": "fly", "step": "stp_0", "details": {"x": 1}}
    assert posted(anyone, order, wrong_everything).status_code == 401
    assert posted(harbour, order, wrong_everything).status_code == 404
    assert posted(production, order, wrong_everything).status_code == 409
    stale = posted(dealer, order, {"outcome": "accept", "step": "stp_0"})
    assert (stale.status_code, stale.json()["state"]) == (409, "order_placed")
    assert posted(production, order, {"outcome": "fly", "step": step}).status_code == 403
    assert posted(production, order, {"outcome": "accept", "step": step}).status_code == 403
    assert posted(anyone, order, {"outcome": "accept", "step": step}, key=True).status_code == 403
    unknown = posted(dealer, order, {"outcome": "fly", "step": step})
    assert unknown.status_code == 422
    assert unknown.json()["errors"][0]["pointer"] == "/outcome"
    assert "accept, decline, cancel" in unknown.json()["errors"][0]["detail"]
    assert posted(dealer, order, {"outcome": "accept", "step": step}).status_code == 202
    again = posted(dealer, order, {"outcome": "accept", "step": step})
    assert again.status_code == 409


def test_a_guard_refuses_with_its_reason(anyone: Client) -> None:
    order = placed(anyone)
    decided(anyone.as_("dealer@northside"), order["id"], "accept")
    unpaid = decide(anyone.as_("production"), order["id"], "start_production", line="A")
    assert unpaid.status_code == 409
    assert "payment is missing" in unpaid.json()["detail"]
    paid(anyone, order)
    decided(anyone.as_("production"), order["id"], "start_production", line="A")
    form = {"outcome": "cancel", "step": step_of(anyone, order)}
    assert posted(anyone, order, form, key=True).status_code == 403  # no longer the customer's to decide


def test_the_eleventh_car_on_a_line_is_refused(anyone: Client) -> None:
    orders = [placed(anyone) for _ in range(11)]
    for order in orders[:10]:
        brought(anyone, order, "production_started")
    brought(anyone, orders[10], "order_arrived")
    full = decide(anyone.as_("production"), orders[10]["id"], "start_production", line="A")
    assert full.status_code == 409
    assert "line A is full" in full.json()["detail"]
    lines = anyone.as_("production").get(f"{API}/lines").json()["items"]
    assert [(line["id"], line["taken"], line["waiting"]) for line in lines] == [("A", 10, 1), ("B", 0, 1)]
    decided(anyone.as_("production"), orders[10]["id"], "start_production", line="B")


def test_of_two_people_who_decide_at_once_one_is_answered_202(everywhere: Client) -> None:
    order = placed(everywhere)
    step = step_of(everywhere, order)
    dealer = everywhere.as_("dealer@northside")
    forms = [
        {"outcome": "accept", "step": step},
        {"outcome": "decline", "step": step, "details": {"reason": "no"}},
    ] * 3
    with ThreadPoolExecutor(len(forms)) as people:
        answers = list(people.map(lambda form: posted(dealer, order, form), forms))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409, 409]
    everywhere.system.process()
    winner = next(answer for answer in answers if answer.status_code == 202).json()["outcome"]
    moved = {"accept": "order_arrived", "decline": "declined"}
    assert seen(dealer, order["id"])["state"] == moved[winner]


def test_a_decision_can_be_repeated_with_its_key(anyone: Client) -> None:
    order = placed(anyone)
    dealer = anyone.as_("dealer@northside")
    form = {"outcome": "accept", "step": step_of(anyone, order)}
    first = posted(dealer, order, form, idempotency_key="k1")
    anyone.system.process()
    again = posted(dealer, order, form, idempotency_key="k1")
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    other = posted(dealer, order, {**form, "outcome": "cancel"}, idempotency_key="k1")
    assert other.status_code == 422


def test_every_wrong_detail_is_named(anyone: Client) -> None:
    order = placed(anyone)
    brought(anyone, order, "quality_check")
    step = step_of(anyone, order)
    details = {"defects": ["paint", "wings", "paint", 7], "note": 5, "colour": "red"}
    answer = posted(anyone.as_("quality"), order, {"outcome": "fail", "step": step, "details": details})
    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {
        "/details/colour",
        "/details/defects/1",
        "/details/defects/2",
        "/details/defects/3",
        "/details/note",
    }
    none = posted(anyone.as_("quality"), order, {"outcome": "fail", "step": step})
    assert [fault["pointer"] for fault in none.json()["errors"]] == ["/details/defects"]
    empty = posted(
        anyone.as_("quality"), order, {"outcome": "fail", "step": step, "details": {"defects": []}}
    )
    assert empty.status_code == 422
    assert seen(anyone.as_("quality"), order["id"])["step"] == step


@pytest.mark.parametrize(
    ("body", "status", "pointers"),
    [
        (b"", 400, set()),
        (b"{", 400, set()),
        (b"null", 422, {""}),
        (b"[]", 422, {""}),
        (b"{}", 422, {"/outcome", "/step"}),
        (
            b'{"outcome": 1, "step": null, "details": [], "x": 1}',
            422,
            {"/outcome", "/step", "/details", "/x"},
        ),
        (b'{"outcome": "accept", "step": "a\\u0000", "details": {}}', 422, {"/step"}),
        (b'{"outcome": "' + b"x" * 70_000 + b'"}', 413, set()),
        (b"\xff\xfe", 400, set()),
        (b"[" * 5_000, 400, set()),
    ],
)
def test_a_body_that_is_no_decision_is_refused(
    anyone: Client, body: bytes, status: int, pointers: set[str]
) -> None:
    order = placed(anyone)
    answer = posted(anyone.as_("dealer@northside"), order, body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {fault["pointer"] for fault in answer.json().get("errors", [])} == pointers


def test_a_departure_is_not_decided_car_by_car(anyone: Client) -> None:
    order = placed(anyone)
    brought(anyone, order, "quality_passed")
    form = {"outcome": "load", "step": step_of(anyone, order)}
    answer = posted(anyone.as_("delivery"), order, form)
    assert answer.status_code == 409
    assert "departure" in answer.json()["detail"]
