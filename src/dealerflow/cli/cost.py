"""`cost`: what an installation on AWS costs, from the calls of one order and public prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealerflow.cli.errors import WrongUsage
from dealerflow.cli.options import DEFAULT_DATA, Data, Json

if TYPE_CHECKING:
    from decimal import Decimal

    from dealerflow.composition.aws_cost.calculation import Bill, Calls, Prices

SIZES = (1, 1_000, 100_000)


def cost(
    orders_per_day: Annotated[
        int, typer.Option("--orders-per-day", metavar="N", help="How many orders a day.")
    ] = 1_000,
    table: Annotated[
        bool, typer.Option("--table", help="Compare 1, 1,000 and 100,000 orders a day.")
    ] = False,
    page_views: Annotated[
        int | None,
        typer.Option(
            "--page-views",
            metavar="N",
            help="How often people's pages ask in an order's life, if not as assumed.",
        ),
    ] = None,
    as_json: Json = False,
    data: Data = DEFAULT_DATA,  # noqa: ARG001 - not needed, but every command takes it
) -> None:
    """Show what an installation on AWS costs, by service: fixed in a month, and for each order."""
    from dealerflow.cli.output import say_json
    from dealerflow.composition.aws_cost import committed_calls, committed_prices
    from dealerflow.composition.aws_cost.calculation import bill

    if orders_per_day < 1:
        raise WrongUsage("--orders-per-day must be at least 1")
    if page_views is not None and page_views < 0:
        raise WrongUsage("--page-views must be at least 0")
    calls, prices = committed_calls(), committed_prices()
    sizes = SIZES if table else (orders_per_day,)
    bills = [bill(calls, prices.prices, size, views=page_views) for size in sizes]
    if as_json:
        facts = _facts(calls, prices)
        say_json([facts | _plain(one) for one in bills] if table else facts | _plain(bills[0]))
        return
    if table:
        _compare(bills)
    else:
        _by_service(bills[0])
    _notes(calls, prices, bills[0])


def _by_service(one: Bill) -> None:
    from dealerflow.cli.output import show

    rows = [
        {
            "service": service.service,
            "fixed USD a month": f"{service.fixed:.2f}",
            "US cents an order": f"{service.order_cents:.4f}",
            "USD a month": f"{service.month:.2f}",
        }
        for service in one.services
    ]
    total = {
        "service": "in all",
        "fixed USD a month": f"{one.fixed:.2f}",
        "US cents an order": f"{one.each_cents:.4f}",
        "USD a month": f"{one.month:.2f}",
    }
    show(tuple(total), [*rows, total])
    print(
        f"\n{one.orders_per_day:,} orders a day: the calls of one order cost {one.order_cents:.3f} US cents, people"
        f" looking at it {one.views_cents:.3f}, keeping it {one.kept_cents:.3f}; with what is fixed, an order costs"
        f" {one.all_in_cents:.3f}."
    )


def _compare(bills: list[Bill]) -> None:
    from dealerflow.cli.output import show

    rows = [
        {
            "orders a day": f"{one.orders_per_day:,}",
            "fixed USD a month": f"{one.fixed:,.2f}",
            "calls of an order, US cents": f"{one.order_cents:.3f}",
            "looking at it, US cents": f"{one.views_cents:.3f}",
            "USD a month": f"{one.month:,.2f}",
            "all in, US cents an order": f"{one.all_in_cents:,.3f}",
        }
        for one in bills
    ]
    show(tuple(rows[0]), rows)


def _notes(calls: Calls, prices: Prices, one: Bill) -> None:
    from dealerflow.composition.aws_cost.calculation import (
        GOAL_CENTS_AN_ORDER,
        assumed_cents,
        order_cents,
        unseen,
    )

    size = one.orders_per_day
    print(f"\nPrices of {prices.region}, {prices.date}, without free tiers, discounts, support and taxes.")
    print(f"Calls: {calls.source} on {calls.date}: {calls.about}")
    print(f"Looking at it: {one.views} page requests{_how(calls, one.views)}.")
    assumed = assumed_cents(calls, prices.prices, size)
    dearest = sorted(order_cents(calls, prices.prices, size).items(), key=lambda pair: pair[1], reverse=True)[
        :3
    ]
    print(f"The goal is {GOAL_CENTS_AN_ORDER} US cents for the calls of one order. At {size:,} a day")
    print(
        f"{assumed:.3f} of them rest on assumptions about Lambda: how much slower it is, how often it starts cold;"
    )
    print(f"most are {', '.join(f'{service} ({cents:.3f})' for service, cents in dearest)}.")
    if names := unseen(calls, prices.prices):
        print(f"Not looked up, check them: {', '.join(names)}.")


def _how(calls: Calls, views: int) -> str:
    return f" ({calls.views_why})" if views == calls.views else ""


def _facts(calls: Calls, prices: Prices) -> dict[str, Any]:
    from dealerflow.composition.aws_cost.calculation import unseen

    return {
        "region": prices.region,
        "prices_of": prices.date,
        "calls": calls.source,
        "calls_of": calls.date,
        "not_looked_up": unseen(calls, prices.prices),
    }


def _plain(one: Bill) -> dict[str, Any]:
    """The bill with numbers instead of decimals, which JSON would write as texts."""
    return {
        "orders_per_day": one.orders_per_day,
        "fixed_usd_a_month": _number(one.fixed),
        "order_us_cents": _number(one.order_cents),
        "page_views": one.views,
        "views_us_cents": _number(one.views_cents),
        "kept_us_cents": _number(one.kept_cents),
        "usd_a_month": _number(one.month),
        "all_in_us_cents_an_order": _number(one.all_in_cents),
        "services": [
            {
                "service": service.service,
                "fixed_usd_a_month": _number(service.fixed),
                "us_cents_an_order": _number(service.order_cents),
                "usd_a_month": _number(service.month),
            }
            for service in one.services
        ],
    }


def _number(value: Decimal) -> float:
    return round(float(value), 6)
