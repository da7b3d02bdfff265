"""What people and messages do on AWS that needs one right of one function: short, and told to the deployed stack.

Each story says what it was about (an order, a message, an answer), and what must come of that is asked in `right_outcomes`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, NamedTuple

import httpx

from dealerflow.adapters.aws.names import SNAPSHOT_KEY
from dealerflow.application import queues
from dealerflow.domain import messages as m
from dealerflow.domain.messages import Envelope
from tests.aws.http_api import HttpApi
from tests.aws.site import Answer, Site
from tests.stories.driver import Json, Order
from tests.stories.on_aws import STACK

NOTHING = m.PublishEvent(event="evt_none")  # asks any function for nothing
IMPOSSIBLE = m.IssueInvoice(payment="pay_none")  # fails in any function
POSTS = 3  # at most, of one order
DUE: Json = {"state": "delayed", "available_at": 0, "owner": None, "lease": None, "lease_until": None}

Story = Callable[[Site, str], AbstractContextManager[Any]]
"""Given the site and the name of the function whose right it is about. What it needed is cleared away in the end."""


# --- customers and staff -----------------------------------------------------------------------------------------------


class Posted(NamedTuple):
    """An order that was sent to a function. `before`: the keys that were kept until then."""

    status: int
    before: frozenset[str]


@contextmanager
def a_customer_orders(site: Site, _function: str) -> Iterator[Order]:
    yield site.people.customer.orders("northside")


@contextmanager
def an_order_is_sent(site: Site, function: str) -> Iterator[Posted]:
    yield _post_order(site, function, "northside")


@contextmanager
def an_order_is_sent_with_a_key(site: Site, function: str) -> Iterator[Posted]:
    yield _post_order(site, function, "northside", key=str(time.time()))


@contextmanager
def an_order_that_cannot_be_is_sent_with_a_key(site: Site, function: str) -> Iterator[Posted]:
    """It is refused, unless it was taken before with this key."""
    yield _post_order(site, function, "nowhere", key=str(time.time()))


@contextmanager
def an_order_that_cannot_be_is_sent_first(site: Site, function: str) -> Iterator[Posted]:
    """A function that has just started looks up what can be ordered."""
    site.starts_anew(function)
    yield _post_order(site, function, "nowhere")


@contextmanager
def its_first_order_is_sent(site: Site, function: str) -> Iterator[Posted]:
    site.starts_anew(function)
    yield _post_order(site, function, "northside")


def _post_order(site: Site, function: str, dealership: str, key: str = "") -> Posted:
    """To the intake of this function: `web` has one too, for its pages.

    On a busy machine AWS may be too slow for intake, which then asks the customer to come back. That is no refusal.
    """
    before = frozenset(kept_keys(site))
    request = httpx.Request(
        "POST",
        "http://cars.example/api/v1/orders",
        json=site.people.customer.form_for(dealership),
        headers={"Idempotency-Key": key} if key else {},
    )
    for _ in range(POSTS):
        begun = time.time()
        answer = site.invoke(function, HttpApi(lambda event, _: event)._event(request))  # noqa: SLF001
        status = 500 if answer.failed else int(answer.said["statusCode"])
        if status != 503 or site.refused(begun):
            break
    return Posted(status, before)


def kept_keys(site: Site) -> dict[str, Json]:
    """Intake's keys, and what is kept with each."""
    items = site.emulator.client("dynamodb").scan(TableName=f"{STACK}-idempotency")["Items"]
    return {item["id"]["S"]: item for item in items}


@contextmanager
def the_dealership_accepts(site: Site, _function: str) -> Iterator[Order]:
    order = site.car("order_placed")
    site.people.dealer_of(order).decides(order, "accept")
    yield order


@contextmanager
def the_customer_pays(site: Site, _function: str) -> Iterator[Order]:
    order = site.car("order_arrived")
    order.customer.pays(order)
    yield order


@contextmanager
def the_car_passes_its_check(site: Site, _function: str) -> Iterator[Order]:
    order = site.car("quality_check")
    site.people.quality.decides(order, "pass")
    yield order


@contextmanager
def the_car_fails_its_check(site: Site, _function: str) -> Iterator[Order]:
    order = site.car("quality_check")
    site.people.quality.decides(order, "fail", defects=["paint"])
    yield order


