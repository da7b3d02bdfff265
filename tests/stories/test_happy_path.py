from __future__ import annotations

import re

import pytest

from tests.stories.driver import Dealerflow, attachments, plain_text

WAY = [
    "order_placed",
    "order_arrived",
    "production_started",
    "quality_check",
    "quality_failed",
    "production_started",
    "quality_check",
    "quality_passed",
    "on_delivery",
    "at_dealership",
    "ended",
]


@pytest.mark.also_served
def test_a_car_goes_from_the_order_page_to_its_keys(dealerflow: Dealerflow) -> None:
    northside, line_a = dealerflow.dealer("northside"), dealerflow.line_lead("A")
    customer = dealerflow.customer

    order = customer.orders("northside", trim="touring", colour="pearl-white", options=["tow-bar"])
    assert order.price == 3190000 + 420000 + 89000
    assert order.reaches("order_placed").now["payment"]["status"] == "none"

    northside.decides(order, "accept")
    order.reaches("order_arrived")
    assert [waiting["id"] for waiting in dealerflow.production.lists("/orders", line="A")] == []
    waiting = dealerflow.production.lists("/orders", line="A", state="order_arrived")
    assert [one["id"] for one in waiting] == [order.id]

    payment = customer.pays(order)
    assert payment["status"] == "received"
    order.is_paid()
    assert order.now["payment"]["paid"]

    dealerflow.production.decides(order, "start_production", line="A")
    vin = order.reaches("production_started").vin
    assert vin is not None
    line_a.decides(order, "finish")
    order.reaches("quality_check")
    dealerflow.quality.decides(order, "fail", defects=["paint", "gap"], note="left door")
    assert order.reaches("quality_failed").for_staff["failures"] == 1
    line_a.decides(order, "rework")
    order.reaches("production_started")
    line_a.decides(order, "finish")
    order.reaches("quality_check")
    dealerflow.quality.decides(order, "pass")
    assert order.reaches("quality_passed").vin == vin, "a rework keeps its vehicle"

    load = dealerflow.delivery.loads(order, carrier="Iron Horse Haulage")
    dealerflow.delivery.sends_off(load)
    order.reaches("on_delivery")
    northside.decides(order, "receive", condition="ok")
    order.reaches("at_dealership")
    northside.decides(order, "hand_over")
    order.reaches("ended")

    # Everybody was told, once.
    dealer, heads = "dealer@northside.example", ["head1@factory.example", "head2@factory.example"]
    assert dealerflow.letters(order) == sorted(
        [
            ("new_order", dealer),
            ("order_placed", "ana@example.com"),
            ("order_accepted", "ana@example.com"),
            ("invoice", "ana@example.com"),
            ("order_in_production", "ana@example.com"),
            *(("quality_failed", head) for head in heads),
            ("order_on_its_way", "ana@example.com"),
            ("order_ready", "ana@example.com"),
            ("order_thanks", "ana@example.com"),
        ]
    )
    accepted = dealerflow.letter(order, "order_accepted")
    assert accepted["Subject"] == f"Your order {order.id[-6:].upper()} is accepted"
    assert order.key in plain_text(accepted), "the link to pay is the customer's own"
    assert vin in plain_text(dealerflow.letter(order, "order_on_its_way"))
    assert "Iron Horse Haulage" in plain_text(dealerflow.letter(order, "order_on_its_way"))

    # The invoice says what was paid, to whom, and is also in the mail.
    number = order.now["invoice"]["number"]
    assert re.fullmatch(r"NORTHSIDE-\d{4}-000001", number)
    invoice = customer.pdf(f"/orders/{order.id}/invoice")
    for words in (number, "Northside Motors Ltd", "IE0000001NS", "Ana Núñez", "Calle Mayor 1", "Touring"):
        assert words in invoice
    assert "36,990.00" in invoice
    assert attachments(dealerflow.letter(order, "invoice")) == {f"{number}.pdf": invoice}

    # The one delivery note of this load lists the car, and went to the dealership.
    (note,) = northside.lists("/delivery-notes")
    assert note["load"] == load
    assert note["dealership"] == "northside"
    assert note["cars"] == [
        {"order": order.id, "model": "Meridian", "colour": "Pearl white", "vin": vin, "customer": "Ana Núñez"}
    ]
    printed = northside.pdf(f"/delivery-notes/{note['id']}")
    assert vin in printed
    assert "Ana Núñez" in printed
    (told,) = [mail for mail in dealerflow.mails() if mail["template"] == "delivery_note"]
    assert told["to"] == dealer
    assert attachments(dealerflow.as_it_left(told)) == {f"{note['id']}.pdf": printed}

    # The history tells the whole way; every event has its place.
    assert [entry["state"] for entry in order.now["history"]] == WAY
    assert {entry["by"] for entry in order.now["history"]} == {"customer", "dealership", "factory"}
    moves = [entry for entry in order.for_staff["history"] if entry["state"]]
    assert [entry["state"] for entry in moves] == WAY
    assert moves[4]["details"] == {"defects": ["paint", "gap"], "note": "left door"}
    positions = [event["position"] for event in dealerflow.events()]
    assert positions == list(range(1, len(positions) + 1))


def test_a_customer_who_reads_spanish_is_written_to_in_spanish(dealerflow: Dealerflow) -> None:
    customer = dealerflow.new_customer("Íñigo Peña", "inigo@example.com", language="es")
    order = customer.orders("northside").reaches("order_placed")
    assert order.now["state_title"] == "A la espera del concesionario"
    dealerflow.dealer("northside").decides(order, "accept")
    order.reaches("order_arrived")
    customer.pays(order)
    order.is_paid()

    subjects = {mail["template"]: mail["subject"] for mail in dealerflow.mails(order)}
    number, short = order.now["invoice"]["number"], order.id[-6:].upper()
    assert subjects == {
        "new_order": f"New order {short} from Íñigo Peña",
        "order_placed": f"Hemos recibido su pedido {short}",
        "order_accepted": f"Su pedido {short} está aceptado",
        "invoice": f"Su factura {number} (pedido {short})",
    }
    assert "Gracias por su pedido." in plain_text(dealerflow.letter(order, "order_placed"))
    invoice = customer.pdf(f"/orders/{order.id}/invoice")
    for words in ("Factura", "Vendedor", "Base imponible", "Íñigo Peña", "Azul profundo"):
        assert words in invoice
