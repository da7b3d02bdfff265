"""The staff's pages, and whose they are. A page that a person has no use for is not shown to them."""

from __future__ import annotations

import msgspec

from dealerflow.domain.people import Account


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A page in the navigation: its text is `nav.<name>`. `roles` empty: everybody who is logged in."""

    name: str
    url: str
    roles: frozenset[str] = frozenset()


FACTORY_WIDE = frozenset({"head_of_operations", "admin"})

PLACES = (
    Place(name="board", url="/board"),
    Place(name="incoming", url="/incoming", roles=frozenset({"dealer", "dealer_admin"})),
    Place(name="lines", url="/lines", roles=frozenset({"production_manager", "line_lead"}) | FACTORY_WIDE),
    Place(name="loads", url="/loads", roles=frozenset({"delivery_lead"})),
    Place(name="figures", url="/figures", roles=FACTORY_WIDE),
    Place(name="queues", url="/queues", roles=frozenset({"operator"})),
    Place(name="mail", url="/mail", roles=frozenset({"operator"})),
)


def places_for(account: Account | None) -> list[Place]:
    """What stands in this person's navigation, in order."""
    if account is None:
        return []
    held = account.roles()
    return [place for place in PLACES if not place.roles or place.roles & held]
