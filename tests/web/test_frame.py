from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import Response

from dealerflow.domain.errors import Outage
from dealerflow.web.problems import PROBLEM_JSON
from dealerflow.web.reference import openapi
from dealerflow.web.routes import ANYONE, get
from dealerflow.web.security import security_headers
from tests.web.harness import Client, running


@get("/fails", answers={200: None}, access=ANYONE)
def fails() -> Response[bytes]:
    """A fault of ours."""
    raise ZeroDivisionError("a secret of the inside")


@get("/away", answers={200: None}, access=ANYONE)
def away() -> Response[bytes]:
    """The database is away."""
    raise Outage("the database cannot be used now")


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Client]:
    with running(f"sqlite:///{tmp_path / 'dealerflow.db'}", tmp_path, fails, away) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/api/v1/nothing", 404),
        ("/api/v1/queues", 401),
        ("/static/nothing.css", 404),
        ("/static/../app.py", 404),
        ("/static/%2e%2e/app.py", 404),
        ("/healthz?x=%00", 400),
        ("/api/v1/orders/a%00b", 400),
        ("/api/v1/orders/a%0ab", 400),
    ],
)
def test_what_cannot_be_answered_is_a_problem(anyone: Client, path: str, status: int) -> None:
    answer = anyone.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM_JSON
    assert answer.json()["status"] == status


@pytest.mark.parametrize(
    "path", ["/", "/order", "/healthz", "/api/v1/catalogue", "/nothing", "/api/v1/queues"]
)
def test_head_is_answered_like_get_but_without_a_body(anyone: Client, path: str) -> None:
    whole, head = anyone.get(path), anyone.head(path)
    assert head.status_code == whole.status_code
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert head.headers["content-length"] == whole.headers["content-length"]
    assert head.content == b""


def test_head_of_a_stream_ends(anyone: Client) -> None:
    head = anyone.as_("admin").head("/api/v1/events/stream")
    assert (head.status_code, head.content) == (200, b"")


def test_a_method_that_is_not_known_is_405_and_says_which_are(anyone: Client) -> None:
    answer = anyone.put("/api/v1/orders")
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
    assert answer.json()["status"] == 405


def test_a_body_that_is_too_large_is_413(anyone: Client) -> None:
    answer = anyone.as_("operator").post("/api/v1/queues/orders/redrive", b" " * 100_000)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == PROBLEM_JSON


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 50_000, b'{"ids": "all"} x'])
def test_a_body_that_is_no_json_is_400(anyone: Client, body: bytes) -> None:
    answer = anyone.as_("operator").post("/api/v1/queues/orders/redrive", body)
    assert answer.status_code == 400, answer.text


def test_a_wrong_body_is_422_with_every_fault(anyone: Client) -> None:
    answer = anyone.as_("operator").post("/api/v1/queues/orders/discard", {"ids": [], "reason": " ", "x": 1})
    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {"/ids", "/reason", "/x"}


def test_a_fault_of_ours_is_500_and_tells_nothing_of_the_inside(faulty: Client) -> None:
    answer = faulty.get("/fails")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == PROBLEM_JSON
    assert "secret" not in answer.text
    assert "ZeroDivision" not in answer.text
    assert re.search(r"err_\w+", answer.json()["detail"])


def test_an_outage_is_503_and_says_when_to_come_back(faulty: Client) -> None:
    answer = faulty.get("/away")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "path", ["/healthz", "/nothing", "/api/v1/me", "/docs", "/static/reference.css", "/x%00"]
)
def test_every_answer_has_the_security_headers(anyone: Client, path: str) -> None:
    headers = anyone.get(path).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "strict-transport-security" not in headers


def test_orders_have_the_security_headers_too(anyone: Client) -> None:
    headers = anyone.post("/api/v1/orders", b"no").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_over_tls_browsers_are_told_to_stay_there() -> None:
    assert b"strict-transport-security" in dict(security_headers(https=True))


def test_answers_of_the_api_are_not_kept_by_browsers_but_static_files_are(anyone: Client) -> None:
    assert anyone.get("/api/v1/me").headers["cache-control"] == "no-store"
    assert "cache-control" not in anyone.get("/static/reference.css").headers


def test_the_openapi_document_names_every_route_with_its_errors(anyone: Client) -> None:
    document = anyone.get("/openapi.json").json()
    taking = document["paths"]["/api/v1/orders"]["post"]
    assert set(taking["responses"]) == {"202", "400", "409", "413", "422", "503"}
    assert taking["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/OrderForm")
    assert taking["security"] == [{}]
    pause = document["paths"]["/api/v1/queues/{name}/pause"]["post"]
    assert {"401", "403", "404"} <= set(pause["responses"])
    assert pause["security"] == [{"bearer": []}, {"session": []}]
    assert {one["name"] for one in pause["parameters"]} == {"name", "Idempotency-Key"}


def test_every_reference_of_the_openapi_document_leads_somewhere(anyone: Client) -> None:
    text = anyone.get("/openapi.json").text
    schemas = json.loads(text)["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', text)) <= set(schemas)


@pytest.mark.parametrize(
    ("public_url", "cookie"),
    [("https://cars.example.com", "__Host-dealerflow"), ("http://127.0.0.1:8000", "dealerflow_session")],
)
def test_the_openapi_document_names_the_cookie_that_is_set(public_url: str, cookie: str) -> None:
    schemes = openapi({}, public_url=public_url)["components"]["securitySchemes"]
    assert schemes["session"]["name"] == cookie


def test_the_reference_page_asks_nobody_else_for_anything(anyone: Client) -> None:
    page = anyone.get("/docs").text
    assert "<script" not in page
    assert "style=" not in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    for name in ("take_order", "problem", "price-changed"):
        assert name in page
