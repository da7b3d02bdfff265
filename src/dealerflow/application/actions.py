"""The actions of a state, as messages: each is sent with the move, and succeeds, is retried or dies on its own."""

from __future__ import annotations

from typing import Any

from dealerflow.application import queues
from dealerflow.application.happenings import send_to_webhook
from dealerflow.application.mails import Recipient, address, ask_for_mail, customer_of, member, office_of
from dealerflow.application.webhooks import webhook_of_topic
from dealerflow.application.work import UnitOfWork
from dealerflow.domain import events
from dealerflow.domain.events import Event
from dealerflow.domain.messages import AnnounceCar, CallFunction, Envelope, PublishToTopic, message_of
from dealerflow.domain.orders import Order
from dealerflow.pipeline.definition import Action, State


def send_actions(work: UnitOfWork, order: Order, state: State, *, first: bool) -> None:
    """Send what the pipeline declares for this entry into the state."""
    for number, action in enumerate(state.actions):
        if action.when == "every" or first:
            _SEND[action.kind](work, order, action, number)


def _mail(work: UnitOfWork, order: Order, action: Action, number: int) -> None:
    cause, template = f"{order.step}:{number}", action.template or ""
    for recipient in _recipients(work, order, action.target):
        ask_for_mail(work, template, recipient, cause=cause, about=order, facts=facts_now(order))


def _recipients(work: UnitOfWork, order: Order, target: str) -> list[Recipient]:
    if target == "customer":
        return [customer_of(order)]
    if target == "dealership":
        return [office_of(work.people.dealership(order.dealership))]
    return _holders(work, order, target.removeprefix("role:"))


def _holders(work: UnitOfWork, order: Order, role: str) -> list[Recipient]:
    """Those with this role whom the order concerns."""
    return [member(account) for account in work.people.accounts_with(role, _scope(work, order, role))]


def _scope(work: UnitOfWork, order: Order, role: str) -> str | None:
    """Which of a role's accounts an order concerns: its dealership's, its line's, its plant's."""
    if role in ("dealer", "dealer_admin"):
        return order.dealership
    if role == "line_lead":
        return order.line
    line = work.factory.line(order.line) if order.line else None
    return line.plant if line else None


def facts_now(order: Order) -> dict[str, Any]:
    """What a mail says about the order as it was when the mail was asked for. Ids and counts, no personal data."""
    return {
        "state": order.state,
        "step": order.step,
        "failures": order.failures,
        "vehicle": order.vehicle,
        "line": order.line,
        "load": order.load,
    }


def _topic(work: UnitOfWork, order: Order, action: Action, number: int) -> None:
    message = PublishToTopic(
        topic=action.target,
        template=action.template,
        order=order.id,
        step=order.step,
        failures=order.failures,
    )
    work.send(queues.NOTIFICATIONS, message, group=order.dealership, order=order.id)


def _queue(work: UnitOfWork, order: Order, action: Action, number: int) -> None:
    queue = action.target
    if "{delivery_line}" in queue:
        queue = queue.replace("{delivery_line}", work.people.dealership(order.dealership).delivery_line)
    work.send(queue, AnnounceCar(order=order.id, step=order.step), group=order.dealership, order=order.id)


def _event(work: UnitOfWork, order: Order, action: Action, number: int) -> None:
    event = Event(
        id=work.ids.new("evt"),
        type=action.target,
        at=work.clock.now(),
        dealership=order.dealership,
        order=order.id,
        by="dealerflow",
    )
    work.happenings.record(event)


def _function(work: UnitOfWork, order: Order, action: Action, number: int) -> None:
    message = CallFunction(function=action.target, order=order.id, step=order.step, number=number)
    work.send(queues.FUNCTIONS, message, group=order.dealership, order=order.id)


_SEND = {"mail": _mail, "topic": _topic, "queue": _queue, "event": _event, "function": _function}


# --- handlers ----------------------------------------------------------------------------------------------------------


def publish_to_topic(work: UnitOfWork, envelope: Envelope) -> None:
    """Pass what happened on to each subscriber of the topic: roles and addresses by mail, URLs by webhook, queues by message."""
    message = message_of(envelope, PublishToTopic)
    order = work.orders.get(message.order)
    facts = {**facts_now(order), "step": message.step, "failures": message.failures}
    cause = f"{message.step}:{message.topic}"
    told: set[str] = set()  # one person may hold several of the roles
    for kind, target in work.happenings.subscribers(message.topic):
        if kind in ("role", "address") and message.template:
            for recipient in _holders(work, order, target) if kind == "role" else [address(target)]:
                if recipient.id not in told:
                    told.add(recipient.id)
                    ask_for_mail(work, message.template, recipient, cause=cause, about=order, facts=facts)
        elif kind == "url":
            webhook = webhook_of_topic(work, message.topic, target)
            entered = work.happenings.entered(order.id, message.step)
            if webhook and entered:
                send_to_webhook(work, webhook, entered)
        elif kind == "queue":
            work.send(
                target, AnnounceCar(order=order.id, step=message.step), group=order.dealership, order=order.id
            )


def announce_car(work: UnitOfWork, envelope: Envelope) -> None:
    """A car was announced to a delivery line (or a queue of one's own): note it for those who plan loads."""
    message = message_of(envelope, AnnounceCar)
    order = work.orders.get(message.order)
    event = Event(
        id=work.ids.new("evt"),
        type=events.CAR_ANNOUNCED,
        at=work.clock.now(),
        dealership=order.dealership,
        order=order.id,
        by="dealerflow",
        details={"queue": envelope.queue},
    )
    work.happenings.record(event)
