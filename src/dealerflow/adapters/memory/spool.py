"""The spool in memory, for tests and simulation: both ends of it in one object."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from dealerflow.application.ports import Spooled
from dealerflow.domain.messages import AnyMessage


class MemorySpool:
    """`SpoolReader`, with the part of its writer that the core needs. Safe for threads."""

    def __init__(self, spool: str = "spl_memory", *, committed: Callable[[], None] = lambda: None) -> None:
        self._spool = spool
        self._committed = committed
        self._lock = threading.Lock()
        self._last = 0
        self._items: list[tuple[int, bytes]] = []

    @property
    def spool(self) -> str:
        return self._spool

    def append(self, message: AnyMessage) -> int:
        """Append the message; its position."""
        with self._lock:
            self._last += 1
            self._items.append((self._last, msgspec.json.encode(message)))
            position = self._last
        self._committed()
        return position

    def read(self, after: int, limit: int) -> list[Spooled]:
        with self._lock:
            found = [(position, body) for position, body in self._items if position > after][:limit]
        return [
            Spooled(position=position, message=msgspec.json.decode(body, type=AnyMessage))
            for position, body in found
        ]

    def last(self) -> int:
        with self._lock:
            return self._last

    def prune(self, position: int) -> None:
        """Forget what is behind the drainer, up to and including `position`."""
        with self._lock:
            self._items = [item for item in self._items if item[0] > position]
