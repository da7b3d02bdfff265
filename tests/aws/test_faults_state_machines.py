"""State machines and what they report: work that fails, tokens that change, executions that are lost, moved or stopped."""

from __future__ import annotations

import msgspec
import pytest
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.application import queues
from dealerflow.application.executions import Arrival
from dealerflow.application.orders import put_order
from dealerflow.application.pipeline_moves import move_orders
from dealerflow.composition.aws_queues import arrivals_of
from dealerflow.pipeline.definition import Pipeline
from dealerflow.pipeline.loader import load, standard
from tests.aws.in_small import InSmall
from tests.aws.lives import dead
from tests.aws.poison import dead_letters, in_dead_queue, redrives
from tests.aws.small import Running
from tests.aws.small_installations import NewSmall
from tests.stories.driver import Order, People
from tests.stories.usual_way import take

ATTEMPTS = queues.policy(queues.DECISIONS).max_attempts
MINUTES = 60
HOURS = 60 * MINUTES
NO_ARRIVALS = "ALTER TABLE orders ADD CONSTRAINT no_arrivals CHECK (state <> '{state}' OR id <> '{order}')"
ARRIVALS_AGAIN = "ALTER TABLE orders DROP CONSTRAINT no_arrivals"


def an_order(small: InSmall) -> tuple[People, Order]:
    dealerflow = People(small)
    return dealerflow, dealerflow.customer.orders("northside").reaches("order_placed")


def execute(small: InSmall, statement: str) -> None:
    with small.system.engine.begin() as connection:
        connection.execute(sa.text(statement))


def running(small: InSmall) -> list[Running]:
    return [run for run in small.aws.executions.values() if run.status == "RUNNING"]


def ends_well(small: InSmall, dealerflow: People, *orders: Order) -> None:
    take(dealerflow, "ended", *orders)
    assert (dealerflow.audit(), dead(small), small.aws.waiting(), running(small)) == ([], [], [], [])


def newer() -> Pipeline:
    """The standard pipeline in another version."""
    text = standard().text.replace("version: 1\n", "version: 2\n", 1)
    return load(text)


# --- the work of UpdateStatus fails ---


@pytest.mark.parametrize("state", ["order_arrived", "cancelled"])
def test_a_move_that_fails_at_every_try_is_dead_and_healed_by_a_redrive(state: str, small: InSmall) -> None:
    dealerflow, order = an_order(small)
    other = dealerflow.customer.orders("northside").reaches("order_placed")
    execute(small, NO_ARRIVALS.format(state=state, order=order.id))
    dealerflow.dealer("northside").decides(order, "accept" if state == "order_arrived" else "cancel")
    dealerflow.settles()
    [letter] = dead_letters(dealerflow, "decisions")
    assert (letter["order"], letter["attempts"]) == (order.id, ATTEMPTS)
    assert len(in_dead_queue(small, "decisions")) == 1
    assert order.state == "order_placed"
    assert len(running(small)) == 2, "another execution waits where the order stands"
    take(dealerflow, "order_arrived", other)

    execute(small, ARRIVALS_AGAIN)
    assert redrives(dealerflow, "decisions") == 1
    order.reaches(state)
    ends_well(small, dealerflow, other, *([order] if state == "order_arrived" else []))


def test_a_decision_that_cannot_be_read_any_more_is_dead_like_any_other_when_its_move_fails(
    small: InSmall,
) -> None:
    dealerflow, order = an_order(small)
    execute(small, NO_ARRIVALS.format(state="order_arrived", order=order.id))
    dealerflow.dealer("northside").decides(order, "accept")
    small.work_once("decisions")
    its = sa.and_(t.messages.c.queue == "decisions", t.messages.c.order_id == order.id)
    with small.system.engine.begin() as connection:
        [body] = connection.execute(sa.select(t.messages.c.body).where(its)).scalars()
        connection.execute(sa.update(t.messages).where(its).values(body=body[:-3]))
    small.lets_time_pass(3 * HOURS)
    [letter] = dead_letters(dealerflow, "decisions")
    assert (letter["order"], "no_arrivals" in letter["error"]) == (order.id, True), letter["error"]
    assert len(in_dead_queue(small, "decisions")) == 1

    execute(small, ARRIVALS_AGAIN)
    with small.system.engine.begin() as connection:
        connection.execute(sa.update(t.messages).where(its).values(body=body))
    assert redrives(dealerflow, "decisions") == 1
    order.reaches("order_arrived")
    ends_well(small, dealerflow, order)


