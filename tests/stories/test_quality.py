from __future__ import annotations

from tests.stories.driver import Dealerflow, plain_text
from tests.stories.open_orders import open_order
from tests.stories.usual_way import take

HEADS = ["head1@factory.example", "head2@factory.example"]


def test_each_quality_failure_is_mailed_to_each_head_of_operations(dealerflow: Dealerflow) -> None:
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    take(dealerflow, "quality_check", order)
    for number, defects in enumerate((["paint"], ["electrics", "noise"]), start=1):
        dealerflow.quality.decides(order, "fail", defects=defects)
        assert order.reaches("quality_failed").for_staff["failures"] == number
        told = [mail for mail in dealerflow.mails(order) if mail["template"] == "quality_failed"]
        assert sorted(mail["to"] for mail in told) == sorted(HEADS * number)
        dealerflow.line_lead("A").decides(order, "rework")
        order.reaches("production_started")
        dealerflow.line_lead("A").decides(order, "finish")
        order.reaches("quality_check")

    vin = order.vin
    first, *_, last = [mail for mail in dealerflow.mails(order) if mail["template"] == "quality_failed"]
    assert first["subject"] == f"Quality check failed: {vin}"
    assert last["subject"] == f"Quality check failed: {vin} (2 times)"
    assert "Paint" in plain_text(dealerflow.as_it_left(first))
    for words in ("It has now failed 2 times.", "Electrics", "Noise", "Meridian"):
        assert words in plain_text(dealerflow.as_it_left(last))
    figures = dealerflow.head.reads("/figures")
    found = {defect["code"]: defect["count"] for defect in figures["defects"]}
    assert {code: count for code, count in found.items() if count} == {"paint": 1, "electrics": 1, "noise": 1}
    assert all("defects" not in entry["details"] for entry in order.now["history"]), "defects are for staff"


def test_a_car_that_is_built_anew_gets_another_vin_and_frees_its_place(dealerflow: Dealerflow) -> None:
    order = dealerflow.customer.orders("northside").reaches("order_placed")
    take(dealerflow, "quality_check", order)
    scrapped = order.vin
    assert scrapped is not None
    dealerflow.quality.decides(order, "fail", defects=["leak"])
    order.reaches("quality_failed")
    assert _taken(dealerflow) == {"A": 1, "B": 0}
    dealerflow.line_lead("A").decides(order, "rebuild")
    order.reaches("order_arrived")

    assert order.vin is None
    assert _taken(dealerflow) == {"A": 0, "B": 0}
    assert "VehicleScrapped" in [entry["type"] for entry in order.for_staff["history"]]
    assert order.now["payment"]["paid"], "it is not paid for twice"

    dealerflow.production.decides(order, "start_production", line="B")
    built = order.reaches("production_started").vin
    assert built is not None
    assert built != scrapped
    assert _taken(dealerflow) == {"A": 0, "B": 1}
    take(dealerflow, "ended", order)
    templates = [template for template, _ in dealerflow.letters(order)]
    assert templates.count("order_accepted") == 1
    assert templates.count("order_in_production") == 1
    assert built in plain_text(dealerflow.letter(order, "order_on_its_way"))

    other = open_order("old-1", "northside", "production_started", vin=scrapped, line="A")
    refused = dealerflow.imports([other], fails=True)
    assert f"{scrapped} is in use" in refused, "a scrapped car's VIN is never used again"


def _taken(dealerflow: Dealerflow) -> dict[str, int]:
    return {line["id"]: line["taken"] for line in dealerflow.production.lists("/lines")}
