"""Functions die, messages come twice, executions fail, parts are away: on the deployed stack, in processes of their own.

Every point at which a function may die is tried in small (tests/aws/test_crash_points.py); here the processes really end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import cast

import pytest
import sqlalchemy as sa

from dealerflow.adapters.aws.names import QUEUES
from tests.aws.faults import Faults
from tests.aws.webhook_receiver import WebhookReceiver
from tests.stories.aws_stack import Stack
from tests.stories.driver import Dealerflow, Order
from tests.stories.on_aws import STACK, OnAws
from tests.stories.usual_way import take

only_on_aws = pytest.mark.only_on_aws
CLEAN = "a_car_that_is_reworked_gets_to_its_keys"
LETTERS = {
    "new_order": 1,
    "order_placed": 1,
    "order_accepted": 1,
    "invoice": 1,
    "order_in_production": 1,
    "quality_failed": 2,
    "order_on_its_way": 1,
    "delivery_note": 1,
    "order_ready": 1,
    "order_thanks": 1,
}
# The work is committed first, and what follows from it is forwarded then. Who calls the outside commits first that he does.
COMMITS = {
    "orders": 1,
    "decisions": 2,
    "executions": 2,
    "update-status": 1,
    "payments": 2,
    "invoices": 1,
    "notifications": 2,
    "deliveries": 1,
    "events": 1,
    "functions": 2,
    "webhooks": 2,
    "relay": 1,
}
INVOICES_FAIL = "ALTER TABLE documents ADD CONSTRAINT fails CHECK (order_id <> '{order}') NOT VALID"
INVOICES_SUCCEED = "ALTER TABLE documents DROP CONSTRAINT fails"


@pytest.fixture(scope="module")
def possible_faults(aws_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    with Faults(aws_stack.emulator, STACK, tmp_path_factory.mktemp("faults")).possible() as faults:
        yield faults


@pytest.fixture
def faults(possible_faults: Faults, dealerflow: Dealerflow) -> Iterator[Faults]:
    """What goes wrong in this story; after a death time flies."""
    installation = on_aws(dealerflow)
    installation.meanwhile = lambda: possible_faults.time_goes_by(installation.engine)
    yield possible_faults
    possible_faults.forget()


def on_aws(dealerflow: Dealerflow) -> OnAws:
    return cast("OnAws", dealerflow.installation)


def execute(dealerflow: Dealerflow, statement: str) -> None:
    with on_aws(dealerflow).engine.begin() as connection:
        connection.execute(sa.text(statement))


def is_reworked_and_handed_over(dealerflow: Dealerflow, order: Order) -> None:
    take(dealerflow, "quality_check", order)
    dealerflow.quality.decides(order, "fail", defects=["paint"])
    order.reaches("quality_failed")
    dealerflow.line_lead("A").decides(order, "rework")
    take(dealerflow, "ended", order)


def everything_happened_once(dealerflow: Dealerflow, order: Order) -> None:
    assert Counter(mail["template"] for mail in dealerflow.mails()) == LETTERS
    [invoice] = dealerflow.customer.lists(f"/orders/{order.id}/documents")
    assert invoice["number"].endswith("000001")
    [_] = dealerflow.dealer("northside").lists("/delivery-notes")


def left_how_often(dealerflow: Dealerflow) -> list[int]:
    """How often each mail left, the least often first."""
    return sorted(Counter(mail["Message-ID"] for mail in dealerflow.installation.mailbox()).values())


def test_a_car_that_is_reworked_gets_to_its_keys(dealerflow: Dealerflow) -> None:
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    is_reworked_and_handed_over(dealerflow, order)
    everything_happened_once(dealerflow, order)
    assert left_how_often(dealerflow) == [1] * sum(LETTERS.values())


# --- processes end ---


@only_on_aws
@pytest.mark.same_ledgers_as(CLEAN)
def test_every_function_dies_before_and_after_its_commit_and_nothing_changes(
    dealerflow: Dealerflow, faults: Faults
) -> None:
    with WebhookReceiver() as receiver:
        dealerflow.admin.sends("/webhooks", {"url": receiver.url}, expect=201)
        for function, commit in COMMITS.items():
            faults.die(function, "before commit", time=commit)
            faults.die(function, "after commit", time=commit)
        order = is_ordered_though_intake_dies(dealerflow, faults).reaches("order_placed")
        is_accepted_though_the_page_dies(dealerflow, faults, order)
        is_reworked_and_handed_over(dealerflow, order)
        dealerflow.settles()

    assert faults.left() == []
    points = ("before commit", "after commit")
    expected = Counter((function, point) for function in (*COMMITS, "web") for point in points)
    expected.update([("intake", "before sqs SendMessage"), ("intake", "after sqs SendMessage")])
    assert faults.deaths == expected
    everything_happened_once(dealerflow, order)
    # One mail was handed over, and the note of it was not: the same message may come twice then.
    assert left_how_often(dealerflow) == [1] * (sum(LETTERS.values()) - 1) + [2]
    happened = {event["id"] for event in dealerflow.events(order)}
    assert happened <= set(receiver.got)
    assert on_aws(dealerflow).dead_in_sqs() == {}
    assert on_aws(dealerflow).statuses_of(order.id) == ["SUCCEEDED"]


def is_ordered_though_intake_dies(dealerflow: Dealerflow, faults: Faults) -> Order:
    """Whoever orders is not told, and asks again."""
    faults.die("intake", "before sqs SendMessage")
    faults.die("intake", "after sqs SendMessage")
    form, key = dealerflow.customer.form_for("northside"), "one order"
    for _ in range(2):
        answer = dealerflow.customer.asks("POST", "/orders", json=form, headers={"Idempotency-Key": key})
        assert answer.status_code >= 500
    return dealerflow.customer.orders("northside", key=key)


def is_accepted_though_the_page_dies(dealerflow: Dealerflow, faults: Faults, order: Order) -> None:
    """Before the commit nothing was decided; after it everything was, though nobody was told and nothing forwarded."""
    dealer, step = dealerflow.dealer("northside"), order.step
    faults.die("web", "before commit")
    assert dealer.tries(order, "accept", step=step).status_code >= 500
    assert order.for_staff["decision"] is None
    faults.die("web", "after commit")
    assert dealer.tries(order, "accept", step=step).status_code >= 500
    order.reaches("order_arrived")


@only_on_aws
def test_a_message_that_ends_its_function_each_time_is_dead_and_comes_back_by_a_redrive(
    dealerflow: Dealerflow, faults: Faults
) -> None:
    order = dealerflow.customer.orders("northside")
    take(dealerflow, "order_arrived", order)
    with on_aws(dealerflow).given_up_after("payments", receives=2):
        for _ in range(2):
            faults.die("payments", "before commit", time=2)
        dealerflow.customer.pays(order)
        dealerflow.until(lambda: on_aws(dealerflow).dead_in_sqs() == {"payments": 1}, "SQS gave it up")
    on_aws(dealerflow).call("relay", {})
    [letter] = dealerflow.operator.lists("/queues/payments/dead-letters")
    assert letter["order"] == order.id

    assert "1" in dealerflow.installation.command("queues", "redrive", "payments", "--all")
    order.is_paid()
    assert on_aws(dealerflow).dead_in_sqs() == {}


# --- messages ---


@only_on_aws
@pytest.mark.same_ledgers_as(CLEAN)
def test_every_message_is_delivered_twice_and_nothing_changes(dealerflow: Dealerflow, faults: Faults) -> None:
    with WebhookReceiver() as receiver, faults.everything_comes_twice():
        dealerflow.admin.sends("/webhooks", {"url": receiver.url}, expect=201)
        order = dealerflow.customer.orders("northside").reaches("order_placed")
        is_reworked_and_handed_over(dealerflow, order)
        dealerflow.until(lambda: not any(map(on_aws(dealerflow).in_sqs, QUEUES)), "every copy was delivered")
    assert faults.doubled == set(QUEUES)
    everything_happened_once(dealerflow, order)
    assert left_how_often(dealerflow) == [1] * sum(LETTERS.values())
    assert set(receiver.got.values()) == {1}
    assert on_aws(dealerflow).dead_in_sqs() == {}


@only_on_aws
def test_a_decision_that_is_told_with_a_stale_token_is_told_again(
    dealerflow: Dealerflow, faults: Faults
) -> None:
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    token = on_aws(dealerflow).token_of(order.id)
    tells = faults.hold("decisions", "before stepfunctions SendTaskSuccess")
    told = faults.look("decisions", "after stepfunctions SendTaskSuccess")
    dealerflow.dealer("northside").decides(order, "accept")
    tells.what()
    # The state machine waits 2 s, 4 s and then 8 s before it calls `update-status` anew.
    for times in range(3):
        dealerflow.until(lambda: faults.is_waited_for(token), f"it waits, after {times} failures")
        faults.fail_task(token)
        dealerflow.until(lambda: not faults.is_waited_for(token), "it waits no longer")
    tells.let_go()
    assert told.what() == {"status": 400}, "nobody waits with this token"
    order.reaches("order_arrived")
    assert on_aws(dealerflow).statuses_of(order.id) == ["RUNNING"]


@only_on_aws
@pytest.mark.by_chance
def test_an_invoice_that_fails_holds_up_no_car_and_is_issued_in_the_end(
    dealerflow: Dealerflow, faults: Faults
) -> None:
    fails, other = (dealerflow.customer.orders("northside") for _ in range(2))
    take(dealerflow, "order_arrived", fails, other)
    execute(dealerflow, INVOICES_FAIL.format(order=fails.id))
    on_aws(dealerflow).unworked.add("invoices")
    take(dealerflow, "quality_check", fails, other)
    dealerflow.until(lambda: other.now["invoice"]["status"] == "issued", "the other has its invoice")
    assert fails.now["invoice"]["status"] == "none"
    dealerflow.until(lambda: on_aws(dealerflow).attempts("invoices") >= 2, "it is tried again and again")
    assert on_aws(dealerflow).dead_in_sqs() == {}

    dealerflow.until(lambda: _dies(dealerflow, "invoices"), "it is given up")
    on_aws(dealerflow).unworked.clear()
    [letter] = dealerflow.operator.lists("/queues/invoices/dead-letters")
    assert (letter["order"], "fails" in letter["error"]) == (fails.id, True)
    assert on_aws(dealerflow).dead_in_sqs() == {"invoices": 1}
    take(dealerflow, "ended", fails, other)

    execute(dealerflow, INVOICES_SUCCEED)
    assert "1" in dealerflow.installation.command("queues", "redrive", "invoices", "--all")
    dealerflow.until(lambda: fails.now["invoice"]["status"] == "issued", "it is issued")
    assert sorted(order.now["invoice"]["number"][-1] for order in (fails, other)) == ["1", "2"]
    assert on_aws(dealerflow).dead_in_sqs() == {}


def _dies(dealerflow: Dealerflow, queue: str) -> bool:
    on_aws(dealerflow).leaves_one_attempt(queue)
    return bool(dealerflow.queue(queue)["dead"])


# --- executions and the database ---


@only_on_aws
def test_an_execution_that_failed_is_replaced_though_the_audit_dies_over_it(
    dealerflow: Dealerflow, faults: Faults
) -> None:
    order = dealerflow.customer.orders("northside")
    take(dealerflow, "quality_check", order)
    on_aws(dealerflow).tell(order.id, "an outcome that the pipeline does not have")
    dealerflow.until(lambda: on_aws(dealerflow).statuses_of(order.id) == ["FAILED"], "it failed")

    dealerflow.quality.decides(order, "pass")
    on_aws(dealerflow).makes_messages_older(minutes=16)
    for point in ("before commit", "after commit"):
        faults.die("audit", point)
        with pytest.raises(AssertionError, match="Worker process died"):
            on_aws(dealerflow).call("audit", {"repair": True})
    on_aws(dealerflow).call("audit", {"repair": True})
    order.reaches("quality_passed")
    take(dealerflow, "ended", order)
    assert on_aws(dealerflow).statuses_of(order.id) == ["FAILED", "SUCCEEDED"]


@only_on_aws
def test_orders_wait_in_sqs_while_the_database_is_away_and_none_is_dead(
    dealerflow: Dealerflow, faults: Faults
) -> None:
    with dealerflow.installation.without_database():
        orders = [dealerflow.customer.orders("northside") for _ in range(20)]
        dealerflow.installation.lets_time_pass(30)
        assert on_aws(dealerflow).in_sqs("orders") == 20
        assert on_aws(dealerflow).dead_in_sqs() == {}
    dealerflow.settles()
    assert Counter(order.state for order in orders) == {"order_placed": 20}
    assert on_aws(dealerflow).in_sqs("orders") == 0
    assert on_aws(dealerflow).dead_in_sqs() == {}
