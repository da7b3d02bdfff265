"""An order that is processed just while its customer asks for it: between a first look, and a second that tells why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dealerflow.adapters.database.queries import SqlQueries
from dealerflow.adapters.database.queries.orders import SqlOrderQueries
from dealerflow.web.system import WebSystem
from tests.web.api.life import API, seen
from tests.web.harness import Client, WebTestSystem, running


class ProcessedMeanwhile(SqlOrderQueries):
    """The queries on orders, in an installation whose workers are quick at the worst moment."""

    work: Callable[[], None]

    def is_stored(self, order_id: str) -> bool:
        self.work()
        return super().is_stored(order_id)


class QuickWorkers(WebTestSystem):
    """Processes what waits whenever it is asked whether an order is stored."""

    def _web(self) -> WebSystem:
        queries = SqlQueries(self.engine, self.clock, self.pipelines)
        queries.orders = orders = ProcessedMeanwhile(self.engine, self.pipelines)
        orders.work = self.process
        return replace(super()._web(), queries=queries)


@pytest.fixture
def customer(tmp_path: Path) -> Iterator[Client]:
    with running(f"sqlite:///{tmp_path / 'dealerflow.db'}", tmp_path, made=QuickWorkers) as client:
        yield client


def test_the_customer_sees_the_order(customer: Client) -> None:
    taken = customer.place()
    assert seen(customer, f"{taken['id']}?key={taken['key']}")["state"] == "order_placed"


def test_what_the_customer_asks_of_the_order_is_answered_as_it_stands_now(customer: Client) -> None:
    taken = customer.place()
    pay = f"{API}/orders/{taken['id']}/payments?key={taken['key']}"
    refused = customer.post(pay, {"method": "test_card"})
    assert (refused.status_code, refused.json()["state"]) == (409, "order_placed")


def test_a_void_key_opens_nothing(customer: Client) -> None:
    taken = customer.place()
    customer.system.process()
    customer.as_("dealer@northside").post(f"{API}/orders/{taken['id']}/link")
    assert customer.get(f"{API}/orders/{taken['id']}?key={taken['key']}").status_code == 404
    pay = f"{API}/orders/{taken['id']}/payments?key={taken['key']}"
    assert customer.post(pay, {"method": "test_card"}).status_code == 404
