"""The function that takes orders answers as the web process of one machine does."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.intake import SqsSpool
from dealerflow.adapters.aws.names import Names
from dealerflow.application.links import Links
from dealerflow.application.message_events import from_cloud_event
from dealerflow.application.snapshots import FRESH_MS, LOOK_AGAIN_MS, Snapshots
from dealerflow.composition.aws_intake import IntakeFunction, takes_orders
from dealerflow.composition.testing import TEST_SECRET, CountedIds, StillClock
from dealerflow.domain.intake import MAX_ORDER_BYTES, Snapshot
from dealerflow.domain.messages import PlaceOrder
from dealerflow.web.taking import Intake
from tests.aws.http_api import HttpApi, client
from tests.ministack import ACCOUNT, REGION, MiniStack
from tests.web.harness import ORDER, Client, running

PATH = "/api/v1/orders"
NAMES = Names(stack="shop", region=REGION, account=ACCOUNT)
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def one_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder: Path = tmp_path_factory.mktemp("one_machine")
    with running(f"sqlite:///{folder / 'dealerflow.db'}", folder) as anyone:
        yield anyone


@pytest.fixture
def snapshot(one_machine: Client) -> Snapshot:
    held = one_machine.system.web.intake.snapshot
    assert held is not None
    return held


class OnAws:
    """Intake's stores on an empty AWS, and the function before them."""

    def __init__(self) -> None:
        self.clients = Clients(REGION, tries=1)
        self.clients.sqs.create_queue(QueueName=NAMES.queue_name("orders"))
        self.clients.dynamodb.create_table(
            TableName=NAMES.table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.clients.s3.create_bucket(Bucket=NAMES.bucket)
        self.clock = StillClock()
        self.spool = SqsSpool(self.clients, NAMES)
        snapshots, ids = Snapshots(self.spool, self.clock), CountedIds()
        intake = Intake(
            spool=self.spool,
            links=Links(TEST_SECRET, "http://dealerflow.test"),
            clock=self.clock,
            ids=ids,
            newer=snapshots.newer,
        )
        function = IntakeFunction(intake, snapshots, ids, https=False)
        self.api = HttpApi(lambda event, _context: function.answer(event))
        self.http = httpx.Client(transport=self.api, base_url="http://dealerflow.test")

    def put(self, snapshot: Snapshot) -> None:
        self.spool.put_snapshot(snapshot.number, msgspec.json.encode(snapshot))

    def post(self, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(PATH, content=content, headers={**JSON, **named})

    def orders(self) -> list[str]:
        """What lies in the queue."""
        url = NAMES.queue_url("orders")
        found = self.clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        messages = [from_cloud_event(one["Body"]).message for one in found]
        return [message.new.id for message in messages if isinstance(message, PlaceOrder)]


@pytest.fixture
def on_aws(aws: MiniStack, snapshot: Snapshot) -> OnAws:
    made = OnAws()
    made.put(snapshot)
    return made


def masked(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """The answer without what differs from run to run."""
    text = re.sub(r"\b(ord|err)_[0-9a-z]+", r"\1_*", answer.text)
    text = re.sub(r"key=0\.[\w-]+", "key=*", text)
    headers = {
        name: re.sub(r"\bord_[0-9a-z]+", "ord_*", value)
        for name, value in answer.headers.items()
        if name not in {"date", "server", "content-length"}
    }
    return answer.status_code, text, headers


BODIES: dict[str, Any] = {
    "an order": ORDER,
    "an order in Spanish": {**ORDER, "customer": {**ORDER["customer"], "language": "es"}},
    "an order with a note": {**ORDER, "note": "Call first.\nThanks. ñ"},
    "another price": {**ORDER, "expected_price": {"amount": 1, "currency": "EUR"}},
    "nothing": b"",
    "no JSON": b"{",
    "a list": [],
    "every field wrong": {"dealership": 7, "customer": {}, "vehicle": None, "more": True},
    "unknown dealership and colour": {
        **ORDER,
        "dealership": "nowhere",
        "vehicle": {**ORDER["vehicle"], "colour": "plaid"},
    },
    "too large": b" " * (MAX_ORDER_BYTES + 1),
    "deep": b"[" * 50_000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("key", [None, "", "k" * 256, "a key of its own"])
def test_every_body_is_answered_as_on_one_machine(
    on_aws: OnAws, one_machine: Client, body: Any, key: str | None, request: pytest.FixtureRequest
) -> None:
    headers = {} if key is None else {"Idempotency_Key": key and f"{request.node.name}"[:200] + key}
    assert masked(on_aws.post(body, **headers)) == masked(one_machine.post(PATH, body, **headers))


def test_an_order_that_was_taken_lies_in_the_queue(on_aws: OnAws) -> None:
    taken = on_aws.post(ORDER)
    assert taken.status_code == 202
    assert on_aws.orders() == [taken.json()["id"]]


def test_a_body_of_any_type_comes_through_as_its_bytes(on_aws: OnAws) -> None:
    answer = on_aws.http.post(PATH, content=json.dumps(ORDER).encode())  # without a type it comes as base64
    assert on_aws.api.events[-1]["isBase64Encoded"]
    assert base64.b64decode(on_aws.api.events[-1]["body"]) == json.dumps(ORDER).encode()
    assert answer.status_code == 202


def test_a_repeat_says_so_and_another_body_with_its_key_is_refused(on_aws: OnAws) -> None:
    first = on_aws.post(ORDER, Idempotency_Key="k")
    again = on_aws.post(ORDER, Idempotency_Key="k")
    other = on_aws.post({**ORDER, "note": "another"}, Idempotency_Key="k")
    assert (first.json(), first.headers["location"]) == (again.json(), again.headers["location"])
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert (other.status_code, other.json()["type"]) == (422, "/docs#key-reused")
    assert on_aws.orders() == [first.json()["id"]]


def test_keys_are_of_one_caller(on_aws: OnAws) -> None:
    answers = [on_aws.post(ORDER, Idempotency_Key="k", Authorization=f"Bearer {who}") for who in "ab"]
    assert answers[0].json()["id"] != answers[1].json()["id"]


def test_while_aws_is_away_orders_are_refused_for_a_moment(
    on_aws: OnAws, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    assert on_aws.post(ORDER).status_code == 202
    on_aws.clients.sqs.delete_queue(QueueUrl=NAMES.queue_url("orders"))
    refused = on_aws.post(ORDER)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert refused.headers["content-type"] == "application/problem+json"


def test_before_there_is_a_catalogue_orders_are_refused_and_then_taken(
    aws: MiniStack, snapshot: Snapshot
) -> None:
    empty = OnAws()
    assert empty.post(ORDER).status_code == 503
    empty.put(snapshot)
    assert empty.post(ORDER).status_code == 202


def test_a_change_of_the_catalogue_is_known_after_half_a_minute(on_aws: OnAws, snapshot: Snapshot) -> None:
    assert on_aws.post(ORDER).status_code == 202
    closed = {**snapshot.dealerships, "northside": replace(snapshot.dealerships["northside"], active=False)}
    on_aws.put(replace(snapshot, number=snapshot.number + 1, dealerships=closed))
    assert on_aws.post(ORDER).status_code == 202
    on_aws.clock.pass_ms(FRESH_MS)
    assert on_aws.post(ORDER).status_code == 422


def test_nothing_is_refused_on_the_word_of_an_old_snapshot(on_aws: OnAws, snapshot: Snapshot) -> None:
    order = {**ORDER, "dealership": "brand-new"}
    assert on_aws.post(order).status_code == 422
    new = replace(snapshot.dealerships["northside"], id="brand-new")
    on_aws.put(
        replace(snapshot, number=snapshot.number + 1, dealerships={**snapshot.dealerships, "brand-new": new})
    )
    on_aws.clock.pass_ms(LOOK_AGAIN_MS)
    assert on_aws.post(order).status_code == 202


def test_the_function_finds_its_installation_in_its_environment(
    on_aws: OnAws, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_aws.clients.secrets.create_secret(Name=NAMES.signing_secret, SecretString=TEST_SECRET)
    for name, value in {
        "DEALERFLOW_STACK": NAMES.stack,
        "DEALERFLOW_ACCOUNT": ACCOUNT,
        "DEALERFLOW_PUBLIC_URL": "https://cars.example",
    }.items():
        monkeypatch.setenv(name, value)
    taken = client(takes_orders()).post(PATH, json=ORDER)
    assert taken.status_code == 202
    link, _, key = taken.json()["tracking_url"].partition("?key=")
    assert link == f"https://cars.example/orders/{taken.json()['id']}"
    assert Links(TEST_SECRET, "").check(taken.json()["id"], key) == 0
    assert "strict-transport-security" in taken.headers
    (order,) = on_aws.orders()
    assert order == taken.json()["id"]


def test_a_function_that_cannot_begin_says_so_and_tries_again(
    on_aws: OnAws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setenv("DEALERFLOW_STACK", NAMES.stack)
    monkeypatch.setenv("DEALERFLOW_ACCOUNT", ACCOUNT)
    function = client(takes_orders())
    assert function.post(PATH, json=ORDER).status_code == 503
    on_aws.clients.secrets.create_secret(Name=NAMES.signing_secret, SecretString=TEST_SECRET)
    assert function.post(PATH, json=ORDER).status_code == 202
