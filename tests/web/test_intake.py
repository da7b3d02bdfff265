from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dealerflow.adapters.embedded.spool_reader import SqliteSpoolReader, open_spool
from dealerflow.application.calls import KEPT_MS
from dealerflow.application.intake import Accepted, Done, Spool
from dealerflow.domain.errors import Unavailable
from dealerflow.domain.intake import MAX_ORDER_BYTES
from dealerflow.domain.messages import AnyMessage, PlaceOrder
from dealerflow.web.problems import PROBLEM_JSON
from tests.web.harness import ORDER, Client, running
from tests.web.outages import without_database

ORDERS = "/api/v1/orders"


def spooled(client: Client, tmp_path: Path) -> list[PlaceOrder]:
    reader = SqliteSpoolReader(tmp_path / "intake.db")
    try:
        return [item.message for item in reader.read(0, 1_000) if isinstance(item.message, PlaceOrder)]
    finally:
        reader.close()


def changed(**changes: Any) -> dict[str, Any]:
    return {**ORDER, **changes}


# --- taking ----------------------------------------------------------------------------------------------------------


def test_an_order_is_taken_with_its_price_and_its_own_link(anyone: Client) -> None:
    answer = anyone.post(ORDERS, ORDER)
    taken = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"{ORDERS}/{taken['id']}"
    assert taken["state"] == "received"
    assert taken["price"] == {"amount": 3_190_000, "currency": "EUR"}
    start, _, key = taken["tracking_url"].partition("?key=")
    assert start == f"http://dealerflow.test/orders/{taken['id']}"
    assert anyone.system.links.check(taken["id"], key) == 0


def test_an_order_is_on_disk_before_its_answer(anyone: Client, tmp_path: Path) -> None:
    taken = anyone.place(note="Call first.\nThanks.")
    (placed,) = spooled(anyone, tmp_path)
    assert placed.new.id == taken["id"]
    assert placed.new.revision.note == "Call first.\nThanks."
    assert placed.new.revision.price == taken["price"]["amount"]


def test_labels_prices_and_terms_are_copied_into_the_order(anyone: Client, tmp_path: Path) -> None:
    vehicle = {**ORDER["vehicle"], "options": ["tow-bar"]}
    anyone.place(dealership="lakeside", vehicle=vehicle)
    (placed,) = spooled(anyone, tmp_path)
    assert [(term.before, term.percent) for term in placed.new.terms] == [
        ("production", 20),
        ("handover", 80),
    ]
    assert set(placed.new.revision.labels) == {"model", "trim", "colour", "option:tow-bar"}
    assert sum(line.amount for line in placed.new.revision.lines) == placed.new.revision.price
    assert placed.new.revision.catalogue_version == 1


def test_the_customers_language_is_the_dealerships_unless_chosen(anyone: Client, tmp_path: Path) -> None:
    anyone.place()
    anyone.place(customer={**ORDER["customer"], "language": "es"})
    assert [placed.new.customer.language for placed in spooled(anyone, tmp_path)] == ["en", "es"]


def test_json_is_taken_whatever_its_content_type_says(anyone: Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert anyone.post(ORDERS, ORDER, Content_Type=kind).status_code == 202


def test_a_trailing_slash_makes_no_difference(anyone: Client) -> None:
    answer = anyone.post(ORDERS + "/", ORDER, Idempotency_Key="k")
    assert answer.status_code == 202
    again = anyone.post(ORDERS, ORDER, Idempotency_Key="k")
    assert again.json() == answer.json()
    assert anyone.post(ORDERS + "/", b"{").status_code == 400


def test_an_expected_price_that_differs_is_409_with_the_price_now(anyone: Client, tmp_path: Path) -> None:
    answer = anyone.post(ORDERS, changed(expected_price={"amount": 1, "currency": "EUR"}))
    assert answer.status_code == 409
    assert answer.json()["price"] == {"amount": 3_190_000, "currency": "EUR"}
    right = anyone.post(ORDERS, changed(expected_price={"amount": 3_190_000, "currency": "EUR"}))
    assert right.status_code == 202
    assert len(spooled(anyone, tmp_path)) == 1


def test_faults_of_form_catalogue_and_dealership_are_named_together(anyone: Client) -> None:
    body = {
        "dealership": "nowhere",
        "customer": {"name": "", "email": "no address"},
        "vehicle": {"model": "meridian", "trim": "base", "colour": "plaid", "options": []},
        "colour": "red",
    }
    answer = anyone.post(ORDERS, body)
    assert answer.status_code == 422
    named = {fault["pointer"] for fault in answer.json()["errors"]}
    assert named == {"/dealership", "/customer/name", "/customer/email", "/vehicle/colour", "/colour"}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 10_000, b'{"a": 1, "a": 2}', b'{"a": NaN}'])
