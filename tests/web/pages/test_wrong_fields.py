"""What no browser sends: forms that were changed by hand are refused in words, never a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.web.api.life import decided, placed
from tests.web.harness import Client, running
from tests.web.pages.visitor import Visitor

HUGE = "9" * 5_000  # more digits than Python turns into a number
BIG = "9" * 30  # more than JSON and databases hold
NO_TEXT = "a\x00b"  # PostgreSQL cannot store it


@pytest.fixture(params=["sqlite", "postgresql"])
def visitor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Visitor]:
    url = f"sqlite:///{tmp_path / 'dealerflow.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    with running(url, tmp_path) as client:
        yield Visitor(client)


Fields = Mapping[str, str | Sequence[str]]


def sent(visitor: Visitor, page: str, address: str, fields: Fields) -> int:
    """The status of the answer to these fields, sent with the form token of that page."""
    shown = visitor.get(page)
    assert shown.status_code == 200, shown.text
    token = shown.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    return visitor.send(address, {"csrf_token": token, **fields}).status_code


@pytest.mark.parametrize("price", [HUGE, BIG, f"{BIG} EUR", f"{HUGE} EUR", "1 " + NO_TEXT])
def test_a_price_beyond_all_measure_is_refused(visitor: Visitor, price: str) -> None:
    page = visitor.get("/order")
    typed = {"dealership": "northside", "name": "Ana", "email": "ana@example.com", "shown_price": price}
    assert visitor.fill(page, "/order", typed).status_code in (400, 409, 422)


@pytest.mark.parametrize("price", [HUGE, f"{BIG} EUR", "1 " + NO_TEXT])
def test_a_payment_beyond_all_measure_is_refused(visitor: Visitor, price: str) -> None:
    order = placed(Client(visitor.system, visitor.http))
    decided(Client(visitor.system, visitor.http).as_("dealer@northside"), order["id"], "accept")
    page = visitor.get(order["tracking_url"])
    assert visitor.fill(page, f"/orders/{order['id']}/payments", {"sum": price}).status_code in (400, 409)


@pytest.mark.parametrize(
    ("who", "page", "address", "fields"),
    [
        ("delivery@factory.example", "/loads", "/loads", {"orders": NO_TEXT}),
        ("operator@factory.example", "/queues", "/queues/invoices/redrive", {"ids": NO_TEXT}),
        ("operator@factory.example", "/queues", "/queues/invoices/discard", {"ids": NO_TEXT, "reason": "x"}),
        ("operator@factory.example", "/webhooks", "/webhooks", {"url": f"https://a.example/{NO_TEXT}"}),
        (
            "operator@factory.example",
            "/webhooks",
            "/webhooks",
            {"url": "https://a.example/", "types": NO_TEXT},
        ),
        (
            "operator@factory.example",
            "/webhooks",
            "/webhooks",
            {"url": "https://a.example/", "dealership": NO_TEXT},
        ),
        ("dealer@northside.example", "/account", "/account/colleagues", {"dealership": NO_TEXT}),
        (
            "dealer@northside.example",
            "/account",
            "/account/colleagues",
            {
                "dealership": "northside",
                "name": NO_TEXT,
                "email": "a\x00@b.example",
                "role": "dealer",
                "language": "en",
                "password": "a long password",
            },
        ),
        (
            "dealer@northside.example",
            "/account",
            "/account/colleagues",
            {
                "dealership": "northside",
                "name": "A",
                "email": "a@b.example",
                "role": "dealer",
                "language": "en",
                "password": "a long \x00password",
            },
        ),
        (
            "dealer@northside.example",
            "/account",
            "/account/password",
            {"current": NO_TEXT, "password": "a long \x00word", "again": "a long \x00word"},
        ),
    ],
)
def test_a_form_with_signs_that_are_no_text_is_no_fault_of_ours(
    visitor: Visitor, who: str, page: str, address: str, fields: Fields
) -> None:
    visitor.log_in(who)
    assert sent(visitor, page, address, fields) < 500


@pytest.mark.parametrize("email", ["a\x00@northside.example", "x" * 5_000, "ä@ß"])
def test_a_login_with_signs_that_are_no_text_is_no_fault_of_ours(visitor: Visitor, email: str) -> None:
    fields = {"email": email, "password": "a\x00b"}
    assert sent(visitor, "/login", "/login", fields) in (400, 401, 422)


@pytest.mark.parametrize(
    ("who", "address", "fields"),
    [
        ("dealer@northside.example", "decisions", {"outcome": "accept", "step": NO_TEXT}),
        ("dealer@northside.example", "decisions", {"outcome": NO_TEXT, "step": NO_TEXT}),
        (
            "production@factory.example",
            "decisions",
            {"outcome": "start_production", "step": NO_TEXT, "details.line": NO_TEXT},
        ),
        ("admin@factory.example", "state", {"state": NO_TEXT, "reason": "x", "line": NO_TEXT}),
        (
            "admin@factory.example",
            "state",
            {"state": "production_started", "reason": "x", "line": NO_TEXT},
        ),
    ],
)
def test_a_decision_with_signs_that_are_no_text_is_no_fault_of_ours(
    visitor: Visitor, who: str, address: str, fields: Fields
) -> None:
    order = placed(Client(visitor.system, visitor.http))["id"]
    visitor.http.cookies.clear()
    visitor.log_in(who)
    assert 400 <= sent(visitor, f"/board/{order}", f"/board/{order}/{address}", fields) < 500