@contextmanager
def the_customer_pays_while_invoices_wait(site: Site, function: str) -> Iterator[Order]:
    """An event takes along those before it: that of the invoice would make up for the payment's."""
    with site.installation.without_workers_for("invoices"), the_customer_pays(site, function) as order:
        yield order


@contextmanager
def a_load_departs(site: Site, _function: str) -> Iterator[int]:
    before = mailed_notes(site)
    site.people.delivery.sends_off(site.people.delivery.loads(site.car("quality_passed")))
    yield before


def mailed_notes(site: Site) -> int:
    """How many delivery notes were sent. They are about a load, not about an order."""
    mails = site.people.mails()
    return sum((mail["template"], mail["status"]) == ("delivery_note", "sent") for mail in mails)


# --- operators ---------------------------------------------------------------------------------------------------------


@contextmanager
def an_operator_looks_at_the_queues(site: Site, _function: str) -> Iterator[Posted]:
    with site.waiting("invoices", NOTHING):
        yield Posted(site.people.operator.asks("GET", "/queues").status_code, frozenset())


@contextmanager
def an_operator_redrives(site: Site, _function: str) -> Iterator[str]:
    """A dead letter, whose copy lies beside one of somebody else."""
    dead: Json = {"state": "dead", "owner": None, "lease": None, "lease_until": None, "died_at": 0}
    with site.emptied("invoices-dead"), site.waiting("invoices", NOTHING, **dead) as envelope:
        site.put_into("invoices-dead", envelope)
        site.put_into("invoices-dead", "of somebody else")
        site.people.operator.asks("POST", "/queues/invoices/redrive", json={"ids": "all"})
        yield "invoices-dead"


# --- what nobody forwarded ---------------------------------------------------------------------------------------------


def forwards(queue: str) -> Story:
    """A message for this queue was left behind, and this function forwards it."""
    return partial(_left_behind, queue, lambda _: NOTHING)


def forwards_an_event() -> Story:
    """The same for the bus."""
    return partial(_left_behind, queues.BUS, lambda site: m.EmitEvent(event=site.event_of(site.stands)))


def forwards_an_alert() -> Story:
    """The same for the topic of quality alerts."""
    return partial(
        _left_behind,
        queues.NOTIFICATIONS,
        lambda site: m.PublishToTopic(
            topic="quality-alerts", template=None, order=site.stands.id, step=site.stands.step
        ),
    )


@contextmanager
def _left_behind(
    queue: str, message: Callable[[Site], m.AnyMessage], site: Site, function: str
) -> Iterator[Envelope]:
    with site.waiting(queue, message(site), **DUE) as envelope:
        if function == "relay":
            site.invoke("relay", {})
            yield envelope
        else:  # who redrives forwards whatever is due
            with an_operator_redrives(site, function):
                yield envelope


@contextmanager
def finds_what_sqs_gave_up(site: Site, _function: str) -> Iterator[str]:
    """Of two, one was done meanwhile and has no row any more."""
    with site.emptied("invoices-dead"), site.waiting("invoices", NOTHING) as envelope:
        site.put_into("invoices-dead", envelope)
        site.put_into("invoices-dead", site.envelope("invoices", NOTHING))
        site.invoke("relay", {})
        yield "invoices-dead"


@contextmanager
def finds_what_no_service_takes(site: Site, _function: str) -> Iterator[str]:
    with site.emptied("invoices-dead"), site.waiting("invoices", NOTHING, body="{", **DUE):
        site.invoke("relay", {})
        yield "invoices-dead"


# --- messages ----------------------------------------------------------------------------------------------------------


@contextmanager
def a_message_fails(site: Site, function: str) -> Iterator[Envelope]:
    # It says that it is of a queue that tries again after a second, wherever it is worked.
    with site.waiting(queues.INVOICES, IMPOSSIBLE) as envelope:
        site.put_into(function, envelope)
        yield envelope


@contextmanager
def a_message_fails_for_the_last_time(site: Site, function: str) -> Iterator[str]:
    tried = queues.policy(queues.INVOICES).max_attempts
    with (
        site.emptied(f"{function}-dead"),
        site.waiting(queues.INVOICES, IMPOSSIBLE, attempts=tried) as envelope,
    ):
        site.put_into(function, envelope)
        yield f"{function}-dead"


@contextmanager
def a_car_is_announced(site: Site, _function: str) -> Iterator[Order]:
    order = site.car("quality_passed")
    with site.waiting("deliveries", m.AnnounceCar(order=order.id, step=order.step), order) as envelope:
        site.put_into("deliveries", envelope)
        yield order


