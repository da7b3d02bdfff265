"""What Dealerflow costs on AWS: the calls of one order times public prices, and what is paid each month without any.

Free tiers and discounts are left out, so a small installation pays less than this says. All money is in US dollars, as
decimals; a month has 730 hours, as on AWS's own price pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

import msgspec

HOURS_A_MONTH = Decimal(730)
DAYS_A_MONTH = HOURS_A_MONTH / 24
GOAL_CENTS_AN_ORDER = Decimal("0.2")
"""What the calls of one order may cost, in US cents."""

Source = Literal["counted", "derived", "assumed"]


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many dollars for so many of a unit.

    `page` is AWS's own price page; `seen` the page on which the figure was read, "" where it could not be read anywhere.
    """

    usd: Decimal
    per: Decimal
    unit: str
    page: str
    seen: str

    @property
    def each(self) -> Decimal:
        """US dollars for one."""
        return self.usd / self.per


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prices of one region on one day (RFC 3339)."""

    region: str
    date: str
    prices: dict[str, Price]


class Use(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of something one order uses, or the installation in a month.

    `source`: counted in a run, derived from design and code, or assumed. From `from_orders` up to (not including)
    `below_orders` orders a day: what a bigger installation needs in place of a smaller one's.
    """

    service: str
    what: str
    price: str
    count: Decimal
    source: Source
    why: str
    from_orders: int = 0
    below_orders: int | None = None

    def applies(self, orders_per_day: int) -> bool:
        """Whether an installation of this size uses it."""
        return self.from_orders <= orders_per_day and (
            self.below_orders is None or orders_per_day < self.below_orders
        )


class Calls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one order, the people who look at it, and a month of standing there use. `source`: how `order` came about."""

    source: Source
    date: str
    about: str
    order: tuple[Use, ...]
    around: tuple[Use, ...]
    month: tuple[Use, ...]


class ServiceCost(msgspec.Struct, frozen=True, kw_only=True):
    """One service: US dollars a month whatever happens, US cents an order, US dollars a month in all."""

    service: str
    fixed: Decimal
    order_cents: Decimal
    month: Decimal


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """A month at so many orders a day.

    `order_cents` are the calls of the order itself (what the goal is about), `around_cents` what people looking at it
    add; `all_in_cents` is the whole month divided by its orders.
    """

    orders_per_day: int
    services: tuple[ServiceCost, ...]
    fixed: Decimal
    order_cents: Decimal
    around_cents: Decimal
    month: Decimal
    all_in_cents: Decimal


def bill(calls: Calls, prices: Mapping[str, Price], orders_per_day: int) -> Bill:
    """A month's bill. Raises ValueError for less than one order a day, KeyError for a price that is not in the table."""
    if orders_per_day < 1:
        raise ValueError("there must be at least one order a day")
    orders = orders_per_day * DAYS_A_MONTH
    per_order = _by_service([*calls.order, *calls.around], prices, orders_per_day)
    fixed = _by_service(calls.month, prices, orders_per_day)
    services = tuple(
        ServiceCost(
            service=service,
            fixed=fixed.get(service, Decimal()),
            order_cents=per_order.get(service, Decimal()) * 100,
            month=fixed.get(service, Decimal()) + per_order.get(service, Decimal()) * orders,
        )
        for service in sorted(per_order.keys() | fixed.keys())
    )
    month = sum((one.month for one in services), Decimal())
    return Bill(
        orders_per_day=orders_per_day,
        services=services,
        fixed=sum(fixed.values(), Decimal()),
        order_cents=_total(calls.order, prices, orders_per_day) * 100,
        around_cents=_total(calls.around, prices, orders_per_day) * 100,
        month=month,
        all_in_cents=month / orders * 100,
    )


def _by_service(uses: Iterable[Use], prices: Mapping[str, Price], orders_per_day: int) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for use in uses:
        if use.applies(orders_per_day):
            sums[use.service] = sums.get(use.service, Decimal()) + use.count * prices[use.price].each
    return sums


def cents_by_service(uses: Iterable[Use], prices: Mapping[str, Price]) -> dict[str, Decimal]:
    """What these cost by service, in US cents."""
    return {service: usd * 100 for service, usd in _by_service(uses, prices, 1).items()}


def assumed_cents(uses: Iterable[Use], prices: Mapping[str, Price]) -> Decimal:
    """How much of what these cost rests on assumptions, in US cents."""
    return _total((use for use in uses if use.source == "assumed"), prices, 1) * 100


def _total(uses: Iterable[Use], prices: Mapping[str, Price], orders_per_day: int) -> Decimal:
    return sum(_by_service(uses, prices, orders_per_day).values(), Decimal())


def unseen(calls: Calls, prices: Mapping[str, Price]) -> list[str]:
    """The prices that are used and could not be looked up: they are to be checked before one relies on them."""
    used = {use.price for use in (*calls.order, *calls.around, *calls.month)}
    return sorted(name for name in used if not prices[name].seen)
