"""The auditor where state machines outside follow the orders: what it finds, and that its repair lets the cars go on."""

from __future__ import annotations

import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.application.audit import AuditReport
from dealerflow.application.following import DAY_MS, FOLLOWED, PATIENCE_MS
from tests.aws.in_small import InSmall
from tests.stories.driver import Order, People
from tests.stories.usual_way import take

MINUTE_MS = 60_000


def audit(small: InSmall, *, repair: bool = False) -> AuditReport:
    return small.system.auditor.audit(repair=repair)


def details(report: AuditReport) -> list[str]:
    assert {fault.check for fault in report.faults} <= {FOLLOWED}
    return [fault.detail for fault in report.faults]


def an_order(small: InSmall) -> tuple[People, Order]:
    dealerflow = People(small)
    return dealerflow, dealerflow.customer.orders("northside").reaches("order_placed")


def spoil(small: InSmall, statement: sa.Executable) -> None:
    with small.system.engine.begin() as connection:
        connection.execute(statement)


def running(small: InSmall) -> list[str]:
    return [run.arn for run in small.aws.executions.values() if run.status == "RUNNING"]


def heals(small: InSmall, dealerflow: People, order: Order) -> None:
    """The repair starts one other execution, with which the car goes on to its end."""
    report = audit(small, repair=True)
    assert [fault.repaired for fault in report.faults] == [True]
    dealerflow.settles()
    assert details(audit(small)) == []
    assert len(running(small)) == 1
    take(dealerflow, "ended", order)
    assert dealerflow.audit() == []


def test_an_order_that_waits_is_sound(small: InSmall) -> None:
    an_order(small)
    report = audit(small)
    assert (details(report), report.pending) == ([], {})


def test_an_order_whose_execution_is_about_to_start_is_pending(small: InSmall) -> None:
    small.unworked.add("executions")
    an_order(small)
    report = audit(small)
    assert (details(report), report.pending) == ([], {FOLLOWED: 1})


def test_an_order_without_a_state_machine_gets_one(small: InSmall) -> None:
    small.unworked.add("executions")
    dealerflow, order = an_order(small)
    spoil(small, sa.delete(t.messages).where(t.messages.c.queue == "executions"))
    small.unworked.clear()
    assert details(audit(small)) == ["it has no state machine, and none is about to be started"]
    heals(small, dealerflow, order)


def test_an_execution_that_never_reported_is_replaced(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    spoil(small, sa.update(t.executions).values(token=None))
    report = audit(small)
    assert (details(report), report.pending) == ([], {FOLLOWED: 1})
    small.system.still.pass_ms(PATIENCE_MS)
    assert details(audit(small)) == ["its execution has never reported"]
    heals(small, dealerflow, order)


def test_a_state_machine_that_stands_elsewhere_is_replaced(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    spoil(small, sa.update(t.executions).values(step="stp_other"))
    assert "stands at stp_other" in details(audit(small))[0]
    heals(small, dealerflow, order)


def test_an_execution_that_will_soon_be_a_year_old_is_replaced(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    spoil(small, sa.update(t.executions).values(started_at=t.executions.c.started_at - 350 * DAY_MS))
    assert "350 days old" in details(audit(small))[0]
    heals(small, dealerflow, order)


def test_one_that_ended_while_a_decision_waits_is_replaced(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    [run] = small.aws.executions.values()
    run.status, run.token = "TIMED_OUT", None
    dealerflow.dealer("northside").decides(order, "accept")
    small.work()
    assert details(audit(small)) == []
    small.system.still.pass_ms(PATIENCE_MS + MINUTE_MS)
    assert "TIMED_OUT" in details(audit(small))[0]
    report = audit(small, repair=True)
    assert [fault.repaired for fault in report.faults] == [True]
    order.reaches("order_arrived")
    take(dealerflow, "ended", order)
    assert dealerflow.audit() == []


def test_a_decision_that_waits_while_its_execution_runs_is_pending(small: InSmall) -> None:
    small.unworked.add("decisions")
    dealerflow, order = an_order(small)
    dealerflow.dealer("northside").decides(order, "accept")
    small.system.still.pass_ms(PATIENCE_MS + MINUTE_MS)
    report = audit(small)
    assert details(report) == []
    assert report.pending[FOLLOWED] == 1


def test_nobody_waits_for_an_order_that_has_ended(small: InSmall) -> None:
    dealerflow, order = an_order(small)
    take(dealerflow, "ended", order)
    spoil(small, sa.delete(t.executions))
    assert details(audit(small)) == []