@contextmanager
def its_function_is_called(site: Site, _function: str) -> Iterator[Order]:
    order = site.car("quality_passed")
    call = m.CallFunction(function="estimate_arrival", order=order.id, step=order.step, number=7)
    with site.waiting("functions", call, order) as envelope:
        site.put_into("functions", envelope)
        yield order


@contextmanager
def an_alert_is_passed_on(site: Site, _function: str) -> Iterator[Order]:
    order = site.car("quality_passed")
    alert = m.PublishToTopic(
        topic="quality-alerts", order=order.id, step=order.step, template="quality_failed", failures=1
    )
    with site.waiting("notifications", alert, order) as envelope:
        site.put_into("notifications", envelope)
        yield order


@contextmanager
def its_first_mail_is_due(site: Site, function: str) -> Iterator[Order]:
    site.starts_anew(function)
    with the_dealership_accepts(site, function) as order:
        yield order


# --- state machines ----------------------------------------------------------------------------------------------------


@contextmanager
def a_state_machine_is_replaced(site: Site, _function: str) -> Iterator[Order]:
    order = site.car("quality_check")
    with site.waiting("executions", m.StartExecution(order=order.id, step=order.step), order) as envelope:
        site.put_into("executions", envelope)
        yield order


@contextmanager
def an_execution_is_superseded(site: Site, _function: str) -> Iterator[str]:
    """It follows an order that is elsewhere."""
    states = site.emulator.client("stepfunctions")
    [machine] = states.list_state_machines()["stateMachines"]
    nowhere = {"step": "stp_none", "outcome": None}
    entry = {"order": site.stands.id, "state": "quality_check", "decision": nowhere}
    started = states.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps(entry))
    try:
        yield started["executionArn"]
    finally:
        if states.describe_execution(executionArn=started["executionArn"])["status"] == "RUNNING":
            states.stop_execution(executionArn=started["executionArn"])


@contextmanager
def a_move_fails_for_the_last_time(site: Site, _function: str) -> Iterator[Order]:
    """The state machine says that the car goes where the pipeline lets no car go."""
    order = site.car("quality_check")
    move = m.MoveOrder(order=order.id, step=order.step, outcome="pass", by="nobody")
    with (
        site.emptied("decisions-dead"),
        site.waiting("decisions", move, order, attempts=1000) as envelope,
    ):
        site.invoke(
            "update-status",
            {
                "order": order.id,
                "state": "declined",
                "decision": {"step": order.step, "outcome": "pass", "message": envelope.id},
                "execution": "arn:none",
                "entered": "2026-01-31T12:00:00.000Z",
                "token": "none",
            },
        )
        yield order


@contextmanager
def audits_after_a_state_machine_was_lost(site: Site, function: str) -> Iterator[Order]:
    """It was decided long ago, and no state machine has carried it out."""
    order = site.car("quality_check")
    site.installation.stop_execution_of(order.id)
    move = m.MoveOrder(order=order.id, step=order.step, outcome="pass", by="nobody")
    with site.waiting("decisions", move, order, sent_at=0):
        site.invoke(function, {"repair": True})
        yield order


# --- new environments --------------------------------------------------------------------------------------------------


@contextmanager
def is_called_first(site: Site, function: str) -> Iterator[Answer]:
    site.starts_anew(function)
    yield site.invoke(function, {})


@contextmanager
def is_called_first_with_nothing_kept_for_intake(site: Site, function: str) -> Iterator[str]:
    s3, bucket = site.emulator.client("s3"), bucket_of(site)
    kept = s3.get_object(Bucket=bucket, Key=SNAPSHOT_KEY)
    with site.without_schedule("relay"):  # which would keep one too
        s3.delete_object(Bucket=bucket, Key=SNAPSHOT_KEY)
        site.starts_anew(function)
        site.invoke(function, {})
        try:
            yield bucket
        finally:
            s3.put_object(
                Bucket=bucket, Key=SNAPSHOT_KEY, Body=kept["Body"].read(), Metadata=kept["Metadata"]
            )


def bucket_of(site: Site) -> str:
    """Where intake's snapshot is kept."""
    found = [one["Name"] for one in site.emulator.client("s3").list_buckets()["Buckets"]]
    [bucket] = [name for name in found if name.startswith(f"{STACK}-snapshots")]
    return str(bucket)
