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

    `page` is AWS's own price page; `seen` the page on which the figure was read and `date` the day (RFC 3339) on which,
    "" where it could not be read on any page.
    """

    usd: Decimal
    per: Decimal
    unit: str
    page: str
    seen: str
    date: str

    @property
    def each(self) -> Decimal:
        """US dollars for one."""
        return self.usd / self.per


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prices of one region, as they were put together on one day (RFC 3339)."""

    region: str
    date: str
    prices: dict[str, Price]


class Use(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of something one order uses, or the installation in a month.

    `source`: counted in a run, derived from design and code, or assumed. From `from_orders` up to (not including)
    `below_orders` orders a day: what a bigger installation needs in place of a smaller one's. `most_a_month`: what all
    orders (or views) of a month together use at most, where that ends.
    """

    service: str
    what: str
    price: str
    count: Decimal
    source: Source
    why: str
    from_orders: int = 0
    below_orders: int | None = None
    most_a_month: Decimal | None = None

    def applies(self, orders_per_day: int) -> bool:
        """Whether an installation of this size uses it."""
        return self.from_orders <= orders_per_day and (
            self.below_orders is None or orders_per_day < self.below_orders
        )

    def for_one(self, of: Decimal) -> Decimal:
        """How much of it falls to one order (or view) of so many a month."""
        return self.count if self.most_a_month is None else min(self.count, self.most_a_month / of)


class Calls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one order, one look at its pages, what is kept of it, and a month of standing there use.

    `source`: how `order` and `view` came about. `views`: how often people's pages ask for something in an order's life,
    which is assumed; `views_why` says how.
    """

    source: Source
    date: str
    about: str
    order: tuple[Use, ...]
    view: tuple[Use, ...]
    views: int
    views_why: str
    kept: tuple[Use, ...]
    month: tuple[Use, ...]

    def all(self) -> tuple[Use, ...]:
        """Every use of the table."""
        return (*self.order, *self.view, *self.kept, *self.month)


class ServiceCost(msgspec.Struct, frozen=True, kw_only=True):
    """One service: US dollars a month whatever happens, US cents an order, US dollars a month in all."""

    service: str
    fixed: Decimal
    order_cents: Decimal
    month: Decimal


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """A month at so many orders a day.

    `order_cents` are the calls of the order itself (what the goal is about), `views_cents` what people looking at its pages
    add, `kept_cents` what is kept of it; `all_in_cents` is the whole month divided by its orders.
    """

    orders_per_day: int
    views: int
    services: tuple[ServiceCost, ...]
    fixed: Decimal
    order_cents: Decimal
    views_cents: Decimal
    kept_cents: Decimal
    month: Decimal
    all_in_cents: Decimal

    @property
    def each_cents(self) -> Decimal:
        """What one order adds to the month."""
        return self.order_cents + self.views_cents + self.kept_cents


def bill(calls: Calls, prices: Mapping[str, Price], orders_per_day: int, *, views: int | None = None) -> Bill:
    """A month's bill. `views`: other than the table assumes.

    Raises ValueError for less than one order a day or views below zero, KeyError for a price that is not in the table.
    """
    views = calls.views if views is None else views
    if orders_per_day < 1:
        raise ValueError("there must be at least one order a day")
    if views < 0:
        raise ValueError("pages cannot be looked at less than not at all")
    orders = orders_per_day * DAYS_A_MONTH
    order = order_cents(calls, prices, orders_per_day)
    one_view = _cents(calls.view, prices, orders * max(1, views))
    view = {service: cents * views for service, cents in one_view.items()}
    kept = _cents(calls.kept, prices, orders)
    each = _sums(order, view, kept)
    fixed = _sums(
        *(
            {use.service: use.count * prices[use.price].each}
            for use in calls.month
            if use.applies(orders_per_day)
        )
    )
    services = tuple(
        ServiceCost(
            service=service,
            fixed=fixed.get(service, Decimal()),
            order_cents=each.get(service, Decimal()),
            month=fixed.get(service, Decimal()) + each.get(service, Decimal()) / 100 * orders,
        )
        for service in sorted(each.keys() | fixed.keys())
    )
    month = sum((one.month for one in services), Decimal())
    return Bill(
        orders_per_day=orders_per_day,
        views=views,
        services=services,
        fixed=sum(fixed.values(), Decimal()),
        order_cents=sum(order.values(), Decimal()),
        views_cents=sum(view.values(), Decimal()),
        kept_cents=sum(kept.values(), Decimal()),
        month=month,
        all_in_cents=month / orders * 100,
    )


def order_cents(calls: Calls, prices: Mapping[str, Price], orders_per_day: int) -> dict[str, Decimal]:
    """What the calls of an order cost by service, in US cents."""
    return _cents(calls.order, prices, orders_per_day * DAYS_A_MONTH)


def assumed_cents(calls: Calls, prices: Mapping[str, Price], orders_per_day: int) -> Decimal:
    """How much of what the calls of an order cost rests on assumptions, in US cents."""
    assumed = [use for use in calls.order if use.source == "assumed"]
    return sum(_cents(assumed, prices, orders_per_day * DAYS_A_MONTH).values(), Decimal())


def _cents(uses: Iterable[Use], prices: Mapping[str, Price], of: Decimal) -> dict[str, Decimal]:
    """By service, for one of so many a month."""
    return _sums(*({use.service: use.for_one(of) * prices[use.price].each * 100} for use in uses))


def _sums(*parts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for part in parts:
        for service, amount in part.items():
            sums[service] = sums.get(service, Decimal()) + amount
    return sums


def unseen(calls: Calls, prices: Mapping[str, Price]) -> list[str]:
    """The prices that are used and could not be looked up: they are to be checked before one relies on them."""
    used = {use.price for use in calls.all()}
    return sorted(name for name in used if not prices[name].seen)
