"""The main database goes away under running processes: orders are taken all the while, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx

from tests.faults.served import Served, serving, wait_until
from tests.faults.told import people_of
from tests.faults.verdict import audit_is_clean, no_unexpected_error
from tests.postgres import PostgresServer
from tests.stories.driver import Order, People
from tests.stories.in_process import stopped, write_lock_held

LOCKED_FOR_S = 12.0  # more than twice as long as anybody waits for the lock
ORDERS_WHILE_AWAY = 40


def orders_while(people: People, seconds: float = 0.0) -> list[Order]:
    """Order cars, evenly over the time."""
    taken = []
    for _ in range(ORDERS_WHILE_AWAY):
        taken.append(people.customer.orders("northside"))
        people.place.lets_time_pass(seconds / ORDERS_WHILE_AWAY)
    return taken


def all_is_done(served: Served, people: People, orders: list[Order]) -> None:
    """Every order is processed, its mails are out, and no message was taken for a failure."""
    people.settles()
    assert Counter(order.state for order in orders) == {"order_placed": len(orders)}
    assert sum(queue["dead"] for queue in people.queues().values()) == 0
    placed = Counter(mail["order"] for mail in people.mails() if mail["template"] == "order_placed")
    assert {order.id: placed[order.id] for order in orders} == {order.id: 1 for order in orders}
    assert audit_is_clean(served)["orders"] >= len(orders)
    assert "(attempt " not in served.log.read_text(), "waiting is no failed attempt"
    no_unexpected_error(served.log)


def test_postgresql_is_stopped_and_started_again(
    tmp_path: Path, postgres: PostgresServer, postgres_url: str
) -> None:
    with serving(tmp_path / "data", database_url=postgres_url) as served, people_of(served) as people:
        accepted, waiting = people.customer.orders("northside"), people.customer.orders("northside")
        people.settles()
        people.dealer("northside").decides(accepted, "accept")
        accepted.reaches("order_arrived")
        people.customer.pays(accepted)
        people.dealer("northside").decides(waiting, "accept")

        with stopped(postgres):
            orders = orders_while(people)
            assert Counter(order.state for order in orders) == {"received": len(orders)}
            refused = people.customer.asks(
                "POST", f"/orders/{waiting.id}/payments", json={"method": "test_card"}
            )
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) > 0
            assert refused.headers["content-type"] == "application/problem+json"
            wait_until(lambda: "database" in readiness(served)["down"], "the part that is down is named")
            assert readiness(served)["ready"], "orders can be taken"

        all_is_done(served, people, orders)
        accepted.is_paid()
        assert accepted.now["invoice"]["status"] == "issued"
        assert waiting.state == "order_arrived"


def readiness(served: Served) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = httpx.get(f"{served.url}/readyz", timeout=30).json()
    return found


def test_another_process_holds_the_write_lock_of_sqlite(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as served, people_of(served) as people:
        before = people.customer.orders("northside")
        before.reaches("order_placed")
        dealer = people.dealer("northside")
        step = before.step
        dealer.reads("/me")

        with write_lock_held(served.data / "dealerflow.db"):
            refused = dealer.tries(before, "accept", step=step)
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) > 0
            orders = orders_while(people, LOCKED_FOR_S)
            assert Counter(order.state for order in orders) == {"received": len(orders)}
            assert readiness(served)["ready"]

        all_is_done(served, people, orders)
        dealer.decides(before, "accept")
        before.reaches("order_arrived")
