"""A message as a row of the message store: sent, read and acknowledged in the transaction of its work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec
import sqlalchemy as sa

from dealerflow.adapters.database import turns
from dealerflow.adapters.database.tables import messages
from dealerflow.application.ports import DeadLetter
from dealerflow.domain.errors import LeaseLost
from dealerflow.domain.messages import AnyMessage, Claimed, Envelope, Unreadable

_SLICE = 1_000  # ids in one statement, far below what either database takes
_Row = Any  # a row of the driver's, with the columns of `messages`

_m = messages.c
THESE = sa.bindparam("ids", expanding=True, type_=sa.Text)
OF_THIS_LEASE = sa.and_(_m.lease == sa.bindparam("this_lease"), _m.id.in_(THESE))

_SEND = sa.insert(messages)
_ACKNOWLEDGE = sa.delete(messages).where(OF_THIS_LEASE)

_decoder = msgspec.json.Decoder(AnyMessage)
_encode = msgspec.json.Encoder().encode


def send_all(connection: sa.Connection, sent: Sequence[tuple[Envelope, int]], now: int) -> Sequence[Envelope]:
    """Store these (envelope, delay in ms) in the caller's transaction, in this order; those that are due at once. `now` in ms."""
    prompt = [(envelope.queue, envelope.group) for envelope, delay in sent if delay <= 0]
    given = iter(turns.give_turns(connection, prompt) if prompt else ())
    late = {envelope.queue for envelope, delay in sent if delay > 0}
    if late:
        turns.queue_turns(connection, sorted(late))
    if sent:
        connection.execute(
            _SEND, [_row(e, delay, now, next(given) if delay <= 0 else 0) for e, delay in sent]
        )
    return [envelope for envelope, delay in sent if delay <= 0]


def _row(envelope: Envelope, delay: int, now: int, turn: int) -> dict[str, object]:
    return {
        "id": envelope.id,
        "queue": envelope.queue,
        "group": envelope.group,
        "state": "ready" if turn else "delayed",
        "turn": turn,
        "order_id": envelope.order,
        "body": _encode(envelope.message).decode(),
        "trace": envelope.trace,
        "sent_at": envelope.sent_at or now,
        "available_at": now + max(delay, 0),
    }


def acknowledge(connection: sa.Connection, claimed: Sequence[Claimed]) -> None:
    """Take these off their queue in the caller's transaction.

    Raises LeaseLost, which undoes that transaction, if one of them is no longer in this claim's hands.
    """
    if of_leases(connection, _ACKNOWLEDGE, claimed) != len(claimed):
        raise LeaseLost


def of_leases(
    connection: sa.Connection, statement: sa.Executable, claimed: Sequence[Claimed], **values: object
) -> int:
    """Run `statement` for those whose lease still matches; how many."""
    by_lease: dict[str, list[str]] = defaultdict(list)
    for one in claimed:
        by_lease[one.lease].append(one.envelope.id)
    touched = 0
    for lease, ids in by_lease.items():
        for some in slices(ids):
            result = connection.execute(statement, {"this_lease": lease, "ids": some, **values})
            touched += cast("sa.CursorResult[Any]", result).rowcount
    return touched


def slices(ids: Iterable[str]) -> Iterable[list[str]]:
    every = list(ids)
    return (every[start : start + _SLICE] for start in range(0, len(every), _SLICE))


def envelope_of(row: _Row) -> Envelope:
    """Raises MsgspecError or RecursionError where the message cannot be read."""
    return _with_message(row, _decoder.decode(row.body))


def any_envelope_of(row: _Row) -> Envelope:
    """With an Unreadable in it where the message cannot be read: a newer version's, after a roll-back, or spoilt by hand."""
    try:
        return envelope_of(row)
    except (msgspec.MsgspecError, RecursionError):
        return _with_message(row, cast("AnyMessage", Unreadable(body=row.body)))


def _with_message(row: _Row, message: AnyMessage) -> Envelope:
    return Envelope(
        id=row.id,
        queue=row.queue,
        message=message,
        group=row.group,
        order=row.order_id,
        sent_at=row.sent_at,
        trace=row.trace,
    )


def dead_letter(row: _Row) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        queue=row.queue,
        envelope=any_envelope_of(row),
        attempts=row.attempts,
        error=row.error or "",
        sent_at=row.sent_at,
        died_at=row.died_at or 0,
    )
