from __future__ import annotations

import pytest

from dealerflow.domain.billing import (
    DEFAULT_TERMS,
    Before,
    DocumentKind,
    DocumentLine,
    Term,
    amounts,
    credit_lines,
    document_number,
    due,
    gate_missing,
    invoice_lines,
    terms_faults,
    totals,
)
from dealerflow.domain.orders import PricedLine

DEPOSIT = (Term(before="production", percent=20), Term(before="handover", percent=80))
CAR = (
    PricedLine(kind="model", code="meridian", title={"en": "Meridian", "es": "Meridian"}, amount=3_190_000),
    PricedLine(kind="trim", code="touring", title={"en": "Touring", "es": "Touring"}, amount=420_000),
    PricedLine(
        kind="colour", code="deep-blue", title={"en": "Deep blue", "es": "Azul profundo"}, amount=65_000
    ),
)


def test_by_default_the_whole_price_is_due_before_production() -> None:
    assert due(DEFAULT_TERMS, 3_675_000, 0) == (3_675_000, "production")
    assert due(DEFAULT_TERMS, 3_675_000, 3_675_000) is None


def test_a_deposit_is_due_first_and_the_rest_later() -> None:
    assert due(DEPOSIT, 1_000_00, 0) == (200_00, "production")
    assert due(DEPOSIT, 1_000_00, 50_00) == (150_00, "production")
    assert due(DEPOSIT, 1_000_00, 200_00) == (800_00, "handover")
    assert due(DEPOSIT, 1_000_00, 999_99) == (1, "handover")
    assert due(DEPOSIT, 1_000_00, 1_000_00) is None


def test_a_row_is_rounded_half_up_and_the_last_takes_what_is_left() -> None:
    thirds = (
        Term(before="production", percent=33),
        Term(before="delivery", percent=33),
        Term(before="handover", percent=34),
    )

    assert amounts(thirds, 150) == [("production", 50), ("delivery", 50), ("handover", 50)]
    assert amounts(DEPOSIT, 1) == [("production", 0), ("handover", 1)]


@pytest.mark.parametrize(
    ("stage", "paid", "missing"),
    [
        ("production", 0, 200),
        ("production", 150, 50),
        ("production", 200, 0),
        ("delivery", 200, 0),
        ("handover", 200, 800),
        ("handover", 1_000, 0),
        ("production", 1_000, 0),
    ],
)
def test_a_stage_waits_for_what_is_due_before_it_or_before_an_earlier_one(
    stage: Before, paid: int, missing: int
) -> None:
    assert gate_missing(DEPOSIT, 1_000, paid, stage) == missing


def test_good_terms_have_no_faults() -> None:
    assert terms_faults(DEFAULT_TERMS) == []
    assert terms_faults(DEPOSIT) == []


def test_every_fault_of_terms_is_named() -> None:
    terms = (
        Term(before="handover", percent=0),
        Term(before="production", percent=101),
        Term(before="production", percent=10),
    )

    assert [fault.pointer for fault in terms_faults(terms, "/dealerships/2/terms")] == [
        "/dealerships/2/terms/0/percent",
        "/dealerships/2/terms/1/percent",
        "/dealerships/2/terms/1/before",
        "/dealerships/2/terms/2/before",
        "/dealerships/2/terms",
    ]


def test_terms_without_rows_are_refused() -> None:
    assert [fault.detail for fault in terms_faults(())] == ["the percents must sum up to 100, these make 0"]


def test_the_invoice_of_the_whole_price_lists_what_was_bought() -> None:
    lines = invoice_lines(CAR, 3_675_000, 1_900, before="production", percent=100, language="es")

    assert [line.text for line in lines] == ["Meridian", "Touring", "Azul profundo"]
    assert totals(lines) == (3_088_235, 586_765, 3_675_000)
    assert [line.net + line.tax for line in lines] == [3_190_000, 420_000, 65_000]


def test_the_invoice_of_a_part_says_what_it_is_for() -> None:
    english = invoice_lines(CAR, 735_000, 1_900, before="production", percent=20)
    spanish = invoice_lines(CAR, 2_940_000, 1_900, before="handover", percent=80, language="es")

    assert [line.text for line in english] == [
        "Payment before production, 20 % of the price: Meridian Touring"
    ]
    assert [line.text for line in spanish] == ["Pago antes de la entrega, 80 % del precio: Meridian Touring"]
    assert totals(english) == (617_647, 117_353, 735_000)


def test_a_part_that_is_no_row_of_the_terms_has_no_percentage() -> None:
    lines = invoice_lines(CAR, 100, 0, before="delivery")

    assert lines == (DocumentLine(text="Payment before delivery: Meridian Touring", net=100, rate=0, tax=0),)


def test_a_credit_note_mirrors_its_invoice() -> None:
    invoice = invoice_lines(CAR, 3_675_000, 2_300, before="production")

    assert totals(invoice + credit_lines(invoice)) == (0, 0, 0)
    assert [line.text for line in credit_lines(invoice)] == [line.text for line in invoice]


@pytest.mark.parametrize(
    ("kind", "running", "restored", "number"),
    [
        ("invoice", 1, 0, "NORTHSIDE-2026-000001"),
        ("credit_note", 12, 0, "NORTHSIDE-CN-2026-000012"),
        ("invoice", 3, 2, "NORTHSIDE-2026-R2-000003"),
        ("credit_note", 3, 1, "NORTHSIDE-CN-2026-R1-000003"),
        ("invoice", 1_234_567, 0, "NORTHSIDE-2026-1234567"),
    ],
)
def test_a_number_names_seller_series_and_year_and_ends_in_the_running_number(
    kind: DocumentKind, running: int, restored: int, number: str
) -> None:
    assert document_number("NORTHSIDE", kind, 2026, running, restored) == number