def test_a_first_state_that_cannot_be_reported_for_hours_is_reported_in_the_end(small: InSmall) -> None:
    dealerflow = People(small)
    execute(small, "ALTER TABLE executions ADD CONSTRAINT none CHECK (entered IS NULL)")
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    small.lets_time_pass(2 * HOURS)
    [fault] = dealerflow.audit()
    assert fault["detail"] == "its execution has never reported"
    execute(small, "ALTER TABLE executions DROP CONSTRAINT none")
    small.lets_time_pass(10 * MINUTES)
    ends_well(small, dealerflow, order)


def test_a_machine_made_from_another_pipeline_moves_no_order_wrongly(new_small: NewSmall) -> None:
    with new_small() as small:
        dealerflow, order = an_order(small)
        [run] = running(small)
        choices = run.machine["States"]["order_placed decided"]["Choices"]
        right = choices[0]["Next"]
        choices[0]["Next"] = "quality_passed"
        dealerflow.dealer("northside").decides(order, "accept")
        dealerflow.settles()
        [letter] = dead_letters(dealerflow, "decisions")
        assert "its definition was made from another pipeline" in letter["error"]
        assert order.state == "order_placed"
        choices[0]["Next"] = right
        redrives(dealerflow, "decisions")
        order.reaches("order_arrived")
        ends_well(small, dealerflow, order)


# --- tokens ---


