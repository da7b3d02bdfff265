"""The board and an order's page: what is shown, what is decided, and what is said when it cannot be."""

from __future__ import annotations

import pytest

from dealerflow.domain import events
from dealerflow.domain.languages import LANGUAGES
from dealerflow.web.pages.texts import texts_in
from tests.web.api.life import brought, decided, paid, placed
from tests.web.harness import Client
from tests.web.pages.conftest import PersonOf

LARGEST_PAGE = 100_000
EVIL = "<script>alert(1)</script>&\"'"


def test_my_work_holds_the_states_in_which_i_am_waited_for(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)["id"]
    titles = {
        "dealer@northside": ("Waiting for the dealership", "On its way", "At the dealership"),
        "production": ("Order arrived",),
        "line-a": ("In production", "Failed quality"),
        "quality": ("Quality check",),
    }
    for who, columns in titles.items():
        text = person(who).get("/board").text.partition("Show")[2]  # behind the filters
        assert all(title in text for title in columns), who
        assert ("Ana Núñez" in text) is (who == "dealer@northside")
    assert order in person("admin").get("/board").html


def test_the_dealer_accepts_on_the_board(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)["id"]
    dealer = person("dealer@northside")
    page = dealer.get("/board")
    assert page.outcomes(order) == {"accept", "decline", "cancel"}
    done = dealer.submit(page.form(f"/board/{order}/decisions", outcome="accept"))
    assert done.answer.headers["location"] == "/board?view=mine"
    after = dealer.follow(done)
    assert "“Accept the order” is decided" in after.text
    assert "is being carried out" in after.text
    anyone.system.process()
    assert "Order arrived" in dealer.get(f"/board/{order}").text


def test_a_reason_that_is_missing_is_said_beside_its_field(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)["id"]
    dealer = person("dealer@northside")
    refused = dealer.decides(order, "decline", ("details.reason", "   "))
    assert refused.status == 422
    assert f'id="{order}-decline-reason-fault"' in refused.html
    assert f'<details class="move" id="{order}-decline" open>' in refused.html
    assert dealer.decides(order, "decline", ("details.reason", "We cannot get it.")).status == 303
    assert "Reason: We cannot get it." in dealer.get(f"/board/{order}").text


def test_what_was_typed_is_kept_when_something_else_is_wrong(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)
    brought(anyone, order, "quality_check")
    refused = person("quality").decides(order["id"], "fail", ("details.note", "left door"))
    assert refused.status == 422
    assert (
        dict(refused.form(f"/board/{order['id']}/decisions", outcome="fail").fields)["details.note"]
        == "left door"
    )


def test_who_was_quicker_is_named(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)["id"]
    dealer = person("dealer@northside")
    form = dealer.get(f"/board/{order}").form(f"/board/{order}/decisions", outcome="accept")
    decided(anyone.as_("dealer@northside"), order, "decline", reason="No.")
    late = dealer.submit(form)
    assert late.status == 409
    assert "You have decided “Decline the order” already" in late.text
    assert "now in “Declined”" in late.text


def test_another_person_who_was_quicker_is_named_before_it_is_carried_out(
    anyone: Client, person: PersonOf
) -> None:
    order = placed(anyone)
    brought(anyone, order, "order_arrived")
    production, dealer = person("production"), person("dealer@northside")
    action = f"/board/{order['id']}/decisions"
    cancel = dealer.get(f"/board/{order['id']}").form(action, outcome="cancel")
    start = production.get(f"/board/{order['id']}").form(action, outcome="start_production")
    assert production.submit(start, ("details.line", "A")).status == 303
    late = dealer.submit(cancel)
    assert late.status == 409
    assert "Petra Lindqvist has decided “Start production” in the meantime" in late.text


def test_a_payment_that_is_missing_blocks_the_move_and_says_so(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)["id"]
    decided(anyone.as_("dealer@northside"), order, "accept")
    production = person("production")
    page = production.get("/board")
    assert "Waits for payment: €31,900.00" in page.text
    assert page.outcomes(order) == set()
    step = anyone.as_("admin").get(f"/api/v1/orders/{order}").json()["step"]
    token = dict(page.form("/logout").fields)["csrf_token"]
    forced = [("csrf_token", token), ("outcome", "start_production"), ("step", step), ("details.line", "A")]
    refused = production.send(f"/board/{order}/decisions", forced)
    assert (refused.status, "is due before production" in refused.text) == (409, True)


