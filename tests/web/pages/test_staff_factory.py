"""The factory's and the dealership's pages: lines, loads, incoming cars, figures."""

from __future__ import annotations

from dealerflow.application.records import Load
from dealerflow.application.reference import STANDARD_PLANT
from dealerflow.web.pages.figures import STEPS_OF_A_BAR, bar_of
from dealerflow.web.pages.loads import MOST_OPEN
from tests.web.api.life import brought, decided, departed, placed
from tests.web.harness import Client
from tests.web.pages.conftest import PersonOf


def waiting_for_a_load(anyone: Client, dealership: str = "northside") -> str:
    order = placed(anyone, dealership=dealership)
    brought(anyone, order, "quality_passed", dealer=f"dealer@{dealership}")
    return str(order["id"])


# --- lines ---


def test_the_production_manager_chooses_what_a_line_builds_next(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)
    brought(anyone, order, "order_arrived")
    production = person("production")
    page = production.get("/lines")
    assert "0 of 10 places taken" in page.text
    form = page.form(f"/board/{order['id']}/decisions", **{"details.line": "B"})
    assert production.follow(production.submit(form)).answer.url.path == "/lines"
    anyone.system.process()
    after = production.get("/lines?line=B")
    assert "1 of 10 places taken" in after.text
    assert "In production" in after.text
    assert order["id"] not in production.get("/lines?line=A").html


def test_ids_on_the_page_of_the_lines_are_unique(anyone: Client, person: PersonOf) -> None:
    brought(anyone, placed(anyone), "order_arrived")
    html = person("production").get("/lines").html
    ids = [part.partition('"')[0] for part in html.split(' id="')[1:]]
    assert len(ids) == len(set(ids))


def test_a_line_lead_sees_the_own_line_only(anyone: Client, person: PersonOf) -> None:
    lead = person("line-a")
    page = lead.get("/lines")
    assert "Line A" in page.text
    assert "Line B" not in page.text
    assert lead.get("/lines?line=B").status == 404


# --- loads ---


def test_cars_for_two_dealerships_leave_on_one_load(anyone: Client, person: PersonOf) -> None:
    north, coast = waiting_for_a_load(anyone), waiting_for_a_load(anyone, "harbour")
    delivery = person("delivery")
    page = delivery.get("/loads")
    assert "Delivery line coast" in page.text
    made = delivery.submit(page.form("/loads"), ("orders", north), ("orders", coast), ("carrier", "Sur"))
    load = delivery.follow(made)
    address = made.answer.headers["location"]
    asked = delivery.get(f"{address}/departure")
    assert "These 2 cars leave the plant" in asked.text
    gone = delivery.follow(delivery.submit(asked.form(f"{address}/departure")))
    assert "has departed" in gone.text
    anyone.system.process()
    notes = [link for link in delivery.get(address).links if link.startswith("/delivery-notes/")]
    assert len(notes) == 2
    assert delivery.get(notes[0]).answer.content.startswith(b"%PDF")
    assert load.status == 200
    for dealer in ("dealer@northside", "dealer@harbour"):
        visitor = person(dealer)
        mine = [link for link in visitor.get("/incoming").links if link.startswith("/delivery-notes/")]
        assert [visitor.get(link).status for link in notes] == [
            200 if link in mine else 404 for link in notes
        ]
        assert len(mine) == 1


def test_a_load_is_changed_before_it_leaves(anyone: Client, person: PersonOf) -> None:
    first, second = waiting_for_a_load(anyone), waiting_for_a_load(anyone)
    delivery = person("delivery")
    made = delivery.submit(delivery.get("/loads").form("/loads"), ("orders", first))
    address = made.answer.headers["location"]
    page = delivery.get(address)
    assert ("orders", first) in page.form(address).fields
    changed = delivery.follow(delivery.submit(page.form(address), ("orders", second), ("carrier", "Norte")))
    assert ("orders", second) in changed.form(address).fields
    assert ("orders", first) not in changed.form(address).fields


def test_it_is_said_that_more_loads_stand_ready_than_are_listed(anyone: Client, person: PersonOf) -> None:
    delivery, said = person("delivery"), "Older loads stand ready too"
    for number in range(MOST_OPEN + 1):
        page = delivery.get("/loads")
        assert said not in page.text
        with anyone.system.database.begin() as work:
            at = work.clock.now()
            work.shipping.add_load(
                Load(
                    id=work.ids.new("lod"), plant=STANDARD_PLANT.id, carrier=f"carrier {number}", status="open",
                    created_by="delivery", created_at=at,
                )
            )  # fmt: skip
    page = delivery.get("/loads")
    assert said in page.text
    assert "carrier 1 " in page.text
    assert "carrier 0 " not in page.text


