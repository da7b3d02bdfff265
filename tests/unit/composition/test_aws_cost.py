from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from dealerflow.adapters.aws.names import QUEUES
from dealerflow.cli.main import app
from dealerflow.composition.aws_cost import committed_calls, committed_prices
from dealerflow.composition.aws_cost.calculation import (
    GOAL_CENTS_AN_ORDER,
    Calls,
    Price,
    Use,
    assumed_cents,
    bill,
    unseen,
)

TEMPLATE = Path(__file__).parents[3] / "infra" / "template.yaml"


def price(usd: str, per: str = "1", seen: str = "https://aws.example/pricing") -> Price:
    return Price(
        usd=Decimal(usd),
        per=Decimal(per),
        unit="things",
        page="https://aws.example",
        seen=seen,
        date="2026-01-31" if seen else "",
    )


def use(
    service: str, name: str, count: str, *, frm: int = 0, below: int | None = None, most: str | None = None
) -> Use:
    return Use(
        service=service,
        what="things",
        price=name,
        count=Decimal(count),
        source="counted",
        why="for the test",
        from_orders=frm,
        below_orders=below,
        most_a_month=Decimal(most) if most else None,
    )


PRICES = {
    "mail": price("0.10", "1000"),
    "transition": price("0.025", "1000"),
    "view": price("1", "1000000", seen=""),
    "small": price("0.03"),
    "large": price("0.3"),
    "kept": price("0.1"),
}
CALLS = Calls(
    source="counted",
    date="2026-01-31",
    about="an order of the test",
    order=(use("Mail", "mail", "9"), use("Steps", "transition", "16")),
    view=(use("Web", "view", "1"),),
    views=50,
    views_why="for the test",
    kept=(use("Database", "kept", "0.01"),),
    month=(
        use("Database", "small", "730", below=1000),
        use("Database", "large", "730", frm=1000),
        use("Web", "view", "1000000"),
    ),
)


def test_a_bill_is_what_one_works_out_by_hand() -> None:
    one = bill(CALLS, PRICES, 24)  # 730 orders a month

    assert one.order_cents == Decimal("0.09") + Decimal("0.04")  # 9 mails, 16 transitions
    assert one.views_cents == Decimal("0.005")  # 50 of them
    assert one.kept_cents == Decimal("0.1")
    assert one.fixed == Decimal("21.90") + 1  # 730 hours at 3 cents, a million views
    assert one.month == Decimal("22.90") + 730 * Decimal("0.00235")
    assert one.all_in_cents == one.month / 730 * 100
    assert [(cost.service, cost.fixed, cost.order_cents) for cost in one.services] == [
        ("Database", Decimal("21.90"), Decimal("0.1")),
        ("Mail", 0, Decimal("0.09")),
        ("Steps", 0, Decimal("0.04")),
        ("Web", 1, Decimal("0.005")),
    ]
    assert sum(cost.month for cost in one.services) == one.month


def test_a_bigger_installation_pays_for_the_bigger_database_and_not_for_both() -> None:
    assert bill(CALLS, PRICES, 999).fixed == Decimal("22.90")
    assert bill(CALLS, PRICES, 1000).fixed == Decimal("220.00")


def test_pages_that_are_looked_at_more_often_cost_that_much_more() -> None:
    assert bill(CALLS, PRICES, 24, views=500).views_cents == Decimal("0.05")
    assert bill(CALLS, PRICES, 24, views=0).views_cents == 0
    ending = msgspec.structs.replace(CALLS, view=(use("Web", "view", "1", most="7300"),))
    for views in (10, 100):  # 7,300 a month, and ten times as many
        assert bill(ending, PRICES, 24, views=views).views_cents == pytest.approx(Decimal("0.001"))
    with pytest.raises(ValueError, match="looked at"):
        bill(CALLS, PRICES, 24, views=-1)


def test_what_ends_at_some_amount_a_month_falls_to_ever_smaller_parts() -> None:
    calls = msgspec.structs.replace(CALLS, order=(use("Mail", "mail", "10", most="3650"),))

    assert bill(calls, PRICES, 12).order_cents == Decimal("0.1")  # 365 orders a month: 10 for each are 3,650
    assert bill(calls, PRICES, 120).order_cents == Decimal("0.01")
    assert bill(calls, PRICES, 120).month - bill(calls, PRICES, 120).fixed == Decimal("0.365") + 3650 * (
        Decimal("0.00005") + Decimal("0.001")
    )


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_more_orders_never_cost_less(orders: int, more: int) -> None:
    calls, prices = committed_calls(), committed_prices().prices
    assert bill(calls, prices, orders).month <= bill(calls, prices, orders + more).month


