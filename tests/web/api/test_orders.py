from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from litestar.testing import TestClient

from dealerflow.adapters.clock import TimeIds
from dealerflow.web.app import make_app
from dealerflow.web.taking import Intake
from tests.web.api.life import API, brought, decided, paid, placed, seen
from tests.web.harness import ORDER, Client, WebTestSystem

CUSTOMER = {
    "name": "Ana Núñez",
    "email": "ana@example.com",
    "phone": "+34 600 000 000",
    "address": "Calle Mayor 1",
    "language": "en",
}


def test_an_order_is_received_from_its_202_on(anyone: Client) -> None:
    taken = anyone.place()
    shown = seen(anyone, f"{taken['id']}?key={taken['key']}")
    assert (shown["id"], shown["state"], shown["state_title"]) == (taken["id"], "received", "Received")
    unknown = ("dealership", "customer", "vehicle", "vin", "line", "price", "step", "failures", "placed_at")
    assert [shown[name] for name in unknown] == [None] * len(unknown)
    assert shown["payment"] == {
        "status": "none",
        "paid": False,
        "due": None,
        "open": False,
        "arrived": None,
        "payments": [],
    }
    assert shown["invoice"] == {"status": "none", "number": None, "url": None}
    assert (shown["outcomes"], shown["history"]) == ([], [])


def test_staff_see_an_order_when_it_is_processed(anyone: Client) -> None:
    taken = anyone.place()
    dealer = anyone.as_("dealer@northside")
    assert dealer.get(f"{API}/orders/{taken['id']}").status_code == 404
    anyone.system.process()
    assert seen(dealer, taken["id"])["state"] == "order_placed"


def test_the_customer_of_an_unprocessed_order_is_told_to_wait(anyone: Client) -> None:
    taken = anyone.place()
    about = f"{API}/orders/{taken['id']}"
    cancel = anyone.post(f"{about}/decisions?key={taken['key']}", {"outcome": "cancel", "step": "stp_1"})
    assert (cancel.status_code, cancel.json()["state"]) == (409, "received")
    pay = anyone.post(f"{about}/payments?key={taken['key']}", {"method": "test_card"})
    assert (pay.status_code, pay.json()["state"]) == (409, "received")
    assert anyone.get(f"{about}/invoice?key={taken['key']}").status_code == 404


def test_while_the_database_is_away_the_customer_of_a_spooled_order_sees_it(tmp_path: Path) -> None:
    database = tmp_path / "dealerflow.db"
    system = WebTestSystem(f"sqlite:///{database}", tmp_path)
    system.web.upkeep.step()
    intake = Intake(spool=system.spool, links=system.links, clock=system.clock, ids=TimeIds(system.clock.now))
    intake.snapshot = system.web.intake.snapshot
    app = make_app(replace(system.web, intake=intake))
    with TestClient(app, base_url="http://dealerflow.test", raise_server_exceptions=False) as http:
        anyone = Client(system, http)
        processed = placed(anyone)
        system.spool.prune(system.spool.last)
        system.clock.pass_ms(1_000)
        waiting = anyone.place()
        system.engine.dispose()
        database.rename(tmp_path / "away.db")
        database.mkdir()  # what is there now cannot be opened
        still = anyone.get(f"{API}/orders/{waiting['id']}?key={waiting['key']}")
        assert (still.status_code, still.json()["state"]) == (200, "received")
        gone = anyone.get(f"{API}/orders/{processed['id']}?key={processed['key']}")
        assert gone.status_code == 503
        assert "Retry-After" in gone.headers
        assert anyone.get(f"{API}/orders/{waiting['id']}?key=0.wrong").status_code == 404
    system.close()


def test_an_order_shows_what_was_ordered_with_its_names_and_prices(anyone: Client) -> None:
    vehicle = {
        "model": "meridian",
        "trim": "touring",
        "colour": "deep-blue",
        "options": ["tow-bar", "winter-pack"],
    }
    order = placed(anyone, vehicle=vehicle, note="Ring first")
    shown = seen(anyone.as_("dealer@northside"), order["id"])
    assert {name: shown["vehicle"][name] for name in vehicle} == vehicle
    assert shown["vehicle"]["labels"]["options"].keys() == {"tow-bar", "winter-pack"}
    assert shown["vehicle"]["note"] == "Ring first"
    assert (
        sum(line["amount"]["amount"] for line in shown["vehicle"]["price_lines"]) == order["price"]["amount"]
    )
    assert shown["price"] == order["price"]
    assert shown["placed_at"] == shown["entered_at"] == "2026-09-21T14:13:20.000Z"
    assert shown["dealership"] == "northside"


