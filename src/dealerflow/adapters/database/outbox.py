"""The message store as an outbox, for where other services carry the messages (SQS, SNS, EventBridge): PostgreSQL only.

    sent with the work, being forwarded  ──>  forwarded  ──>  gone, in the transaction of the work that it asked for
      │    │ a crash, or the service away         │ its handler failed too often
      │    └─> due again after RELAY_LEASE_MS     └─> dead, until it is redriven or discarded
      └─> its queue is paused: it stays, and is due once the queue is resumed

A row stays until its work is done, and whoever works it deletes it in the same transaction. So a row that is gone is the
note that its message has been handled: a second delivery finds nothing to do. The states are those of the message store,
with "held" for what is being forwarded (owner RELAY) or was forwarded (owner OUTSIDE).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dealerflow.adapters.database.engine import transaction
from dealerflow.adapters.database.message_rows import any_envelope_of
from dealerflow.adapters.database.tables import discarded, messages, queues
from dealerflow.application.queues import DECISIONS, ORDERS
from dealerflow.domain.errors import Outage
from dealerflow.domain.messages import AnyMessage, Envelope, Unreadable

RELAY, OUTSIDE = "relay", "outside"
RELAY_LEASE_MS = 30_000  # who forwards right after the commit is given so long before the schedule does it
FORWARDED_MS = 13 * 24 * 3600 * 1000  # SQS keeps a message 14 days; what waited longer is forwarded anew
LONGEST_DELAY_MS = 15 * 60 * 1000  # SQS

Standing = Literal["open", "dead", "gone"]

_m = messages.c
_encode = msgspec.json.Encoder().encode
_HELD = sa.text("messages.state = 'held'")
_DELAYED = sa.text("messages.state = 'delayed'")
_FREE: dict[str, object] = {"lease": None, "owner": None, "lease_until": None}


def put(connection: sa.Connection, sent: Sequence[tuple[Envelope, int]], now: int) -> list[Envelope]:
    """Store these (envelope, delay in ms) in the caller's transaction. Returns what is the caller's to forward after the
    commit: what is due at once, but for queues that are paused.
    """
    if not sent:
        return []
    paused = paused_of(connection, {envelope.queue for envelope, _ in sent})
    prompt = [envelope for envelope, delay in sent if delay <= 0 and envelope.queue not in paused]
    mine = {envelope.id for envelope in prompt}
    rows = [_row(envelope, delay, now, at_once=envelope.id in mine) for envelope, delay in sent]
    connection.execute(sa.insert(messages), rows)
    return prompt


def _row(envelope: Envelope, delay: int, now: int, *, at_once: bool) -> dict[str, object]:
    return {
        "id": envelope.id,
        "queue": envelope.queue,
        "group": envelope.group,
        "state": "held" if at_once else "delayed",
        "turn": 0,
        "order_id": envelope.order,
        "body": _body(envelope.message),
        "trace": envelope.trace,
        "sent_at": envelope.sent_at or now,
        "available_at": now + max(delay, 0),
        "owner": RELAY if at_once else None,
        "lease": envelope.id if at_once else None,
        "lease_until": now + RELAY_LEASE_MS if at_once else None,
    }


def _body(message: AnyMessage | Unreadable) -> str:
    # What this version cannot read is kept as it came: another version may.
    return message.body if isinstance(message, Unreadable) else _encode(message).decode()


def standing(connection: sa.Connection, message_ids: Collection[str]) -> dict[str, Standing]:
    """Which of these messages still ask for their work. Locks their rows: two deliveries at once are worked one by one."""
    query = sa.select(_m.id, _m.state).where(_m.id.in_(list(message_ids))).order_by(_m.id).with_for_update()
    states = {row.id: row.state for row in connection.execute(query)}
    return {
        id_: "gone" if id_ not in states else "dead" if states[id_] == "dead" else "open"
        for id_ in message_ids
    }


def paused_of(connection: sa.Connection, names: Collection[str]) -> set[str]:
    """Which of these queues an operator paused."""
    query = sa.select(queues.c.name).where(queues.c.paused, queues.c.name.in_(list(names)))
    return set(connection.execute(query).scalars())


def was_discarded(connection: sa.Connection, message_id: str) -> bool:
    """Whether an operator gave the message up."""
    return bool(connection.execute(sa.select(sa.exists().where(discarded.c.id == message_id))).scalar_one())


def done(connection: sa.Connection, message_ids: Collection[str]) -> None:
    """Their work is done, in this transaction."""
    connection.execute(sa.delete(messages).where(_m.id.in_(list(message_ids))))


def tell_again(connection: sa.Connection, order_id: str, now: int) -> None:
    """What was decided of this order was told to nobody who listens: the next forwarding takes it."""
    decided = (_m.queue == DECISIONS, _m.order_id == order_id, _HELD)
    connection.execute(sa.update(messages).where(*decided).values(lease_until=now))


class Outbox:
    """What happens to rows outside the transaction of the work. Raises Outage while the database is away."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def due(self, limit: int, *, now: int) -> list[Envelope]:
        """Take up to `limit` messages to forward: delayed ones that are due, and those that nobody forwarded in time.

        Those that nobody tried yet come first, and last what was tried last: what cannot leave holds up nothing else. What
        cannot be read is Unreadable in its envelope.
        """
        waits = sa.or_(sa.and_(_DELAYED, _m.available_at <= now), sa.and_(_HELD, _m.lease_until <= now))
        paused = sa.select(queues.c.name).where(queues.c.paused)
        chosen = (
            sa.select(_m.id)
            .where(waits, _m.queue.not_in(paused))
            .order_by(_m.lease_until.nulls_first(), _m.sent_at, _m.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        take = (
            sa.update(messages)
            .where(_m.id.in_(chosen.scalar_subquery()))
            .values(state="held", owner=RELAY, lease=_m.id, lease_until=now + RELAY_LEASE_MS)
            .returning(*messages.c)
        )
        with transaction(self._engine) as connection:
            rows = connection.execute(take).all()
        return [any_envelope_of(row) for row in sorted(rows, key=lambda row: (row.sent_at, row.id))]

    def stuck(self, *, since: int) -> dict[str, int]:
        """Queue → how many messages have been due since before then, and were never forwarded. Paused queues wait by intent."""
        due = sa.and_(_m.available_at <= since, sa.or_(_DELAYED, sa.and_(_HELD, _m.owner == RELAY)))
        paused = sa.select(queues.c.name).where(queues.c.paused)
        query = sa.select(_m.queue, sa.func.count()).where(due, _m.queue.not_in(paused)).group_by(_m.queue)
        with transaction(self._engine, "read") as connection:
            return dict(connection.execute(query).all())

    def forwarded(
        self, message_ids: Collection[str], *, now: int, by: str = RELAY, for_ms: int = FORWARDED_MS
    ) -> None:
        """These left the hands of the relay, or of this worker; should they not be done after `for_ms`, they are forwarded anew.

        Those that somebody else has in hand stay there: a function may be quicker than the relay's note.
        """
        if message_ids:
            these = (_m.id.in_(list(message_ids)), _HELD, _m.owner == by)
            away = {"owner": OUTSIDE, "lease_until": now + for_ms}
            with transaction(self._engine) as connection:
                connection.execute(sa.update(messages).where(*these).values(**away))

    def shelve(self, envelope: Envelope, *, now: int) -> None:
        """Take it back from SQS: it is due again, once its queue is not paused. An order gets its row hereby."""
        with transaction(self._engine) as connection:
            _give_row(connection, envelope, now)
            connection.execute(
                sa.update(messages)
                .where(_m.id == envelope.id, _HELD)
                .values(state="delayed", available_at=now, **_FREE)
            )

    def claim(self, message_id: str, worker: str, *, now: int, for_ms: int) -> Standing:
        """Take the message into one worker's hands for so long: "open" if it is ours, "dead" or "gone" as it stands.

        Raises Outage also while it is in another's hands: it is offered again, and may be done by then.
        """
        take = (
            sa.update(messages)
            .where(
                _m.id == message_id,
                _HELD,
                sa.or_(_m.owner.in_((RELAY, OUTSIDE, worker)), _m.lease_until <= now),
            )
            .values(owner=worker, lease_until=now + for_ms)
        )
        with transaction(self._engine) as connection:
            if connection.execute(take).rowcount:
                return "open"
            stands = standing(connection, [message_id])[message_id]
        if stands == "open":
            raise Outage(f"message {message_id} is in other hands")
        return stands

    def find(self, message_id: str) -> Envelope | None:
        """The message, if it is not done. What cannot be read is Unreadable in its envelope."""
        with transaction(self._engine, "read") as connection:
            row = connection.execute(sa.select(messages).where(_m.id == message_id)).one_or_none()
        return any_envelope_of(row) if row else None

    def over(self, message_ids: Collection[str]) -> None:
        """These only had to be forwarded, and were."""
        if message_ids:
            with transaction(self._engine) as connection:
                done(connection, message_ids)

    def failed(self, envelope: Envelope, *, now: int, error: str) -> int:
        """Count a failed attempt of the message; how many there were, 0 if it was done, or died, meanwhile.

        From now on it is in nobody's hands but those of SQS, which offers it again. An order gets its row hereby.
        """
        back = {"owner": OUTSIDE, "lease_until": now + FORWARDED_MS}
        with transaction(self._engine) as connection:
            _give_row(connection, envelope, now)
            count = (
                sa.update(messages)
                .where(_m.id == envelope.id, _HELD)
                .values(attempts=_m.attempts + 1, error=error, **back)
                .returning(_m.attempts)
            )
            return int(connection.execute(count).scalar_one_or_none() or 0)

    def bury(self, message_id: str, *, now: int, error: str) -> None:
        """The message is dead."""
        with transaction(self._engine) as connection:
            connection.execute(_buried(message_id, now, error))

    def revive(self, queue: str, message_ids: Collection[str] | None, *, now: int) -> list[str]:
        """Offer dead letters (all, if None) again with their attempts forgotten: the next forwarding takes them. Which."""
        again = (
            sa.update(messages)
            .where(_m.queue == queue, _m.state == "dead")
            .values(state="delayed", available_at=now, attempts=0, died_at=None, error=None)
            .returning(_m.id)
        )
        if message_ids is not None:
            again = again.where(_m.id.in_(list(message_ids)))
        with transaction(self._engine) as connection:
            return list(connection.execute(again).scalars())


def _give_row(connection: sa.Connection, envelope: Envelope, now: int) -> None:
    """What is on the queue of orders comes from intake and has no row, until it has to be kept here. One that an operator
    gave up gets none.
    """
    if envelope.queue == ORDERS and not was_discarded(connection, envelope.id):
        row = _row(envelope, 0, now, at_once=True)
        connection.execute(postgresql.insert(messages).values(row).on_conflict_do_nothing())


def _buried(message_id: str, now: int, error: str) -> sa.Update:
    dead = {"state": "dead", "died_at": now, "error": error, **_FREE}
    return sa.update(messages).where(_m.id == message_id).values(dead)
