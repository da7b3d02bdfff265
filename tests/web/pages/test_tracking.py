from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from httpx import Response
from markupsafe import escape

from dealerflow.application.orders import DecisionForm, decide
from dealerflow.application.tracking import renew_link
from dealerflow.domain.errors import Outage
from dealerflow.domain.people import Account, Caller
from dealerflow.web.system import WebSystem
from tests.web.harness import Client, WithRealIds, address, running
from tests.web.outages import without_database
from tests.web.pages.visitor import Visitor, forms_of


@pytest.fixture
def anyone(tmp_path: Path) -> Iterator[Client]:
    """As for all pages, with ids that tell when they were made."""
    with running(f"sqlite:///{tmp_path / 'dealerflow.db'}", tmp_path, made=WithRealIds) as client:
        yield client


class Tracked:
    """A customer with an order, and the staff who move it on."""

    def __init__(self, visitor: Visitor, **typed: str) -> None:
        self.visitor = visitor
        self.received = visitor.order(**typed)
        self.url = str(self.received.url).partition("dealerflow.test")[2]
        self.id = re.findall(r"/orders/(\w+)", self.url)[0]
        visitor.system.process()

    def page(self) -> Response:
        return self.visitor.get(self.url)

    def staff(self, who: str) -> Account:
        with self.visitor.system.database.read() as work:
            return next(a for a in work.reference.accounts() if a.email == address(who))

    def move(self, who: str, outcome: str, **details: object) -> None:
        with self.visitor.system.database.begin() as work:
            step = work.orders.get(self.id).step
            decide(
                work,
                Caller(account=self.staff(who)),
                self.id,
                DecisionForm(outcome=outcome, step=step, details=details),
            )
        self.visitor.system.process()

    def pay(self) -> Response:
        answer = self.visitor.fill(self.page(), f"/orders/{self.id}/payments")
        self.visitor.system.process()
        return answer

    def state(self) -> str:
        with self.visitor.system.database.read() as work:
            return work.orders.get(self.id).state


@pytest.fixture
def tracked(visitor: Visitor) -> Tracked:
    return Tracked(visitor)


def stations(page: Response) -> dict[str, str]:
    """Title → done, now or next."""
    found = re.findall(r'<li class="(\w+)"[^>]*>\s*<span class="station">([^<]+)<', page.text)
    return {title: place for place, title in found}


# --- who may look ------------------------------------------------------------------------------------------------------


def test_an_order_without_its_key_is_not_there(tracked: Tracked) -> None:
    answer = tracked.visitor.get(f"/orders/{tracked.id}")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


@pytest.mark.parametrize("key", ["", "0.wrong", "0." + "A" * 24, "1." + "A" * 24, "%00", "é"])
def test_a_wrong_key_opens_nothing(tracked: Tracked, key: str) -> None:
    for page in ("", "/decisions/cancel", "/documents/doc_1"):
        assert tracked.visitor.get(f"/orders/{tracked.id}{page}?key={key}").status_code in {400, 404}


def test_the_key_of_one_order_opens_and_decides_no_other(visitor: Visitor) -> None:
    one, other = Tracked(visitor), Tracked(visitor, name="Somebody Else")
    key = one.url.partition("?key=")[2]
    assert visitor.get(f"/orders/{other.id}?key={key}").status_code == 404
    question = visitor.get(other.url.replace("?", "/decisions/cancel?"))
    refused = visitor.send(
        f"/orders/{other.id}/decisions/cancel?key={key}", forms_of(question.text)[0].fields
    )
    assert refused.status_code == 404
    visitor.system.process()
    assert other.state() == "order_placed"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_customer_pays_beside_a_tab_in_which_staff_log_in_and_out(tracked: Tracked, when: str) -> None:
    tracked.move("dealer@northside", "accept")
    visitor = tracked.visitor
    if when == "before":
        visitor.log_in(address("production"))
    page = tracked.page()
    if when == "before":
        visitor.fill(page, "/logout")
    else:
        visitor.log_in(address("production"))
    paid = visitor.fill(page, f"/orders/{tracked.id}/payments")
    assert paid.status_code == 303, paid.text
    visitor.system.process()
    assert "Everything is paid" in tracked.page().text