def test_titles_are_in_the_language_that_is_asked_for(anyone: Client) -> None:
    spaniard = placed(anyone, customer={**CUSTOMER, "language": "es"})
    with_key = f"{API}/orders/{spaniard['id']}?key={spaniard['key']}"
    assert anyone.get(with_key).json()["state_title"] == "A la espera del concesionario"
    in_english = anyone.get(with_key, accept_language="fr, en;q=0.8, es;q=0.5").json()
    assert in_english["state_title"] == "Waiting for the dealership"
    dealer = anyone.as_("dealer@northside")
    assert seen(dealer, spaniard["id"])["state_title"] == "Waiting for the dealership"
    in_spanish = dealer.get(f"{API}/orders/{spaniard['id']}", accept_language="es-MX").json()
    assert [outcome["title"] for outcome in in_spanish["outcomes"]] == [
        "Aceptar el pedido",
        "Rechazar el pedido",
        "Cancelar el pedido",
    ]


def test_each_person_is_offered_what_is_theirs_to_decide(anyone: Client) -> None:
    order = placed(anyone)

    def offered(who: str) -> list[str]:
        return [outcome["name"] for outcome in seen(anyone.as_(who), order["id"])["outcomes"]]

    assert offered("dealer@northside") == ["accept", "decline", "cancel"]
    assert offered("production") == offered("admin") == offered("head1") == offered("line-a") == []
    customer = seen(anyone, f"{order['id']}?key={order['key']}")
    assert [outcome["name"] for outcome in customer["outcomes"]] == ["cancel"]
    decided(anyone.as_("dealer@northside"), order["id"], "accept")
    assert offered("dealer@northside") == ["cancel"]
    assert offered("production") == ["start_production"]
    paid(anyone, order)
    decided(anyone.as_("production"), order["id"], "start_production", line="A")
    assert offered("line-a") == ["finish"]
    assert offered("line-b") == []  # another line's car


def test_an_outcome_says_what_it_asks_for_and_what_is_in_its_way(anyone: Client) -> None:
    order = placed(anyone)
    decided(anyone.as_("dealer@northside"), order["id"], "accept")
    (start,) = seen(anyone.as_("production"), order["id"])["outcomes"]
    assert start["details"] == [
        {
            "name": "line",
            "title": "Assembly line",
            "kind": "choice",
            "required": True,
            "choices": ["A", "B"],
            "choice_titles": start["details"][0]["choice_titles"],
            "max_length": None,
        }
    ]
    assert (start["name"], start["to"]) == ("start_production", "production_started")
    assert "payment is missing" in start["blocked"]
    paid(anyone, order)
    (start,) = seen(anyone.as_("production"), order["id"])["outcomes"]
    assert start["blocked"] is None


def test_a_departure_is_not_offered_car_by_car(anyone: Client) -> None:
    order = placed(anyone)
    brought(anyone, order, "quality_passed")
    assert seen(anyone.as_("delivery"), order["id"])["outcomes"] == []


def test_nothing_is_offered_while_a_decision_is_on_its_way(anyone: Client) -> None:
    order = placed(anyone)
    dealer = anyone.as_("dealer@northside")
    step = seen(dealer, order["id"])["step"]
    answer = dealer.post(f"{API}/orders/{order['id']}/decisions", {"outcome": "accept", "step": step})
    assert answer.status_code == 202
    now = seen(dealer, order["id"])
    assert (now["decision"], now["outcomes"]) == ("accept", [])


