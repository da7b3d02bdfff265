"""The roles suffice, and nothing in them is for nothing: with the emulator's IAM each right is taken away in turn."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial

import pytest
import sqlalchemy as sa

from dealerflow.adapters.database.engine import open_engine
from tests.aws.building import built
from tests.aws.emulator import ACCOUNT, REGION, Emulator
from tests.aws.poison import dead_letters, redrives
from tests.aws.right_outcomes import LISTENER
from tests.aws.right_stories import Story, a_message_fails, a_message_fails_for_the_last_time
from tests.aws.rights import NOT_SHOWN, SHOWN, NotShown, Row
from tests.aws.roles import Right
from tests.aws.site import Site
from tests.aws.subscriber import Subscriber
from tests.docs.documents import DOCS
from tests.postgres import PostgresServer
from tests.stories.driver import Order
from tests.stories.on_aws import STACK, OnAws, post_office
from tests.stories.open_orders import open_order
from tests.stories.usual_way import take

# Cars in the states in which stories begin: one for each time that one is told.
CARS = {"order_placed": 10, "order_arrived": 8, "quality_check": 17, "quality_passed": 16}
PLACES = 10  # of each line, on which those stand that wait for their check
PRICE = 3255000
LONGEST_SECONDS = 10.0  # less than RELAY_LEASE_MS
# Stories that are told of several functions at once: each has its own queue.
TOGETHER: dict[Story, str] = {
    a_message_fails: "its queue's messages",
    a_message_fails_for_the_last_time: "its dead letters",
}


@pytest.fixture(scope="module")
def site(
    postgres: PostgresServer, demo_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The stack on an emulator that lets each function do only what its role allows."""
    with ExitStack() as closing:
        emulator = Emulator(tmp_path_factory.mktemp("permissions") / "log", auth=True)
        closing.callback(emulator.stop)
        url = postgres.url(postgres.create_database(template=demo_database))
        outputs = emulator.deploy(STACK, built(), {"DatabaseUrl": url})
        catcher, subscriber = post_office(emulator), Subscriber()
        closing.callback(catcher.stop)
        closing.callback(subscriber.stop)
        engine = open_engine(url, connections=1)
        closing.callback(engine.dispose)
        installation = closing.enter_context(OnAws(emulator, outputs, catcher, url, nullcontext).running())
        yield Site(emulator, installation, engine, subscriber)


def test_with_nothing_but_its_roles_everything_happens_that_happens_to_a_car(site: Site) -> None:
    people, since = site.people, time.time()
    people.admin.sends("/webhooks", {"url": f"{site.subscriber.url}/life"}, expect=201)
    site.installation.command("topics", "subscribe", "quality-alerts", "queue", "deliveries-north")
    order = people.customer.orders("northside", key="one-life").reaches("order_placed")
    take(people, "order_arrived", order)
    is_paid_but_cannot_be_invoiced_at_first(site, order)
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
    told = [json.loads(body) for path, body in site.subscriber.told if path == "/life"]
    assert {event["id"] for event in told} == {event["id"] for event in people.events()}
    assert ("invoice", "ana@example.com") in people.letters(order)
    assert site.refused(since) == set()


def is_paid_but_cannot_be_invoiced_at_first(site: Site, order: Order) -> None:
    """The invoice fails until it is given up. Once it can be written an operator lets it be tried again."""
    people = site.people
    with _no_invoices(site):
        order.customer.pays(order)
        assert site.comes(lambda: _attempts(site, order) > 0)
        site.installation.leaves_one_attempt("invoices")
        people.until(lambda: people.queue("invoices")["dead"] == 1, "the invoice is given up")
        assert site.lying("invoices-dead") == (1, 0)
    assert redrives(people, "invoices") == 1
    order.is_paid()
    assert (dead_letters(people, "invoices"), site.lying("invoices-dead")) == ([], (0, 0))


@contextmanager
def _no_invoices(site: Site) -> Iterator[None]:
    for change in ("ADD CONSTRAINT none CHECK (false) NOT VALID", "DROP CONSTRAINT none"):
        with site.engine.begin() as connection:
            connection.execute(sa.text(f"ALTER TABLE documents {change}"))
        if change.startswith("ADD"):
            yield


def _attempts(site: Site, order: Order) -> int:
    asked = sa.text("SELECT max(attempts) FROM messages WHERE queue = 'invoices' AND order_id = :order")
    with site.engine.connect() as connection:
        return int(connection.execute(asked, {"order": order.id}).scalar() or 0)


def test_every_right_breaks_a_story_or_is_listed_with_a_reason(site: Site) -> None:
    rights = site.roles.rights()
    rows: list[Row | NotShown] = [*SHOWN, *NOT_SHOWN]
    assert sorted(one for one in rights if not any(row.covers(one) for row in rows)) == []
    assert [row for row in rows if not any(row.covers(one) for one in rights)] == []
    assert [one for one in rights if _is_shown(one) and any(row.covers(one) for row in NOT_SHOWN)] == []


