from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from httpx import Response

from dealerflow.application import reference_files as files
from dealerflow.domain.errors import Unavailable
from dealerflow.web.pages.configurator import configure
from dealerflow.web.pages.fields import Fields
from dealerflow.web.pages.texts import texts_in
from tests.web.harness import DEMO, Client, WithRealIds, running
from tests.web.outages import without_database
from tests.web.pages.visitor import Visitor, forms_of
from tests.web.test_intake import FullDisk

CUSTOMER = {"dealership": "northside", "name": "Ana Núñez", "email": "ana@example.com"}


@pytest.fixture
def anyone(tmp_path: Path) -> Iterator[Client]:
    """As for all pages, with ids that tell when they were made."""
    with running(f"sqlite:///{tmp_path / 'dealerflow.db'}", tmp_path, made=WithRealIds) as client:
        yield client


def stored(visitor: Visitor) -> list[str]:
    """The ids of the orders in the database, once everything is processed."""
    visitor.system.process()
    with visitor.system.engine.connect() as connection:
        return [row[0] for row in connection.exec_driver_sql("SELECT id FROM orders ORDER BY id")]


def total(page: Response) -> str:
    (found,) = re.findall(r'id="total">([^<]+)<', page.text)
    return str(found)


def told(page: Response) -> list[str]:
    """What is wrong, as the page says it beside its fields."""
    return re.findall(r'<p class="fault" id="[a-z_]+-fault">.*?<span>([^<]+)</span>', page.text, re.DOTALL)


# --- choosing ----------------------------------------------------------------------------------------------------------


def test_the_page_shows_a_whole_car_with_its_price_from_the_start(visitor: Visitor) -> None:
    page = visitor.get("/order")
    assert total(page) == "€31,900.00"
    assert "Harbour Cars" in page.text


def test_a_dealership_can_link_to_a_car(visitor: Visitor) -> None:
    page = visitor.get(
        "/order?dealership=harbour&model=solano&trim=cross&colour=forest-green&options=tow-bar"
    )
    assert total(page) == "€28,640.00"
    (form,) = [form for form in forms_of(page.text) if form.action == "/order"]
    assert form.fields["dealership"] == ["harbour"]
    assert form.fields["trim"] == ["cross"]


@pytest.mark.parametrize(
    "query", ["dealership=x&model=y&trim=z&colour=w&options=v", "model=", "options=", "trim=%00"]
)
def test_a_link_to_what_there_is_not_shows_what_there_is(visitor: Visitor, query: str) -> None:
    page = visitor.get(f"/order?{query}")
    assert page.status_code in {200, 400}
    if page.status_code == 200:
        assert total(page) == "€31,900.00"


def test_the_price_follows_what_is_chosen(visitor: Visitor) -> None:
    choice = {**CUSTOMER, "trim": "touring", "colour": "deep-blue", "options": ["tow-bar", "winter-pack"]}
    page = visitor.get("/order")
    fields = {**forms_of(page.text)[-1].fields, **choice}
    assert total(visitor.send("/order/price", fields)) == "€38,380.00"


def test_what_was_typed_stays_when_the_price_is_asked_for(visitor: Visitor) -> None:
    fields = {**forms_of(visitor.get("/order").text)[-1].fields, **CUSTOMER, "note": "<b>Hello</b>\nthere"}
    page = visitor.send("/order/price", fields)
    (form,) = [form for form in forms_of(page.text) if form.action == "/order"]
    assert form.fields["name"] == ["Ana Núñez"]
    assert "".join(form.fields["note"]) == "<b>Hello</b>\nthere"
    assert "<b>Hello" not in page.text


@pytest.mark.parametrize(
    ("options", "trim", "said"),
    [
        (
            ["trailer-assist"],
            "base",
            "Trailer assist needs Tow bar, detachable. Add it, or leave Trailer assist out.",
        ),
        (
            ["panorama-roof", "roof-rails"],
            "base",
            "Panorama roof and Roof rails cannot be had together. Leave one of them out.",
        ),
        (["sport-seats"], "base", "Sport seats is only for Sport, not for Base."),
    ],
)
def test_a_broken_rule_is_explained_by_the_names_on_the_page(
    visitor: Visitor, options: list[str], trim: str, said: str
) -> None:
    choice = {**CUSTOMER, "trim": trim, "options": options}
    page = visitor.fill(visitor.get("/order"), "/order", choice)
    assert page.status_code == 422
    assert said in page.text
    assert stored(visitor) == []


def test_a_broken_rule_is_explained_in_spanish_too(anyone: Client) -> None:
    visitor = Visitor(anyone, "es")
    page = visitor.get("/order?options=trailer-assist")
    assert "Asistente de remolque necesita Enganche de remolque, desmontable." in page.text


def test_every_rule_is_said_at_each_option_before_it_is_broken(visitor: Visitor) -> None:
    page = visitor.get("/order").text
    assert "Needs: Tow bar, detachable" in page
    assert "Not together with: Roof rails" in page
    assert "Not together with: Panorama roof" in page  # said at both, though the catalogue says it once
    assert "Only for: Touring, Sport" in page