def test_a_session_pays_nothing_without_the_key(tracked: Tracked) -> None:
    tracked.move("dealer@northside", "accept")
    tracked.visitor.log_in(address("dealer@northside"))
    form = next(form for form in forms_of(tracked.page().text) if form.action.endswith(tracked.url[-10:]))
    refused = tracked.visitor.send(f"/orders/{tracked.id}/payments", form.fields)
    assert refused.status_code == 404


def test_a_new_link_makes_the_old_one_void(tracked: Tracked) -> None:
    with tracked.visitor.system.database.begin() as work:
        number = renew_link(work, Caller(account=tracked.staff("dealer@northside")), tracked.id)
    assert tracked.page().status_code == 404
    key = tracked.visitor.system.links.make(tracked.id, number)
    assert tracked.visitor.get(f"/orders/{tracked.id}?key={key}").status_code == 200


def test_staff_without_the_key_are_led_to_the_board(tracked: Tracked) -> None:
    tracked.visitor.log_in("dealer@northside.example")
    answer = tracked.visitor.get(f"/orders/{tracked.id}")
    assert answer.headers["location"] == f"/board/{tracked.id}"


def test_with_the_key_staff_see_what_the_customer_sees(tracked: Tracked) -> None:
    tracked.visitor.log_in("dealer@northside.example")
    assert "Your Meridian Base" in tracked.page().text
    assert "Nora Keane" not in re.sub(r"<header.*?</header>", "", tracked.page().text, flags=re.DOTALL)


# --- where the car is --------------------------------------------------------------------------------------------------


def test_an_order_is_received_from_its_first_moment(tracked: Tracked) -> None:
    assert "We have your order" in tracked.received.text
    assert stations(tracked.received)["Received"] == "now"


def test_an_order_that_is_received_is_shown_while_the_database_is_away(anyone: Client) -> None:
    visitor = Visitor(anyone)
    with without_database(anyone):
        page = visitor.order()
        again = visitor.get(str(page.url))
    assert "We have your order" in again.text


def test_who_ordered_sees_what_was_ordered_before_it_is_processed_and_while_the_database_is_away(
    anyone: Client,
) -> None:
    visitor = Visitor(anyone, "es")
    with without_database(anyone):
        others = [visitor.order(name=f"Otto {number}", dealership="harbour") for number in range(3)]
        page = visitor.order(
            model="meridian",
            trim="touring",
            colour="deep-blue",
            options=["tow-bar"],
            note="¿Antes de mayo?",
            shown_price="",
        )
        more = [visitor.order(name=f"Ida {number}") for number in range(3)]
        again = visitor.get(str(page.url))
    assert "Tenemos su pedido" in again.text
    words = (
        "Touring",
        "Azul profundo",
        "Northside Motors",
        "Ana Núñez",
        "ana@example.com",
        "¿Antes de mayo?",
    )
    for said in (*words, "tal como figura"):
        assert said in again.text, said
    assert not re.search(r"Otto|Ida", again.text)
    assert "Harbour" in visitor.get(str(others[1].url)).text
    assert "Ida 2" in visitor.get(str(more[2].url)).text
    asked = f"/api/v1/orders/{page.url.path.rpartition('/')[2]}?{page.url.query.decode()}"
    assert visitor.get(asked).json()["vehicle"] is None, "the interface tells it once it is processed"


def test_what_was_ordered_is_shown_to_nobody_with_a_wrong_key(anyone: Client) -> None:
    visitor = Visitor(anyone)
    page = visitor.order()
    assert "Ana Núñez" in page.text
    for key in ("wrong", "0.wrong", "1.wrong"):
        assert visitor.get(f"{page.url.path}?key={key}").status_code == 404


class WhatCannotBeAsked(WithRealIds):
    """What holds its orders cannot be read now."""

    def _web(self) -> WebSystem:
        return replace(super()._web(), received=self._away)

    def _away(self, _: str) -> None:
        raise Outage


def test_what_was_ordered_is_not_told_where_what_holds_it_cannot_be_asked(tmp_path: Path) -> None:
    with running(f"sqlite:///{tmp_path / 'other.db'}", tmp_path, made=WhatCannotBeAsked) as client:
        page = Visitor(client).order()
        assert "what you ordered then appears here" in page.text
        assert "Ana Núñez" not in page.text


