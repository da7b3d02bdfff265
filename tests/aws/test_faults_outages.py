"""Something is away: the database, or one service of AWS. Nothing is lost, nothing is doubled, and nothing is dead."""

from __future__ import annotations

from collections import Counter

import pytest
import sqlalchemy as sa

from tests.aws.in_small import InSmall
from tests.aws.lives import LONGER_THAN_A_VISIBILITY_TIME, Verdict, dead, verdict
from tests.aws.poison import OWN_FUNCTION, in_queue, with_own_function
from tests.aws.small_installations import NewSmall
from tests.postgres import PostgresServer
from tests.stories.driver import People
from tests.stories.in_process import stopped
from tests.stories.usual_way import take

MINUTES = 60
HOURS = 60 * MINUTES
DAYS = 24 * HOURS


@pytest.mark.parametrize("seconds", [10 * MINUTES, 1 * HOURS, 3 * DAYS])
def test_orders_wait_in_sqs_while_the_database_is_away(
    seconds: int, small: InSmall, postgres: PostgresServer
) -> None:
    dealerflow = People(small)
    with stopped(postgres):
        orders = [dealerflow.customer.orders(dealership) for dealership in ("northside", "lakeside")]
        small.lives_through(seconds, minutes=60)
        assert len(in_queue(small, "orders")) == len(orders)
        assert dead(small) == []
    small.lives_through(LONGER_THAN_A_VISIBILITY_TIME)
    for order in orders:
        order.reaches("order_placed")
    assert sum(queue["dead"] for queue in dealerflow.queues().values()) == 0
    placed = Counter(mail["order"] for mail in dealerflow.mails() if mail["template"] == "order_placed")
    assert placed == {order.id: 1 for order in orders}
    assert (dealerflow.audit(), dead(small), small.aws.waiting()) == ([], [], [])
    take(dealerflow, "order_arrived", *orders)


@pytest.mark.parametrize("seconds", [10 * MINUTES, 3 * DAYS])
def test_what_was_under_way_when_the_database_went_is_done_when_it_is_back(
    seconds: int, small: InSmall, postgres: PostgresServer
) -> None:
    dealerflow = People(small)
    accepted, placed = (dealerflow.customer.orders("northside").reaches("order_placed") for _ in range(2))
    take(dealerflow, "order_arrived", accepted)
    dealerflow.customer.pays(accepted)
    dealerflow.dealer("northside").decides(placed, "accept")
    small.work_once("decisions")  # it is told: now the state machine has to report
    with stopped(postgres):
        small.lives_through(seconds, minutes=60)
    small.lives_through(1 * HOURS)
    if seconds > DAYS:  # the state machine gave up after a day
        assert "FAILED" in {run.status for run in small.aws.executions.values()}
        small.system.auditor.audit(repair=True)
    placed.reaches("order_arrived")
    accepted.is_paid()
    assert (dealerflow.audit(), dead(small)) == ([], [])
    take(dealerflow, "ended", accepted, placed)


@pytest.mark.parametrize("service", ["sqs", "sns", "events", "states", "ses"])
def test_a_service_is_away_in_the_middle_of_a_life(service: str, small: InSmall, clean: Verdict) -> None:
    dealerflow = People(small)
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    take(dealerflow, "order_arrived", order)
    dealerflow.customer.pays(order)
    small.gate.away.add(service)
    small.lets_time_pass(10 * MINUTES)
    small.gate.away.clear()
    order.is_paid()
    take(dealerflow, "quality_check", order)

    dealerflow.quality.decides(order, "fail", defects=["paint"])
    small.gate.away.add(service)
    small.lets_time_pass(10 * MINUTES)
    assert small.gate.missed, "nobody asked for it"
    small.gate.away.clear()
    order.reaches("quality_failed")
    dealerflow.line_lead("A").decides(order, "rework")
    take(dealerflow, "ended", order)
    assert verdict(small, dealerflow) == clean
    left = Counter(mail["Message-ID"] for mail in small.mailbox())
    assert set(left.values()) == {1}


