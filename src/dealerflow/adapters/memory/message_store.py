"""The message store in memory: the same rules as on SQL, written for reading. Used by tests and simulation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

import msgspec

from dealerflow.application.ports import DeadLetter, QueueFigures
from dealerflow.application.queues import QueuePolicy, policy
from dealerflow.domain.errors import LeaseLost
from dealerflow.domain.messages import AnyMessage, Claimed, Envelope


@dataclass(kw_only=True)
class _Stored:
    envelope: Envelope
    available_at: int
    turn: int = 0
    state: Literal["ready", "delayed", "held", "dead"] = "delayed"
    attempts: int = 0
    suspect: bool = False
    lease: str | None = None
    owner: str = ""
    lease_until: int = 0
    died_at: int = 0
    error: str = ""


@dataclass
class _Queue:
    paused: bool = False
    closed_until: int = 0
    turn: int = 0


class MemoryMessageStore:
    """`MessageStore` in memory. `send_all` and `acknowledge` are each one transaction. Safe for threads."""

    def __init__(self, *, policies: Callable[[str], QueuePolicy] = policy) -> None:
        self._policy = policies
        self._lock = threading.RLock()
        self._messages: dict[str, _Stored] = {}
        self._queues: dict[str, _Queue] = {}
        self._groups: dict[tuple[str, str], int] = {}
        self._claims = count(1)
        self.discarded: list[tuple[str, int, str, str]] = []
        """What was discarded: (message id, at, by, reason)."""

    def send_all(self, sent: Sequence[tuple[Envelope, int]], now: int) -> None:
        """Store these (envelope, delay in ms), in this order."""
        with self._lock:
            for envelope, delay in sent:
                self._queue(envelope.queue)
                at = msgspec.structs.replace(envelope, sent_at=envelope.sent_at or now)
                stored = _Stored(envelope=_through_json(at), available_at=now + max(delay, 0))
                self._messages[envelope.id] = stored
                if delay <= 0:
                    self._give_turn(stored)

    def acknowledge(self, claimed: Sequence[Claimed]) -> None:
        """Take these off their queue, all of them or, with LeaseLost, none."""
        with self._lock:
            if len(self._of_lease(claimed)) != len(claimed):
                raise LeaseLost
            for one in claimed:
                del self._messages[one.envelope.id]

    def _queue(self, name: str) -> _Queue:
        return self._queues.setdefault(name, _Queue())

    def _give_turn(self, stored: _Stored) -> None:
        queue, group = stored.envelope.queue, stored.envelope.group
        stored.state = "ready"
        if not stored.turn:
            stored.turn = max(self._queue(queue).turn, self._groups.get((queue, group), 0)) + 1
            if group:
                self._groups[queue, group] = stored.turn

    def _of_lease(self, claimed: Iterable[Claimed]) -> list[_Stored]:
        found = ((self._messages.get(one.envelope.id), one.lease) for one in claimed)
        return [stored for stored, lease in found if stored is not None and stored.lease == lease]

    def claim(self, queue: str, limit: int, *, owner: str, now: int) -> list[Claimed]:
        with self._lock:
            if not self.is_open(queue, now=now) or limit < 1:
                return []
            for due in self._in(
                queue, "delayed", by=lambda stored: (stored.available_at, stored.envelope.id)
            ):
                if due.available_at <= now:
                    self._give_turn(due)
            ready = self._in(queue, "ready", by=lambda stored: (stored.turn, stored.envelope.id))
            if self._policy(queue).ordered:
                others = {held.envelope.group for held in self._in(queue, "held") if held.owner != owner} - {
                    ""
                }
                ready = [stored for stored in ready if stored.envelope.group not in others]
            return self._hold(_first_suspect_alone(ready[:limit]), owner, now + self._policy(queue).lease_ms)

    def _in(
        self, queue: str | None, state: str, by: Callable[[_Stored], tuple[int, str]] | None = None
    ) -> list[_Stored]:
        found = [
            stored
            for stored in self._messages.values()
            if stored.state == state and queue in (None, stored.envelope.queue)
        ]
        return sorted(found, key=by) if by else found

    def _hold(self, stored: Sequence[_Stored], owner: str, until: int) -> list[Claimed]:
        lease = f"{owner}:{next(self._claims)}"
        for one in stored:
            one.state, one.lease, one.owner, one.lease_until = "held", lease, owner, until
            one.attempts += 1
            of_queue = self._queue(one.envelope.queue)
            of_queue.turn = max(of_queue.turn, one.turn)
        return [Claimed(envelope=one.envelope, attempt=one.attempts, lease=lease) for one in stored]

    def put_back(self, claimed: Sequence[Claimed], *, at: int, error: str, failed: bool) -> None:
        with self._lock:
            for stored in self._of_lease(claimed):
                stored.state, stored.lease, stored.available_at, stored.error = "delayed", None, at, error
                if failed:
                    stored.turn, stored.suspect = 0, False
                else:
                    stored.attempts -= 1

    def bury(self, claimed: Sequence[Claimed], *, now: int, error: str) -> None:
        with self._lock:
            for stored in self._of_lease(claimed):
                stored.state, stored.lease, stored.died_at, stored.error = "dead", None, now, error

    def renew(self, claimed: Sequence[Claimed], *, now: int) -> None:
        with self._lock:
            for stored in self._of_lease(claimed):
                stored.lease_until = now + self._policy(stored.envelope.queue).lease_ms

    def release(self, owners_alive: Collection[str], *, now: int) -> int:
        with self._lock:
            held = self._in(None, "held")
            lost = [one for one in held if one.owner not in owners_alive or one.lease_until <= now]
            for stored in lost:
                stored.state, stored.lease, stored.suspect = "ready", None, True
            return len(lost)

    def declare(self, queues: Collection[str]) -> None:
        with self._lock:
            for name in queues:
                self._queue(name)

    def queues(self) -> list[str]:
        with self._lock:
            return sorted(self._queues)

    def is_open(self, queue: str, *, now: int) -> bool:
        with self._lock:
            known = self._queues.get(queue, _Queue())
            return not known.paused and known.closed_until <= now

    def close(self, queue: str, *, until: int) -> None:
        with self._lock:
            self._queue(queue).closed_until = until

    def pause(self, queue: str) -> None:
        with self._lock:
            self._queue(queue).paused = True

    def resume(self, queue: str) -> None:
        with self._lock:
            self._queue(queue).paused = False

    def figures(self, *, now: int) -> list[QueueFigures]:
        with self._lock:
            return [self._figures(name, now) for name in sorted(self._queues)]

    def _figures(self, name: str, now: int) -> QueueFigures:
        delayed = self._in(name, "delayed")
        waiting = self._in(name, "ready") + [stored for stored in delayed if stored.available_at <= now]
        oldest = min((stored.envelope.sent_at for stored in waiting), default=now)
        return QueueFigures(
            name=name,
            waiting=len(waiting),
            in_flight=len(self._in(name, "held")),
            delayed=sum(stored.available_at > now for stored in delayed),
            dead=len(self._in(name, "dead")),
            oldest_age_s=max(0, now - oldest) / 1000,
            paused=self._queues[name].paused,
        )

    def dead_letters(self, queue: str, *, limit: int, after: str | None = None) -> list[DeadLetter]:
        with self._lock:
            dead = self._in(queue, "dead", by=lambda stored: (0, stored.envelope.id))
            return [_dead_letter(stored) for stored in dead if stored.envelope.id > (after or "")][:limit]

    def redrive(self, queue: str, ids: Collection[str] | None, *, now: int) -> int:
        with self._lock:
            dead = [one for one in self._in(queue, "dead") if ids is None or one.envelope.id in ids]
            for stored in dead:
                fresh = _Stored(envelope=stored.envelope, available_at=now)
                self._messages[stored.envelope.id] = fresh
            return len(dead)

    def discard(self, queue: str, ids: Collection[str], *, now: int, by: str, reason: str) -> int:
        with self._lock:
            dead = [one.envelope.id for one in self._in(queue, "dead") if one.envelope.id in ids]
            for message in dead:
                del self._messages[message]
                self.discarded.append((message, now, by, reason))
            return len(dead)


def _first_suspect_alone(stored: list[_Stored]) -> list[_Stored]:
    for place, one in enumerate(stored):
        if one.suspect:
            return stored[: max(place, 1)]
    return stored


def _through_json(envelope: Envelope) -> Envelope:
    # What could not be stored elsewhere must not pass here either.
    message = msgspec.json.decode(msgspec.json.encode(envelope.message), type=AnyMessage)
    return msgspec.structs.replace(envelope, message=message)


def _dead_letter(stored: _Stored) -> DeadLetter:
    return DeadLetter(
        id=stored.envelope.id,
        queue=stored.envelope.queue,
        envelope=stored.envelope,
        attempts=stored.attempts,
        error=stored.error,
        sent_at=stored.envelope.sent_at,
        died_at=stored.died_at,
    )
