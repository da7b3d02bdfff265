"""Events and their positions, the mail log, topics and webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.rows import from_row, to_json, to_row
from dealerflow.adapters.database.session import Session
from dealerflow.application import queues
from dealerflow.application.records import Mail, Webhook, WebhookDelivery
from dealerflow.application.work import Sending
from dealerflow.domain.events import Event
from dealerflow.domain.messages import PublishEvent

# PostgreSQL advisory lock of the one sequencer; SQLite has one writer anyway.
SEQUENCER_LOCK = 4_402_001
_newest = sa.select(sa.func.coalesce(sa.func.max(t.events.c.position), 0))
_place = (
    sa.update(t.events)
    .where(t.events.c.n == sa.bindparam("number"))
    .values(position=sa.bindparam("at_position"))
)
_sent = (
    sa.update(t.mails)
    .where(t.mails.c.id == sa.bindparam("mail"))
    .values(
        status=sa.bindparam("new_status"),
        subject=sa.bindparam("new_subject"),
        sent_at=sa.bindparam("new_sent_at"),
    )
)


class SqlHappenings:
    """Implements `application.work.Happenings`."""

    def __init__(self, session: Session, sending: Sending) -> None:
        self._session = session
        self._sending = sending

    def record(self, event: Event) -> None:
        row = to_row(event)
        row["order_id"] = row.pop("order")
        row["details"] = to_json(event.details)
        del row["position"]
        self._session.add(t.events, row)
        self._sending.send(
            queues.EVENTS, PublishEvent(event=event.id), group=event.dealership or "", order=event.order
        )

    def event(self, event_id: str) -> Event | None:
        row = self._session.run(
            sa.select(t.events).where(t.events.c.id == event_id), touches=(t.events,)
        ).one_or_none()
        return _event(row) if row else None

    def entered(self, order_id: str, step: str) -> Event | None:
        e = t.events.c
        statement = sa.select(t.events).where(e.order_id == order_id, e.step == step).limit(1)
        row = self._session.run(statement, touches=(t.events,)).one_or_none()
        return _event(row) if row else None

    def publish(self, event_ids: Sequence[str]) -> list[Event]:
        if self._session.dialect == "postgresql":
            self._session.run(sa.select(sa.func.pg_advisory_xact_lock(SEQUENCER_LOCK)))
        e = t.events.c
        # And those that were recorded before them: whatever order their messages come in, an order's moves keep theirs.
        newest = sa.select(sa.func.max(e.n)).where(e.id.in_(list(event_ids))).scalar_subquery()
        unplaced = sa.select(t.events).where(e.position.is_(None), e.n <= newest).order_by(e.n)
        rows = self._session.run(unplaced, touches=(t.events,)).all()
        if not rows:
            return []
        last = int(self._session.run(_newest, touches=(t.events,)).scalar_one())
        places: list[dict[str, Any]] = [
            {"number": row.n, "at_position": last + i} for i, row in enumerate(rows, start=1)
        ]
        self._session.run(_place, places, touches=(t.events,))
        return [
            replace(_event(row), position=place["at_position"])
            for row, place in zip(rows, places, strict=True)
        ]

    def add_mail(self, mail: Mail) -> None:
        self._session.add(t.mails, to_row(mail, json=("facts",)))

    def mail(self, mail_id: str) -> Mail | None:
        row = self._session.run(
            sa.select(t.mails).where(t.mails.c.id == mail_id), touches=(t.mails,)
        ).one_or_none()
        return from_row(Mail, row, json=("facts",)) if row else None

    def mail_sent(self, mail_id: str, *, at: int, subject: str, status: Literal["sent", "refused"]) -> None:
        self._session.run(
            _sent,
            {"mail": mail_id, "new_status": status, "new_subject": subject, "new_sent_at": at},
            touches=(t.mails,),
        )

    def subscribers(self, topic: str) -> list[tuple[str, str]]:
        s = t.topic_subscriptions.c
        statement = sa.select(s.kind, s.target).where(s.topic == topic).order_by(s.id)
        return [
            (row.kind, row.target) for row in self._session.run(statement, touches=(t.topic_subscriptions,))
        ]

    def webhooks(self) -> list[Webhook]:
        statement = sa.select(t.webhooks).where(t.webhooks.c.active).order_by(t.webhooks.c.id)
        return [
            from_row(Webhook, row, json=("event_types",))
            for row in self._session.run(statement, touches=(t.webhooks,))
        ]

    def webhook(self, webhook_id: str) -> Webhook | None:
        row = self._session.run(
            sa.select(t.webhooks).where(t.webhooks.c.id == webhook_id), touches=(t.webhooks,)
        ).one_or_none()
        return from_row(Webhook, row, json=("event_types",)) if row else None

    def add_webhook(self, webhook: Webhook) -> None:
        self._session.add(t.webhooks, to_row(webhook, json=("event_types",)))

    def end_webhook(self, webhook_id: str) -> None:
        statement = sa.update(t.webhooks).where(t.webhooks.c.id == webhook_id).values(active=False)
        self._session.run(statement, touches=(t.webhooks,))

    def add_delivery(self, delivery: WebhookDelivery) -> None:
        self._session.add(t.webhook_deliveries, to_row(delivery))

    def delivery(self, delivery_id: str) -> WebhookDelivery | None:
        d = t.webhook_deliveries
        row = self._session.run(sa.select(d).where(d.c.id == delivery_id), touches=(d,)).one_or_none()
        return from_row(WebhookDelivery, row) if row else None

    def set_delivery(self, delivery: WebhookDelivery) -> None:
        d = t.webhook_deliveries
        row = to_row(delivery)
        self._session.run(sa.update(d).where(d.c.id == row.pop("id")).values(row), touches=(d,))


def _event(row: sa.Row[Any]) -> Event:
    values = {**row._mapping, "order": row.order_id, "details": msgspec.json.decode(row.details)}
    return Event(**{name: values[name] for name in Event.__struct_fields__})
