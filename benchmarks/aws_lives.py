"""Twenty orders as a factory might have them, from the form to the keys: what cost is counted on.

    dealerships   8 northside, 6 harbour (all paid before production), 6 lakeside (a deposit, and the rest before the keys)
    quality       16 pass at once, 3 fail once and are reworked, 1 fails once and is built anew: 1 in 5 fails
    loads         4 of five cars each, for two or three dealerships: a delivery note for each of these
    form          each with an Idempotency-Key, as the order page sends one

All are handed over: one that is declined or cancelled costs less. People act one after another, so that no two acts share a
batch by chance: a factory of 1,000 orders a day has some nine acts a minute. What shares is what belongs together: the cars
of a load, the messages of one commit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from dealerflow.composition.demo import PASSWORD
from tests.stories.driver import Order, People
from tests.stories.usual_way import take

LOAD = 5
DEALERSHIPS = (
    *("northside", "harbour", "lakeside", "northside", "harbour"),
    *("northside", "lakeside", "northside", "harbour", "lakeside"),
    *("northside", "harbour", "northside", "lakeside", "northside"),
    *("lakeside", "harbour", "northside", "lakeside", "harbour"),
)
FAILING = {
    2: "rework",
    8: "rework",
    13: "rebuild",
    17: "rework",
}  # place in the line → what its lead does then
ABOUT = (
    "One of 20 orders of the standard pipeline, from the form to the handed-over keys: 1 in 5 fails its quality check once, "
    "6 are paid in two parts, each load takes 5 cars (benchmarks/aws_lives.py tells the mix)."
)

# How often people look at an order's pages, which is assumed: what a look calls is counted.
TRACKED = 20  # times that a customer looks at the own order, for a minute each
TRACKED_ASKS = 4  # requests in such a minute: the page, and every 20 s whether it has changed
ACTS = 9  # of people of dealership and factory
ACT_ASKS = 6  # requests for each: a board, the order, and a minute of asking every 15 s
FIRST_LOOK = 6  # stylesheets, scripts and drawings, which a browser then keeps
VIEWS = TRACKED * TRACKED_ASKS + ACTS * ACT_ASKS + FIRST_LOOK
VIEWS_WHY = (
    f"the customer looks {TRACKED} times for a minute ({TRACKED_ASKS} requests each, as the page asks by itself every 20 s), "
    f"people {ACTS} times ({ACT_ASKS} requests each: board, order, a minute of asking every 15 s), {FIRST_LOOK} files"
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request that was made: what, how long its answer took, how many bytes that had."""

    method: str
    path: str
    ms: float
    size: int


def watch(client: httpx.Client) -> list[Request]:
    """What this client asks for from now on."""
    seen: list[Request] = []

    def note(answer: httpx.Response) -> None:
        answer.read()
        request = answer.request
        ms = answer.elapsed.total_seconds() * 1000
        seen.append(Request(method=request.method, path=request.url.path, ms=ms, size=len(answer.content)))

    client.event_hooks["response"] = [note]
    return seen


def live(dealerflow: People) -> list[Order]:
    """The twenty, from form to keys."""
    orders: list[Order] = []
    for place, dealership in enumerate(DEALERSHIPS):
        order = dealerflow.customer.orders(
            dealership, key=f"form-{place}", options=["tow-bar"], trim="touring"
        )
        _build(dealerflow, order, FAILING.get(place))
        orders.append(order)
        if len(orders) % LOAD == 0:
            _deliver(dealerflow, orders[-LOAD:])
    return orders


def live_once(dealerflow: People) -> Order:
    """One life, after which every function is warm."""
    order = dealerflow.customer.orders("northside", key="first")
    _build(dealerflow, order, "rework")
    _deliver(dealerflow, [order])
    return order


def _build(dealerflow: People, order: Order, after_failing: str | None) -> None:
    if after_failing:
        take(dealerflow, "quality_check", order)
        dealerflow.quality.decides(order, "fail", defects=["paint"])
        order.reaches("quality_failed")
        dealerflow.line_lead("A").decides(order, after_failing)
    take(dealerflow, "quality_passed", order)


def _deliver(dealerflow: People, orders: Sequence[Order]) -> None:
    dealerflow.delivery.sends_off(dealerflow.delivery.loads(*orders))
    for order in orders:
        order.reaches("on_delivery")
        take(dealerflow, "ended", order)


def look(client: httpx.Client, orders: Sequence[Order]) -> list[Request]:
    """Look at these orders as people do, in the proportion in which they do; the requests but for logging in."""
    staff = {"Cookie": _logged_in(client, "head1@factory.example")}
    asked = watch(client)
    for place in range(VIEWS - FIRST_LOOK):
        order = orders[place % len(orders)]
        if place < TRACKED * TRACKED_ASKS:
            answer = client.get(f"/orders/{order.id}", params={"key": order.key})
        else:
            answer = client.get(f"/board/{order.id}" if place % 2 else "/board", headers=staff)
        assert answer.status_code == httpx.codes.OK, f"{answer.url}: {answer.status_code}"
    return asked


def _logged_in(client: httpx.Client, email: str) -> str:
    """The cookies of somebody's session. They are for HTTPS only, so a client that speaks HTTP does not keep them."""
    form = client.get("/login")
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', form.text)
    assert csrf, "the form to log in"
    fields = {"email": email, "password": PASSWORD, "next": "/board", "csrf_token": csrf[1]}
    answer = client.post("/login", data=fields, headers={"Cookie": _cookies(form)})
    assert answer.status_code == httpx.codes.SEE_OTHER, answer.text
    return _cookies(answer)


def _cookies(answer: httpx.Response) -> str:
    given = answer.headers.get_list("set-cookie")
    return "; ".join(pair for one in given if not (pair := one.partition(";")[0]).endswith("="))
