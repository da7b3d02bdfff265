"""What goes wrong only where one person holds several roles, where orders came from elsewhere, or after a repair."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.audit.auditor import SqlAuditor
from dealerflow.application import queues
from dealerflow.application.orders import put_order
from dealerflow.application.refunds import record_refund
from dealerflow.domain.billing import IMPORTED
from tests.unit.application.conftest import DEALER, LINE, PRODUCTION, QUALITY, Dealerflow, staff


def dead(dealerflow: Dealerflow) -> list[tuple[str, str]]:
    return [(row["queue"], row["error"]) for row in dealerflow.rows(t.messages) if row["state"] == "dead"]


def until_nothing_waits(dealerflow: Dealerflow) -> None:
    for _ in range(12):
        dealerflow.drain()
        dealerflow.clock.pass_ms(3_600_000)


def test_who_holds_two_subscribed_roles_gets_one_alert_and_the_others_get_theirs(
    dealerflow: Dealerflow,
) -> None:
    with dealerflow.engine.begin() as connection:
        connection.execute(
            sa.insert(t.memberships), {"account": "acc_head1", "role": "quality_lead", "scope": "main"}
        )
        connection.execute(
            sa.insert(t.topic_subscriptions),
            {"id": "sub_2", "topic": "quality-alerts", "kind": "role", "target": "quality_lead"},
        )
    id_ = dealerflow.place()
    dealerflow.decide(DEALER, id_, "accept")
    dealerflow.pay(id_)
    dealerflow.decide(PRODUCTION, id_, "start_production", line="A")
    dealerflow.decide(LINE, id_, "finish")
    dealerflow.decide(QUALITY, id_, "fail", defects=["gap"])
    until_nothing_waits(dealerflow)
    assert dead(dealerflow) == []
    assert dealerflow.mails_of(id_).count("quality_failed") == 2


def test_a_payment_that_was_invoiced_elsewhere_is_refunded_without_a_credit_note(
    dealerflow: Dealerflow,
) -> None:
    id_ = dealerflow.place()
    dealerflow.decide(DEALER, id_, "accept")
    payment = dealerflow.pay(id_)
    with dealerflow.engine.begin() as connection:  # as an import leaves it
        connection.execute(sa.update(t.payments).values(method=IMPORTED))
        connection.execute(sa.delete(t.documents))
        connection.execute(sa.delete(t.number_series))
    dealerflow.decide(DEALER, id_, "cancel")
    with dealerflow.database.begin() as work:
        record_refund(work, DEALER, payment.id, None)
    until_nothing_waits(dealerflow)
    assert dead(dealerflow) == []
    assert SqlAuditor(dealerflow.database, dealerflow.pipelines).audit().faults == ()


def test_a_lost_decision_that_is_given_back_frees_its_place(dealerflow: Dealerflow) -> None:
    id_ = dealerflow.place()
    dealerflow.decide(DEALER, id_, "accept")
    dealerflow.pay(id_)
    dealerflow.claim(PRODUCTION, id_, "start_production", line="A")
    with dealerflow.engine.begin() as connection:
        connection.execute(sa.delete(t.messages).where(t.messages.c.queue == queues.DECISIONS))
    auditor = SqlAuditor(dealerflow.database, dealerflow.pipelines)
    assert [fault.repaired for fault in auditor.audit(repair=True).faults] == [True]
    assert {row["id"]: row["taken"] for row in dealerflow.rows(t.lines)} == {"A": 0, "B": 0}
    assert auditor.audit().faults == ()
    assert dealerflow.decide(PRODUCTION, id_, "start_production", line="A").line_place == "A"


def test_a_lost_decision_that_is_given_back_leaves_a_car_under_way_its_place(dealerflow: Dealerflow) -> None:
    id_ = dealerflow.place()
    dealerflow.decide(DEALER, id_, "accept")
    dealerflow.pay(id_)
    dealerflow.decide(PRODUCTION, id_, "start_production", line="A")
    dealerflow.claim(LINE, id_, "finish")
    with dealerflow.engine.begin() as connection:
        connection.execute(sa.delete(t.messages).where(t.messages.c.queue == queues.DECISIONS))
    auditor = SqlAuditor(dealerflow.database, dealerflow.pipelines)
    auditor.audit(repair=True)
    assert dealerflow.order(id_).line_place == "A"
    assert auditor.audit().faults == ()


def test_a_full_mailbox_holds_up_no_other_mail_and_gets_its_own_when_it_is_emptied(
    dealerflow: Dealerflow,
) -> None:
    dealerflow.mailer.full = {"ana@example.com"}
    id_ = dealerflow.place()
    for _ in range(50):
        dealerflow.drain()
        dealerflow.clock.pass_ms(1_800_000)
    assert dealerflow.mails_of(id_) == ["new_order"]
    assert dead(dealerflow) == []
    report = SqlAuditor(dealerflow.database, dealerflow.pipelines).audit()
    assert (report.faults, report.pending) == ((), {"every due mail is sent once": 1})
    dealerflow.mailer.full = set()
    dealerflow.clock.pass_ms(1_800_000)
    dealerflow.drain()
    assert sorted(dealerflow.mails_of(id_)) == ["new_order", "order_placed"]


def test_a_mailbox_that_stays_full_for_days_has_refused_its_mail(dealerflow: Dealerflow) -> None:
    dealerflow.mailer.full = {"ana@example.com"}
    id_ = dealerflow.place()
    dealerflow.clock.pass_ms(5 * 24 * 3_600_000)
    dealerflow.drain()
    assert {row["template"]: row["status"] for row in dealerflow.rows(t.mails)} == {
        "new_order": "sent",
        "order_placed": "refused",
    }
    assert dealerflow.mails_of(id_) == ["new_order"]


def test_a_message_nested_so_deeply_that_nobody_can_read_it_is_audited_as_a_dead_letter(
    dealerflow: Dealerflow,
) -> None:
    dealerflow.place()
    body = '{"type":"PlaceOrder","more":' + "[" * 100_000
    row = {"id": "msg_deep", "queue": queues.ORDERS, "state": "ready", "turn": 1, "body": body}
    with dealerflow.engine.begin() as connection:
        connection.execute(sa.insert(t.messages), {**row, "sent_at": 0, "available_at": 0})
    auditor = SqlAuditor(dealerflow.database, dealerflow.pipelines)
    assert auditor.audit().faults == ()
    dealerflow.drain()
    assert [fault.check for fault in auditor.audit().faults] == ["nothing is in the dead letters"]


def test_a_mail_that_the_operator_discarded_is_no_fault(dealerflow: Dealerflow) -> None:
    with dealerflow.engine.begin() as connection:
        connection.execute(sa.update(t.dealerships).values(email="not an address"))
    dealerflow.place()
    until_nothing_waits(dealerflow)
    [letter] = dealerflow.store.dead_letters(queues.NOTIFICATIONS, limit=10)
    auditor = SqlAuditor(dealerflow.database, dealerflow.pipelines)
    assert [fault.check for fault in auditor.audit().faults] == ["every due mail is sent once"]
    dealerflow.store.discard(
        queues.NOTIFICATIONS, [letter.id], now=dealerflow.clock.now(), by="acc_1", reason="told by telephone"
    )
    assert auditor.audit(repair=True).faults == ()
    dealerflow.drain()
    assert dead(dealerflow) == []


@pytest.mark.parametrize(("named", "line"), [("B", "B"), (None, "A")])
def test_a_car_that_is_put_into_production_over_a_decision_is_on_the_line_that_holds_its_place(
    dealerflow: Dealerflow, named: str | None, line: str
) -> None:
    id_ = dealerflow.place()
    dealerflow.decide(DEALER, id_, "accept")
    dealerflow.pay(id_)
    dealerflow.claim(PRODUCTION, id_, "start_production", line="A")
    with dealerflow.database.begin() as work:
        put_order(
            work, id_, "production_started", by="acc_1", reason="it is there already", force=True, line=named
        )
    dealerflow.drain()
    order = dealerflow.order(id_)
    assert (order.line, order.line_place) == (line, line)
    taken = {row["id"]: row["taken"] for row in dealerflow.rows(t.lines)}
    assert taken == {"A": int(line == "A"), "B": int(line == "B")}
    assert dealerflow.decide(staff("line_lead", line), id_, "finish").state == "quality_check"