def test_an_option_that_the_trim_does_not_have_is_closed(visitor: Visitor) -> None:
    page = visitor.get("/order?trim=base").text
    assert re.search(r'id="option-sport-seats"[^>]* data-closed', page)
    assert not re.search(r'id="option-sport-seats"[^>]* data-closed', visitor.get("/order?trim=sport").text)


def test_another_model_is_shown_before_it_can_be_ordered(visitor: Visitor) -> None:
    page = visitor.fill(visitor.get("/order"), "/order", {**CUSTOMER, "model": "alcor"})
    assert "This is another model" in page.text
    assert stored(visitor) == []
    visitor.follow(visitor.fill(page, "/order"))
    assert len(stored(visitor)) == 1


def test_a_model_that_the_dealership_does_not_sell_is_named(visitor: Visitor) -> None:
    snapshot = visitor.system.web.intake.snapshot
    assert snapshot is not None
    limited = msgspec.structs.replace(snapshot.dealerships["harbour"], models=("solano",))
    known = msgspec.structs.replace(snapshot, dealerships={**snapshot.dealerships, "harbour": limited})
    texts = texts_in("en")
    car = configure(known, Fields([("dealership", "harbour"), ("model", "meridian")]), texts)
    assert car.faults == ("Not sold by Harbour Cars",)
    assert not car.whole
    other = configure(known, Fields([("dealership", "harbour")]), texts)
    assert other.choice.model == "solano"
    assert [pick.code for pick in other.models if pick.closed] == ["meridian", "alcor"]


def test_a_dealership_with_another_currency_is_priced_in_it(visitor: Visitor) -> None:
    snapshot = visitor.system.web.intake.snapshot
    assert snapshot is not None
    abroad = msgspec.structs.replace(snapshot.dealerships["harbour"], currency="USD")
    known = msgspec.structs.replace(snapshot, dealerships={"harbour": abroad})
    car = configure(known, Fields(), texts_in("en"))
    assert car.dealership is abroad  # the only one there is
    assert car.total is not None
    assert (car.total.amount, car.total.currency) == (3_450_000, "USD")
    nowhere = msgspec.structs.replace(abroad, currency="CHF")
    unpriced = configure(
        msgspec.structs.replace(snapshot, dealerships={"harbour": nowhere}), Fields(), texts_in("en")
    )
    assert unpriced.total is None
    assert not unpriced.whole


# --- ordering ----------------------------------------------------------------------------------------------------------


def test_an_order_leads_to_its_own_page(visitor: Visitor) -> None:
    page = visitor.order(
        note="Please call.", company="Núñez & Co", tax_id="ESX1", address="Calle 1\n11001 Cádiz"
    )
    assert page.status_code == 200
    assert "Your order has been received" in page.text
    assert "Received" in page.text
    (order,) = stored(visitor)
    with visitor.system.database.read() as work:
        customer, revision = work.orders.customer(order), work.orders.revision(order)
    assert (customer.name, customer.company, customer.address) == (
        "Ana Núñez",
        "Núñez & Co",
        "Calle 1\n11001 Cádiz",
    )
    assert (revision.price, revision.note) == (3_190_000, "Please call.")


def test_an_order_is_taken_while_the_database_is_away(anyone: Client) -> None:
    visitor = Visitor(anyone)
    with without_database(anyone):
        page = visitor.order()
        assert page.status_code == 200
        assert "We have your order" in page.text
    assert len(stored(visitor)) == 1


def test_somebody_logged_in_can_order_while_the_database_is_away(anyone: Client) -> None:
    visitor = Visitor(anyone)
    visitor.log_in("dealer@northside.example")
    with without_database(anyone):
        assert visitor.order().status_code == 200
    assert len(stored(visitor)) == 1


