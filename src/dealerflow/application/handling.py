"""The two kinds of handlers, and how a worker finds the one for a message.

A `Transactional` handler only writes to the database and sends messages: what it does commits with the
acknowledgement, and many of its messages are worked in one transaction. A `Call` reaches outside (a mail
server, a payment provider): its call is made outside any transaction, one message at a time, and its answer
is recorded together with the acknowledgement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from dealerflow.application.work import UnitOfWork
from dealerflow.domain.messages import Envelope, Message


class Transactional(Protocol):
    """Works one message inside a unit of work. What it raises (other than Outage) is a failed attempt."""

    def __call__(self, work: UnitOfWork, envelope: Envelope, /) -> None: ...


@runtime_checkable
class Bulk(Protocol):
    """A transactional handler that works many messages at less cost than one by one. All, or it raises."""

    def __call__(self, work: UnitOfWork, envelope: Envelope, /) -> None: ...

    def many(self, work: UnitOfWork, envelopes: Sequence[Envelope], /) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Call:
    """A handler whose work is one call to the outside.

    `prepare` reads what the call needs; None means that there is nothing (more) to do. `perform` makes the
    call, with an idempotency key made from ids, because after a crash it is made again. `record` writes the
    answer. Outage, from any of them, is no attempt.
    """

    prepare: Callable[[UnitOfWork, Envelope], Any]
    perform: Callable[[Any, Envelope], Any]
    record: Callable[[UnitOfWork, Envelope, Any], None]


@dataclass(frozen=True, kw_only=True)
class Handover:
    """A handler that only tells somebody outside, who does the work later and acknowledges the message with it.

    Until that has happened the message is told again, every `again_after_ms`. `prepare` and `perform` as for a Call.
    """

    prepare: Callable[[UnitOfWork, Envelope], Any]
    perform: Callable[[Any, Envelope], None]
    again_after_ms: int


Handler = Transactional | Call | Handover
HandlerFor = Callable[[type[Message]], Handler]
"""Gives the handler of a message type. Raises LookupError, a failed attempt, where there is none."""
