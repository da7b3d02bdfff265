"""Whoever reads Spanish reads no English: on every page, and whatever is wrong with what was sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from tests.web.api.life import API, brought, decided, paid, placed
from tests.web.harness import Client
from tests.web.pages.conftest import PersonOf
from tests.web.pages.people import Person, Shown
from tests.web.pages.test_staff_access import OPEN_TO
from tests.web.pages.visitor import Visitor

# Words of which an English sentence needs one, and which no Spanish one has.
ENGLISH = re.compile(
    r"\b(the|is|are|was|be|been|must|may|can|has|have|this|that|these|it|its|and|or|not|with|without|of|for|from"
    r"|to|on|at|by|there|here|which|nobody|only|already|please|choose|wait)\b",
    re.IGNORECASE,
)
# What is said to the machine or names a thing.
NAMES = re.compile(r"Standard Webhooks|English")
# Mails that were sent in English, with whom they went to.
SUBJECTS = re.compile(r"(New order|One car is|We have received|Your |Enjoy )[^@]*@")
LONG = "x" * 5_000
REFUSED = (400, 403, 404, 409, 422, 429)


def in_spanish(someone: Person) -> Person:
    someone.get("/account?lang=es" if someone.get("/account").status == 200 else "/login?lang=es")
    return someone


def english_in(shown: Shown) -> list[str]:
    """What is English on a page, with the words around it."""
    assert '<html lang="es"' in shown.html
    text = SUBJECTS.sub("", NAMES.sub("", shown.text))
    return [text[max(0, found.start() - 40) : found.end() + 40] for found in ENGLISH.finditer(text)]


def check(*pages: Shown) -> None:
    """Each of these refused something, in Spanish."""
    for shown in pages:
        assert shown.status in REFUSED, (shown.answer.url, shown.status)
        assert english_in(shown) == [], (shown.answer.url, shown.status)


@pytest.mark.parametrize("said", ["nothing is due: the order is paid", "Choose another line.", "It is here"])
def test_an_english_sentence_would_be_noticed(said: str) -> None:
    assert ENGLISH.search(said)


# --- forms ---


def faults_of_the_account(visitor: Person) -> Iterator[Shown]:
    page = visitor.get("/account")
    password = page.form("/account/password")
    for typed in (("wrong", "x" * 12, "x" * 12), ("demo", "short", "short"), ("demo", "x" * 12, "y" * 12)):
        yield visitor.submit(password, *zip(("current", "password", "again"), typed, strict=True))
    yield visitor.submit(page.form("/account/language"), ("language", "tlh"))


def faults_of_people(visitor: Person) -> Iterator[Shown]:
    form = visitor.get("/account").form("/account/colleagues", dealership="northside")
    right = {"name": "Otto", "email": "otto@northside.example", "role": "dealer", "password": "x" * 12}
    for field, typed in (
        ("name", "  "),
        ("name", LONG),
        ("name", "O\x00tto"),
        ("email", "nobody"),
        ("email", "a b@c.example"),
        ("email", "a@c"),
        ("email", f"{'a' * 80}@c.example"),
        ("email", "dealer@northside.example"),
        ("role", "admin"),
        ("password", "short"),
        ("password", LONG),
        ("dealership", "harbour"),
    ):
        yield visitor.submit(form, *{**right, field: typed}.items())
    with visitor.system.database.read() as work:
        own = work.people.account_by_email("dealer@northside.example")
    assert own is not None
    yield visitor.send(f"/account/colleagues/{own.id}/close", form.fields)
    yield visitor.send("/account/colleagues/acc_nobody/close", form.fields)


def faults_of_webhooks(visitor: Person) -> Iterator[Shown]:
    form = visitor.get("/webhooks").form("/webhooks")
    right = {"url": "https://example.com/", "types": "", "dealership": "northside"}
    for field, typed in (
        ("url", ""),
        ("url", "ftp://example.com"),
        ("url", "https://ana:secret@example.com"),
        ("url", f"https://example.com/{LONG}"),
        ("types", "OrderMoved OrderMoved"),
        ("types", "no event!"),
        ("types", " ".join(f"Order{number}" for number in range(101))),
        ("dealership", "harbour"),
        ("dealership", "nowhere"),
    ):
        yield visitor.submit(form, *{**right, field: typed}.items())
    for _ in range(20):
        visitor.submit(form, *right.items())
    yield visitor.submit(form, *right.items())
    link = next(link for link in visitor.get("/webhooks").links if link.startswith("/webhooks/"))
    yield visitor.send(f"{link}/deliveries/dlv_none/resend", form.fields[:1])
    visitor.send(f"{link}/end", form.fields[:1])
    yield visitor.send("/webhooks/whk_none/end", form.fields[:1])


def faults_of_queues(visitor: Person) -> Iterator[Shown]:
    form = visitor.get("/queues/orders").forms[-1]
    token = [(name, value) for name, value in form.fields if name == "csrf_token"]
    yield visitor.send("/queues/invoices/redrive", token)
    yield visitor.send("/queues/invoices/discard", token)
    yield visitor.send("/queues/invoices/discard", [*token, ("ids", "msg_1"), ("reason", LONG)])
    yield visitor.send("/queues/invoices/discard", [*token, ("ids", "msg_1"), ("reason", "a\x00b")])
    yield visitor.send("/queues/nothing/pause", token)


FORMS: dict[str, tuple[str, Callable[[Person], Iterator[Shown]]]] = {
    "account": ("quality", faults_of_the_account),
    "people": ("dealer@northside", faults_of_people),
    "webhooks": ("dealer@northside", faults_of_webhooks),
    "queues": ("operator", faults_of_queues),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_wrong_with_a_form_is_told_in_spanish(person: PersonOf, form: str) -> None:
    who, faults = FORMS[form]
    check(*faults(in_spanish(person(who))))


def test_a_refused_load_is_told_in_spanish(anyone: Client, person: PersonOf) -> None:
    first, second, early = placed(anyone), placed(anyone), placed(anyone)
    for order in (first, second):
        brought(anyone, order, "quality_passed")
    visitor = in_spanish(person("delivery"))
    form = visitor.get("/loads").form("/loads")
    check(
        visitor.submit(form),
        visitor.submit(form, ("orders", first["id"]), ("carrier", LONG)),
        visitor.submit(form, ("orders", first["id"]), ("carrier", "a\x00b")),
        visitor.submit(form, ("orders", "ord_none")),
        visitor.submit(form, ("orders", first["id"]), ("orders", first["id"])),
        visitor.submit(form, ("orders", early["id"])),
    )
    load = visitor.submit(form, ("orders", first["id"])).answer.headers["location"]
    other = visitor.submit(form, ("orders", second["id"])).answer.headers["location"]
    again = visitor.submit(form, ("orders", first["id"]), ("orders", early["id"]))
    assert f"Pedido {first['id'][-6:].upper()}: Está en la carga {load[-6:].upper()}." in again.text
    asked = visitor.get(f"{load}/departure").form(f"{load}/departure")
    changed = visitor.submit(visitor.get(load).form(load), ("orders", second["id"]))
    check(again, changed)
    with anyone.system.engine.begin() as connection:
        back = sa.text("UPDATE orders SET state = 'quality_check' WHERE id = :id")
        connection.execute(back, {"id": first["id"]})
    refused = visitor.submit(asked)
    assert f"Pedido {first['id'][-6:].upper()}: " in refused.text
    check(refused)
    assert visitor.submit(asked, action=f"{other}/departure").status == 303
    check(visitor.submit(asked, action=f"{other}/departure"))
    check(visitor.submit(asked, action="/loads/lod_none/departure"))


def test_a_refused_decision_is_told_in_spanish(anyone: Client, person: PersonOf) -> None:
    new, unpaid = placed(anyone), placed(anyone)
    decided(anyone.as_("dealer@northside"), unpaid["id"], "accept")
    dealer = in_spanish(person("dealer@northside"))
    address = f"/board/{new['id']}"
    decline = dealer.get(address).form(f"{address}/decisions", outcome="decline")
    accept = dealer.get(address).form(f"{address}/decisions", outcome="accept")
    check(
        dealer.submit(decline, ("details.reason", "")),
        dealer.submit(decline, ("details.reason", LONG)),
        dealer.submit(decline, ("details.reason", "\x07")),
        dealer.submit(decline, ("outcome", "pass")),
        dealer.submit(decline, ("outcome", "nothing")),
        dealer.submit(accept, action=f"/board/{unpaid['id']}/decisions"),
        dealer.send(f"{address}/payments", accept.fields),
        dealer.send(f"{address}/refunds/pay_none", accept.fields),
    )
    paying = dealer.send(f"/board/{unpaid['id']}/payments", accept.fields)
    assert paying.status == 303
    check(dealer.send(f"/board/{unpaid['id']}/payments", accept.fields))
    anyone.system.process()
    check(dealer.send(f"/board/{unpaid['id']}/payments", accept.fields))
    with anyone.system.database.read() as work:
        (made,) = work.billing.payments(unpaid["id"])
    check(dealer.send(f"/board/{unpaid['id']}/refunds/{made.id}", accept.fields))
    dealer.submit(accept)
    check(dealer.submit(decline, ("details.reason", "sold")))
    anyone.system.process()
    check(dealer.submit(decline, ("details.reason", "sold")))


def test_a_refused_start_and_a_refused_override_are_told_in_spanish(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)
    decided(anyone.as_("dealer@northside"), order["id"], "accept")
    manager = in_spanish(person("production"))
    address = f"/board/{order['id']}"
    shown = manager.get(address)
    assert english_in(shown) == []
    start = [("outcome", "start_production"), ("step", _step(anyone, order)), *_token(shown)]
    check(
        manager.send(f"{address}/decisions", [*start, ("details.line", "A")]),
        manager.send(f"{address}/decisions", [*start, ("details.line", "Z")]),
        manager.send(f"{address}/decisions", start),
    )
    admin = in_spanish(person("admin"))
    put = admin.get(address).form(f"{address}/state")
    check(
        admin.submit(put, ("state", "order_placed"), ("reason", "")),
        admin.submit(put, ("state", "order_placed"), ("reason", "a\x00b")),
        admin.submit(put, ("state", "nowhere"), ("reason", "lost")),
        admin.submit(put, ("state", "production_started"), ("reason", "lost"), ("line", "Z")),
    )
    paid(anyone, order)
    with anyone.system.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE lines SET taken = places")
    check(
        manager.send(f"{address}/decisions", [*start, ("details.line", "A")]),
        admin.submit(put, ("state", "production_started"), ("reason", "lost"), ("line", "A")),
    )
    assert english_in(manager.get(address)) == []


def test_what_a_customer_is_refused_is_told_in_spanish(anyone: Client) -> None:
    visitor = Visitor(anyone, "es")
    page = visitor.get("/order")
    right = {"dealership": "northside", "name": "Ana", "email": "ana@example.com"}
    for field, typed in (
        ("name", ""),
        ("name", LONG),
        ("email", "nobody"),
        ("email", "a b@c.example"),
        ("phone", "12"),
        ("phone", "not a number"),
        ("language", "tlh"),
        ("company", LONG),
        ("address", "\x07"),
        ("tax_id", LONG),
        ("note", "x" * 40_000),
        ("dealership", "nowhere"),
        ("order_key", "x" * 300),
    ):
        refused = visitor.fill(page, "/order", {**right, field: typed})
        assert refused.status_code in (400, 422), (field, refused.status_code)
        assert _english(refused.text) == [], field
    order = visitor.order(**right)
    assert _english(order.text) == []
    anyone.system.process()
    address = order.url.path + "/decisions/cancel?" + order.url.query.decode()
    asked = visitor.get(address)
    for typed in (LONG, "\x07"):
        refused = visitor.fill(asked, order.url.path, {"details.reason": typed})
        assert refused.status_code == 422
        assert _english(refused.text) == []
    assert _english(visitor.get(f"{order.url.path}?key=wrong").text) == []


def test_a_refused_login_is_told_in_spanish(anyone: Client) -> None:
    visitor = Visitor(anyone, "es")
    for _ in range(11):
        refused = visitor.log_in("quality@factory.example", "guess")
        assert _english(refused.text) == []
    assert refused.status_code == 429


# --- pages ---


@pytest.mark.parametrize("who", ["dealer@northside", "production", "delivery", "operator", "head1", "admin"])
def test_a_page_that_is_asked_for_wrongly_says_so_in_spanish(person: PersonOf, who: str) -> None:
    visitor = in_spanish(person(who))
    pages = [visitor.get(path) for path, roles in OPEN_TO.items() if who not in roles]
    wrong = ("state=nowhere", f"q={LONG}", f"state=order_placed&cursor={LONG[:20]}", "view=none")
    pages += [visitor.get(f"/board?{query}") for query in wrong]
    check(
        *(page for page in pages if page.status != 200),
        visitor.get("/board/ord_none"),
    )
    assert len([page for page in pages if page.status == 400]) >= 3


def test_every_page_of_every_role_is_spanish(anyone: Client, person: PersonOf) -> None:
    for state in ("order_placed", "order_arrived", "production_started", "quality_passed", "at_dealership"):
        order = placed(anyone)
        brought(anyone, order, state)
    for path, roles in OPEN_TO.items():
        for who in roles[:1] if path in ("/account", "/mail") else roles:
            shown = in_spanish(person(who)).get(path)
            assert shown.status == 200
            assert english_in(shown) == [], (path, who)
    for who in ("dealer@northside", "admin", "operator"):
        assert english_in(in_spanish(person(who)).get(f"/board/{order['id']}")) == []


def _english(html: str) -> list[str]:
    bare = re.sub(r"(?s)<(script|style)\b.*?</\1>|<[^>]+>", " ", html)
    return [bare[max(0, at.start() - 40) : at.end() + 40] for at in ENGLISH.finditer(NAMES.sub("", bare))]


def _token(shown: Shown) -> list[tuple[str, str]]:
    return [pair for form in shown.forms for pair in form.fields if pair[0] == "csrf_token"][:1]


def _step(anyone: Client, order: dict[str, str]) -> str:
    found = anyone.as_("admin").get(f"{API}/orders/{order['id']}").json()
    return str(found["step"])
