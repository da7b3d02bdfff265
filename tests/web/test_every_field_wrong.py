"""Every field of every call, wrong in every way: a problem names it, and nothing has happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from httpx import Response

from dealerflow.adapters.database.tables import metadata
from dealerflow.application.calls import HEADER as IDEMPOTENCY_KEY
from dealerflow.web.app import API_ROUTES
from dealerflow.web.routes import OPERATION, Operation
from tests.api_properties.world import Call, World, recipe, world
from tests.web.api.life import API
from tests.web.harness import ORDER, PASSWORD
from tests.web.wrong_values import Wrong, changed, pointer, wrong_bodies

OPERATIONS: dict[str, tuple[str, str, Operation]] = {
    handler.opt[OPERATION].name: (
        next(iter(handler.http_methods)),
        next(iter(handler.paths)),
        handler.opt[OPERATION],
    )
    for handler in API_ROUTES
}
WITH_BODY = sorted(name for name, (_, _, operation) in OPERATIONS.items() if operation.form is not None)
WITH_QUERY = sorted(name for name, (_, _, operation) in OPERATIONS.items() if operation.query)
POSTS = sorted(
    name for name, (method, _, operation) in OPERATIONS.items() if method == "POST" and operation.repeatable
)

Json = dict[str, Any]

WHOLE_ORDER: Json = {
    **ORDER,
    "customer": {
        "name": "Ana Núñez",
        "email": "ana@example.com",
        "phone": "+34 91 123 45 67",
        "language": "es",
        "company": "Núñez S.L.",
        "address": "Calle Mayor 1\n28013 Madrid",
        "tax_id": "B12345678",
    },
    "vehicle": {**ORDER["vehicle"], "options": ["tow-bar"]},
    "note": "Please call.\nThank you.",
    "expected_price": {"amount": 3_279_000, "currency": "EUR"},
}
# What a recipe leaves out, so that every field is there to be wrong.
WHOLE: dict[str, Json] = {
    "take_order": WHOLE_ORDER,
    "quote": {"dealership": "northside", "vehicle": WHOLE_ORDER["vehicle"]},
    "payments": {"method": "test_card", "amount": {"amount": 3_190_000, "currency": "EUR"}},
    "refund": {"reference": "bank 17"},
    "new_webhook": {
        "url": "https://hooks.example.com/x",
        "event_types": ["OrderMoved"],
        "dealership": "northside",
    },
    "log_in": {"email": "operator@factory.example", "password": PASSWORD},
}
NEED_NO_BODY = ("refund",)
# Wrong for what they mean: (operation, way to the field, value).
SENSELESS: list[tuple[str, tuple[str | int, ...], Any]] = [
    ("take_order", ("dealership",), "nowhere"),
    ("take_order", ("customer", "email"), "nobody"),
    ("take_order", ("customer", "email"), "two@at@signs.example"),
    ("take_order", ("customer", "phone"), "call me"),
    ("take_order", ("vehicle", "model"), "horse"),
    ("take_order", ("vehicle", "trim"), "gold"),
    ("take_order", ("vehicle", "colour"), "invisible"),
    ("take_order", ("vehicle", "options", 0), "wings"),
    ("take_order", ("vehicle", "options"), ["tow-bar", "tow-bar"]),
    ("payments", ("amount",), {"amount": -1, "currency": "EUR"}),
    ("payments", ("amount",), {"amount": 1, "currency": "EUR"}),
    ("payments", ("amount",), {"amount": 3_190_000, "currency": "USD"}),
    ("new_webhook", ("url",), "ftp://example.com"),
    ("new_webhook", ("url",), "https://user:password@example.com/"),
    ("new_webhook", ("event_types", 0), "order moved"),
    ("new_webhook", ("dealership",), "nowhere"),
    ("decisions", ("outcome",), "evaporate"),
]
WRONG_NUMBERS = ("-1", "1.5", "x", "1e3", "٣", "0x10", "9" * 30, " 1", "")
WRONG_QUERIES: dict[str, tuple[str, ...]] = {
    "limit": (*WRONG_NUMBERS, "0", "201"),
    "after": WRONG_NUMBERS,
    "cursor": ("garbage", "!", "%FF", "W10", "WyIiXQ", "bnVsbA", "x" * 5_000, ""),
    "sort": ("nonsense", "", "ID"),
    "status": ("nonsense", "", "OPEN"),
}
WRONG_TEXTS = ("%00", "a%0Ab", "%7F", "x" * 201)
WRONG_KEYS = ("", " ", "x" * 256, "a\tb")


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("wrong"), seed=17) as found:
        yield found


def everything_stored(found: World) -> tuple[dict[str, list[tuple[Any, ...]]], int]:
    """Every row of the database, and where the spool ends."""
    with found.anyone.system.engine.connect() as connection:
        rows = {
            name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for name, table in metadata.tables.items()
        }
    return rows, found.anyone.system.spool.last


def right_call(found: World, name: str) -> Call:
    """A call that would succeed, with every field that there is."""
    call = recipe(name)(found)
    if name in WHOLE:
        call = Call(who=call.who, key=call.key, path=call.path, body=WHOLE[name])
    return call


def sends(
    found: World, name: str, call: Call, body: bytes | None = None, *, query: str = "", key: str | None = None
) -> Response:
    """The call, with this body instead of its own."""
    method, path, _ = OPERATIONS[name]
    for parameter in [part[1:-1].partition(":")[0] for part in path.split("/") if part.startswith("{")]:
        path = path.replace(
            f"{{{parameter}:str}}", call.path.get(parameter) or found.any_of(parameter) or "none"
        )
    link = f"key={found.key(call.key)}" if call.key else ""
    repeated = {} if key is None else {IDEMPOTENCY_KEY: key}
    content = body if body is not None else msgspec.json.encode(call.body) if call.body is not None else b""
    found.anyone.http.cookies.clear()
    return found.anyone.http.request(
        method,
        f"{API}{path}?{'&'.join(filter(None, (link, query)))}",
        content=content,
        headers={"Content-Type": "application/json", **found.headers(call.who), **repeated},
    )


def is_a_problem(answer: Response, what: str) -> Json:
    assert 400 <= answer.status_code < 500, f"{what}: {answer.status_code} {answer.text[:500]}"
    assert answer.headers["content-type"] == "application/problem+json", what
    problem: Json = answer.json()
    assert problem["status"] == answer.status_code
    return problem


def names_the_fault(answer: Response, wrong: Wrong) -> None:
    what = f"{wrong.pointer} {wrong.what}: {wrong.body[:300]!r}"
    problem = is_a_problem(answer, what)
    assert answer.status_code in wrong.statuses, f"{what}: {answer.status_code} {answer.text[:500]}"
    if answer.status_code == 422:
        pointers = [fault["pointer"] for fault in problem["errors"]]
        assert any(_is_at(named, wrong.pointer) for named in pointers), f"{what}: {pointers}"
        assert all(fault["detail"] for fault in problem["errors"])


def _is_at(named: str, where: str) -> bool:
    """There, or at a part of it: of a list that is wrong an item may be named."""
    return named == where or named.startswith(f"{where}/")


def details_of_every_outcome(found: World) -> Iterator[tuple[Call, dict[str, tuple[Any, list[Any]]]]]:
    """Decisions with details: for each detail a right value (None: it may be left out) and wrong ones."""
    texts: list[Any] = [None, 7, [], {}, "", "  ", "x" * 5_000, "a\x00b", "\u202e"]
    optional: list[Any] = [7, [], {}, "x" * 5_000, "a\x00b"]
    choices: list[Any] = [None, 7, [], {}, "", "nonsense"]
    northside = "dealer@northside"
    in_placed, in_check = found.order_in("order_placed"), found.order_in("quality_check")
    in_arrived, on_way = found.order_in("order_arrived"), found.order_in("on_delivery")
    decided: list[tuple[str, str, str, dict[str, tuple[Any, list[Any]]]]] = [
        (northside, in_placed, "decline", {"reason": ("sold out", texts)}),
        (northside, in_placed, "cancel", {"reason": ("changed my mind", optional)}),
        ("production", in_arrived, "start_production", {"line": ("A", choices)}),
        ("quality", in_check, "fail", {
            "defects": (["paint"], [None, 7, "paint", {}, [], ["nonsense"], [7], [None], ["paint", "paint"], ["paint"] * 500]),
            "note": ("left door", optional),
        }),
        (northside, on_way, "receive", {"condition": ("ok", choices), "note": ("a scratch", optional)}),
    ]  # fmt: skip
    for who, order, outcome, details in decided:
        right = {name: value for name, (value, _) in details.items()}
        body = {"outcome": outcome, "step": found.seen(order)["step"], "details": right}
        yield Call(who=who, path={"order_id": order}, body=body), details


@pytest.mark.parametrize("name", WITH_BODY)
def test_every_field_of_every_body_wrong_in_every_way_is_named(everything: World, name: str) -> None:
    call = right_call(everything, name)
    before = everything_stored(everything)
    tried = 0
    for wrong in wrong_bodies(OPERATIONS[name][2].form, call.body):
        if name in NEED_NO_BODY and not wrong.body:
            continue
        names_the_fault(sends(everything, name, call, wrong.body), wrong)
        tried += 1
    assert tried > 20
    assert everything_stored(everything) == before, "nothing has half happened"
    assert sends(everything, name, call).is_success, "with nothing wrong it succeeds"


@pytest.mark.parametrize(("name", "way", "value"), SENSELESS, ids=str)
def test_what_makes_no_sense_is_named(
    everything: World, name: str, way: tuple[str | int, ...], value: Any
) -> None:
    call = right_call(everything, name)
    before = everything_stored(everything)
    body = msgspec.json.encode(changed(call.body, way, value))
    names_the_fault(
        sends(everything, name, call, body), Wrong(f"is {value!r}", pointer(way), body, frozenset({422}))
    )
    assert everything_stored(everything) == before


def test_every_detail_of_every_outcome_wrong_in_every_way_is_named(everything: World) -> None:
    calls = list(details_of_every_outcome(everything))
    before = everything_stored(everything)
    for call, details in calls:
        for name, (_, values) in details.items():
            for value in values:
                body = msgspec.json.encode(changed(call.body, ("details", name), value))
                wrong = Wrong(f"is {value!r:.80}", f"/details/{name}", body, frozenset({422}))
                names_the_fault(sends(everything, "decisions", call, body), wrong)
        body = msgspec.json.encode(changed(call.body, ("details", "unheard_of"), "of"))
        names_the_fault(
            sends(everything, "decisions", call, body),
            Wrong("is unknown", "/details/unheard_of", body, frozenset({422})),
        )
    assert everything_stored(everything) == before


@pytest.mark.parametrize("name", WITH_QUERY)
def test_every_query_parameter_of_every_call_wrong_in_every_way_is_refused(
    everything: World, name: str
) -> None:
    call = right_call(everything, name)
    before = everything_stored(everything)
    for query in OPERATIONS[name][2].query:
        for value in WRONG_QUERIES.get(query.name, WRONG_TEXTS):
            answer = sends(everything, name, call, query=f"{query.name}={value}")
            problem = is_a_problem(answer, f"{query.name}={value[:50]}")
            assert answer.status_code == 400, f"{query.name}={value[:50]}: {problem}"
    assert everything_stored(everything) == before


@pytest.mark.parametrize("name", POSTS)
def test_a_key_that_can_be_none_is_refused(everything: World, name: str) -> None:
    call = right_call(everything, name)
    before = everything_stored(everything)
    for key in WRONG_KEYS:
        answer = sends(everything, name, call, key=key)
        is_a_problem(answer, f"{name} with {key!r}")
        assert answer.status_code == 400, (key, answer.text)
    assert everything_stored(everything) == before


@pytest.mark.parametrize("name", [name for name, (_, path, _) in sorted(OPERATIONS.items()) if "{" in path])
def test_an_id_or_an_address_that_nobody_has_is_refused(everything: World, name: str) -> None:
    _, path, _ = OPERATIONS[name]
    right = right_call(everything, name)
    before = everything_stored(everything)
    for wrong in (
        "none",
        "ord_00000000",
        "%00",
        "%0A",
        "%ED%A0%80",
        "x" * 3_000,
        "..%2F..",
        "'%20OR%201=1--",
    ):
        names = [part[1:-1].partition(":")[0] for part in path.split("/") if part.startswith("{")]
        call = Call(
            who=right.who or "admin", path={**right.path, **dict.fromkeys(names[-1:], wrong)}, body=right.body
        )
        answer = sends(everything, name, call)
        is_a_problem(answer, f"{path} with {wrong[:30]}")
        assert answer.status_code in (400, 403, 404), answer.text
    assert everything_stored(everything) == before