def test_a_processed_order_asks_to_come_back_while_the_database_is_away(anyone: Client) -> None:
    tracked = Tracked(Visitor(anyone))
    anyone.system.spool.prune(anyone.system.spool.last)
    anyone.system.clock.pass_ms(1_000)
    with without_database(anyone):
        answer = tracked.page()
    assert answer.status_code == 503
    assert "Please come back in a moment" in answer.text


def test_the_line_follows_the_car(tracked: Tracked) -> None:
    assert stations(tracked.page())["Waiting for the dealership"] == "now"
    tracked.move("dealer@northside", "accept")
    tracked.pay()
    tracked.move("production", "start_production", line="A")
    tracked.move("line-a", "finish")
    line = stations(tracked.page())
    assert [
        line[name]
        for name in ("Received", "Order arrived", "In production", "Quality check", "Passed quality")
    ] == [
        "done",
        "done",
        "done",
        "now",
        "next",
    ]


def test_a_car_beside_the_line_is_explained_without_its_defects(tracked: Tracked) -> None:
    tracked.move("dealer@northside", "accept")
    tracked.pay()
    tracked.move("production", "start_production", line="A")
    tracked.move("line-a", "finish")
    tracked.move("quality", "fail", defects=["paint"], note="scratch on the left")
    page = tracked.page()
    assert "Now: Failed quality" in page.text
    assert stations(page)["Quality check"] == "done"
    assert "scratch" not in page.text
    assert "Quentin" not in page.text
    tracked.move("line-a", "rework")
    line = stations(tracked.page())
    assert (line["In production"], line["Quality check"]) == ("now", "next")
    assert re.search(r'<code id="vin">[A-HJ-NPR-Z0-9]{17}</code>', tracked.page().text)


def test_a_decline_is_told_with_its_reason(tracked: Tracked) -> None:
    tracked.move("dealer@northside", "decline", reason="This <trim> is no longer built.")
    page = tracked.page()
    assert "This order ended here: Declined" in page.text
    assert "This &lt;trim&gt; is no longer built." in page.text
    assert f"/orders/{tracked.id}/payments" not in page.text


def test_the_page_speaks_the_language_of_its_reader(anyone: Client) -> None:
    tracked = Tracked(Visitor(anyone, "es"))
    page = tracked.page()
    assert "A la espera del concesionario" in page.text
    assert "31.900,00" in page.text


@pytest.mark.parametrize("text", ['<script>alert("x")</script>', "' onmouseover='x", "{{ 7 * 7 }}", "&amp;"])
def test_what_a_customer_typed_stays_text(visitor: Visitor, text: str) -> None:
    page = Tracked(visitor, name=text, note=text).page().text
    assert page.count(str(escape(text))) == 2


# --- paying ------------------------------------------------------------------------------------------------------------


def test_nothing_can_be_paid_before_the_dealership_has_accepted(tracked: Tracked) -> None:
    page = tracked.page()
    assert "You can pay as soon as the dealership has accepted" in page.text
    assert f"/orders/{tracked.id}/payments" not in page.text


def test_a_payment_is_taken_processed_and_invoiced(tracked: Tracked) -> None:
    tracked.move("dealer@northside", "accept")
    answer = tracked.visitor.fill(tracked.page(), f"/orders/{tracked.id}/payments")
    processing = tracked.visitor.follow(answer)
    assert "Your payment is being processed." in processing.text
    assert "Pay €" not in processing.text
    tracked.visitor.system.process()
    paid = tracked.page()
    assert "Everything is paid" in paid.text
    (invoice,) = re.findall(r'href="(/orders/\w+/documents/[^"]+)"', paid.text)
    pdf = tracked.visitor.get(invoice)
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF")


def test_paying_twice_takes_the_money_once(tracked: Tracked) -> None:
    tracked.move("dealer@northside", "accept")
    page = tracked.page()
    first, second = (tracked.visitor.fill(page, f"/orders/{tracked.id}/payments") for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 409)
    assert "This could not be paid now" in second.text
    tracked.visitor.system.process()
    assert tracked.page().text.count("€31,900.00</strong>") == 1


