"""Events on their way out: they get their position after commit, then go to the webhooks that subscribed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec.structs import replace

from dealerflow.application import queues
from dealerflow.application.records import Webhook, WebhookDelivery
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.errors import DealerflowError
from dealerflow.domain.events import Event
from dealerflow.domain.messages import DeliverWebhook, EmitEvent, Envelope, PublishEvent, message_of

MAX_WEBHOOK_ATTEMPTS = queues.policy(queues.WEBHOOKS).max_attempts


class PublishEvents:
    """Positions for recorded events, many at once, and a delivery for each webhook that wants one.

    `emits`: each event also goes to a bus outside.
    """

    def __init__(self, *, emits: bool = False) -> None:
        self._emits = emits

    def __call__(self, work: UnitOfWork, envelope: Envelope) -> None:
        """One event."""
        self.many(work, [envelope])

    def many(self, work: UnitOfWork, envelopes: Sequence[Envelope]) -> None:
        """A batch, in one go."""
        ids = [envelope.message.event for envelope in envelopes if isinstance(envelope.message, PublishEvent)]
        webhooks = work.happenings.webhooks()
        for event in work.happenings.publish(ids):
            if self._emits:
                work.send(queues.BUS, EmitEvent(event=event), group=event.dealership or "", order=event.order)
            for webhook in webhooks:
                if wants(webhook, event):
                    send_to_webhook(work, webhook, event)


def wants(webhook: Webhook, event: Event) -> bool:
    """Whether the subscription covers this event: its type, and for a dealership only its own."""
    own = not webhook.dealership or webhook.dealership == event.dealership
    return own and (not webhook.event_types or event.type in webhook.event_types)


def send_to_webhook(work: UnitOfWork, webhook: Webhook, event: Event) -> WebhookDelivery:
    """Queue one delivery of this event to this webhook."""
    delivery = WebhookDelivery(
        id=work.ids.new("whd"), webhook=webhook.id, event=event.id, status="queued", at=work.clock.now()
    )
    work.happenings.add_delivery(delivery)
    work.send(queues.WEBHOOKS, DeliverWebhook(delivery=delivery.id), group=webhook.id, order=event.order)
    return delivery


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One POST: where to, what, and the secret to sign it with."""

    delivery: WebhookDelivery
    webhook: Webhook
    event: Event


class WebhookRefused(DealerflowError):
    """The subscriber's server did not answer with 2xx."""


class WebhookSender(Protocol):
    """Posts signed events to URLs."""

    def post(self, request: WebhookRequest) -> tuple[int | None, str | None]:
        """(HTTP status, error). The status is None when there was no answer. Raises nothing."""


class DeliverWebhooks:
    """Posts one event to one URL. What is not answered with 2xx is tried again over days."""

    def __init__(self, sender: WebhookSender) -> None:
        self._sender = sender

    def prepare(self, work: UnitOfWork, envelope: Envelope) -> WebhookRequest | None:
        """What to post; nothing if it was delivered, or the subscription has ended."""
        delivery = work.happenings.delivery(message_of(envelope, DeliverWebhook).delivery)
        webhook = work.happenings.webhook(delivery.webhook) if delivery else None
        event = work.happenings.event(delivery.event) if delivery else None
        if (
            delivery is None
            or webhook is None
            or event is None
            or not webhook.active
            or delivery.status == "delivered"
        ):
            return None
        return WebhookRequest(delivery=delivery, webhook=webhook, event=event)

    def perform(self, request: WebhookRequest, envelope: Envelope) -> WebhookDelivery:
        """Post it; the answer is for the delivery log."""
        status, error = self._sender.post(request)
        delivered = status is not None and 200 <= status < 300
        return replace(
            request.delivery,
            status="delivered" if delivered else "failed",
            attempts=request.delivery.attempts + 1,
            response=status,
            error=None if delivered else error or f"answered {status}",
        )

    def record(self, work: UnitOfWork, envelope: Envelope, answer: WebhookDelivery) -> None:
        """Keep the answer in the delivery log; what failed is queued again, later and later, until its attempts are used up."""
        if answer.status == "delivered":
            work.happenings.set_delivery(replace(answer, delivered_at=work.clock.now()))
            return
        work.happenings.set_delivery(answer)
        if answer.attempts < MAX_WEBHOOK_ATTEMPTS:
            delay = _delay_ms(answer.attempts)
            work.send(
                queues.WEBHOOKS, DeliverWebhook(delivery=answer.id), group=answer.webhook, delay_ms=delay
            )


def _delay_ms(attempts: int) -> int:
    policy = queues.policy(queues.WEBHOOKS)
    return int(min(policy.first_delay_ms * 4**attempts, policy.max_delay_ms))
