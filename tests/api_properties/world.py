"""A Dealerflow in which everything exists that the API speaks of, and what a caller would have to know to ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.application.queries import SORTS
from dealerflow.domain.messages import PublishEvent
from dealerflow.web.auth import FORM_TOKEN_HEADER
from tests.web.api.life import API, WAY, brought, decided, paid, placed
from tests.web.harness import ORDER, PASSWORD, Client, running

PEOPLE = (
    "dealer@northside", "dealer@harbour", "production", "line-a", "line-b", "quality", "delivery",
    "head1", "operator", "admin",
)  # fmt: skip

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that should be answered with 2xx. `who` None: nobody known; `key` of which order: its customer."""

    who: str | None = None
    key: str | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


class World:
    """The installation, and what is in it; `ids` by the name of the parameter that takes them."""

    def __init__(self, anyone: Client, random: Random) -> None:
        self.anyone = anyone
        self.random = random
        self._furnish()

    # --- who is there ---------------------------------------------------------------------------------------------------

    def headers(self, who: str | None) -> dict[str, str]:
        """Credentials. "browser" is the operator, with the cookie of a session."""
        if who == "browser":
            return self.session
        return dict(self.anyone.as_(who).headers)

    def any_of(self, name: str) -> str | None:
        """Something real for this parameter; None if there is nothing."""
        choices = self.choices(name)
        return self.random.choice(choices) if choices else None

    def choices(self, name: str) -> list[str]:
        """Everything real for this parameter."""
        if name in _COLUMNS:
            return self._column(_COLUMNS[name])
        return list(_WORDS.get(name, ()))

    def process(self) -> None:
        """Let the workers do what there is to do; no queue stays paused."""
        for queue in self.anyone.system.store.queues():
            self.anyone.system.store.resume(queue)
        self.anyone.system.process()

    def _column(self, column: sa.Column[str]) -> list[str]:
        with self.anyone.system.engine.connect() as connection:
            return [str(row[0]) for row in connection.execute(sa.select(column).distinct().order_by(column))]

    # --- orders ---------------------------------------------------------------------------------------------------------

    def order_in(self, state: str) -> str:
        """An order in this state, about which nothing is decided; a new one if there is none.

        One that waits for a load is on none.
        """
        free = t.orders.c.load.is_(None) if state == "quality_passed" else sa.true()
        where = (
            t.orders.c.state == state,
            t.orders.c.decision.is_(None),
            t.orders.c.dealership == "northside",
            free,
        )
        chosen = sa.select(t.orders.c.id).where(*where).order_by(t.orders.c.id)
        with self.anyone.system.engine.connect() as connection:
            found = [str(row[0]) for row in connection.execute(chosen)]
        return self.random.choice(found) if found else self.bring(state)

    def bring(self, state: str) -> str:
        """A new order, brought to this state."""
        order = placed(self.anyone)
        if state != "order_placed":
            brought(self.anyone, order, state)
        return str(order["id"])

    def key(self, order: str) -> str:
        """The key that is in the customer's newest link."""
        number = sa.select(t.orders.c.link_number).where(t.orders.c.id == order)
        with self.anyone.system.engine.connect() as connection:
            return self.anyone.system.links.make(order, connection.execute(number).scalar_one())

    def seen(self, order: str) -> Json:
        """The order as the administrator sees it."""
        found: Json = self.anyone.as_("admin").get(f"{API}/orders/{order}").json()
        return found

    def _accepted(self) -> str:
        """An order that waits for its payment."""
        order = self.order_in("order_placed")
        decided(self.anyone.as_("dealer@northside"), order, "accept")
        return order

    def _furnish(self) -> None:
        for state in ("order_placed", *WAY, "quality_passed", "ended"):
            self.bring(state)
        failed = self.bring("quality_check")
        decided(self.anyone.as_("quality"), failed, "fail", defects=["paint"], note="left door")
        decided(self.anyone.as_("dealer@northside"), self.bring("order_placed"), "decline", reason="sold out")
        self.refund_asked_for()
        self.anyone.as_("delivery").post(f"{API}/loads", {"orders": [self.bring("quality_passed")]})
        self.dead_letter()
        self.delivered()
        self.session = self._logged_in()
        self.anyone.place()  # stays in the spool for now

    def _logged_in(self) -> dict[str, str]:
        """The headers of a browser in which the operator has logged in."""
        form = {"email": "operator@factory.example", "password": PASSWORD}
        answer = self.anyone.post(f"{API}/sessions", form)
        token = answer.headers[FORM_TOKEN_HEADER]
        cookie = answer.headers["set-cookie"].partition(";")[0]
        self.anyone.http.cookies.clear()
        return {"Cookie": cookie, FORM_TOKEN_HEADER: token}

    def refund_asked_for(self) -> str:
        """A payment that is to be given back."""
        order = self._accepted()
        payment = paid(self.anyone, {"id": order, "key": self.key(order)})
        decided(self.anyone.as_("dealer@northside"), order, "cancel")
        return str(payment["id"])

    def dead_letter(self) -> str:
        """A message among the dead letters of `events`."""
        system = self.anyone.system
        with system.database.begin() as work:
            work.send("events", PublishEvent(event="evt_unknown"))
        claimed = system.store.claim("events", 1, owner="test", now=system.clock.now())
        system.store.bury(claimed, now=system.clock.now(), error="it does not work")
        return claimed[0].envelope.id

    def delivered(self) -> tuple[str, str]:
        """A webhook with a delivery that has arrived; earlier ones end, since there may be only so many."""
        operator = self.anyone.as_("operator")
        for earlier in operator.get(f"{API}/webhooks").json()["items"]:
            operator.delete(f"{API}/webhooks/{earlier['id']}")
        form = {"url": "https://hooks.example.com/cars", "event_types": ["OrderPlaced"]}
        webhook = str(operator.post(f"{API}/webhooks", form).json()["id"])
        self.bring("order_placed")
        path = f"{API}/webhooks/{webhook}/deliveries"
        return webhook, str(operator.get(path).json()["items"][0]["id"])