def test_another_sum_than_the_one_that_is_due_is_not_taken(tracked: Tracked) -> None:
    tracked.move("dealer@northside", "accept")
    answer = tracked.visitor.fill(tracked.page(), f"/orders/{tracked.id}/payments", {"sum": "1 EUR"})
    assert answer.status_code == 409


def test_a_deposit_is_paid_first_and_the_rest_later(visitor: Visitor) -> None:
    tracked = Tracked(visitor, dealership="lakeside")
    tracked.move("dealer@lakeside", "accept")
    assert "Pay €6,380.00" in tracked.page().text
    tracked.pay()
    assert "Pay €25,520.00" in tracked.page().text
    tracked.pay()
    assert tracked.page().text.count("Invoice LAKESIDE-") == 2


def test_a_document_is_only_for_those_of_its_order(visitor: Visitor) -> None:
    one, other = Tracked(visitor), Tracked(visitor)
    for tracked in (one, other):
        tracked.move("dealer@northside", "accept")
        tracked.pay()
    (of_other,) = re.findall(r'href="/orders/\w+/documents/(\w+)\?', other.page().text)
    key = one.url.partition("?key=")[2]
    assert visitor.get(f"/orders/{one.id}/documents/{of_other}?key={key}").status_code == 404
    assert visitor.get(f"/orders/{other.id}/documents/{of_other}").status_code == 404
    visitor.log_in("dealer@harbour.example")
    assert visitor.get(f"/orders/{other.id}/documents/{of_other}").status_code == 404


# --- cancelling --------------------------------------------------------------------------------------------------------


def test_cancelling_asks_once_more_and_then_gives_the_money_back(tracked: Tracked) -> None:
    tracked.move("dealer@northside", "accept")
    tracked.pay()
    (ask,) = re.findall(r'href="(/orders/\w+/decisions/cancel\?[^"]+)"', tracked.page().text)
    question = tracked.visitor.get(ask)
    assert "Cancel the order?" in question.text
    assert tracked.state() == "order_arrived"
    answer = tracked.visitor.fill(
        question, f"/orders/{tracked.id}/decisions", {"details.reason": "We move abroad."}
    )
    tracked.visitor.system.process()
    page = tracked.visitor.follow(answer)
    assert tracked.state() == "cancelled"
    assert "This order ended here: Cancelled" in page.text
    assert "To be refunded" in page.text
    assert "We move abroad." in page.text


def test_cancelling_is_no_longer_offered_once_the_car_is_being_built(tracked: Tracked) -> None:
    tracked.move("dealer@northside", "accept")
    tracked.pay()
    question = tracked.visitor.get(tracked.url.replace("?", "/decisions/cancel?"))
    tracked.move("production", "start_production", line="A")
    late = tracked.visitor.fill(question, f"/orders/{tracked.id}/decisions")
    assert late.status_code == 409
    assert "That is not possible any more" in late.text
    assert "decisions/cancel" not in tracked.page().text
    assert tracked.state() == "production_started"


def test_a_reason_that_is_too_long_is_said_beside_its_field(tracked: Tracked) -> None:
    question = tracked.visitor.get(tracked.url.replace("?", "/decisions/cancel?"))
    answer = tracked.visitor.fill(question, f"/orders/{tracked.id}/decisions", {"details.reason": "x" * 2001})
    assert answer.status_code == 422
    assert "2000" in answer.text
    assert tracked.state() == "order_placed"


@pytest.mark.parametrize("outcome", ["accept", "nonsense", "start_production"])
def test_customers_decide_nothing_that_is_not_theirs(tracked: Tracked, outcome: str) -> None:
    question = tracked.visitor.get(tracked.url.replace("?", "/decisions/cancel?"))
    fields = {
        name: re.findall(rf'name="{name}" value="([^"]+)"', question.text)[0]
        for name in ("csrf_token", "step")
    }
    key = tracked.url.partition("?key=")[2]
    answer = tracked.visitor.send(f"/orders/{tracked.id}/decisions/{outcome}?key={key}", fields)
    assert answer.status_code in {403, 409, 422}
    tracked.visitor.system.process()
    assert tracked.state() == "order_placed"