def test_the_car_moves_on_while_its_function_fails_for_minutes(new_small: NewSmall) -> None:
    with new_small(with_own_function()) as small:
        dealerflow = People(small)
        order = dealerflow.customer.orders("northside").reaches("order_placed")
        small.aws.lambdas[OWN_FUNCTION] = lambda _call: {"eta": "2026-12-01"}
        take(dealerflow, "quality_check", order)
        small.gate.away.add("lambda")
        dealerflow.quality.decides(order, "pass")
        small.lets_time_pass(5 * MINUTES)
        assert order.state == "quality_passed"
        dealerflow.delivery.sends_off(dealerflow.delivery.loads(order))
        small.lets_time_pass(5 * MINUTES)
        assert order.state == "on_delivery"
        assert order.for_staff["facts"] == {}
        dealerflow.dealer("northside").decides(order, "receive", condition="ok")
        small.lets_time_pass(20 * MINUTES)
        assert order.state == "at_dealership"
        assert small.gate.missed
        small.gate.away.clear()
        take(dealerflow, "ended", order)
        assert order.for_staff["facts"] == {"eta": "2026-12-01"}
        assert (dealerflow.audit(), dead(small)) == ([], [])


@pytest.mark.parametrize("service", ["sqs", "dynamodb"])
def test_an_order_that_cannot_be_kept_is_refused_and_taken_once_when_it_is_sent_again(
    service: str, small: InSmall
) -> None:
    dealerflow = People(small)
    form = dealerflow.customer.form_for("northside")
    small.gate.away.add(service)
    refused = dealerflow.customer.asks("POST", "/orders", json=form, headers={"Idempotency-Key": "once"})
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    small.lets_time_pass(10 * MINUTES)
    small.gate.away.clear()
    order = dealerflow.customer.orders("northside", key="once").reaches("order_placed")
    again = dealerflow.customer.orders("northside", key="once")
    assert again.id == order.id
    dealerflow.settles()
    assert [found["id"] for found in dealerflow.head.lists("/orders")] == [order.id]
    assert dealerflow.audit() == []


def test_orders_are_taken_by_the_catalogue_that_is_known_while_s3_is_away(small: InSmall) -> None:
    dealerflow = People(small)
    dealerflow.customer.orders("northside").reaches("order_placed")
    small.gate.away.add("s3")
    small.lets_time_pass(10 * MINUTES)
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    assert small.gate.missed
    small.gate.away.clear()
    small.lets_time_pass(10 * MINUTES)
    take(dealerflow, "ended", order)
    assert dealerflow.audit() == []


def test_a_pause_that_lambda_does_not_hear_of_is_said_and_can_be_asked_again(small: InSmall) -> None:
    dealerflow = People(small)
    small.gate.away.add("lambda")
    refused = dealerflow.operator.asks("POST", "/queues/payments/pause")
    assert refused.status_code == 503
    small.gate.away.clear()
    dealerflow.operator.sends("/queues/payments/pause", expect=200)
    assert small.aws.switched_off == {"payments"}
    dealerflow.operator.sends("/queues/payments/resume", expect=200)
    assert small.aws.switched_off == set()


def test_a_database_that_became_a_read_only_copy_is_away_until_its_successor_is_found(small: InSmall) -> None:
    dealerflow = People(small)
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    database = sa.make_url(small.url).database
    small.system.engine.dispose()  # the server changed its part: those that connect from now on can only read
    set_read_only = f'ALTER DATABASE "{database}" SET default_transaction_read_only'
    with sa.create_engine(
        small.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
    ).connect() as administrator:
        administrator.execute(sa.text(f"{set_read_only} = on"))
        decision = {"step": order.now["step"], "outcome": "accept"}
        path = f"/orders/{order.id}/decisions"
        refused = dealerflow.dealer("northside").asks("POST", path, json=decision)
        assert refused.status_code == 503
        administrator.execute(sa.text(f"{set_read_only} = off"))
    dealerflow.dealer("northside").decides(order, "accept")
    order.reaches("order_arrived")
    assert (dealerflow.audit(), dead(small), small.aws.waiting()) == ([], [], [])
