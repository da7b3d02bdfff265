"""The machine's own clock, and ids made from it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

# Crockford's base 32: no i, l, o, u. In ASCII order, so that ids sort as the numbers that they stand for.
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_TIME_DIGITS = 10  # 48 bits of milliseconds, in 50
_HALF = 40  # the 80 random bits, in two halves of 8 digits
_HALF_MASK = 2**_HALF - 1


class SystemClock:
    """The time of this machine."""

    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000


class TimeIds:
    """Ids that sort by time: prefix, "_", 48 bits of milliseconds and 80 random bits, as 26 digits (the
    layout of a ULID).

    Within one process each is greater than the one before, also when the clock is turned back; threads may
    share one. Between processes the random bits keep them apart.
    """

    def __init__(self, now: Callable[[], int] | None = None) -> None:
        self._now = now or SystemClock().now
        self._lock = threading.Lock()
        self._at = -1
        self._low = 0
        self._start = ""

    def new(self, prefix: str) -> str:
        """E.g. `new("ord")` → "ord_01k8x0zj5v3qk2m9r7t4w6y8ab"."""
        now = self._now()
        with self._lock:
            if now > self._at or self._low >= _HALF_MASK:
                self._next_start(max(now, self._at + 1))
            low = self._low = self._low + 1
            start = self._start
        pairs = _PAIRS
        counted = pairs[low >> 30] + pairs[low >> 20 & 1023] + pairs[low >> 10 & 1023] + pairs[low & 1023]
        return f"{prefix}_{start}{counted}"

    def _next_start(self, at: int) -> None:
        """A new millisecond. The lower half counts up within it, from a random place in its first half."""
        random = int.from_bytes(os.urandom(10), "big")
        self._at = at
        self._low = (random & _HALF_MASK) >> 1
        self._start = _encoded(at, _TIME_DIGITS) + _encoded(random >> _HALF, 8)


def _encoded(number: int, digits: int) -> str:
    return "".join(_DIGITS[number >> 5 * place & 31] for place in reversed(range(digits)))
