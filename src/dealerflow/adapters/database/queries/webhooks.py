"""Webhooks and their delivery log."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.queries.reading import behind, paged, reading
from dealerflow.adapters.database.rows import from_row
from dealerflow.application.queries import Page, PageRequest
from dealerflow.application.records import Webhook
from dealerflow.application.views import DeliveryView, WebhookView, moment, moment_or_none
from dealerflow.application.webhooks import show_webhook

_w, _d = t.webhooks.c, t.webhook_deliveries.c


class SqlWebhookQueries:
    """Implements `application.queries.WebhookQueries`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def many(self, owners: Collection[str] | None, page: PageRequest) -> Page[WebhookView]:
        statement = sa.select(t.webhooks).where(_w.active, *behind([_w.id], page.after, down=False))
        if owners is not None:
            statement = statement.where(_w.dealership.in_(sorted(owners)))
        with reading(self._engine) as connection:
            rows = connection.execute(statement.order_by(_w.id).limit(page.limit + 1)).all()
        found = [show_webhook(from_row(Webhook, row, json=("event_types",))) for row in rows]
        return paged(found, page, lambda webhook: (webhook.id,))

    def deliveries(self, webhook_id: str, status: str | None, page: PageRequest) -> Page[DeliveryView]:
        statement = (
            sa.select(t.webhook_deliveries, t.events.c.type)
            .outerjoin(t.events, t.events.c.id == _d.event)
            .where(_d.webhook == webhook_id, *behind([_d.id], page.after, down=True))
        )
        if status is not None:
            statement = statement.where(_d.status == status)
        with reading(self._engine) as connection:
            rows = connection.execute(statement.order_by(_d.id.desc()).limit(page.limit + 1)).all()
        return paged([_delivery(row) for row in rows], page, lambda delivery: (delivery.id,))


def _delivery(row: sa.Row[Any]) -> DeliveryView:
    return DeliveryView(
        id=row.id,
        webhook=row.webhook,
        event=row.event,
        type=row.type,
        status=row.status,
        attempts=row.attempts,
        response=row.response,
        error=row.error,
        at=moment(row.at),
        delivered_at=moment_or_none(row.delivered_at),
    )
