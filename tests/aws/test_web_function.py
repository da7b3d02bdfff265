"""The pages and the API behind an HTTP API: what a browser gets there is what it gets of one machine."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from dealerflow.application import reference_files as files
from dealerflow.application.import_files import Rows
from dealerflow.composition.aws import AwsSystem, of_environment
from dealerflow.composition.aws_upkeep import Prepare, prepare, upkeep_of
from dealerflow.composition.aws_web import behind_http_api, serves, web_app
from dealerflow.composition.testing import TEST_SECRET
from dealerflow.web.app import make_app
from dealerflow.web.live import COME_BACK_MS
from tests.aws.http_api import HttpApi, client
from tests.ministack import ACCOUNT, MiniStack
from tests.postgres import PostgresServer
from tests.web.harness import DEMO, ORDER, PASSWORD, Client, address, running

EVENTS = "/api/v1/events/stream"


# --- the application of one machine, behind an HTTP API -------------------------------------------------------


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    """The event loop that mangum finds, as in a function; there nobody has to close it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def one_machine(tmp_path: Path) -> Iterator[Client]:
    with running(f"sqlite:///{tmp_path / 'dealerflow.db'}", tmp_path) as anyone:
        yield anyone


@pytest.fixture
def browser(one_machine: Client) -> Iterator[httpx.Client]:
    """A browser before the same application, which streams nothing."""
    app = make_app(replace(one_machine.system.web, streams=False))
    with client(behind_http_api(app)) as made:
        yield made


def as_(who: str, one_machine: Client) -> dict[str, str]:
    return one_machine.as_(who).headers


@pytest.mark.parametrize(
    "path",
    ["/", "/login", "/static/base.css", "/static/icon.svg", "/openapi.json", "/nowhere", "/healthz", "/readyz",
     "/api/v1/catalogue", "/api/v1/nothing?a=%20b&a=ñ", "/board"],
)  # fmt: skip
def test_whatever_is_asked_for_is_answered_as_on_one_machine(
    browser: httpx.Client, one_machine: Client, path: str
) -> None:
    here, there = one_machine.http.get(path, follow_redirects=False), browser.get(path)
    assert (there.status_code, comparable(there.text)) == (here.status_code, comparable(here.text))
    assert headers(there) == headers(here)


def comparable(text: str) -> str:
    """Without the tokens that forms carry, which are new each time."""
    return re.sub(r'name="csrf_token"[^>]*>', "", text)


def headers(answer: httpx.Response) -> dict[str, str]:
    return {
        name: re.sub(r"=[^;]{20,};", "=*;", value)
        for name, value in answer.headers.items()
        if name not in {"content-length", "date", "server", "transfer-encoding"}
    }


def test_a_pdf_comes_through_as_its_bytes(browser: httpx.Client, one_machine: Client) -> None:
    taken = one_machine.place()
    one_machine.system.process()
    order, key = f"/api/v1/orders/{taken['id']}", f"?key={taken['key']}"
    dealer = one_machine.as_("dealer@northside")
    step = dealer.get(order).json()["step"]
    assert dealer.post(f"{order}/decisions", {"step": step, "outcome": "accept"}).status_code == 202
    one_machine.system.process()
    assert one_machine.post(f"{order}/payments{key}", {"method": "test_card"}).status_code == 202
    one_machine.system.process()
    path = f"{order}/invoice{key}"
    here, there = one_machine.http.get(path), browser.get(path)
    assert there.content == here.content
    assert there.content.startswith(b"%PDF")
    assert there.headers["content-type"] == "application/pdf"


def test_a_stream_tells_what_is_new_and_ends_and_its_reader_comes_back_for_more(
    browser: httpx.Client, one_machine: Client
) -> None:
    operator = as_("operator", one_machine)
    first = browser.get(EVENTS, headers=operator).text
    assert f"retry: {COME_BACK_MS}\n" in first
    assert "data:" not in first  # from now on: nothing has happened since
    one_machine.place()
    one_machine.system.process()

    second = browser.get(EVENTS, headers={**operator, "Last-Event-ID": last_id(first)}).text
    assert "event: OrderPlaced\n" in second
    third = browser.get(EVENTS, headers={**operator, "Last-Event-ID": last_id(second)}).text
    assert "data:" not in third
    assert last_id(third) == last_id(second)