def test_a_line_lead_moves_the_own_line_only(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)
    brought(anyone, order, "production_started")
    assert person("line-a").get("/board").outcomes(order["id"]) == {"finish"}
    other = person("line-b")
    assert order["id"] not in other.get("/board").html
    page = other.get(f"/board/{order['id']}")
    assert page.outcomes(order["id"]) == set()
    assert "made by: Assembly line lead" in page.text


def test_a_decision_leads_back_only_to_pages_of_ours(anyone: Client, person: PersonOf) -> None:
    dealer = person("dealer@northside")
    for back in ("https://evil.example/", "//evil.example", "/board\\evil", "/logout", "/board\r\nX: y"):
        order = placed(anyone)["id"]
        done = dealer.decides(order, "accept", ("back", back))
        assert done.answer.headers["location"] == f"/board/{order}"
    order = placed(anyone)["id"]
    done = dealer.decides(order, "accept", ("back", "/board?view=all&q=Ana"))
    assert done.answer.headers["location"] == "/board?view=all&q=Ana"


def test_text_of_a_customer_is_never_markup(anyone: Client, person: PersonOf) -> None:
    customer = {"name": EVIL, "email": "e@example.com", "company": EVIL, "address": EVIL, "tax_id": EVIL[:40]}
    order = placed(anyone, customer=customer, note=EVIL)["id"]
    decided(anyone.as_("dealer@northside"), order, "decline", reason=EVIL)
    for who, path in (
        ("admin", f"/board/{order}"),
        ("admin", "/board?view=all"),
        ("admin", "/board?q=%3Cscript%3E"),
        ("operator", "/mail"),
    ):
        page = person(who).get(path)
        assert page.status == 200
        assert "<script>alert" not in page.html
        assert "onerror" not in page.html


def test_search_finds_an_order_by_its_customer(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)["id"]
    other = placed(anyone, customer={"name": "Björn Åkesson", "email": "b@example.com"})["id"]
    page = person("operator").get("/board?q=nunez")
    assert order in page.html
    assert other not in page.html
    assert "No orders here" in person("operator").get("/board?q=nobody").text


def test_filters_narrow_the_board(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)["id"]
    admin = person("admin")
    assert order in admin.get("/board?dealership=northside&model=meridian&state=order_placed").html
    assert order not in admin.get("/board?dealership=harbour").html
    assert order not in admin.get("/board?state=ended").html
    assert admin.get("/board?state=nowhere").status == 400
    assert admin.get("/board?state=order_placed&cursor=garbage").status == 400


def test_a_full_column_goes_on_on_pages_of_its_own_and_stays_small(anyone: Client, person: PersonOf) -> None:
    ids = {anyone.place()["id"] for _ in range(45)}
    anyone.system.process()
    dealer = person("dealer@northside")
    board = dealer.get("/board")
    assert "Show all 45" in board.text
    assert len(board.html) < LARGEST_PAGE
    seen: set[str] = set()
    page = dealer.get("/board?state=order_placed")
    while True:
        assert len(page.html) < LARGEST_PAGE
        seen |= {order for order in ids if f'href="/board/{order}"' in page.html}
        following = [link for link in page.links if "cursor=" in link and "lang=" not in link]
        if not following:
            break
        page = dealer.get(following[0])
    assert seen == ids
    assert len(person("admin").get("/board?view=all").html) < LARGEST_PAGE


def test_the_history_has_names_defects_and_what_is_no_move(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)
    brought(anyone, order, "quality_check")
    decided(anyone.as_("quality"), order["id"], "fail", defects=["paint", "gap"], note="left door")
    page = person("head1").get(f"/board/{order['id']}")
    for words in (
        "Fail the car → Failed quality",
        "Defects: Paint, Panel gap",
        "Note: left door",
        "Quentin Moreau",
        "Line: Line A",
        "Payment recorded",
        "Failed quality once",
    ):
        assert words in page.text, words


def test_every_kind_of_event_has_words(anyone: Client) -> None:
    kinds = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}
    for language in LANGUAGES:
        assert {kind for kind in kinds if f"event.{kind}" not in texts_in(language)} == set()


