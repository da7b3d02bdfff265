"""The snapshot where nothing runs between requests: it is looked for when it is needed, and not at every request."""

from __future__ import annotations

import logging
from typing import Protocol

import msgspec

from dealerflow.application.ports import Clock
from dealerflow.domain.errors import Unavailable
from dealerflow.domain.intake import Snapshot

log = logging.getLogger(__name__)

FRESH_MS = 30_000
LOOK_AGAIN_MS = 1_000  # wrong orders, however many, ask the store no more often than this

_decode = msgspec.json.Decoder(Snapshot).decode


class Store(Protocol):
    """Intake's own store, as far as it is needed here."""

    def snapshot(self) -> tuple[int, bytes] | None:
        """The snapshot that is kept, with its number. Raises Unavailable."""


class Snapshots:
    """The newest snapshot that the store keeps, remembered. Belongs to one thread."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._held: Snapshot | None = None
        self._looked_at = -FRESH_MS

    def fresh(self) -> Snapshot | None:
        """The snapshot, at most 30 s old; older while the store is away; None before there is one."""
        if self._held is None or self._age() >= FRESH_MS:
            self._look()
        return self._held

    def newer(self, than: Snapshot) -> Snapshot | None:
        """A newer one, if there is: asked before an order is refused on the word of this one."""
        if self._age() >= LOOK_AGAIN_MS:
            self._look()
        return self._held if self._held is not None and self._held.number > than.number else None

    def _age(self) -> int:
        return self._clock.now() - self._looked_at

    def _look(self) -> None:
        try:
            kept = self._store.snapshot()
            if kept is not None and (self._held is None or self._held.number != kept[0]):
                self._held = _decode(kept[1])
        except Unavailable as error:
            log.warning("%s", error)
        except msgspec.MsgspecError as error:  # written by another version of the program; soon replaced
            log.error("the snapshot that is kept cannot be read: %s", error)  # noqa: TRY400 - it says all there is to say
        self._looked_at = (
            self._clock.now()
        )  # after a failure too: who orders meanwhile shall not wait for it as well