# What is looked up in the database, by the parameter that takes it.
_COLUMNS: dict[str, sa.Column[str]] = {
    "order_id": t.orders.c.id,
    "order": t.orders.c.id,
    "load_id": t.loads.c.id,
    "load": t.loads.c.id,
    "document_id": t.documents.c.id,
    "note_id": t.delivery_notes.c.id,
    "payment_id": t.payments.c.id,
    "webhook_id": t.webhooks.c.id,
    "delivery_id": t.webhook_deliveries.c.id,
    "name": t.queues.c.name,
    "state": t.orders.c.state,
    "dealership": t.dealerships.c.id,
    "line": t.lines.c.id,
    "model": t.orders.c.model,
    "type": t.events.c.type,
    "q": t.customers.c.email,
}
_WORDS: dict[str, tuple[str, ...]] = {
    "limit": ("1", "2", "50", "200"),
    "after": ("0", "1", "20", "100000"),
    "status": ("open", "departed", "queued", "delivered", "failed"),
    "sort": SORTS,
}


# --- calls that should be answered with 2xx, by the name of the operation ------------------------------------------------


def _take_order(world: World) -> Call:
    options = world.random.choice(([], ["tow-bar"], ["winter-pack"], ["tow-bar", "winter-pack"]))
    vehicle = {**ORDER["vehicle"], "trim": world.random.choice(("base", "touring")), "options": options}
    return Call(
        body={**ORDER, "vehicle": vehicle, "note": world.random.choice((None, "Please call.\nThank you."))}
    )


def _log_in(world: World) -> Call:
    return Call(body={"email": f"{world.random.choice(PEOPLE[2:])}@factory.example", "password": PASSWORD})


def _quote(world: World) -> Call:
    return Call(
        body={"dealership": world.random.choice(("northside", "harbour")), "vehicle": ORDER["vehicle"]}
    )


def _decisions(world: World) -> Call:
    state = world.random.choice(tuple(WAY))
    order = world.order_in(state)
    if state == "order_arrived" and not world.seen(order)["payment"]["paid"]:
        paid(world.anyone, {"id": order, "key": world.key(order)})
    who, outcome, details = WAY[state]
    seen = world.seen(order)
    if seen["line"] == "B" and who == "line-a":
        who = "line-b"
    return Call(
        who=who, path={"order_id": order}, body={"outcome": outcome, "step": seen["step"], "details": details}
    )