def test_money_is_told_in_full(anyone: Client) -> None:
    order = placed(anyone, dealership="lakeside")
    dealer = anyone.as_("dealer@lakeside")
    price = order["price"]["amount"]
    first = seen(dealer, order["id"])["payment"]
    assert first["due"] == {
        "amount": {"amount": (price * 20 + 50) // 100, "currency": "EUR"},
        "before": "production",
    }
    assert first["open"] is False  # the dealership may still decline
    decided(dealer, order["id"], "accept")
    assert seen(dealer, order["id"])["payment"]["open"] is True
    answer = anyone.post(f"{API}/orders/{order['id']}/payments?key={order['key']}", {"method": "test_card"})
    assert answer.status_code == 202
    waiting = seen(dealer, order["id"])["payment"]
    assert (waiting["status"], waiting["paid"], waiting["open"]) == ("received", False, False)
    anyone.system.process()
    deposited = seen(dealer, order["id"])
    assert (deposited["payment"]["status"], deposited["payment"]["paid"]) == ("paid", False)
    assert deposited["payment"]["due"]["before"] == "handover"
    assert deposited["invoice"]["status"] == "issued"
    assert deposited["invoice"]["number"].endswith("000001")
    assert deposited["invoice"]["url"] == f"{API}/orders/{order['id']}/invoice"


def test_a_declined_card_and_a_refund_are_told(anyone: Client) -> None:
    order, dealer = placed(anyone), anyone.as_("dealer@northside")
    decided(dealer, order["id"], "accept")
    anyone.system.terminal.declines = True
    paid(anyone, order)
    declined = seen(dealer, order["id"])["payment"]
    assert (declined["status"], declined["paid"], declined["open"]) == ("declined", False, True)
    assert declined["payments"][0]["reason"] == "the card was declined"
    anyone.system.terminal.declines = False
    payment = paid(anyone, order)
    decided(dealer, order["id"], "cancel")
    cancelled = seen(dealer, order["id"])["payment"]
    assert (cancelled["status"], cancelled["due"], cancelled["open"]) == ("refund_requested", None, False)
    assert dealer.post(f"{API}/payments/{payment['id']}/refund", {"reference": "SEPA 1"}).status_code == 202
    anyone.system.process()
    assert seen(dealer, order["id"])["payment"]["status"] == "refunded"


def test_customers_see_the_moves_without_names_defects_and_notes(anyone: Client) -> None:
    order = placed(anyone)
    brought(anyone, order, "quality_check")
    decided(anyone.as_("quality"), order["id"], "fail", defects=["paint"], note="deep scratch")
    shown = seen(anyone, f"{order['id']}?key={order['key']}")
    assert [(item["state"], item["by"]) for item in shown["history"]] == [
        ("order_placed", "customer"),
        ("order_arrived", "dealership"),
        ("production_started", "factory"),
        ("quality_check", "factory"),
        ("quality_failed", "factory"),
    ]
    assert all(item["details"] == {} for item in shown["history"])
    for_staff = seen(anyone.as_("dealer@northside"), order["id"])["history"]
    failed = next(item for item in for_staff if item["outcome"] == "fail")
    assert failed["details"] == {"defects": ["paint"], "note": "deep scratch"}
    assert failed["by"] not in (None, "factory")
    assert "PaymentRecorded" in [item["type"] for item in for_staff]
    assert all(item["state"] is None for item in for_staff if item["type"] == "PaymentRecorded")


def test_customers_read_why_they_were_declined(anyone: Client) -> None:
    order = placed(anyone)
    decided(anyone.as_("dealer@northside"), order["id"], "decline", reason="We stop selling this model")
    shown = seen(anyone, f"{order['id']}?key={order['key']}")
    assert shown["history"][-1]["details"] == {"reason": "We stop selling this model"}


def test_staff_who_need_not_write_to_customers_do_not_see_how(anyone: Client) -> None:
    order = placed(anyone, customer=CUSTOMER)
    for who in ("dealer@northside", "delivery", "operator", "admin"):
        shown = seen(anyone.as_(who), order["id"])["customer"]
        assert (shown["email"], shown["phone"]) == ("ana@example.com", "+34 600 000 000"), who
    for who in ("production", "line-a", "quality", "head1"):
        shown = seen(anyone.as_(who), order["id"])["customer"]
        assert shown["name"] == "Ana Núñez"
        assert [shown[name] for name in ("email", "phone", "address", "tax_id")] == [None] * 4, who
    with_key = seen(anyone, f"{order['id']}?key={order['key']}")["customer"]
    assert with_key["email"] == "ana@example.com"


def test_an_order_does_not_exist_for_those_whose_it_is_not(anyone: Client) -> None:
    order, other = placed(anyone), placed(anyone)
    path = f"{API}/orders/{order['id']}"
    assert anyone.get(path).status_code == 401
    assert anyone.get(f"{path}?key=0.wrong").status_code == 404
    assert anyone.get(f"{path}?key=").status_code == 404
    assert anyone.get(f"{path}?key={other['key']}").status_code == 404
    assert anyone.as_("dealer@harbour").get(path).status_code == 404
    assert anyone.as_("dealer@northside").get(f"{API}/orders/ord_unknown").status_code == 404
    for who in ("production", "line-b", "quality", "delivery", "head2", "operator", "admin"):
        assert anyone.as_(who).get(path).status_code == 200, who


def test_a_new_link_makes_the_old_one_void(anyone: Client) -> None:
    order = placed(anyone)
    path = f"{API}/orders/{order['id']}"
    assert anyone.as_("production").post(f"{path}/link").status_code == 403
    assert anyone.as_("dealer@harbour").post(f"{path}/link").status_code == 404
    assert anyone.post(f"{path}/link?key={order['key']}").status_code == 401
    answer = anyone.as_("dealer@northside").post(f"{path}/link")
    assert answer.status_code == 200
    key = answer.json()["tracking_url"].partition("key=")[2]
    assert seen(anyone, f"{order['id']}?key={key}")["state"] == "order_placed"
    for gone in (
        anyone.get(f"{path}?key={order['key']}"),
        anyone.get(f"{path}/documents?key={order['key']}"),
        anyone.post(f"{path}/payments?key={order['key']}", {"method": "test_card"}),
        anyone.post(f"{path}/decisions?key={order['key']}", {"outcome": "cancel", "step": "stp_1"}),
    ):
        assert gone.status_code == 404
    history = seen(anyone.as_("admin"), order["id"])["history"]
    assert history[-1]["type"] == "LinkRenewed"


def test_markup_in_names_comes_back_as_it_was_written(anyone: Client) -> None:
    name = "<script>alert('é')</script> \\ \" 💙"
    order = placed(anyone, customer={**ORDER["customer"], "name": name})
    assert seen(anyone.as_("admin"), order["id"])["customer"]["name"] == name