def test_a_load_without_cars_is_not_made(anyone: Client, person: PersonOf) -> None:
    waiting_for_a_load(anyone)
    delivery = person("delivery")
    refused = delivery.submit(delivery.get("/loads").form("/loads"), ("carrier", "Sur"))
    assert (refused.status, "Choose at least one car." in refused.text) == (422, True)
    assert ("carrier", "Sur") in refused.form("/loads").fields


def test_a_car_is_on_one_load_only(anyone: Client, person: PersonOf) -> None:
    order = waiting_for_a_load(anyone)
    delivery = person("delivery")
    form = delivery.get("/loads").form("/loads")
    assert delivery.submit(form, ("orders", order)).status == 303
    refused = delivery.submit(form, ("orders", order))
    assert (refused.status, "It is on load" in refused.text) == (409, True)


def test_a_car_that_may_not_leave_is_named_and_keeps_the_load_here(anyone: Client, person: PersonOf) -> None:
    order = waiting_for_a_load(anyone)
    delivery = person("delivery")
    address = delivery.submit(delivery.get("/loads").form("/loads"), ("orders", order)).answer.headers[
        "location"
    ]
    asked = delivery.get(f"{address}/departure")
    assert delivery.submit(asked.form(f"{address}/departure")).status == 303
    again = delivery.submit(asked.form(f"{address}/departure"))
    assert (again.status, "has left already" in again.text) == (409, True)


def test_the_delivery_lead_s_board_leads_to_the_loads(anyone: Client, person: PersonOf) -> None:
    order = waiting_for_a_load(anyone)
    delivery = person("delivery")
    assert "Put it on a load" in delivery.get("/board").text
    made = delivery.submit(delivery.get("/loads").form("/loads"), ("orders", order))
    assert made.answer.headers["location"] in delivery.get("/board").links
    assert "Put it on a load" not in person("admin").get("/board?state=quality_passed").text


def test_no_load_of_that_id_is_a_page_that_says_so(person: PersonOf) -> None:
    delivery = person("delivery")
    for path in ("/loads/lod_nothing", "/loads/lod_nothing/departure", "/delivery-notes/dln_nothing"):
        assert delivery.get(path).status == 404


# --- the dealership ---


def test_a_dealership_receives_a_car_and_hands_it_over(anyone: Client, person: PersonOf) -> None:
    order = waiting_for_a_load(anyone)
    departed(anyone, order)
    dealer = person("dealer@northside")
    action = f"/board/{order}/decisions"
    page = dealer.get("/incoming")
    unsaid = dealer.submit(page.form(action, outcome="receive"), ("details.note", "a scratch"))
    assert (unsaid.status, "Please fill this in" in unsaid.text) == (422, True)
    assert dict(unsaid.form(action, outcome="receive").fields)["details.note"] == "a scratch"
    received = dealer.submit(page.form(action, outcome="receive"), ("details.condition", "ok"))
    assert received.answer.headers["location"] == "/incoming"
    anyone.system.process()
    handed = dealer.submit(dealer.get("/incoming").form(action, outcome="hand_over"))
    assert handed.status == 303
    anyone.system.process()
    assert "Condition: In order" in dealer.get(f"/board/{order}").text
    assert "Handed over" in dealer.get(f"/board/{order}").text


# --- figures ---


def test_the_figures_count_orders_failures_and_places(anyone: Client, person: PersonOf) -> None:
    order = placed(anyone)
    brought(anyone, order, "quality_check")
    decided(anyone.as_("quality"), order["id"], "fail", defects=["paint"])
    page = person("head1").get("/figures")
    for words in ("Failed quality", "0 of 1 cars", "1/10", "Paint"):
        assert words in page.text, words
    assert "0 %" in page.text


def test_the_figures_of_an_empty_factory_are_shown_too(person: PersonOf) -> None:
    page = person("head1").get("/figures")
    assert page.status == 200
    assert "No defect has been recorded." in page.text


def test_a_bar_shows_whatever_is_not_nothing() -> None:
    assert [bar_of(value, 1000) for value in (0, 1, 500, 1000, 2000)] == [
        0,
        1,
        20,
        STEPS_OF_A_BAR,
        STEPS_OF_A_BAR,
    ]
    assert bar_of(1, 0) == 0