def last_id(stream: str) -> str:
    """What an EventSource would send as Last-Event-ID."""
    return str(re.findall(r"^id: (\d+)$", stream, re.MULTILINE)[-1])


# --- on AWS ---------------------------------------------------------------------------------------------------


@pytest.fixture
def system(aws: MiniStack, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsSystem]:
    for name, value in {
        "STACK": "shop",
        "ACCOUNT": ACCOUNT,
        "PUBLIC_URL": "http://dealerflow.test",
        "DATABASE_URL": postgres_url,
        "SECRET_KEY": TEST_SECRET,
    }.items():
        monkeypatch.setenv(f"DEALERFLOW_{name}", value)
    with closing(of_environment()) as made:
        set_up(made)
        yield made


def set_up(made: AwsSystem) -> None:
    """What the template makes, and some people and cars."""
    for queue in ("orders", "orders-dead"):
        made.clients.sqs.create_queue(QueueName=f"shop-{queue}")
    made.clients.dynamodb.create_table(
        TableName=made.names.table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    made.clients.s3.create_bucket(Bucket=made.names.bucket)
    prepare(made, Prepare())
    with made.database.begin() as work:
        files.put_catalogue(work, (DEMO / "catalogue.json").read_bytes())
        files.put_dealerships(work, rows("dealerships"))
        files.put_lines(work, rows("lines"))
        files.put_accounts(work, rows("accounts"), made.hasher.hash, least_password=4)
    upkeep_of(made).step()


def rows(name: str) -> Rows:
    return Rows(values=msgspec.json.decode((DEMO / f"{name}.json").read_bytes()))


@pytest.fixture
def function(system: AwsSystem) -> Any:
    return behind_http_api(web_app(system))


def test_people_log_in_and_see_their_board(function: Any) -> None:
    with client(function) as browser:
        csrf = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/login").text)
        assert csrf
        fields = {
            "email": address("operator"),
            "password": PASSWORD,
            "next": "/queues",
            "csrf_token": csrf[1],
        }
        answer = browser.post("/login", data=fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/queues")
        assert browser.get("/queues").status_code == 200
        assert browser.get("/api/v1/me").json()["email"] == address("operator")


def test_an_order_from_the_page_goes_the_way_of_all_orders(function: Any, system: AwsSystem) -> None:
    with client(function) as browser:
        taken = browser.post("/api/v1/orders", json=ORDER, headers={"Idempotency-Key": "k"})
        again = browser.post("/api/v1/orders", json=ORDER, headers={"Idempotency-Key": "k"})
    assert taken.status_code == again.status_code == 202
    url = system.names.queue_url("orders")
    [message] = system.clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert taken.json()["id"] in message["Body"]


def test_failed_logins_are_counted_for_the_address_that_asks(function: Any) -> None:
    login = {"email": address("operator"), "password": "wrong"}

    def tries(of: str, count: int) -> list[int]:
        with httpx.Client(transport=HttpApi(function, address=of), base_url="http://dealerflow.test") as some:
            return [
                some.post("/api/v1/sessions", json={**login, "email": f"{n}{login['email']}"}).status_code
                for n in range(count)
            ]

    assert tries("203.0.113.1", 61)[-1] == 429
    assert tries("203.0.113.2", 1) == [401]


def test_a_function_that_cannot_begin_says_so_and_tries_again(
    system: AwsSystem, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    monkeypatch.delenv("DEALERFLOW_SECRET_KEY")
    with client(serves()) as browser:
        refused = browser.get("/api/v1/catalogue")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert refused.headers["content-type"] == "application/problem+json"
        system.clients.secrets.create_secret(Name=system.names.signing_secret, SecretString=TEST_SECRET)
        assert browser.get("/api/v1/catalogue").status_code == 200


def test_orders_are_taken_without_the_database(
    function: Any, system: AwsSystem, postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    with client(function) as browser:
        assert browser.get("/readyz").json() == {"ready": True, "down": {}}
        postgres.stop()
        assert browser.post("/api/v1/orders", json=ORDER).status_code == 202
        assert browser.post("/api/v1/sessions", json={"email": "a@b", "password": "x"}).status_code == 503
