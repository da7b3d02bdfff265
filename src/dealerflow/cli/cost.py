"""`cost`: what an installation on AWS costs, from the calls of one order and public prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealerflow.cli.errors import WrongUsage
from dealerflow.cli.options import Json

if TYPE_CHECKING:
    from decimal import Decimal

    from dealerflow.composition.aws_cost.calculation import Bill, Calls, Price, Prices

SIZES = (1, 1_000, 100_000)


def cost(
    orders_per_day: Annotated[
        int, typer.Option("--orders-per-day", metavar="N", help="How many orders a day.")
    ] = 1_000,
    table: Annotated[
        bool, typer.Option("--table", help="Compare 1, 1,000 and 100,000 orders a day.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what an installation on AWS costs, by service: fixed in a month, and for each order."""
    from dealerflow.cli.output import say_json
    from dealerflow.composition.aws_cost import committed_calls, committed_prices
    from dealerflow.composition.aws_cost.calculation import bill

    if orders_per_day < 1:
        raise WrongUsage("--orders-per-day must be at least 1")
    calls, prices = committed_calls(), committed_prices()
    bills = [bill(calls, prices.prices, size) for size in (SIZES if table else (orders_per_day,))]
    if as_json:
        facts = _facts(calls, prices)
        say_json([facts | _plain(one) for one in bills] if table else facts | _plain(bills[0]))
        return
    if table:
        _compare(bills)
    else:
        _by_service(bills[0])
    _notes(calls, prices)


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
        "US cents an order": f"{one.order_cents + one.around_cents:.4f}",
        "USD a month": f"{one.month:.2f}",
    }
    show(tuple(total), [*rows, total])
    print(
        f"\n{one.orders_per_day:,} orders a day: the calls of one order cost {one.order_cents:.3f} US cents, people"
        f" looking at it {one.around_cents:.3f}; with what is fixed, an order costs {one.all_in_cents:.3f}."
    )


def _compare(bills: list[Bill]) -> None:
    from dealerflow.cli.output import show

    rows = [
        {
            "orders a day": f"{one.orders_per_day:,}",
            "fixed USD a month": f"{one.fixed:,.2f}",
            "calls of an order, US cents": f"{one.order_cents:.3f}",
            "looking at it, US cents": f"{one.around_cents:.3f}",
            "USD a month": f"{one.month:,.2f}",
            "all in, US cents an order": f"{one.all_in_cents:,.3f}",
        }
        for one in bills
    ]
    show(tuple(rows[0]), rows)


def _notes(calls: Calls, prices: Prices) -> None:
    from dealerflow.composition.aws_cost.calculation import GOAL_CENTS_AN_ORDER, assumed_cents, unseen

    print(f"\nPrices of {prices.region}, {prices.date}, without free tiers, discounts, support and taxes.")
    print(
        f"Calls: {calls.source} on {calls.date}; the goal is {GOAL_CENTS_AN_ORDER} US cents for those of one order."
    )
    assumed = assumed_cents(calls.order, prices.prices)
    print(f"Of these {assumed:.3f} rest on assumptions: how long functions run, how many calls are traced.")
    dearest = sorted(_cents(calls, prices.prices).items(), key=lambda pair: pair[1], reverse=True)[:3]
    print(f"Most of them are {', '.join(f'{service} ({cents:.3f})' for service, cents in dearest)}.")
    if names := unseen(calls, prices.prices):
        print(f"Not looked up, check them: {', '.join(names)}.")


def _cents(calls: Calls, prices: dict[str, Price]) -> dict[str, Decimal]:
    from dealerflow.composition.aws_cost.calculation import cents_by_service

    return cents_by_service(calls.order, prices)


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
        "around_us_cents": _number(one.around_cents),
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
