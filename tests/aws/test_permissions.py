"""The roles suffice, and nothing in them is for nothing: with the emulator's IAM each right is taken away in turn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from dealerflow.adapters.database.engine import open_engine
from tests.aws.building import built
from tests.aws.emulator import Emulator
from tests.aws.right_stories import Site
from tests.aws.rights import NOT_SHOWN, SHOWN, NotShown, Row
from tests.aws.roles import Right, Roles
from tests.postgres import PostgresServer
from tests.stories.on_aws import STACK, OnAws, post_office
from tests.stories.usual_way import take

# All are built on one line, which has ten places.
CARS = {"order_placed": 6, "order_arrived": 5, "quality_check": 8, "quality_passed": 2}
SOON_SECONDS = 30.0  # far more than a function takes to say what it may not do
LOOK_EVERY_SECONDS = 0.1


@pytest.fixture(scope="module")
def site(
    postgres: PostgresServer, demo_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The stack on an emulator that lets each function do only what its role allows."""
    emulator = Emulator(tmp_path_factory.mktemp("permissions") / "log", auth=True)
    try:
        url = postgres.url(postgres.create_database(template=demo_database))
        outputs = emulator.deploy(STACK, built(), {"DatabaseUrl": url})
        catcher = post_office(emulator)
        engine = open_engine(url, connections=1)
        with OnAws(emulator, outputs, catcher, url, nullcontext).running() as installation:
            yield Site(emulator, installation, engine)
        engine.dispose()
        catcher.stop()
    finally:
        emulator.stop()


@pytest.fixture(scope="module")
def roles(site: Site) -> Roles:
    """Those of the stack."""
    return Roles(site.emulator, STACK)


def test_with_nothing_but_its_roles_everything_happens_that_happens_to_a_car(site: Site) -> None:
    people, since = site.people, time.time()
    site.installation.command("topics", "subscribe", "quality-alerts", "queue", "deliveries-north")
    order = people.customer.orders("northside", key="one-life").reaches("order_placed")
    take(people, "quality_check", order)
    people.quality.decides(order, "fail", defects=["paint"])
    order.reaches("quality_failed")
    people.line_lead("A").decides(order, "rework")
    order.reaches("production_started")

    people.operator.sends("/queues/invoices/pause", expect=200)
    people.operator.sends("/queues/invoices/resume", expect=200)
    take(people, "ended", order)

    site.installation.call("relay", {})
    site.installation.call("audit", {"repair": True})
    site.installation.call("prepare", {})
    people.settles()
    assert people.audit() == []
    assert not site.said(" is not authorized to perform: ", since)


def test_every_right_breaks_a_story_or_is_listed_with_a_reason(roles: Roles) -> None:
    rights = roles.rights()
    rows: list[Row | NotShown] = [*SHOWN, *NOT_SHOWN]
    assert sorted(one for one in rights if not any(row.covers(one) for row in rows)) == []
    assert [row for row in rows if not any(row.covers(one) for one in rights)] == []
    assert [one for one in rights if _is_shown(one) and any(row.covers(one) for row in NOT_SHOWN)] == []


def _is_shown(right: Right) -> bool:
    return any(row.covers(right) for row in SHOWN)


@pytest.fixture(scope="module")
def cars(site: Site) -> Site:
    """The site with cars in the states in which stories begin, and everybody subscribed who may be."""
    people, command = site.people, site.installation.command
    orders = {state: [people.customer.orders("northside") for _ in range(n)] for state, n in CARS.items()}
    for state in ("order_placed", "order_arrived", "quality_check", "quality_passed"):
        take(
            people, state, *(one for later in list(CARS)[list(CARS).index(state) :] for one in orders[later])
        )
    command("topics", "subscribe", "quality-alerts", "url", "http://127.0.0.1:9/alerts")
    people.admin.sends("/webhooks", {"url": "http://127.0.0.1:9/events"}, expect=201)
    command("topics", "subscribe", "quality-alerts", "queue", "deliveries-harbour")
    site.cars = orders
    return site


@pytest.mark.rights
@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in SHOWN])
def test_without_this_right_its_story_breaks(cars: Site, roles: Roles, row: Row) -> None:
    says = row.says or f"/{STACK}-{row.function} is not authorized to perform: {row.action}"
    since = time.time()
    with roles.without(row.function, row.action, row.targets):
        row.story(cars, row.function)
        deadline = time.monotonic() + SOON_SECONDS
        while not cars.said(says, since):
            assert time.monotonic() < deadline, f"nothing was heard of {says}"
            time.sleep(LOOK_EVERY_SECONDS)
