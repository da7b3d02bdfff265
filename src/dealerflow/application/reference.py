"""Reference data: what the trade rests on and what changes seldom. How it is read from files is in
`reference_files`.

Intake knows of it through numbered snapshots: each write that concerns intake raises the number, and whoever
holds an older snapshot fetches the new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import msgspec

from dealerflow.domain.intake import Snapshot, SnapshotDealership

if TYPE_CHECKING:  # a unit of work has its reference data, so at run time `work` comes first
    from dealerflow.application.records import Dealership, Line, Seller
    from dealerflow.application.work import UnitOfWork
    from dealerflow.domain.catalogue import Catalogue
    from dealerflow.domain.people import Account
    from dealerflow.domain.quality import DefectCode

SubscriberKind = Literal["role", "address", "url", "queue"]
SUBSCRIBER_KINDS: tuple[str, ...] = get_args(SubscriberKind)


class Plant(msgspec.Struct, frozen=True, kw_only=True):
    """A plant. `vin_code` is the maker's code (ISO 3780) with which its VINs begin."""

    id: str
    name: str
    vin_code: str


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets what is published to a topic: the accounts of a role, a mail address, a URL or a queue."""

    topic: str
    kind: SubscriberKind
    target: str


class Reference(Protocol):
    """Reads and writes reference data. `put_…` adds, or changes what has the same id."""

    def plants(self) -> list[Plant]: ...

    def put_plant(self, plant: Plant) -> None: ...

    def put_line(self, line: Line) -> None:
        """The places that are taken stay as they are. (Lines are read through `work.factory`.)"""

    def put_defect_codes(self, codes: Sequence[DefectCode]) -> None:
        """The whole list, in this order. A code that is missing can no longer be chosen."""

    def sellers(self) -> list[Seller]: ...

    def put_seller(self, seller: Seller) -> None: ...

    def has_numbers(self, seller_id: str) -> bool:
        """Whether the seller has issued a document."""

    def dealerships(self) -> list[Dealership]: ...

    def put_dealership(self, dealership: Dealership) -> None: ...

    def catalogue(self) -> Catalogue | None:
        """The newest version; None while there is none."""

    def add_catalogue(self, catalogue: Catalogue, at: int) -> int:
        """Keep it as the newest version, whatever version it names; its number."""

    def accounts(self) -> list[Account]:
        """All, by e-mail address."""

    def put_account(self, account: Account, password_hash: str | None) -> None:
        """With exactly these memberships. `password_hash` None leaves the password as it is."""

    def subscriptions(self) -> list[Subscription]: ...

    def subscribe(self, subscription: Subscription) -> None:
        """One that is there already changes nothing."""

    def unsubscribe(self, subscription: Subscription) -> bool:
        """False if there was none."""

    def snapshot_number(self) -> int:
        """0 before the first write."""

    def raise_snapshot_number(self) -> None: ...


STANDARD_PLANT = Plant(
    id="main", name="Main plant", vin_code="DZ9"
)  # of a range that no country has been given
STANDARD_SUBSCRIPTION = Subscription(topic="quality-alerts", kind="role", target="head_of_operations")


def standard_data(work: UnitOfWork) -> bool:
    """What a new installation begins with. False, and nothing changes, if this one has begun."""
    if work.reference.plants():
        return False
    work.reference.put_plant(STANDARD_PLANT)
    work.reference.subscribe(STANDARD_SUBSCRIPTION)
    return True


def snapshot(work: UnitOfWork) -> Snapshot | None:
    """Catalogue and dealerships as intake needs them; None while there is no catalogue."""
    catalogue = work.reference.catalogue()
    if catalogue is None:
        return None
    currencies = {seller.id: seller.currency for seller in work.reference.sellers()}
    known = {
        dealership.id: SnapshotDealership(
            id=dealership.id,
            name=dealership.name,
            currency=currencies[dealership.seller],
            models=dealership.models,
            terms=dealership.terms,
            language="es" if dealership.language == "es" else "en",
            active=dealership.active,
        )
        for dealership in work.reference.dealerships()
    }
    return Snapshot(number=work.reference.snapshot_number(), catalogue=catalogue, dealerships=known)
