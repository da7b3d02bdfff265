"""The ports: what the core asks of the world outside. Each is small enough to say aloud.

The unit of work and its repositories are in `application.work`; mail and documents in `application.letters`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from dealerflow.domain.messages import AnyMessage, Claimed, Envelope


class Clock(Protocol):
    """The time, as ms since the epoch, UTC."""

    def now(self) -> int: ...


class Ids(Protocol):
    """Ids that are unique and sort by time, e.g. `new("ord")` → "ord_01k…"."""

    def new(self, prefix: str) -> str: ...


class QueueFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One queue as an operator sees it. `waiting` may be claimed now (also while paused), `delayed` later."""

    name: str
    waiting: int = 0
    in_flight: int = 0
    delayed: int = 0
    dead: int = 0
    oldest_age_s: float = 0.0
    paused: bool = False


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that failed too often: why, how often and since when. Times in ms since epoch."""

    id: str
    queue: str
    envelope: Envelope
    attempts: int
    error: str
    sent_at: int
    died_at: int


class QueueConsole(Protocol):
    """The queues as an operator sees and steers them. Raises Outage."""

    def declare(self, queues: Collection[str]) -> None:
        """Make these queues known, so that they have figures before their first message."""

    def queues(self) -> list[str]:
        """The names of all known queues, sorted; cheap. Sending to a queue makes it known."""

    def is_open(self, queue: str, *, now: int) -> bool:
        """Whether the queue is neither paused nor closed. A queue that nobody knows is open."""

    def pause(self, queue: str) -> None:
        """Nothing new is claimed from now on; durable. A queue that is paused stays so."""

    def resume(self, queue: str) -> None:
        """Undo `pause`. A queue that is not paused stays so."""

    def figures(self, *, now: int) -> list[QueueFigures]:
        """Every queue that is known or holds a message, by name."""

    def dead_letters(self, queue: str, *, limit: int, after: str | None = None) -> list[DeadLetter]:
        """The queue's dead letters by id, from the one after `after` on."""

    def redrive(self, queue: str, ids: Collection[str] | None, *, now: int) -> int:
        """Offer dead letters (all, if `ids` is None) again with their attempts forgotten; how many. Unknown ids are skipped."""

    def discard(self, queue: str, ids: Collection[str], *, now: int, by: str, reason: str) -> int:
        """Delete dead letters for good, on record with the reason; how many. Unknown ids are skipped."""


class MessageStore(QueueConsole, Protocol):
    """Durable queues. Sending and acknowledging belong to a unit of work (same transaction as the work); the rest is here.

    Within a group messages are claimed in the order sent; between groups turns are fair: a flood of one group delays another
    group's message by at most one turn. A message that failed gives up its turn until its delay is over.
    """

    def claim(self, queue: str, limit: int, *, owner: str, now: int) -> list[Claimed]:
        """Take up to `limit` messages that are due, counting the attempt; committed before it returns.

        A paused queue gives none. In an ordered queue a group that is in another owner's hands gives none.
        """

    def put_back(self, claimed: Sequence[Claimed], *, at: int, error: str, failed: bool) -> None:
        """Offer these again from `at` on. `failed` false: it was no failed attempt (an outage), the attempt is not counted."""

    def bury(self, claimed: Sequence[Claimed], *, now: int, error: str) -> None:
        """Move these to the dead letters. One whose lease was lost is left alone."""

    def release(self, owners_alive: Collection[str], *, now: int) -> int:
        """Give back at once what owners that are no longer alive held, and what leases ran out; how many."""

    def renew(self, claimed: Sequence[Claimed], *, now: int) -> None:
        """Lengthen the leases of a long piece of work. One whose lease was lost is left alone."""

    def close(self, queue: str, *, until: int) -> None:
        """Give nothing of this queue before `until`: what its work depends on cannot be reached. The last word counts."""


class Spooled(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted order in the spool at `position` (growing, without reuse)."""

    position: int
    message: AnyMessage


class SpoolReader(Protocol):
    """Intake's own store as its drainer sees it. Only intake writes to it."""

    @property
    def spool(self) -> str:
        """The id of this spool; a drainer remembers its position per spool."""

    def read(self, after: int, limit: int) -> list[Spooled]:
        """The next orders behind position `after`, oldest first."""

    def last(self) -> int:
        """The position of the newest order, 0 if there never was one."""
