"""When a message that failed is tried again: a pure decision, obeyed alike wherever messages are worked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from dealerflow.application.queues import QueuePolicy

# Nobody should notice that a dependency was back for longer than this; it is asked no more often either.
OUTAGE_FIRST_DELAY_MS = 100
OUTAGE_MAX_DELAY_MS = 5_000
_MOST_DOUBLINGS = 40  # beyond this a float gains nothing, and every policy's maximum is reached long before


class Plan(NamedTuple):
    """What becomes of a message: offered again after `delay_ms`, or buried among the dead letters."""

    action: Literal["retry", "bury"]
    delay_ms: int


def plan(attempt: int, policy: QueuePolicy, error_is_outage: bool, random: Callable[[], float]) -> Plan:
    """What to do after attempt number `attempt` (from 1) failed. `random` gives 0 ≤ x < 1.

    A handler's own failures back off exponentially, with full jitter between `first_delay_ms` and
    `max_delay_ms`, until `max_attempts` is reached. During an outage `attempt` is how often in a row the
    dependency was away; that never buries.
    """
    if error_is_outage:
        return Plan("retry", _backoff(attempt, OUTAGE_FIRST_DELAY_MS, OUTAGE_MAX_DELAY_MS, random))
    if attempt >= policy.max_attempts:
        return Plan("bury", 0)
    return Plan("retry", _backoff(attempt, policy.first_delay_ms, policy.max_delay_ms, random))


def _backoff(attempt: int, first_ms: int, most_ms: int, random: Callable[[], float]) -> int:
    # Full jitter: messages that failed together do not come back together.
    ceiling = min(most_ms, first_ms * (1 << min(attempt, _MOST_DOUBLINGS)))
    floor = min(first_ms, ceiling)
    return floor + int((ceiling - floor) * random())