def test_a_new_token_for_the_same_entry_takes_the_old_ones_place(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    [run] = running(small)
    old = run.token
    small.aws.failed(run, "Lambda.Unknown")  # the task is called again, as after a death behind its commit
    small.lets_time_pass(1 * MINUTES)
    assert run.token != old
    dealerflow.dealer("northside").decides(order, "accept")
    order.reaches("order_arrived")
    assert [event["type"] for event in dealerflow.events(order)].count("OrderPlaced") == 1
    ends_well(small, dealerflow, order)


def test_a_decision_told_with_a_stale_token_is_told_again_with_the_new_one(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    [run] = running(small)
    small.aws.failed(run, "Lambda.Unknown")  # its new token comes in two seconds
    dealerflow.dealer("northside").decides(order, "accept")
    small.work()
    assert order.state == "order_placed"
    order.reaches("order_arrived")
    ends_well(small, dealerflow, order)


def test_a_decision_may_overtake_the_token(small: InSmall) -> None:
    dealerflow = People(small)
    small.unworked.add("executions")
    order = dealerflow.customer.orders("northside")
    dealerflow.until(lambda: order.state == "order_placed", "it is placed")
    dealerflow.dealer("northside").decides(order, "accept")
    small.lets_time_pass(5 * MINUTES)
    assert order.state == "order_placed"
    small.unworked.clear()
    order.reaches("order_arrived")
    ends_well(small, dealerflow, order)


def test_an_order_whose_token_is_lost_though_its_execution_runs_is_found_and_repaired(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    execute(small, "UPDATE executions SET token = 'another time''s'")
    dealerflow.dealer("northside").decides(order, "accept")
    small.lets_time_pass(30 * MINUTES)
    assert dealerflow.audit() == [], "it may still be told"
    small.lets_time_pass(1 * HOURS)
    [fault] = dealerflow.audit()
    assert "cannot be told" in fault["detail"]
    small.system.auditor.audit(repair=True)
    order.reaches("order_arrived")
    ends_well(small, dealerflow, order)


def test_decisions_that_wait_in_a_paused_queue_are_no_fault_of_their_executions(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    dealerflow.operator.sends("/queues/decisions/pause", expect=200)
    dealerflow.dealer("northside").decides(order, "accept")
    small.lets_time_pass(2 * HOURS)
    assert dealerflow.audit() == []
    dealerflow.operator.sends("/queues/decisions/resume", expect=200)
    order.reaches("order_arrived")
    ends_well(small, dealerflow, order)


# --- executions that are gone ---


@pytest.mark.parametrize("how", ["FAILED", "ABORTED", "TIMED_OUT", "deleted"])
def test_an_execution_that_ended_outside_is_started_anew_where_the_order_stands(
    how: str, small: InSmall
) -> None:
    dealerflow, order = an_order(small)
    take(dealerflow, "production_started", order)
    [run] = running(small)
    if how == "deleted":
        del small.aws.executions[run.arn]
    else:
        run.status, run.token = how, None
    dealerflow.line_lead("A").decides(order, "finish")
    small.lets_time_pass(20 * MINUTES)
    assert order.state == "production_started"
    report = small.system.auditor.audit(repair=True)
    assert [fault.repaired for fault in report.faults] == [True]
    order.reaches("quality_check")
    ends_well(small, dealerflow, order)


# --- orders that are put elsewhere ---


def test_an_override_while_the_execution_waits_moves_the_order_to_a_new_one(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    [before] = running(small)
    put(small, order, "order_arrived")
    order.reaches("order_arrived")
    assert before.status == "ABORTED"
    ends_well(small, dealerflow, order)


def test_a_new_execution_whose_start_was_not_noted_before_it_reported_is_not_stopped_for_itself(
    small: InSmall,
) -> None:
    dealerflow, order = an_order(small)
    put(small, order, "order_arrived")
    small.gate.kill_at("executions: after states start")
    small.lets_time_pass(20 * MINUTES)
    assert small.gate.deaths
    [run] = running(small)
    assert run.at == "order_arrived"
    ends_well(small, dealerflow, order)


def test_an_override_supersedes_a_decision_that_was_told_but_not_made(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    dealerflow.dealer("northside").decides(order, "decline", reason="no")
    small.work_once("decisions")
    put(small, order, "order_arrived", force=True)
    order.reaches("order_arrived")
    small.lets_time_pass(20 * MINUTES)
    assert order.state == "order_arrived"
    ends_well(small, dealerflow, order)


def test_an_override_to_the_end_needs_no_execution(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    put(small, order, "cancelled")
    order.reaches("cancelled")
    small.lets_time_pass(20 * MINUTES)
    assert (dealerflow.audit(), running(small), small.aws.waiting()) == ([], [], [])


def put(small: InSmall, order: Order, state: str, *, force: bool = False) -> None:
    with small.database.begin() as work:
        put_order(work, order.id, state, by="admin", reason="by hand", force=force)


# --- versions of the pipeline ---


@pytest.mark.parametrize("move", [False, True])
def test_orders_keep_their_version_or_are_moved_while_executions_wait(move: bool, small: InSmall) -> None:
    dealerflow, old = an_order(small)
    take(dealerflow, "production_started", old)
    small.deploy(newer())
    new = dealerflow.customer.orders("northside").reaches("order_placed")
    versions = [run.arn.split(":")[-2] for run in running(small)]
    assert versions == [f"small-{standard().id}", f"small-{newer().id}"]
    if move:
        moved = move_orders(small.database, standard().id, carry_out=True)
        assert moved.moved == (old.id,)
        dealerflow.settles()
        assert {run.arn.split(":")[-2] for run in running(small)} == {f"small-{newer().id}"}
        assert len(running(small)) == 2
    ends_well(small, dealerflow, old, new)


def test_a_version_whose_machine_is_not_deployed_yet_only_waits(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    small.deploy(newer(), machine=False)
    new = dealerflow.customer.orders("northside")
    dealerflow.until(lambda: new.state == "order_placed", "it is placed")
    small.lets_time_pass(1 * HOURS)
    assert dead(small) == []
    small.system.deploy_machine()
    small.lets_time_pass(15 * MINUTES)
    ends_well(small, dealerflow, order, new)


def test_a_move_reaches_an_order_whose_decision_is_being_made_only_afterwards(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    small.deploy(newer())
    dealerflow.dealer("northside").decides(order, "accept")
    small.work_once("decisions")
    moved = move_orders(small.database, standard().id, carry_out=True)
    assert (moved.moved, list(moved.kept)) == ((), [order.id])
    order.reaches("order_arrived")
    assert move_orders(small.database, standard().id, carry_out=True).moved == (order.id,)
    dealerflow.settles()
    with small.system.engine.connect() as connection:
        assert connection.execute(sa.select(t.orders.c.pipeline)).scalar_one() == newer().id
    ends_well(small, dealerflow, order)


def test_a_late_report_of_an_execution_that_was_replaced_leaves_the_new_ones_token(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    [old] = running(small)
    late = small.aws.payload(old)
    with small.system.database.begin() as work:
        work.executions.begin(work.orders.get(order.id))
    small.work()
    [new] = running(small)
    assert new.arn != old.arn

    arrivals_of(small.system).report(
        msgspec.convert({**late, "entered": "late", "token": "an old token"}, Arrival)
    )
    with small.system.database.read() as work:
        here = work.executions.of(order.id)
    assert here is not None
    assert (here.arn, here.token) == (new.arn, new.token)
    ends_well(small, dealerflow, order)
