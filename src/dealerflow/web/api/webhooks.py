"""Webhooks: subscribing URLs to what happens, the log of deliveries, and sending again."""

from __future__ import annotations

import secrets

from litestar import Response
from litestar.params import FromPath, RawBody

from dealerflow.application.access import require
from dealerflow.application.calls import Answer, answer
from dealerflow.application.records import WebhookDelivery
from dealerflow.application.views import DeliveryView, WebhookView, moment
from dealerflow.application.webhooks import (
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
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.people import Caller
from dealerflow.web.auth import caller_of
from dealerflow.web.body import read_form, respond
from dealerflow.web.idempotency import idempotent
from dealerflow.web.paging import choice
from dealerflow.web.reading import ListOf, page_request, respond_page
from dealerflow.web.routes import PAGING, Query, delete, get, post
from dealerflow.web.system import HttpRequest, system_of

STATUSES = ("queued", "delivered", "failed")
MANAGERS = ("operator", "admin", "dealer_admin")


@get("/webhooks", answers={200: ListOf[WebhookView]}, query=PAGING)
def webhooks(request: HttpRequest) -> Response[bytes]:
    """The active webhooks: a dealership's own, for its administrator; all, for operators and administrators."""
    caller = _manager(request)
    return respond_page(system_of(request).queries.webhooks.many(owners(caller), page_request(request)))


@post("/webhooks", form=WebhookForm, answers={201: WebhookView}, errors=(409,))
def new_webhook(request: HttpRequest, body: RawBody) -> Response[bytes]:
    """Subscribe a URL.

    The answer holds the secret with which what is posted is signed (Standard Webhooks); it is not shown again.
    """
    caller = _manager(request)
    form = read_form(WebhookForm, body)
    secret = new_secret(secrets.token_bytes(SECRET_BYTES))

    def run(work: UnitOfWork) -> Answer:
        return answer(201, show_webhook(subscribe(work, caller, form, secret), secret=True))

    return idempotent(request, body, caller, run)


@delete("/webhooks/{webhook_id:str}", answers={204: None})
def ended_webhook(request: HttpRequest, webhook_id: FromPath[str]) -> Response[bytes]:
    """End a subscription; its log stays."""
    caller = _manager(request)
    with system_of(request).database.begin() as work:
        unsubscribe(work, caller, webhook_id)
    return respond(None, status=204)


@get(
    "/webhooks/{webhook_id:str}/deliveries",
    answers={200: ListOf[DeliveryView]},
    query=(Query(name="status", text="queued, delivered or failed"), *PAGING),
)
def deliveries(request: HttpRequest, webhook_id: FromPath[str]) -> Response[bytes]:
    """What was posted to the URL, newest first, and how it was answered."""
    caller, system = _manager(request), system_of(request)
    status = choice(request, "status", STATUSES)
    asked = page_request(request)
    with system.database.read() as work:
        managed_webhook(work, caller, webhook_id)
    return respond_page(system.queries.webhooks.deliveries(webhook_id, status, asked))


@post(
    "/webhooks/{webhook_id:str}/deliveries/{delivery_id:str}/resend",
    answers={202: DeliveryView},
    errors=(409,),
)
def resent(
    request: HttpRequest, webhook_id: FromPath[str], delivery_id: FromPath[str], body: RawBody
) -> Response[bytes]:
    """Post an event to the URL again."""
    caller = _manager(request)

    def run(work: UnitOfWork) -> Answer:
        again = resend(work, caller, webhook_id, delivery_id)
        event = work.happenings.event(again.event)
        return answer(202, _delivery(again, event.type if event else None))

    return idempotent(request, body, caller, run)


def _manager(request: HttpRequest) -> Caller:
    caller = caller_of(request)
    require(caller, *MANAGERS)
    return caller


def _delivery(delivery: WebhookDelivery, type_: str | None) -> DeliveryView:
    return DeliveryView(
        id=delivery.id,
        webhook=delivery.webhook,
        event=delivery.event,
        type=type_,
        status=delivery.status,
        attempts=delivery.attempts,
        response=delivery.response,
        error=delivery.error,
        at=moment(delivery.at),
        delivered_at=None,
    )


ROUTES = (webhooks, new_webhook, ended_webhook, deliveries, resent)
