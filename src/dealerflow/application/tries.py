"""Counts failed tries, so that passwords cannot be guessed by the thousand."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from dealerflow.domain.errors import TooManyTries, Unauthenticated

MOST_REMEMBERED = 10_000  # names; the one that was tried longest ago is forgotten first


class Limit(Protocol):
    """How often a name may fail within some time."""

    def one(self, name: str, now: int) -> AbstractContextManager[None]:
        """One try. It counts while it goes on, and afterwards if the block raised Unauthenticated. Raises TooManyTries."""


class Tries:
    """In the memory of this process: at most `most` failed tries of one name within `within_ms`. Threads may share one."""

    def __init__(self, most: int, within_ms: int) -> None:
        self._most = most
        self._within = within_ms
        self._failed: OrderedDict[str, deque[int]] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def one(self, name: str, now: int) -> Iterator[None]:
        """See `Limit.one`."""
        self._begin(name, now)
        try:
            yield
        except Unauthenticated:
            raise
        except BaseException:
            self._undo(name, now)
            raise
        self._undo(name, now)

    def _begin(self, name: str, now: int) -> None:
        with self._lock:
            tries = self._failed.setdefault(name, deque(maxlen=self._most))
            self._failed.move_to_end(name)
            while tries and tries[0] <= now - self._within:
                tries.popleft()
            if len(tries) >= self._most:
                wait = (tries[0] + self._within - now) // 1000 + 1
                raise TooManyTries(
                    f"that was tried too often; try again in {wait} seconds", retry_after_s=wait
                )
            tries.append(now)
            if len(self._failed) > MOST_REMEMBERED:
                self._failed.popitem(last=False)

    def _undo(self, name: str, now: int) -> None:
        with self._lock:
            tries = self._failed.get(name)
            if tries and now in tries:
                tries.remove(now)