def test_the_pages_speak_spanish(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)["id"]
    dealer = person("dealer@northside")
    page = dealer.get(f"/board/{order}?lang=es")
    assert '<html lang="es">' in page.html
    assert "Aceptar el pedido" in page.text
    assert "A la espera del concesionario" in page.text


def test_the_dealer_takes_a_payment_and_shows_the_invoice(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)["id"]
    dealer = person("dealer@northside")
    assert dealer.get(f"/board/{order}").status == 200
    dealer.decides(order, "accept")
    page = dealer.get(f"/board/{order}")
    assert dealer.submit(page.form(f"/board/{order}/payments")).status == 303
    again = dealer.submit(page.form(f"/board/{order}/payments"))
    assert (again.status, "being processed" in again.text) == (409, True)
    anyone.system.process()
    after = dealer.get(f"/board/{order}")
    assert "NORTHSIDE-2026-000001" in after.text
    link = next(link for link in after.links if "/documents/" in link)
    assert dealer.get(link).answer.content.startswith(b"%PDF")
    assert person("quality").get(link).status == 404


def test_a_dealer_s_stale_page_takes_no_other_payment_than_it_shows(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone, dealership="lakeside")[
        "id"
    ]  # 20 % before production, the rest before the handover
    dealer = person("dealer@lakeside")
    dealer.decides(order, "accept")
    stale = dealer.get(f"/board/{order}").form(f"/board/{order}/payments")
    assert dealer.submit(stale).status == 303
    anyone.system.process()
    again = dealer.submit(stale)
    assert (again.status, "Another amount is due: 25" in again.text) == (409, True)
    fresh = dealer.get(f"/board/{order}").form(f"/board/{order}/payments")
    assert dealer.submit(fresh).status == 303


def test_a_refund_is_recorded_on_the_order_s_page(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)
    brought(anyone, order, "order_arrived")
    dealer = person("dealer@northside")
    dealer.decides(order["id"], "cancel")
    page = dealer.get(f"/board/{order['id']}")
    assert "Refund asked for" in page.text
    form = next(form for form in page.forms if "/refunds/" in form.action)
    assert dealer.submit(form, ("reference", "bank 7")).status == 303
    assert dealer.submit(form).status == 409
    anyone.system.process()
    assert "Credit note" in dealer.get(f"/board/{order['id']}").text


def test_a_new_link_makes_the_old_one_void(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)
    dealer = person("dealer@northside")
    page = dealer.get(f"/board/{order['id']}")
    assert order["tracking_url"] in page.links
    assert dealer.submit(page.form(f"/board/{order['id']}/link")).status == 303
    assert anyone.get(f"/api/v1/orders/{order['id']}?key={order['key']}").status_code == 404
    assert order["tracking_url"] not in dealer.get(f"/board/{order['id']}").links


def test_the_administrator_puts_an_order_in_another_state_with_a_reason(
    anyone: Client, person: PersonOf
) -> None:
    order = placed(anyone)["id"]
    admin = person("admin")
    action = f"/board/{order}/state"
    form = admin.get(f"/board/{order}").form(action)
    refused = admin.submit(form, ("state", "quality_passed"), ("reason", " "))
    assert (refused.status, "say why" in refused.text) == (422, True)
    no_line = admin.submit(form, ("state", "production_started"), ("reason", "repair"))
    assert (no_line.status, 'id="line-fault"' in no_line.html) == (422, True)
    assert (
        admin.submit(form, ("state", "declined"), ("reason", "a test order"), ("silent", "yes")).status == 303
    )
    page = admin.get(f"/board/{order}")
    assert "Put by hand → Declined" in page.text
    assert "Reason: a test order" in page.text
    assert [form for form in person("quality").get(f"/board/{order}").forms if form.action == action] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_board_without_orders_says_so(person: PersonOf, language: str) -> None:
    page = person("quality").get(f"/board?lang={language}")
    assert texts_in(language)("board.nothing_here") in page.text


def test_an_order_that_waits_for_money_is_marked_on_its_card(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone, dealership="lakeside")
    decided(anyone.as_("dealer@lakeside"), order["id"], "accept")
    assert "due before production" in person("admin").get("/board").text
    paid(anyone, order)
    assert "due before the handover" in person("admin").get("/board").text
