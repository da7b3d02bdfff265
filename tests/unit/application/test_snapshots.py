"""The snapshot where nothing runs between requests: it is asked for now and then, also of a store that does not answer."""

from __future__ import annotations

from importlib.resources import files

import msgspec

from dealerflow.application.snapshots import FRESH_MS, Snapshots
from dealerflow.composition.testing import StillClock
from dealerflow.domain.catalogue import Catalogue
from dealerflow.domain.errors import Unavailable
from dealerflow.domain.intake import Snapshot

CATALOGUE = msgspec.json.decode(
    (files("dealerflow.composition.demo") / "catalogue.json").read_bytes(), type=Catalogue
)


class Store:
    """Keeps a snapshot, may be away, and counts how often it was asked."""

    def __init__(self) -> None:
        self.number = 0
        self.is_away = False
        self.asked = 0

    def snapshot(self) -> tuple[int, bytes] | None:
        self.asked += 1
        if self.is_away:
            raise Unavailable("the snapshot cannot be read now")
        if not self.number:
            return None
        kept = Snapshot(number=self.number, catalogue=CATALOGUE, dealerships={})
        return self.number, msgspec.json.encode(kept)


def numbers(snapshots: Snapshots) -> int | None:
    held = snapshots.fresh()
    return held.number if held else None


def test_a_store_that_does_not_answer_is_not_waited_for_at_each_request() -> None:
    store, clock = Store(), StillClock()
    snapshots = Snapshots(store, clock)
    store.number = 1
    assert numbers(snapshots) == 1
    clock.pass_ms(FRESH_MS)
    store.is_away, store.asked = True, 0
    assert [numbers(snapshots) for _ in range(5)] == [1] * 5
    assert store.asked == 1
    store.is_away, store.number = False, 2
    clock.pass_ms(FRESH_MS)
    assert numbers(snapshots) == 2


def test_without_any_snapshot_each_request_asks_for_one() -> None:
    store, clock = Store(), StillClock()
    snapshots = Snapshots(store, clock)
    store.is_away = True
    assert numbers(snapshots) is None
    store.is_away, store.number = False, 1
    assert numbers(snapshots) == 1
