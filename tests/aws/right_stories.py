"""What people and messages do on AWS that needs one right of one function: short, and told to the deployed stack."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
import sqlalchemy as sa

from dealerflow.adapters.clock import SystemClock, TimeIds
from dealerflow.adapters.database import outbox
from dealerflow.adapters.database.tables import messages
from dealerflow.application import queues
from dealerflow.application.message_events import to_cloud_event
from dealerflow.domain import messages as m
from dealerflow.domain.events import Event
from dealerflow.domain.messages import Envelope
from tests.aws.emulator import Emulator
from tests.aws.http_api import HttpApi
from tests.stories.driver import Json, Order, People
from tests.stories.on_aws import STACK, OnAws

NOTHING = m.PublishEvent(event="evt_none")  # asks any function for nothing
IMPOSSIBLE = m.IssueInvoice(payment="pay_none")  # fails in any function
DUE: Json = {"state": "delayed", "available_at": 0, "owner": None, "lease": None, "lease_until": None}
LOG_GROUP = f"/dealerflow/{STACK}/functions"


class Site:
    """The deployed stack with its people, and cars in the states in which stories begin."""

    def __init__(self, emulator: Emulator, installation: OnAws, engine: sa.Engine) -> None:
        self.emulator = emulator
        self.installation = installation
        self.people = People(installation)
        self.cars: dict[str, list[Order]] = {}
        self._engine = engine
        self._clock = SystemClock()
        self._ids = TimeIds(self._clock.now)
        self._logs = emulator.client("logs")
        self._failures: list[tuple[float, str]] = []

    def car(self, state: str) -> Order:
        """One that stands in this state; nobody else gets it."""
        return self.cars[state].pop()

    def said(self, words: str, since: float) -> bool:
        """Whether a function logged these words since then, or failed with them."""
        if any(at >= since and words in failure for at, failure in self._failures):
            return True
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=LOG_GROUP, startTime=int(since * 1000)
        )
        return any(words in event["message"] for page in pages for event in page["events"])

    # --- messages by hand ---

    def envelope(self, queue: str, message: m.AnyMessage, order: Order | None = None) -> Envelope:
        """A message that stands in no store yet."""
        return Envelope(
            id=self._ids.new("msg"),
            queue=queue,
            message=message,
            group="northside",
            order=order.id if order else None,
            sent_at=self._clock.now(),
        )

    @contextmanager
    def waiting(
        self, queue: str, message: m.AnyMessage, order: Order | None = None, **columns: Any
    ) -> Iterator[Envelope]:
        """The message stands in the outbox, as if somebody were about to forward it. It is taken back in the end."""
        envelope = self.envelope(queue, message, order)
        with self._engine.begin() as connection:
            outbox.put(connection, [(envelope, 0)], self._clock.now())
            if columns:
                connection.execute(sa.update(messages).where(messages.c.id == envelope.id).values(**columns))
        try:
            yield envelope
        finally:
            with self._engine.begin() as connection:
                outbox.done(connection, [envelope.id])

    def deliver(self, function: str, envelope: Envelope) -> None:
        """Let the function work it, as SQS would."""
        record = {
            "messageId": "1",
            "receiptHandle": "none",
            "body": to_cloud_event(envelope).decode(),
            "attributes": {"ApproximateReceiveCount": "1"},
        }
        self.invoke(function, {"Records": [record]})

    def invoke(self, function: str, event: Json) -> Json:
        """Call the function, whether it fails or not; its answer."""
        answer = self.emulator.client("lambda").invoke(
            FunctionName=f"{STACK}-{function}", Payload=json.dumps(event).encode()
        )
        payload = answer["Payload"].read() or b"null"
        if "FunctionError" in answer:
            self._failures.append((time.time(), payload.decode()))
        return json.loads(payload)  # type: ignore[no-any-return]

    def starts_anew(self, function: str) -> None:
        """The next call finds a new environment, which remembers nothing."""
        functions, name = self.emulator.client("lambda"), f"{STACK}-{function}"
        known = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        known["DEALERFLOW_TOUCHED"] = str(time.time())
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": known})

    def put_into(self, physical: str, body: str) -> None:
        """Something in a queue on AWS."""
        sqs = self.emulator.client("sqs")
        url = sqs.get_queue_url(QueueName=f"{STACK}-{physical}")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=body)

    def empties(self, physical: str) -> None:
        """Nothing is in it any more."""
        sqs = self.emulator.client("sqs")
        sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=f"{STACK}-{physical}")["QueueUrl"])

    def event_of(self, order: Order) -> Event:
        """Something that happened to this order."""
        [told, *_] = self.people.events(order)
        return Event(
            id=told["id"], type=told["type"], at=self._clock.now(), dealership="northside", order=order.id
        )


Story = Callable[[Site, str], None]
"""Given the site and the name of the function whose right is away."""


# --- customers and staff -----------------------------------------------------------------------------------------------


def a_customer_orders(site: Site, _function: str) -> None:
    people = site.people
    people.customer.asks("POST", "/orders", json=people.customer.form_for("northside"))


def a_customer_orders_with_a_key(site: Site, function: str) -> None:
    people = site.people
    _post_order(site, function, people.customer.form_for("northside"), {"Idempotency-Key": str(time.time())})


def a_customer_asks_what_became_of_an_order(site: Site, function: str) -> None:
    form = site.people.customer.form_for("nowhere")  # refused, unless it was taken before with this key
    _post_order(site, function, form, {"Idempotency-Key": str(time.time())})


def a_customer_orders_what_this_catalogue_does_not_have(site: Site, function: str) -> None:
    site.starts_anew(function)  # no snapshot is remembered
    _post_order(site, function, site.people.customer.form_for("nowhere"), {})


def _post_order(site: Site, function: str, form: Json, headers: dict[str, str]) -> None:
    """To the intake of this function: `web` has one too, for its pages."""
    request = httpx.Request("POST", "http://cars.example/api/v1/orders", json=form, headers=headers)
    site.invoke(function, HttpApi(lambda event, _: event)._event(request))  # noqa: SLF001


def the_dealership_accepts(site: Site, _function: str) -> None:
    order = site.car("order_placed")
    site.people.dealer_of(order).decides(order, "accept")


def the_customer_pays(site: Site, _function: str) -> None:
    order = site.car("order_arrived")
    order.customer.pays(order)


def the_car_passes_its_check(site: Site, _function: str) -> None:
    site.people.quality.decides(site.car("quality_check"), "pass")


def the_car_fails_its_check(site: Site, _function: str) -> None:
    site.people.quality.decides(site.car("quality_check"), "fail", defects=["paint"])


def a_load_departs(site: Site, _function: str) -> None:
    site.people.delivery.sends_off(site.people.delivery.loads(site.car("quality_passed")))


# --- operators ---------------------------------------------------------------------------------------------------------


def an_operator_looks_at_the_queues(site: Site, _function: str) -> None:
    with site.waiting("invoices", NOTHING):
        site.people.operator.asks("GET", "/queues")


def an_operator_redrives(site: Site, _function: str) -> None:
    dead: Json = {"state": "dead", "owner": None, "lease": None, "lease_until": None, "died_at": 0}
    with site.waiting("invoices", NOTHING, **dead) as envelope:
        site.put_into("invoices-dead", to_cloud_event(envelope).decode())
        site.put_into("invoices-dead", "of somebody else")
        site.people.operator.asks("POST", "/queues/invoices/redrive", json={"ids": "all"})
    site.empties("invoices-dead")


# --- what nobody forwarded ---------------------------------------------------------------------------------------------


def forwards(queue: str, message: m.AnyMessage = NOTHING) -> Story:
    """A message for this queue was left behind, and this function forwards it."""

    def story(site: Site, function: str) -> None:
        with site.waiting(queue, message, **DUE):
            _forwards(site, function)

    return story


def forwards_an_event(site: Site, function: str) -> None:
    event = site.event_of(site.cars["quality_check"][0])
    forwards(queues.BUS, m.EmitEvent(event=event))(site, function)


def forwards_an_alert(site: Site, function: str) -> None:
    order = site.cars["quality_check"][0]
    alert = m.PublishToTopic(topic="quality-alerts", template=None, order=order.id, step=order.step)
    forwards(queues.NOTIFICATIONS, alert)(site, function)


def _forwards(site: Site, function: str) -> None:
    if function == "relay":
        site.invoke("relay", {})
    else:
        an_operator_redrives(site, function)


def finds_what_sqs_gave_up(site: Site, _function: str) -> None:
    with site.waiting("invoices", NOTHING) as envelope:
        site.put_into("invoices-dead", to_cloud_event(envelope).decode())
        over = site.envelope("invoices", NOTHING)
        site.put_into("invoices-dead", to_cloud_event(over).decode())  # no row: it was done
        site.invoke("relay", {})
    site.empties("invoices-dead")


def finds_what_no_service_takes(site: Site, _function: str) -> None:
    with site.waiting("invoices", NOTHING, body="{", **DUE):
        site.invoke("relay", {})
    site.empties("invoices-dead")


# --- messages ----------------------------------------------------------------------------------------------------------


def a_message_fails(site: Site, function: str) -> None:
    with site.waiting(function, IMPOSSIBLE) as envelope:
        site.deliver(function, envelope)


def a_message_fails_for_the_last_time(site: Site, function: str) -> None:
    with site.waiting(function, IMPOSSIBLE, attempts=queues.policy(function).max_attempts) as envelope:
        site.deliver(function, envelope)


def a_car_is_announced(site: Site, _function: str) -> None:
    order = site.cars["quality_passed"][0]
    with site.waiting("deliveries", m.AnnounceCar(order=order.id, step=order.step), order) as envelope:
        site.deliver("deliveries", envelope)


def its_function_is_called(site: Site, _function: str) -> None:
    order = site.cars["quality_passed"][0]
    call = m.CallFunction(function="estimate_arrival", order=order.id, step=order.step, number=7)
    with site.waiting("functions", call, order) as envelope:
        site.deliver("functions", envelope)


def an_alert_is_passed_on(site: Site, _function: str) -> None:
    order = site.car("quality_check")  # each alert is mailed once
    alert = m.PublishToTopic(
        topic="quality-alerts", order=order.id, step=order.step, template="quality_failed", failures=1
    )
    with site.waiting("notifications", alert, order) as envelope:
        site.deliver("notifications", envelope)


def a_mail_is_due(site: Site, _function: str) -> None:
    site.starts_anew("notifications")
    the_dealership_accepts(site, "")


def a_state_machine_is_replaced(site: Site, _function: str) -> None:
    order = site.cars["quality_check"][0]
    with site.waiting("executions", m.StartExecution(order=order.id, step=order.step), order) as envelope:
        site.deliver("executions", envelope)


def an_execution_is_superseded(site: Site, _function: str) -> None:
    site.invoke("update-status", _arrival(site.cars["quality_check"][0], "quality_check", step="stp_none"))


def a_move_fails_for_the_last_time(site: Site, _function: str) -> None:
    order = site.cars["quality_check"][0]
    move = m.MoveOrder(order=order.id, step=order.step, outcome="pass", by="nobody")
    with site.waiting("decisions", move, order, attempts=1000) as envelope:
        site.invoke("update-status", _arrival(order, "declined", outcome="pass", message=envelope.id))


def _arrival(order: Order, state: str, **decision: str | None) -> Json:
    return {
        "order": order.id,
        "state": state,
        "decision": {"step": order.step, "outcome": None, **decision},
        "execution": "arn:none",
        "entered": "2026-01-31T12:00:00.000Z",
        "token": "none",
    }


def is_prepared_for_the_first_time(site: Site, function: str) -> None:
    """Nothing is kept for intake yet."""
    site.emulator.client("s3").delete_object(Bucket=_bucket(site), Key="snapshot")
    site.starts_anew(function)
    site.invoke(function, {})


def _bucket(site: Site) -> str:
    [bucket] = [
        one["Name"]
        for one in site.emulator.client("s3").list_buckets()["Buckets"]
        if one["Name"].startswith(f"{STACK}-snapshots")
    ]
    return str(bucket)


def starts(site: Site, function: str) -> None:
    """A new environment, at its first call."""
    site.starts_anew(function)
    if function in {"intake", "web"}:
        _post_order(site, function, site.people.customer.form_for("northside"), {})
    else:
        site.invoke(function, {})


def audits(site: Site, _function: str) -> None:
    with _decided_long_ago(site, site.cars["order_placed"][0]):
        site.invoke("audit", {})


def audits_after_a_state_machine_was_lost(site: Site, _function: str) -> None:
    order = site.car("quality_check")
    site.installation.stop_execution_of(order.id)
    with _decided_long_ago(site, order):
        site.invoke("audit", {"repair": True})


def _decided_long_ago(site: Site, order: Order) -> AbstractContextManager[Envelope]:
    """And no state machine has carried it out, so one has to be asked for."""
    move = m.MoveOrder(order=order.id, step=order.step, outcome="pass", by="nobody")
    return site.waiting("decisions", move, order, sent_at=0)