def _payments(world: World) -> Call:
    order = world.order_in("order_placed")
    decided(world.anyone.as_("dealer@northside"), order, "accept")
    by_customer = world.random.random() < 0.5
    return Call(
        who=None if by_customer else "dealer@northside",
        key=order if by_customer else None,
        path={"order_id": order},
        body={"method": "test_card"},
    )


def _refund(world: World) -> Call:
    return Call(
        who="dealer@northside", path={"payment_id": world.refund_asked_for()}, body={"reference": "bank 17"}
    )


def _load_form(world: World) -> Json:
    return {
        "orders": [world.order_in("quality_passed")],
        "carrier": world.random.choice((None, "Iron Horse")),
    }


def _new_load(world: World) -> Call:
    return Call(who="delivery", body=_load_form(world))


def _open_load(world: World) -> str:
    open_ = sa.select(t.loads.c.id).where(t.loads.c.status == "open").order_by(t.loads.c.id)
    with world.anyone.system.engine.connect() as connection:
        found = connection.execute(open_).scalars().first()
    if found is not None:
        return str(found)
    made = world.anyone.as_("delivery").post(f"{API}/loads", _load_form(world))
    return str(made.json()["id"])


def _changed_load(world: World) -> Call:
    load = _open_load(world)
    cars = world.anyone.as_("delivery").get(f"{API}/loads/{load}").json()["orders"]
    return Call(who="delivery", path={"load_id": load}, body={"orders": cars, "carrier": "Ox & Sons"})


def _departure(world: World) -> Call:
    return Call(who="delivery", path={"load_id": _open_load(world)})


def _redrive(world: World) -> Call:
    return Call(who="operator", path={"name": "events"}, body={"ids": [world.dead_letter()]})


def _discard(world: World) -> Call:
    body = {"ids": [world.dead_letter()], "reason": "it was a trial"}
    return Call(who="operator", path={"name": "events"}, body=body)


def _new_webhook(world: World) -> Call:
    return Call(who="operator", body={"url": "https://hooks.example.com/more", "event_types": ["OrderMoved"]})


def _resent(world: World) -> Call:
    webhook, delivery = world.delivered()
    return Call(who="operator", path={"webhook_id": webhook, "delivery_id": delivery})


def _link(world: World) -> Call:
    return Call(who="dealer@northside", path={"order_id": world.order_in("order_placed")})


def _of_order(state: str, who: str) -> Callable[[World], Call]:
    return lambda world: Call(who=who, path={"order_id": world.order_in(state)})


def _by(who: str) -> Callable[[World], Call]:
    return lambda world: Call(who=who)


def _webhook(world: World) -> Call:
    return Call(who="admin", path={"webhook_id": world.delivered()[0]})


RECIPES: dict[str, Callable[[World], Call]] = {
    "take_order": _take_order,
    "log_in": _log_in,
    "quote": _quote,
    "decisions": _decisions,
    "payments": _payments,
    "refund": _refund,
    "new_load": _new_load,
    "changed_load": _changed_load,
    "departure": _departure,
    "redrive": _redrive,
    "discard": _discard,
    "new_webhook": _new_webhook,
    "resent": _resent,
    "link": _link,
    "ended_webhook": _webhook,
    "deliveries": _webhook,
    "invoice": _of_order("at_dealership", "dealer@northside"),
    "documents": _of_order("at_dealership", "dealer@northside"),
    **dict.fromkeys(("queues", "pause", "resume", "dead_letters", "mail"), _by("operator")),
    **dict.fromkeys(("loads", "load", "delivery_notes", "delivery_note"), _by("delivery")),
}


def recipe(name: str) -> Callable[[World], Call]:
    """How to call this operation so that it should succeed."""
    return RECIPES.get(name, _by("admin"))


@contextmanager
def world(directory: Path, seed: int) -> Iterator[World]:
    """As long as the block lasts."""
    with running(f"sqlite:///{directory / 'dealerflow.db'}", directory) as anyone:
        # Streams end at once: a caller of this test reads every answer to its end.
        anyone.system.web.stopping.set()
        yield World(anyone, Random(seed))