def test_what_no_test_takes_away_stands_in_the_documentation() -> None:
    page = (DOCS / "explanation" / "what-the-emulator-cannot-prove.md").read_text("utf-8")
    _, _, section = page.partition("\n### Rights that no test takes away\n")
    rows = [line.split(" | ")[:3] for line in section.partition("\n#")[0].splitlines() if line[:1] == "|"]
    assert rows[2:] == [row.line.split(" | ") for row in NOT_SHOWN]


def _is_shown(right: Right) -> bool:
    return any(row.covers(right) for row in SHOWN)


@pytest.fixture(scope="module")
def stage(site: Site) -> Site:
    """The site with cars in the states in which stories begin, and everybody told who may be."""
    people, command = site.people, site.installation.command
    people.imports(list(_open_orders()))
    people.settles()
    for row in people.head.lists("/orders"):
        if row["facts"].get("reference"):
            site.cars.setdefault(row["state"], []).append(row)
    assert {state: len(cars) for state, cars in site.cars.items()} == CARS
    site.stands = site.car("quality_check")
    command("topics", "subscribe", "quality-alerts", "url", f"{site.subscriber.url}/alerts")
    command("topics", "subscribe", "quality-alerts", "queue", "deliveries-harbour")
    people.admin.sends("/webhooks", {"url": f"{site.subscriber.url}/events"}, expect=201)
    _listen_to_the_bus(site.emulator)
    return site


def _open_orders() -> Iterator[dict[str, object]]:
    for number, state in enumerate(state for state, many in CARS.items() for _ in range(many)):
        built: dict[str, object] = {}
        if state.startswith("quality"):
            built = {"vin": f"1M8GDM9AXKP{number:06}", "paid": PRICE}
        if state == "quality_check":
            built["line"] = "AB"[number // PLACES % 2]
        yield open_order(f"old-{number}", "northside", state, **built)


def _listen_to_the_bus(emulator: Emulator) -> None:
    events, sqs = emulator.client("events"), emulator.client("sqs")
    sqs.create_queue(QueueName=f"{STACK}-{LISTENER}")
    events.put_rule(Name=LISTENER, EventBusName=STACK, EventPattern=json.dumps({"source": ["dealerflow"]}))
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{STACK}-{LISTENER}"
    events.put_targets(Rule=LISTENER, EventBusName=STACK, Targets=[{"Id": "queue", "Arn": arn}])


def _cases() -> Iterator[object]:
    together: dict[Story, list[Row]] = {}
    for row in SHOWN:
        if row.story in TOGETHER:
            together.setdefault(row.story, []).append(row)
        else:
            targets = re.sub(r"[^a-z]+", "-", row.targets).strip("-")
            yield pytest.param([row], id=f"{row.function}-{row.action}-{targets}".rstrip("-"))
    for story, rows in together.items():
        yield pytest.param(rows, id=f"each-{rows[0].action}-{TOGETHER[story]}".replace(" ", "-"))


@pytest.mark.parametrize("rows", list(_cases()))
def test_without_this_right_its_story_breaks(stage: Site, rows: Sequence[Row]) -> None:
    with _told(stage, rows) as subjects:
        begun = time.monotonic()
        for row, subject in zip(rows, subjects, strict=True):
            assert stage.comes(partial(row.outcome, stage, subject)), row
        as_long = time.monotonic() - begun

    since = time.time()
    with ExitStack() as taken:
        for row in rows:
            taken.enter_context(stage.roles.without(row.function, row.action, row.targets))
        subjects = taken.enter_context(_told(stage, rows))
        for row in rows:
            assert stage.comes(partial(_is_missed, stage, row, since)), f"{row}: {stage.refused(since)}"
        # It is given as long as it took with the right, but not until the schedule makes up for it.
        deadline = time.monotonic() + min(as_long, LONGEST_SECONDS)
        for _ in stage.installation.moments():
            for row, subject in zip(rows, subjects, strict=True):
                assert not row.outcome(stage, subject), row
            if time.monotonic() > deadline:
                break


@contextmanager
def _told(stage: Site, rows: Sequence[Row]) -> Iterator[list[object]]:
    """Each row's story: what it was about."""
    with ExitStack() as telling:
        telling.callback(stage.forgets_what_stayed)
        yield [telling.enter_context(row.story(stage, row.function)) for row in rows]


def _is_missed(stage: Site, row: Row, since: float) -> bool:
    if row.says:
        return row.says in stage.words(since)
    return (row.function, row.action) in stage.refused(since)
