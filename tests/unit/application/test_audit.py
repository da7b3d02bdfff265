"""The auditor: it is silent on a sound system, counts what waits, and finds each kind of loss that is planted."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.audit.auditor import SqlAuditor
from dealerflow.application import queues
from dealerflow.application.audit import AuditReport
from dealerflow.domain.messages import IssueInvoice
from tests.unit.application.conftest import DEALER, LINE, PRODUCTION, QUALITY, Dealerflow


def audit(dealerflow: Dealerflow, *, repair: bool = False) -> AuditReport:
    return SqlAuditor(dealerflow.database, dealerflow.pipelines).audit(repair=repair)


def busy(dealerflow: Dealerflow) -> str:
    """An order that has been through most of what is audited."""
    id_ = dealerflow.place()
    dealerflow.decide(DEALER, id_, "accept")
    dealerflow.pay(id_)
    dealerflow.decide(PRODUCTION, id_, "start_production", line="A")
    dealerflow.decide(LINE, id_, "finish")
    dealerflow.decide(QUALITY, id_, "fail", defects=["gap"])
    dealerflow.decide(LINE, id_, "rework")
    return id_


def test_a_sound_system_is_clean(dealerflow: Dealerflow) -> None:
    busy(dealerflow)
    report = audit(dealerflow)
    assert (report.faults, report.pending) == ((), {})
    assert report.checked["orders"] == 1


def test_paused_work_is_pending_and_no_fault(dealerflow: Dealerflow) -> None:
    id_ = dealerflow.place()
    dealerflow.decide(DEALER, id_, "accept")
    dealerflow.store.pause(queues.INVOICES)
    dealerflow.pay(id_)
    report = audit(dealerflow)
    assert report.faults == ()
    assert report.pending == {"every payment has its one invoice": 1}


LOSSES = [
    (sa.delete(t.documents), "every payment has its one invoice"),
    (sa.update(t.documents).values(running=5), "number series have no gap"),
    (
        sa.update(t.mails).where(t.mails.c.template == "new_order").values(status="queued"),
        "every due mail is sent once",
    ),
    (sa.delete(t.mails).where(t.mails.c.template == "order_accepted"), "every due mail was asked for"),
    (sa.update(t.orders).values(paid=1), "payments add up"),
    (sa.update(t.lines).values(taken=2), "places on the lines add up"),
    (sa.update(t.orders).values(step="stp_lost"), "every order has its state"),
    (sa.update(t.orders).values(vehicle="veh_lost"), "every car belongs to one order"),
    (sa.update(t.orders).values(vehicle=None), "every car exists"),
    (sa.update(t.orders).values(decision="finish", decided_by="acc_1"), "every decision is carried out"),
    (sa.update(t.payments).values(status="received"), "every payment is settled"),
    (
        sa.update(t.events).where(t.events.c.position == 2).values(position=None),
        "every event has its position",
    ),
    (
        sa.update(t.events).where(t.events.c.position == 2).values(position=2_000),
        "event positions have no gap",
    ),
]


@pytest.mark.parametrize(("loss", "check"), LOSSES, ids=[check for _, check in LOSSES])
def test_a_loss_is_found(dealerflow: Dealerflow, loss: sa.Executable, check: str) -> None:
    busy(dealerflow)
    with dealerflow.engine.begin() as connection:
        connection.execute(loss)
    assert check in {fault.check for fault in audit(dealerflow).faults}


def test_a_dead_letter_is_a_fault_until_it_is_redriven(dealerflow: Dealerflow) -> None:
    id_ = dealerflow.place()
    with dealerflow.database.begin() as work:
        work.send(queues.INVOICES, IssueInvoice(payment="pay_none"), group="northside", order=id_)
    for _ in range(12):
        dealerflow.drain()
        dealerflow.clock.pass_ms(3_600_000)
    assert [fault.check for fault in audit(dealerflow).faults] == ["nothing is in the dead letters"]
    assert dealerflow.order(id_).state == "order_placed"


def test_repair_queues_lost_work_again_and_it_is_done_once(dealerflow: Dealerflow) -> None:
    id_ = dealerflow.place()
    dealerflow.decide(DEALER, id_, "accept")
    dealerflow.store.pause(queues.INVOICES)
    dealerflow.pay(id_)
    with dealerflow.engine.begin() as connection:
        connection.execute(sa.delete(t.messages))
    report = audit(dealerflow, repair=True)
    assert [(fault.check, fault.repaired) for fault in report.faults] == [
        ("every payment has its one invoice", True)
    ]
    dealerflow.store.resume(queues.INVOICES)
    dealerflow.drain()
    assert audit(dealerflow).clean
    assert len(dealerflow.rows(t.documents)) == 1


def test_repair_gives_a_decision_whose_message_is_gone_back_to_the_people(dealerflow: Dealerflow) -> None:
    id_ = dealerflow.place()
    dealerflow.claim(DEALER, id_, "accept")
    with dealerflow.engine.begin() as connection:
        connection.execute(sa.delete(t.messages))
    audit(dealerflow, repair=True)
    assert dealerflow.decide(DEALER, id_, "accept").state == "order_arrived"
