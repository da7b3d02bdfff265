"""What the order page needs, and what everybody of the staff may know."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.api.life import API
from tests.web.harness import ORDER, Client

CAR = ORDER["vehicle"]


def test_the_catalogue_is_public_and_fetched_once(anyone: Client) -> None:
    answer = anyone.get(f"{API}/catalogue")
    assert answer.status_code == 200
    assert "meridian" in [model["code"] for model in answer.json()["models"]]
    again = anyone.get(f"{API}/catalogue", if_none_match=answer.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


def test_the_dealerships_are_public_in_pages(anyone: Client) -> None:
    listed = anyone.get(f"{API}/dealerships").json()
    assert [one["id"] for one in listed["items"]] == ["harbour", "lakeside", "northside"]
    assert listed["items"][1]["terms"] == [
        {"before": "production", "percent": 20},
        {"before": "handover", "percent": 80},
    ]
    assert set(listed["items"][0]) == {"id", "name", "currency", "language", "models", "terms"}
    page = anyone.get(f"{API}/dealerships?limit=2").json()
    rest = anyone.get(f"{API}/dealerships?limit=2&cursor={page['next']}").json()
    assert page["items"] + rest["items"] == listed["items"]
    assert rest["next"] is None


def test_a_quote_is_the_price_of_the_order(anyone: Client) -> None:
    quote = anyone.post(f"{API}/quote", {"dealership": "northside", "vehicle": CAR})
    assert quote.status_code == 200
    shown = quote.json()
    assert shown["faults"] == []
    assert sum(line["amount"]["amount"] for line in shown["lines"]) == shown["price"]["amount"]
    assert anyone.place()["price"] == shown["price"]


def test_a_quote_keeps_nothing_so_a_key_means_nothing_to_it(anyone: Client) -> None:
    asked = [
        {"dealership": "northside", "vehicle": {**CAR, "trim": trim}} for trim in ("base", "touring", "base")
    ]
    answers = [anyone.post(f"{API}/quote", body, idempotency_key="k") for body in asked]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[0].json() == answers[2].json() != answers[1].json()
    assert not any("Idempotent-Replayed" in answer.headers for answer in answers)
    described = anyone.get("/openapi.json").json()["paths"]
    ignoring = {
        path
        for path, operations in described.items()
        if "post" in operations
        and not any(one["name"] == "Idempotency-Key" for one in operations["post"]["parameters"])
    }
    assert ignoring == {f"{API}/quote", f"{API}/sessions"}


def test_a_quote_names_what_is_missing_or_wrong(anyone: Client) -> None:
    vehicle = {"model": "meridian", "options": ["rocket"]}
    quote = anyone.post(f"{API}/quote", {"dealership": "nowhere", "vehicle": vehicle})
    assert quote.status_code == 200
    assert (quote.json()["price"], quote.json()["lines"]) == (None, [])
    assert {fault["pointer"] for fault in quote.json()["faults"]} == {
        "/dealership",
        "/vehicle/trim",
        "/vehicle/colour",
        "/vehicle/options/0",
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"x", 400), (b"{}", 422), ({"dealership": "northside", "vehicle": {"model": 1}}, 422)],
)
def test_a_quote_that_cannot_be_understood_is_refused(anyone: Client, body: Any, status: int) -> None:
    assert anyone.post(f"{API}/quote", body).status_code == status


def test_the_lines_are_for_the_factory(anyone: Client) -> None:
    lines = anyone.as_("production").get(f"{API}/lines").json()
    assert [(line["id"], line["places"], line["taken"], line["waiting"]) for line in lines["items"]] == [
        ("A", 10, 0, 0),
        ("B", 10, 0, 0),
    ]
    page = anyone.as_("production").get(f"{API}/lines?limit=1").json()
    assert [line["id"] for line in page["items"]] == ["A"]
    assert anyone.get(f"{API}/lines").status_code == 401
    assert anyone.as_("dealer@northside").get(f"{API}/lines").status_code == 403


def test_the_pipeline_is_for_the_staff(anyone: Client) -> None:
    shown = anyone.as_("dealer@northside").get(f"{API}/pipeline", accept_language="es").json()
    assert shown["start"] == "order_placed"
    states = {state["name"]: state for state in shown["states"]}
    assert states["ended"]["final"] is True
    assert states["order_placed"]["title"] == "A la espera del concesionario"
    outcomes = {outcome["name"]: outcome for outcome in states["quality_passed"]["outcomes"]}
    assert (outcomes["load"]["via"], outcomes["load"]["by"]) == ("departure", ["delivery_lead"])
    assert anyone.get(f"{API}/pipeline").status_code == 401


def test_figures_are_for_heads_of_operations_and_administrators(anyone: Client) -> None:
    for who in ("head1", "admin"):
        shown = anyone.as_(who).get(f"{API}/figures").json()
        assert (shown["orders"], shown["first_pass"]["share"]) == (0, None)
    assert anyone.get(f"{API}/figures").status_code == 401
    for who in ("dealer@northside", "production", "line-a", "quality", "delivery", "operator"):
        assert anyone.as_(who).get(f"{API}/figures").status_code == 403, who
