"""Webhooks: subscribing addresses to what happens, and what became of each delivery."""

from __future__ import annotations

import secrets

import msgspec

from dealerflow.application.queries import PageRequest
from dealerflow.application.views import DeliveryView, WebhookView
from dealerflow.application.webhooks import (
    LONGEST_URL,
    SECRET_BYTES,
    WebhookForm,
    managed_webhook,
    new_secret,
    owners,
    resend,
    show_webhook,
    subscribe,
    unsubscribe,
)
from dealerflow.domain.errors import Conflict, Fault, Invalid
from dealerflow.web.pages.core_words import faults_in_words, refusal_in_words
from dealerflow.web.pages.fields import Errors, errors_by_field
from dealerflow.web.pages.frame import HtmlResponse, Visit, get, post
from dealerflow.web.paging import cursor_of, paging

MANAGERS = ("operator", "admin", "dealer_admin")
FACTORY_ROLES = ("operator", "admin")
WEBHOOKS_OF_A_PAGE = 100
DELIVERIES_OF_A_PAGE = 25
_FIELDS = {"/url": "url", "/event_types": "types", "/dealership": "dealership"}


class WebhooksView(msgspec.Struct, frozen=True, kw_only=True):
    """The subscriptions, and the form for a new one. `owners`: (value, title) of whose it may be; `made` the one just made."""

    webhooks: tuple[WebhookView, ...]
    next_url: str | None
    owners: tuple[tuple[str, str], ...]
    errors: Errors
    url: str = ""
    types: str = ""
    owner: str = ""
    made: WebhookView | None = None


class WebhookPage(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription and its log, the newest first."""

    webhook: WebhookView
    deliveries: tuple[DeliveryView, ...]
    next_url: str | None


@get("/webhooks")
def webhooks(visit: Visit) -> HtmlResponse:
    """The active subscriptions that this person manages."""
    visit.require(*MANAGERS)
    return _show(visit)


@post("/webhooks")
def add(visit: Visit) -> HtmlResponse:
    """Subscribe an address. The answer is the page with the secret, which is shown this once."""
    visit.require(*MANAGERS)
    secret = new_secret(secrets.token_bytes(SECRET_BYTES))
    try:
        form = _form(visit)
        with visit.system.database.begin() as work:
            made = show_webhook(subscribe(work, visit.caller(), form, secret), secret=True)
    except Invalid as error:
        return _show(
            visit, status=422, errors=errors_by_field(faults_in_words(visit.texts, error.faults), _FIELDS)
        )
    except Conflict as error:
        return _show(visit, status=409, errors={"": list(refusal_in_words(visit.texts, error))})
    return _show(visit, status=201, made=made)


@get("/webhooks/{webhook_id:str}")
def webhook(visit: Visit, webhook_id: str) -> HtmlResponse:
    """One subscription and its deliveries."""
    visit.require(*MANAGERS)
    page = paging(visit.request, order="deliveries")
    with visit.system.database.read() as work:
        found = show_webhook(managed_webhook(work, visit.caller(), webhook_id))
    asked = PageRequest(limit=DELIVERIES_OF_A_PAGE, after=page.cursor)
    log = visit.system.queries.webhooks.deliveries(webhook_id, None, asked)
    more = f"/webhooks/{webhook_id}?cursor={cursor_of(*log.next, order='deliveries')}" if log.next else None
    return visit.show("webhook.html", WebhookPage(webhook=found, deliveries=log.items, next_url=more))


@post("/webhooks/{webhook_id:str}/end")
def end(visit: Visit, webhook_id: str) -> HtmlResponse:
    """Nothing more is posted; the log stays."""
    visit.require(*MANAGERS)
    with visit.system.database.begin() as work:
        unsubscribe(work, visit.caller(), webhook_id)
    return visit.go("/webhooks", say="webhook_ended")


@post("/webhooks/{webhook_id:str}/deliveries/{delivery_id:str}/resend")
def post_again(visit: Visit, webhook_id: str, delivery_id: str) -> HtmlResponse:
    """Post an event again, with fresh attempts."""
    visit.require(*MANAGERS)
    with visit.system.database.begin() as work:
        resend(work, visit.caller(), webhook_id, delivery_id)
    visit.system.ring()
    return visit.go(f"/webhooks/{webhook_id}", say="webhook_resent")


def _form(visit: Visit) -> WebhookForm:
    fields = visit.fields
    if fields.has_signs("dealership"):
        raise Invalid([Fault("/dealership", visit.texts("core.own_dealership"))])
    typed = {
        "url": fields.text("url"),
        "event_types": fields.text("types").replace(",", " ").split(),
        "dealership": fields.optional("dealership"),
    }
    try:
        return msgspec.convert(typed, WebhookForm)
    except msgspec.ValidationError as error:
        t = visit.texts
        if "event_types" in str(error):
            raise Invalid([Fault("/event_types", t("webhook.wrong_types"))]) from None
        raise Invalid([Fault("/url", t("webhook.wrong_url", most=LONGEST_URL))]) from None


def _show(
    visit: Visit, *, status: int = 200, errors: Errors | None = None, made: WebhookView | None = None
) -> HtmlResponse:
    page, fields = paging(visit.request, order="webhooks"), visit.fields
    asked = PageRequest(limit=WEBHOOKS_OF_A_PAGE, after=page.cursor)
    found = visit.system.queries.webhooks.many(owners(visit.caller()), asked)
    view = WebhooksView(
        webhooks=found.items,
        next_url=f"/webhooks?cursor={cursor_of(*found.next, order='webhooks')}" if found.next else None,
        owners=_owners(visit),
        errors=errors or {},
        url=fields.text("url") if errors else "",
        types=fields.text("types") if errors else "",
        owner=fields.text("dealership") if errors else "",
        made=made,
    )
    return visit.show("webhooks.html", view, status=status)


def _owners(visit: Visit) -> tuple[tuple[str, str], ...]:
    """Whose a new subscription may be. Those of a dealership are made by its administrator; the factory's see every event."""
    caller = visit.caller()
    with visit.system.database.read() as work:
        own = [work.people.dealership(id_) for id_ in sorted(caller.scopes("dealer_admin") - {""})]
    named = tuple((one.id, one.name) for one in own)
    return (("", visit.texts("webhook.factory")), *named) if caller.has(*FACTORY_ROLES) else named


ROUTES = (webhooks, add, webhook, end, post_again)