def test_sending_a_form_twice_orders_one_car(visitor: Visitor) -> None:
    page = visitor.get("/order")
    first, second = (visitor.fill(page, "/order", CUSTOMER) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    assert len(stored(visitor)) == 1


def test_another_car_from_the_same_form_is_asked_about_and_then_ordered(visitor: Visitor) -> None:
    page = visitor.get("/order")
    visitor.fill(page, "/order", CUSTOMER)
    again = visitor.fill(page, "/order", {**CUSTOMER, "name": "Ana María Núñez"})
    assert again.status_code == 409
    assert "You have already ordered a car with this form" in again.text
    visitor.follow(visitor.fill(again, "/order"))
    assert len(stored(visitor)) == 2


def test_a_price_that_has_changed_is_shown_before_anything_is_ordered(visitor: Visitor) -> None:
    page = visitor.get("/order")
    raise_prices(visitor)
    changed = visitor.fill(page, "/order", CUSTOMER)
    assert changed.status_code == 409
    assert "The price has changed from €31,900.00 to €32,900.00" in changed.text
    assert stored(visitor) == []
    visitor.follow(visitor.fill(changed, "/order"))
    assert len(stored(visitor)) == 1


def raise_prices(visitor: Visitor) -> None:
    text = (DEMO / "catalogue.json").read_text("utf-8").replace('"EUR": 3190000', '"EUR": 3290000')
    with visitor.system.database.begin() as work:
        files.put_catalogue(work, text.encode())
    visitor.system.web.upkeep.step()


def test_a_choice_that_was_changed_without_asking_for_its_price_is_shown_first(visitor: Visitor) -> None:
    page = visitor.fill(visitor.get("/order"), "/order", {**CUSTOMER, "trim": "sport"})
    assert page.status_code == 409
    assert "from €31,900.00 to €38,800.00" in page.text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"dealership": None}, ["Please choose a dealership."]),
        ({"dealership": "closed-down"}, ["Please choose a dealership."]),
        ({"name": ""}, ["Please fill this in."]),
        ({"name": "   "}, ["Please fill this in."]),
        ({"name": "x" * 201}, ["This is too long: 200 characters at most."]),
        ({"name": "A\x07na"}, ["This holds signs that cannot be kept. Please type it anew."]),
        ({"email": "ana"}, ["This is no e-mail address; it looks like name@example.com."]),
        ({"phone": "call me"}, ["This is no phone number; it looks like +353 1 234 5678."]),
        ({"language": "xx"}, ["Please choose a language."]),
        ({"note": "x" * 2001}, ["This is too long: 2000 characters at most."]),
        ({"address": "x" * 501}, ["This is too long: 500 characters at most."]),
        (
            {"tax_id": "x" * 41, "company": "y" * 201},
            ["This is too long: 200 characters at most.", "This is too long: 40 characters at most."],
        ),
        (
            {"dealership": None, "name": "", "email": "ana", "phone": "x"},
            [
                "Please choose a dealership.",
                "Please fill this in.",
                "This is no e-mail address; it looks like name@example.com.",
                "This is no phone number; it looks like +353 1 234 5678.",
            ],
        ),
    ],
)
def test_everything_that_is_wrong_is_said_beside_its_field_at_once(
    visitor: Visitor, typed: dict[str, str | None], said: list[str]
) -> None:
    page = visitor.fill(visitor.get("/order"), "/order", {**CUSTOMER, **typed})
    assert page.status_code == 422
    assert "Something needs your attention" in page.text
    assert sorted(told(page)) == sorted(said)
    assert stored(visitor) == []


def test_what_is_wrong_is_tied_to_its_field_for_those_who_listen(visitor: Visitor) -> None:
    page = visitor.fill(visitor.get("/order"), "/order", {**CUSTOMER, "email": "ana"})
    (field,) = re.findall(r'<input id="email"[^>]*>', page.text)
    assert 'aria-invalid="true"' in field
    assert 'aria-describedby=" email-fault"' in field or 'aria-describedby="email-fault"' in field


@pytest.mark.parametrize(
    "typed",
    [
        {"shown_price": "nonsense"},
        {"shown_price": "99999999999999999999999 EUR"},
        {"shown_price": "-1 EUR"},
        {"order_key": ""},
        {"order_key": "a b\x00"},
        {"order_key": "k" * 300},
        {"shown_model": ""},
        {"options": [f"option-{number}" for number in range(100)]},
        {"trim": "nothing", "colour": "nothing"},
    ],
)
def test_a_form_that_was_tampered_with_does_no_harm(visitor: Visitor, typed: dict[str, str]) -> None:
    answer = visitor.fill(visitor.get("/order"), "/order", {**CUSTOMER, **typed})
    assert answer.status_code in {200, 303, 400, 409, 422}


def test_who_orders_is_asked_to_come_back_while_the_disk_is_full(visitor: Visitor) -> None:
    page = visitor.get("/order")
    visitor.system.web.intake.spool = FullDisk()
    answer = visitor.fill(page, "/order", CUSTOMER)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "3"
    assert "could not be taken just now" in answer.text


def test_what_was_typed_stays_while_the_disk_is_full_and_is_one_order_when_it_is_sent_again(
    visitor: Visitor,
) -> None:
    page, spool = visitor.get("/order"), visitor.system.web.intake.spool
    visitor.system.web.intake.spool = FullDisk()
    refused = visitor.fill(page, "/order", CUSTOMER)
    visitor.system.web.intake.spool = spool
    taken = visitor.fill(refused, "/order")  # as it stands there
    again = visitor.fill(page, "/order", CUSTOMER)
    assert (taken.status_code, again.status_code) == (303, 303)
    assert taken.headers["location"] == again.headers["location"]


def test_there_is_nothing_to_order_before_there_is_a_catalogue(visitor: Visitor) -> None:
    visitor.system.web.intake.snapshot = None
    answer = visitor.get("/order")
    assert answer.status_code == 503
    assert str(Unavailable().retry_after_s) == answer.headers["retry-after"]


def test_what_is_wrong_far_below_is_named_above_the_form(visitor: Visitor) -> None:
    answer = visitor.fill(visitor.get("/order?dealership=northside"), "/order", {"email": "ana@example.com"})
    assert answer.status_code == 422
    said = answer.text[answer.text.index('id="said"') : answer.text.index('id="order"')]
    assert '<a href="#name">Name</a>: Please fill this in.' in said
    assert "E-mail" not in said
