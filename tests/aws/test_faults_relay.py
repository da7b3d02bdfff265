"""The relay: it dies, SQS refuses some of what it sends, messages are too long or wait for weeks. Nothing is lost or doubled."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from dealerflow.adapters.aws.relay import TAKEN_AT_ONCE, Destinations, Outcome, Relay
from dealerflow.adapters.database import outbox
from dealerflow.adapters.database import tables as t
from dealerflow.application.orders import put_order
from dealerflow.composition.aws_upkeep import NothingLeaves, RelayRun
from dealerflow.domain.errors import Outage
from dealerflow.domain.messages import AnnounceCar, Envelope
from tests.aws.in_small import LEASE_MS, InSmall
from tests.aws.lives import dead
from tests.aws.poison import dead_letters, discards, in_dead_queue, in_queue, redrives
from tests.aws.small import WEB
from tests.aws.small_clients import MOST_BYTES
from tests.aws.small_installations import NewSmall
from tests.stories.driver import Order, People
from tests.stories.usual_way import take

DAY_S = 24 * 3600
SQS_KEEPS_DAYS = 14
NORTH = "deliveries-north"  # serves northside, and not harbour


def placed(small: InSmall, *dealerships: str) -> tuple[People, list[Order]]:
    dealerflow = People(small)
    orders = [dealerflow.customer.orders(dealership) for dealership in dealerships]
    return dealerflow, [order.reaches("order_placed") for order in orders]


def left_behind(small: InSmall) -> tuple[People, Order]:
    """The web function died right after it had committed a decision: only the schedule knows of its messages."""
    dealerflow, [order] = placed(small, "northside")
    small.gate.kill_at(f"{WEB}: after commit")
    dealerflow.dealer("northside").decides(order, "accept")
    assert small.gate.deaths
    small.work()
    assert order.state == "order_placed"
    return dealerflow, order


def test_the_relay_may_die_at_any_point(new_small: NewSmall) -> None:
    with new_small() as small:
        left_behind(small)
        before = len(small.gate.passed)
        small.lets_time_pass(60)
        points = sorted({point for point in small.gate.passed[before:] if point.startswith("relay: ")})
    assert {point.split(maxsplit=2)[2].split()[0] for point in points} >= {"commit", "sqs"}
    for point in points:
        with new_small() as small:
            dealerflow, order = left_behind(small)
            small.gate.kill_at(point)
            small.lets_time_pass(60)
            assert small.gate.deaths[1:] == [point]
            order.reaches("order_arrived")
            letters = Counter(template for template, _ in dealerflow.letters(order))
            assert max(letters.values()) == 1, point
            assert (dealerflow.audit(), small.aws.waiting()) == ([], []), point


class WorkedAtOnce(Destinations):
    """A function takes each message into its hands before the relay can note that it left."""

    def __init__(self, small: InSmall) -> None:
        clients = small.aws.clients
        super().__init__(sqs=clients.sqs, sns=clients.sns, bus=clients.events, names=small.system.names)
        self._small = small

    def send(
        self, envelopes: Sequence[Envelope], away: set[str] | None = None, *, hurried: bool = False
    ) -> Outcome:
        outcome = super().send(envelopes, away, hurried=hurried)
        for envelope in envelopes:
            claims(self._small, envelope.id, "the first")
        return outcome


def claims(small: InSmall, message: str, function: str) -> str:
    return small.system.outbox.claim(message, function, now=small.system.still.now(), for_ms=LEASE_MS)


def test_the_relays_note_takes_no_message_out_of_the_hands_of_a_function_that_was_quicker(
    small: InSmall,
) -> None:
    left_behind(small)
    small.system.still.pass_ms(60_000)
    assert Relay(small.system.outbox, WorkedAtOnce(small), small.system.still).step() > 0
    with small.system.engine.connect() as connection:
        decision = sa.select(t.messages.c.id).where(t.messages.c.queue == "decisions")
        message = connection.execute(decision).scalar_one()
    with pytest.raises(Outage, match="in other hands"):
        claims(small, message, "the second")
    small.system.still.pass_ms(LEASE_MS)
    assert claims(small, message, "the second") == "open"


def test_what_sqs_refuses_of_a_batch_is_sent_again_and_the_rest_but_once(small: InSmall) -> None:
    dealerflow, orders = placed(small, *["northside"] * 4)
    small.aws.refuses = lambda body: "MoveOrder" in body and orders[1].id in body
    small.gate.away.add("sqs")
    for order in orders:
        dealerflow.dealer("northside").decides(order, "accept")
    small.gate.away.clear()
    small.unworked.add("decisions")
    small.lets_time_pass(5 * 60)
    told = Counter(json.loads(sent.body)["subject"] for sent in in_queue(small, "decisions"))
    assert told == {order.id: 1 for order in orders if order is not orders[1]}

    small.aws.refuses = lambda _body: False
    small.unworked.clear()
    for order in orders:
        order.reaches("order_arrived")
    assert dealerflow.audit() == []


def test_a_message_that_no_service_takes_is_dead_and_holds_up_no_other(small: InSmall) -> None:
    dealerflow, [bad, good] = placed(small, "northside", "northside")
    small.gate.away.add("sqs")
    for order in (bad, good):
        dealerflow.dealer("northside").decides(order, "accept")
    with small.system.engine.begin() as connection:
        its = sa.and_(t.messages.c.queue == "decisions", t.messages.c.order_id == bad.id)
        [body] = connection.execute(sa.select(t.messages.c.body).where(its)).scalars()
        long = json.dumps({**json.loads(body), "details": {"note": "x" * MOST_BYTES}})
        connection.execute(sa.update(t.messages).where(its).values(body=long))
    small.gate.away.clear()
    small.lets_time_pass(60)
    good.reaches("order_arrived")
    [letter] = dead_letters(dealerflow, "decisions")
    assert (letter["order"], "AWS takes" in letter["error"]) == (bad.id, True), letter["error"]
    assert bad.state == "order_placed"
    [note] = in_dead_queue(small, "decisions")
    assert letter["id"] in note.body, "its alarm goes off, and the note names it"

    small.lets_time_pass(60 * 60)
    assert redrives(dealerflow, "decisions") == 1
    small.lets_time_pass(2 * 60)
    assert len(dead_letters(dealerflow, "decisions")) == 1, "it is as long as before"
    assert len(in_dead_queue(small, "decisions")) == 1
    with small.system.engine.begin() as connection:
        connection.execute(sa.update(t.messages).where(its).values(body=body))
    assert redrives(dealerflow, "decisions") == 1
    bad.reaches("order_arrived")
    assert (dead_letters(dealerflow, "decisions"), dead(small), dealerflow.audit()) == ([], [], [])


def test_an_event_that_the_bus_does_not_take_is_dead_where_an_alarm_sees_it(small: InSmall) -> None:
    dealerflow, [order] = placed(small, "northside")
    small.system.store.declare(["bus"])  # as each deployment does
    small.gate.away.add("events")
    dealerflow.dealer("northside").decides(order, "accept")
    small.work()
    with small.system.engine.begin() as connection:
        on_the_bus = sa.select(t.messages.c.id).where(t.messages.c.queue == "bus").limit(1)
        its = t.messages.c.id == connection.execute(on_the_bus).scalar_one()
        [body] = connection.execute(sa.select(t.messages.c.body).where(its)).scalars()
        event = {**json.loads(body)["event"], "details": {"note": "x" * MOST_BYTES}}
        long = json.dumps({**json.loads(body), "event": event})
        connection.execute(sa.update(t.messages).where(its).values(body=long))
    small.gate.away.clear()
    small.lets_time_pass(2 * 60)
    [letter] = dead_letters(dealerflow, "bus")
    assert len(in_dead_queue(small, "events")) == 1
    assert discards(dealerflow, "bus", [letter["id"]]) == 1
    assert dead(small) == []


def test_a_message_that_makes_aws_refuse_the_whole_call_harms_no_other(small: InSmall) -> None:
    dealerflow, orders = placed(small, *["northside"] * 4)
    small.aws.chokes_on = lambda body: "MoveOrder" in body and orders[1].id in body
    small.gate.away.add("sqs")
    for order in orders:
        dealerflow.dealer("northside").decides(order, "accept")
    small.gate.away.clear()
    small.lets_time_pass(2 * 60)
    for order in orders:
        if order is not orders[1]:
            order.reaches("order_arrived")
    [letter] = dead_letters(dealerflow, "decisions")
    assert (letter["order"], "InvalidMessageContents" in letter["error"]) == (orders[1].id, True)

    small.aws.chokes_on = lambda _body: False
    assert redrives(dealerflow, "decisions") == 1
    orders[1].reaches("order_arrived")
    assert (dead(small), dealerflow.audit()) == ([], [])


def test_every_character_that_an_order_may_hold_passes_sqs(small: InSmall) -> None:
    dealerflow = People(small)
    strange = "Ana \ufffe\uffff \U0001fffe ñ"
    form = dealerflow.customer.form_for("northside")
    form["customer"]["name"] = strange
    taken = dealerflow.customer.asks("POST", "/orders", json=form)
    assert taken.status_code == 202
    small.lets_time_pass(60)
    [order] = dealerflow.head.lists("/orders")
    assert order["customer"]["name"] == strange


def test_one_hanging_service_is_asked_once_and_not_for_each_of_its_queues(small: InSmall) -> None:
    dealerflow, [order] = placed(small, "northside")
    take(dealerflow, "order_arrived", order)
    dealerflow.customer.pays(order)
    small.gate.away.add("sqs")
    small.work_once("payments")
    asked = [what for what in small.gate.missed if what.startswith("sqs send")]
    assert len(asked) == 1, "whoever waits for an answer waits for it but once"
    small.gate.away.clear()
    order.is_paid()
    assert (dealerflow.audit(), dead(small)) == ([], [])


def test_who_waits_for_a_page_waits_for_one_hanging_service_and_not_for_each(small: InSmall) -> None:
    dealerflow, [order] = placed(small, "northside")
    take(dealerflow, "quality_check", order)
    small.gate.away |= {"sqs", "sns", "events"}
    before = len(small.gate.missed)
    with small.database.begin() as work:
        put_order(work, order.id, "quality_failed", by="admin", reason="by hand")
    assert len(small.gate.missed) == before + 1
    small.gate.away.clear()
    small.lets_time_pass(2 * 60)
    assert (order.state, small.aws.waiting(), dead(small)) == ("quality_failed", [], [])


@pytest.mark.parametrize("how", ["refused", "unreachable"])
def test_many_that_cannot_leave_hold_up_none_that_can(how: str, small: InSmall) -> None:
    dealerflow, order = left_behind(small)
    order_id, now = order.id, small.system.still.now()
    old = [
        (
            Envelope(
                id=f"msg_old_{number}",
                queue="notifications" if how == "unreachable" else NORTH,
                message=AnnounceCar(order=order_id, step=order.now["step"]),
                group="northside",
                sent_at=now - 60_000,
            ),
            1,
        )
        for number in range(3 * TAKEN_AT_ONCE)
    ]
    with small.system.engine.begin() as connection:
        outbox.put(connection, old, now - 60_000)
    small.aws.refuses = lambda body: "AnnounceCar" in body
    small.gate.away.add("sns")
    small.lets_time_pass(60)
    assert order.state == "order_arrived"
    unsent = [what for what in small.gate.missed if what.startswith("sns")]
    assert len(unsent) < 20, "each run waits for what is away but once"
    assert dealerflow.queue(old[0][0].queue)["waiting"] >= len(old)


@pytest.mark.parametrize("days", [12, 20])
def test_what_waits_in_a_paused_queue_for_weeks_is_worked_once(days: int, small: InSmall) -> None:
    dealerflow, [order] = placed(small, "northside")
    take(dealerflow, "order_arrived", order)
    small.unworked.add("payments")
    dealerflow.customer.pays(order)
    dealerflow.operator.sends("/queues/payments/pause", expect=200)
    small.unworked.clear()
    small.lives_through(days * DAY_S, minutes=6 * 60)
    assert order.now["payment"]["status"] == "received"
    assert len(in_queue(small, "payments")) == (days < SQS_KEEPS_DAYS)
    dealerflow.operator.sends("/queues/payments/resume", expect=200)
    small.lives_through(3600)
    order.is_paid()
    assert len(dealerflow.customer.lists(f"/orders/{order.id}/documents")) == 1
    assert (dealerflow.audit(), small.aws.waiting(), dead(small)) == ([], [], [])


@pytest.mark.parametrize("days", [1, 8])
def test_one_delivery_line_may_be_paused_while_the_others_go_on(days: int, small: InSmall) -> None:
    dealerflow, [north, other] = placed(small, "northside", "harbour")
    take(dealerflow, "quality_check", north, other)
    dealerflow.operator.sends(f"/queues/{NORTH}/pause", expect=200)
    for order in (north, other):
        dealerflow.quality.decides(order, "pass")
    small.lives_through(days * DAY_S, minutes=6 * 60)
    announced = [event["order"] for event in dealerflow.events() if event["type"] == "CarAnnounced"]
    assert announced == [other.id]
    assert dead(small) == []
    assert dealerflow.queue(NORTH)["waiting"] == 1

    dealerflow.operator.sends(f"/queues/{NORTH}/resume", expect=200)
    small.lives_through(3600)
    announced = [event["order"] for event in dealerflow.events() if event["type"] == "CarAnnounced"]
    assert announced == [other.id, north.id]
    take(dealerflow, "ended", north, other)
    assert (dealerflow.audit(), small.aws.waiting()) == ([], [])


def test_a_relay_whose_time_is_up_leaves_the_rest_to_the_next(small: InSmall) -> None:
    _, order = left_behind(small)
    small.system.still.pass_ms(60_000)
    assert small.system.scheduled_relay.step(lambda: True) == 0
    assert small.system.scheduled_relay.step() > 0
    order.reaches("order_arrived")


def test_the_relay_fails_aloud_once_something_cannot_leave_for_long(small: InSmall) -> None:
    dealerflow, [order] = placed(small, "northside")
    small.gate.away.add("events")
    dealerflow.dealer("northside").decides(order, "accept")
    small.lets_time_pass(10 * 60)
    small.system.still.pass_ms(10 * 60_000)
    run = RelayRun(small.system)
    with pytest.raises(NothingLeaves, match="bus"):
        run()
    dealerflow.operator.sends("/queues/events/pause", expect=200)
    with pytest.raises(NothingLeaves, match="bus"):
        run()
    small.system.store.declare(["bus"])
    dealerflow.operator.sends("/queues/bus/pause", expect=200)
    run()  # it shall not leave
    for queue in ("events", "bus"):
        dealerflow.operator.sends(f"/queues/{queue}/resume", expect=200)
    small.gate.away.clear()
    small.system.still.pass_ms(60_000)
    run()
    order.reaches("order_arrived")
    assert dealerflow.audit() == []


def test_turns_are_fair_between_dealerships(small: InSmall) -> None:
    dealerflow, orders = placed(small, "northside", "harbour")
    take(dealerflow, "quality_check", *orders)
    dealerflow.quality.decides(orders[0], "fail", defects=["paint"])
    orders[0].reaches("quality_failed")
    dealerflow.line_lead("A").decides(orders[0], "rework")
    take(dealerflow, "ended", *orders)
    of_order = {orders[0].id: "northside", orders[1].id: "harbour"}
    sent = [(json.loads(body), group) for group, body in small.aws.groups]
    assert {message["queue"] for message, _ in sent} >= {
        "orders", "decisions", "executions", "payments", "invoices", "notifications", "events", "functions",
    }  # fmt: skip
    wrong = [
        message
        for message, group in sent
        if group != of_order.get(message.get("subject"), group) or not group
    ]
    assert wrong == []