def test_what_is_no_json_is_400(anyone: Client, body: bytes) -> None:
    answer = anyone.post(ORDERS, body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == PROBLEM_JSON


@pytest.mark.parametrize("size", [MAX_ORDER_BYTES + 1, 200_000, 3_000_000])
def test_what_is_too_large_is_413(anyone: Client, size: int) -> None:
    answer = anyone.post(ORDERS, b" " * size)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == PROBLEM_JSON


# --- repeating -------------------------------------------------------------------------------------------------------


def test_a_repeated_call_gets_the_same_answer_and_makes_no_second_order(
    anyone: Client, tmp_path: Path
) -> None:
    first = anyone.post(ORDERS, ORDER, Idempotency_Key="k-1")
    again = anyone.post(ORDERS, ORDER, Idempotency_Key="k-1")
    assert again.status_code == 202
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len(spooled(anyone, tmp_path)) == 1


def test_a_key_with_another_body_is_422(anyone: Client, tmp_path: Path) -> None:
    anyone.post(ORDERS, ORDER, Idempotency_Key="k-1")
    assert anyone.post(ORDERS, changed(note="other"), Idempotency_Key="k-1").status_code == 422
    assert anyone.post(ORDERS, b"{", Idempotency_Key="k-1").status_code == 422
    assert len(spooled(anyone, tmp_path)) == 1


def test_a_refused_order_does_not_use_up_its_key(anyone: Client) -> None:
    assert anyone.post(ORDERS, changed(dealership="nowhere"), Idempotency_Key="k-1").status_code == 422
    assert anyone.post(ORDERS, ORDER, Idempotency_Key="k-1").status_code == 202


def test_a_repeat_is_answered_the_same_though_the_price_has_changed(anyone: Client) -> None:
    body = changed(expected_price={"amount": 3_190_000, "currency": "EUR"})
    first = anyone.post(ORDERS, body, Idempotency_Key="k-1")
    raise_prices(anyone)
    assert anyone.post(ORDERS, body).status_code == 409
    assert anyone.post(ORDERS, body, Idempotency_Key="k-1").json() == first.json()


def test_each_token_has_keys_of_its_own(anyone: Client, tmp_path: Path) -> None:
    dealer = anyone.as_("dealer@northside")
    first = anyone.post(ORDERS, ORDER, Idempotency_Key="k-1").json()
    second = dealer.post(ORDERS, ORDER, Idempotency_Key="k-1").json()
    assert first["id"] != second["id"]
    assert len(spooled(anyone, tmp_path)) == 2


@pytest.mark.parametrize("key", ["", "é", "a" * 256, "a\tb"])
def test_a_key_that_can_be_none_is_400(anyone: Client, key: str) -> None:
    answer = anyone.http.post(
        ORDERS, content=json.dumps(ORDER), headers=[(b"Idempotency-Key", key.encode("latin-1"))]
    )
    assert answer.status_code == 400


def test_of_many_calls_at_once_with_one_key_one_makes_an_order(anyone: Client, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: anyone.post(ORDERS, ORDER, Idempotency_Key="k"), range(24)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert len(spooled(anyone, tmp_path)) == 1


def test_a_key_is_forgotten_after_a_day(anyone: Client) -> None:
    first = anyone.post(ORDERS, ORDER, Idempotency_Key="k").json()
    anyone.system.clock.pass_ms(KEPT_MS)
    assert anyone.post(ORDERS, ORDER, Idempotency_Key="k").json()["id"] != first["id"]


def test_of_keys_forgotten_nothing_stays_on_the_disk(anyone: Client, tmp_path: Path) -> None:
    anyone.post(ORDERS, ORDER, Idempotency_Key="k")
    anyone.system.clock.pass_ms(KEPT_MS + 1)
    anyone.system.web.upkeep.step()
    anyone.system.spool.snapshot()  # what is asked later is done later
    with closing(open_spool(tmp_path / "intake.db", "rw")) as disk:
        assert disk.execute("SELECT count(*) FROM idempotency").fetchone() == (0,)


# --- snapshots, and what is down -------------------------------------------------------------------------------------


def raise_prices(client: Client) -> None:
    """Everything costs 1.00 more from now on."""
    intake = client.system.web.intake
    held = intake.snapshot
    assert held is not None
    models = tuple(
        replace(model, price={currency: price + 100 for currency, price in model.price.items()})
        for model in held.catalogue.models
    )
    intake.snapshot = replace(held, catalogue=replace(held.catalogue, version=2, models=models))


def test_a_dealership_that_is_closed_takes_no_more_orders(anyone: Client) -> None:
    assert anyone.post(ORDERS, ORDER).status_code == 202
    with anyone.system.database.begin() as work:
        work.reference.put_dealership(replace(work.people.dealership("northside"), active=False))
        work.reference.raise_snapshot_number()
    anyone.system.web.upkeep.step()
    answer = anyone.post(ORDERS, ORDER)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/dealership"]


def test_without_a_snapshot_it_is_503(anyone: Client) -> None:
    anyone.system.web.intake.snapshot = None
    answer = anyone.post(ORDERS, ORDER)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


def test_orders_are_taken_while_the_database_is_away(anyone: Client, tmp_path: Path) -> None:
    with without_database(anyone):
        taken = anyone.place()
        assert anyone.as_(None).get("/api/v1/me").status_code == 401
    anyone.system.process()
    with anyone.system.database.read() as work:
        assert work.orders.get(taken["id"]).state == "order_placed"


def test_after_a_start_without_the_database_the_kept_snapshot_is_used(tmp_path: Path) -> None:
    with running(f"sqlite:///{tmp_path / 'dealerflow.db'}", tmp_path) as client:
        intake, upkeep = client.system.web.intake, client.system.web.upkeep
        kept = intake.snapshot
        intake.snapshot = None
        with without_database(client):
            upkeep.begin()
            assert intake.snapshot == kept
            assert client.post(ORDERS, ORDER).status_code == 202


class FullDisk(Spool):
    """A spool that cannot write until there is room again, and remembers no key."""

    id, last, full = "spl_full", 0, True

    def sent_at(self, position: int) -> int | None:
        return None

    def append(
        self,
        message: AnyMessage,
        done: Done,
        *,
        at: int,
        answer: bytes = b"",
        key: str | None = None,
        request: str = "",
    ) -> None:
        if self.full:
            done(Unavailable("orders cannot be taken at the moment", retry_after_s=3))
        else:
            done(Accepted(position=1, answer=answer))

    def find(
        self, key: str, request: str, done: Callable[[Accepted | Exception | None], None], *, at: int
    ) -> None:
        done(None)

    def prune(self, position: int) -> None:
        pass

    def expire_keys(self, before: int) -> None:
        pass

    def put_snapshot(self, number: int, body: bytes) -> None:
        if self.full:
            raise Unavailable("orders cannot be taken at the moment")

    def snapshot(self) -> tuple[int, bytes] | None:
        return None


def test_a_full_disk_is_503_and_recovers_by_itself(anyone: Client) -> None:
    disk = FullDisk()
    intake, upkeep = anyone.system.web.intake, anyone.system.web.upkeep
    intake.spool = disk
    upkeep.spool = disk
    answer = anyone.post(ORDERS, ORDER)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "3"
    assert anyone.get("/readyz").status_code == 503
    assert "intake" in anyone.get("/readyz").json()["down"]
    upkeep.write_again()
    assert anyone.get("/readyz").status_code == 503
    disk.full = False
    upkeep.write_again()
    assert anyone.get("/readyz").status_code == 200
    assert anyone.post(ORDERS, ORDER).status_code == 202


# --- anything at all -------------------------------------------------------------------------------------------------

words = st.text(max_size=20) | st.sampled_from(
    ["northside", "meridian", "base", "pearl-white", "a@example.com"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=8,
)
FIELDS = [("dealership",), ("customer",), ("vehicle",), ("note",), ("expected_price",), ("x",)]
INNER = [
    ("customer", name) for name in ("name", "email", "phone", "language", "company", "address", "tax_id")
]
INNER += [("vehicle", name) for name in ("model", "trim", "colour", "options")]


def with_value(way: tuple[str, ...], value: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(json.dumps(ORDER))
    inner = body
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = value
    return body


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    data = tmp_path_factory.mktemp("intake")
    with running(f"sqlite:///{data / 'dealerflow.db'}", data) as client:
        yield client


@given(st.sampled_from(FIELDS + INNER), values)
def test_any_value_in_any_field_is_taken_or_refused_by_name(
    lasting: Client, way: tuple[str, ...], value: Any
) -> None:
    answer = lasting.post(ORDERS, json.dumps(with_value(way, value)).encode(errors="replace"))
    assert answer.status_code in {202, 400, 409, 413, 422}
    if answer.status_code == 422:
        assert answer.json()["errors"]


@given(st.binary(max_size=300) | values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_refused_politely(lasting: Client, body: bytes) -> None:
    answer = lasting.post(ORDERS, body)
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == PROBLEM_JSON


@given(st.binary(min_size=1, max_size=40).filter(lambda raw: b"\n" not in raw and b"\r" not in raw))
def test_any_idempotency_key_is_taken_or_refused(lasting: Client, key: bytes) -> None:
    answer = lasting.http.post(ORDERS, content=json.dumps(ORDER), headers=[(b"Idempotency-Key", key)])
    assert answer.status_code in {202, 400}
