from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from dealerflow.application.calls import KeyReused
from dealerflow.domain import errors
from dealerflow.domain.errors import Conflict, DealerflowError, Fault, Invalid, TooManyTries, Unavailable
from dealerflow.domain.intake import PriceChanged
from dealerflow.domain.money import Money
from dealerflow.web.problems import STATUS, plain_problem, problem_of, status_of


def core_errors() -> Iterator[type[DealerflowError]]:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, DealerflowError) and kind is not DealerflowError:
            yield kind


def test_each_error_of_the_core_has_its_status() -> None:
    assert set(core_errors()) == set(STATUS)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.Malformed(), 400),
        (errors.Unauthenticated(), 401),
        (errors.Forbidden(), 403),
        (errors.NotFound(), 404),
        (Conflict("full"), 409),
        (errors.LeaseLost(), 409),
        (PriceChanged(Money(1, "EUR")), 409),
        (errors.TooLarge(), 413),
        (errors.UnsupportedMedia(), 415),
        (Invalid([Fault("/a", "is missing")]), 422),
        (KeyReused(), 422),
        (TooManyTries(), 429),
        (Unavailable(), 503),
        (errors.Outage(), 503),
    ],
)
def test_an_error_becomes_a_problem_with_its_status(error: DealerflowError, status: int) -> None:
    answer = problem_of(error, "/api/v1/orders")
    problem = json.loads(answer.body)
    assert answer.status == problem["status"] == status == status_of(error)
    assert {"type", "title", "detail"} <= set(problem)
    assert problem["instance"] == "/api/v1/orders"
    assert problem["detail"]


def test_an_invalid_input_names_every_fault() -> None:
    faults = [Fault("/customer/name", "is missing"), Fault("", "odd")]
    problem = json.loads(problem_of(Invalid(faults), "/x").body)
    assert problem["errors"] == [
        {"pointer": "/customer/name", "detail": "is missing"},
        {"pointer": "", "detail": "odd"},
    ]


def test_a_conflict_tells_its_facts() -> None:
    problem = json.loads(problem_of(PriceChanged(Money(3_190_000, "EUR")), "/x").body)
    assert problem["price"] == {"amount": 3_190_000, "currency": "EUR"}
    assert problem["type"] == "/docs#price-changed"


def test_a_fact_cannot_hide_what_a_problem_must_say() -> None:
    problem = json.loads(problem_of(Conflict("no", status="open", title="x"), "/x").body)
    assert problem["status"] == 409
    assert problem["title"] == "Conflict"


@pytest.mark.parametrize(
    ("error", "seconds"), [(Unavailable(retry_after_s=7), "7"), (TooManyTries(retry_after_s=9), "9")]
)
def test_who_shall_wait_is_told_how_long(error: DealerflowError, seconds: str) -> None:
    assert problem_of(error, "/x").headers["Retry-After"] == seconds


def test_an_outage_says_that_waiting_helps() -> None:
    assert int(problem_of(errors.Outage("the database is away"), "/x").headers["Retry-After"]) > 0


def test_who_is_not_known_is_told_how_to_say_it() -> None:
    assert problem_of(errors.Unauthenticated(), "/x").headers["WWW-Authenticate"] == "Bearer"


def test_a_problem_of_http_has_no_type_of_ours() -> None:
    assert json.loads(plain_problem(405, "no", "/x").body)["type"] == "about:blank"
