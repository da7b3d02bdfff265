"""Managing webhooks: who may subscribe a URL to what, and sending something again.

The factory's subscriptions (of operators and administrators) see every event; a dealership's (of its `dealer_admin`) its own.
"""

from __future__ import annotations

import base64
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta
from msgspec.structs import replace

from dealerflow.application import queues
from dealerflow.application.records import Webhook, WebhookDelivery
from dealerflow.application.views import WebhookView, moment
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from dealerflow.domain.messages import DeliverWebhook
from dealerflow.domain.people import Caller

FACTORY = ""  # whose a webhook is that belongs to no dealership
FACTORY_ROLES = ("operator", "admin")
MOST_WEBHOOKS = 20  # active ones of one owner: each event of the owner is posted to every one of them
LONGEST_URL = 2000
SECRET_BYTES = 32  # Standard Webhooks asks for 24 to 64

EventType = Annotated[
    str,
    Meta(pattern=r"^[A-Z][A-Za-z0-9]{0,79}$", extra={"say": "must be the type of an event, like OrderMoved"}),
]


class WebhookForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A URL to subscribe. No `event_types`: all. `dealership` None: the factory's, or the caller's only one."""

    url: Annotated[str, Meta(min_length=1, max_length=LONGEST_URL)]
    event_types: Annotated[tuple[EventType, ...], Meta(max_length=100)] = ()
    dealership: Annotated[str, Meta(min_length=1, max_length=40)] | None = None


TOPIC = "topic:"  # begins the one "event type" of a webhook that gets what is published to a topic, and nothing else


def new_secret(random: bytes) -> str:
    """A secret as Standard Webhooks writes it, from so many random bytes."""
    return "whsec_" + base64.b64encode(random).decode()


def subscribe_to_topic(work: UnitOfWork, topic: str, url: str, secret: str) -> bool:
    """Let a URL get what is published to a topic; False if it does already. Raises Invalid."""
    if faults := _url_faults(url):
        raise Invalid([replace(fault, pointer="/target") for fault in faults])
    if webhook_of_topic(work, topic, url) is not None:
        return False
    webhook = Webhook(
        id=work.ids.new("whk"),
        dealership=FACTORY,
        url=url,
        event_types=(TOPIC + topic,),
        secret=secret,
        active=True,
        created_at=work.clock.now(),
    )
    work.happenings.add_webhook(webhook)
    return True


def webhook_of_topic(work: UnitOfWork, topic: str, url: str) -> Webhook | None:
    """The active webhook by which this URL gets the topic."""
    active = work.happenings.webhooks()
    return next((one for one in active if one.url == url and one.event_types == (TOPIC + topic,)), None)


def owners(caller: Caller) -> frozenset[str] | None:
    """Whose webhooks the caller manages; None: everybody's. Raises Forbidden."""
    if caller.has(*FACTORY_ROLES) or "" in caller.scopes("dealer_admin"):
        return None
    own = caller.scopes("dealer_admin")
    if not own:
        raise Forbidden("webhooks are managed by: operator, admin, dealer_admin")
    return own


def subscribe(work: UnitOfWork, caller: Caller, form: WebhookForm, secret: str) -> Webhook:
    """A new webhook. Raises Forbidden, Invalid (every fault), Conflict (too many)."""
    managed = owners(caller)
    owner = _owner(managed, form)
    faults = [*_url_faults(form.url), *_owner_faults(work, managed, owner), *_type_faults(form.event_types)]
    if faults:
        raise Invalid(faults)
    if sum(webhook.dealership == owner for webhook in work.happenings.webhooks()) >= MOST_WEBHOOKS:
        raise Conflict(f"there are {MOST_WEBHOOKS} webhooks already; remove one first")
    webhook = Webhook(
        id=work.ids.new("whk"),
        dealership=owner,
        url=form.url,
        event_types=form.event_types,
        secret=secret,
        active=True,
        created_at=work.clock.now(),
    )
    work.happenings.add_webhook(webhook)
    return webhook


def _owner(managed: frozenset[str] | None, form: WebhookForm) -> str:
    if form.dealership is None and managed is not None and len(managed) == 1:
        return next(iter(managed))
    return form.dealership or FACTORY


def _owner_faults(work: UnitOfWork, managed: frozenset[str] | None, owner: str) -> list[Fault]:
    if managed is not None and owner not in managed:
        return [Fault("/dealership", f"must be a dealership of yours: {', '.join(sorted(managed))}")]
    if owner == FACTORY:
        return []
    try:
        work.people.dealership(owner)
    except NotFound as missing:
        return [Fault("/dealership", missing.detail)]
    return []


def _url_faults(url: str) -> list[Fault]:
    """What is wrong with the text. Whether the address may be reached is the sender's to judge, each time it posts."""
    say = Fault(
        "/url", "must be an address like https://example.com/hooks, without a user, password or fragment"
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return [say]
    plain = url.isascii() and url.isprintable() and " " not in url
    whole = parts.scheme in ("http", "https") and parts.hostname and port != 0
    return [] if plain and whole and "@" not in parts.netloc and not parts.fragment else [say]


def _type_faults(types: tuple[str, ...]) -> list[Fault]:
    return [
        Fault(f"/event_types/{place}", f"{name} is given twice; give it once")
        for place, name in enumerate(types)
        if name in types[:place]
    ]


def unsubscribe(work: UnitOfWork, caller: Caller, webhook_id: str) -> None:
    """End a subscription; nothing more is posted, its log stays. Raises NotFound, Forbidden."""
    work.happenings.end_webhook(managed_webhook(work, caller, webhook_id).id)


def managed_webhook(work: UnitOfWork, caller: Caller, webhook_id: str) -> Webhook:
    """The webhook, if it is the caller's to manage. Raises NotFound, Forbidden."""
    managed = owners(caller)
    webhook = work.happenings.webhook(webhook_id)
    if webhook is None or (managed is not None and webhook.dealership not in managed):
        raise NotFound(f"there is no webhook {webhook_id}")
    return webhook


def resend(work: UnitOfWork, caller: Caller, webhook_id: str, delivery_id: str) -> WebhookDelivery:
    """Post an event again, with fresh attempts. Raises NotFound, Forbidden, Conflict (ended, or on its way already)."""
    webhook = managed_webhook(work, caller, webhook_id)
    delivery = work.happenings.delivery(delivery_id)
    if delivery is None or delivery.webhook != webhook.id:
        raise NotFound(f"there is no delivery {delivery_id}")
    if not webhook.active:
        raise Conflict("the subscription has ended")
    if delivery.status == "queued":
        raise Conflict("it is on its way already")
    again = replace(delivery, status="queued", attempts=0, response=None, error=None, delivered_at=None)
    work.happenings.set_delivery(again)
    work.send(queues.WEBHOOKS, DeliverWebhook(delivery=again.id), group=webhook.id)
    return again


def show_webhook(webhook: Webhook, *, secret: bool = False) -> WebhookView:
    """How a webhook looks. Its secret is shown when it is made, and never again."""
    return WebhookView(
        id=webhook.id,
        dealership=webhook.dealership or None,
        url=webhook.url,
        event_types=webhook.event_types,
        active=webhook.active,
        created_at=moment(webhook.created_at),
        secret=webhook.secret if secret else UNSET,
    )
