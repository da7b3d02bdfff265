"""What intake does beside taking orders, every second: it fetches new snapshots and forgets what is over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec

from dealerflow.application.access import Access
from dealerflow.application.calls import KEPT_MS
from dealerflow.application.intake import IntakeFeed, Spool
from dealerflow.application.ports import Clock
from dealerflow.domain.errors import Outage, Unavailable
from dealerflow.domain.intake import Snapshot

log = logging.getLogger(__name__)

TIDY_EVERY_MS = 60 * 1000

_decoder = msgspec.json.Decoder(Snapshot)


class Taker(Protocol):
    """The part of intake that is kept up."""

    snapshot: Snapshot | None
    trouble: str | None


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in the spool."""

    waiting: int
    oldest_age_s: float


class Upkeep:
    """Keeps intake's snapshot and spool up to date. Its methods belong to one thread.

    `database_trouble` says why the main database cannot be used; None while it can.
    """

    def __init__(
        self, *, intake: Taker, spool: Spool, feed: IntakeFeed, access: Access, clock: Clock
    ) -> None:
        self._intake = intake
        self.spool = spool
        self._feed = feed
        self._access = access
        self._clock = clock
        self._pruned = 0
        self._tidied_at = 0
        self.database_trouble: str | None = None

    def begin(self) -> None:
        """Take up the snapshot that was kept, so that orders can be taken before the database answers."""
        try:
            kept = self.spool.snapshot()
        except Unavailable as error:
            self._intake.trouble = error.detail
            return
        if kept is not None and self._intake.snapshot is None:
            with suppress(msgspec.MsgspecError):  # an older version's; the database has another
                self._intake.snapshot = _decoder.decode(kept[1])

    def backlog(self, *, now: int) -> Backlog:
        """The orders in the spool that are not processed yet. Any thread may ask. Raises Outage."""
        drained = self._feed.drained(self.spool.id)
        waiting = max(0, self.spool.last - drained)
        oldest = self.spool.sent_at(drained + 1) if waiting else None
        return Backlog(
            waiting=waiting, oldest_age_s=max(0, now - oldest) / 1000 if oldest is not None else 0.0
        )

    def step(self) -> None:
        """Look once. Never raises, so that the next look is taken."""
        try:
            self._refresh()
            self._prune()
            self._tidy()
            self.database_trouble = None
        except Outage as outage:
            self.database_trouble = outage.detail
        except Exception:  # the next look may find it mended: at a first start the tables are only being made
            self.database_trouble = "the database does not answer as it should; the log says more"
            log.exception("intake cannot be kept up to date")
        self.write_again()

    def _refresh(self) -> None:
        number = self._feed.snapshot_number()
        held = self._intake.snapshot
        if held is not None and held.number == number:
            return
        newest = self._feed.snapshot()
        if newest is None:
            return
        self._intake.snapshot = newest
        self._keep(newest)

    def _prune(self) -> None:
        drained = self._feed.drained(self.spool.id)
        if drained > self._pruned:
            self.spool.prune(drained)
            self._pruned = drained

    def _tidy(self) -> None:
        now = self._clock.now()
        if now - self._tidied_at < TIDY_EVERY_MS:
            return
        self._tidied_at = now
        self.spool.expire_keys(now - KEPT_MS)
        self._feed.forget_old_calls(now - KEPT_MS)
        self._access.forget_ended()

    def write_again(self) -> None:
        """Where nothing could be written, try: nobody sends orders to an intake that is not ready."""
        if (
            self._intake.trouble is not None
            and self._intake.snapshot is not None
            and self._keep(self._intake.snapshot)
        ):
            self._intake.trouble = None

    def _keep(self, snapshot: Snapshot) -> bool:
        try:
            self.spool.put_snapshot(snapshot.number, msgspec.json.encode(snapshot))
        except Unavailable as error:
            self._intake.trouble = error.detail
            return False
        return True


Sleep = Callable[[float], bool]
"""Waits so many seconds, or until it is rung; True when it is time to stop."""


def keep_up(upkeep: Upkeep, sleep: Sleep, *, every_s: float = 1.0) -> None:
    """Look at once, and then again and again, until `sleep` says stop."""
    upkeep.step()
    while not sleep(every_s):
        upkeep.step()