def test_there_is_no_bill_for_less_than_an_order_a_day() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bill(CALLS, PRICES, 0)


def test_prices_that_were_read_nowhere_are_named() -> None:
    assert unseen(CALLS, PRICES) == ["view"]


def test_what_is_assumed_is_told_apart_from_what_is_counted() -> None:
    assumed = Use(
        service="Mail",
        what="things",
        price="mail",
        count=Decimal(10),
        source="assumed",
        why="for the test",
    )
    calls = msgspec.structs.replace(CALLS, order=(*CALLS.order, assumed))
    assert assumed_cents(calls, PRICES, 24) == Decimal("0.1")
    assert committed_calls().source == "counted"


def test_every_use_has_its_price_and_every_price_a_page_of_aws() -> None:
    calls, table = committed_calls(), committed_prices()
    used = {one.price for one in calls.all()}
    assert used <= set(table.prices)
    assert table.region == "us-east-1"
    assert all(one.page.startswith("https://aws.amazon.com/") for one in table.prices.values())
    assert all(one.usd > 0 and one.per > 0 for one in table.prices.values())
    assert all(bool(one.seen) == bool(one.date) for one in table.prices.values()), "a page, and when"
    assert all(one.seen.startswith("https://") for one in table.prices.values() if one.seen)


def test_the_calls_of_an_order_stay_within_the_goal() -> None:
    for orders in (1_000, 100_000):
        assert bill(committed_calls(), committed_prices().prices, orders).order_cents <= GOAL_CENTS_AN_ORDER


def test_what_stands_there_all_month_is_what_the_template_sets_up() -> None:
    counts = {(one.service, one.what): one.count for one in committed_calls().month}
    template = TEMPLATE.read_text("utf-8")
    dead, late, alone = 1, template.count("MetricStat:"), template.count("Type: AWS::CloudWatch::Alarm") - 2
    assert counts["CloudWatch", "alarms"] == (dead + late) * len(QUEUES) + alone
    polls = 5 * 3 * 60 * 730  # pollers, each asking three times a minute
    assert counts["SQS", "polling"] == polls * len(QUEUES)
    assert counts["KMS", "key of the alarms' topic"] == template.count("Type: AWS::KMS::Key")


def test_the_command_shows_each_service_and_says_what_the_figures_rest_on() -> None:
    shown = CliRunner().invoke(app, ["cost", "--orders-per-day", "20"])
    assert shown.exit_code == 0
    assert {"SES", "Step Functions", "RDS"} <= {line.split("  ")[0] for line in shown.output.splitlines()}
    assert "without free tiers" in shown.output
    assert f"Calls: {committed_calls().source} on " in shown.output
    assert "Not looked up, check them: " in shown.output


def test_the_command_gives_json_and_a_table_of_three_sizes() -> None:
    one = json.loads(CliRunner().invoke(app, ["cost", "--orders-per-day", "20", "--json"]).output)
    assert one["orders_per_day"] == 20
    assert sum(cost["usd_a_month"] for cost in one["services"]) == pytest.approx(one["usd_a_month"], abs=1e-4)
    assert one["page_views"] == committed_calls().views
    more = json.loads(CliRunner().invoke(app, ["cost", "--page-views", "10000", "--json"]).output)
    assert more["views_us_cents"] > one["views_us_cents"]
    several = json.loads(CliRunner().invoke(app, ["cost", "--table", "--json"]).output)
    assert [each["orders_per_day"] for each in several] == [1, 1_000, 100_000]
    table = CliRunner().invoke(app, ["cost", "--table"]).output.splitlines()
    assert [line.split("  ")[0] for line in table[1:5] if line[:1].isdigit()] == ["1", "1,000", "100,000"]


def test_less_than_one_order_a_day_is_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["cost", "--orders-per-day", "0"]).exit_code == 2
    assert CliRunner().invoke(app, ["cost", "--page-views", "-1"]).exit_code == 2
