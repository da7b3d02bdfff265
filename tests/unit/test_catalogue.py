from __future__ import annotations

import pytest

from dealerflow.domain.catalogue import (
    Catalogue,
    Colour,
    Model,
    Option,
    PartialChoice,
    Trim,
    VehicleChoice,
    faults,
    partial_faults,
    quote,
)
from dealerflow.domain.money import Money


def _titled(code: str) -> dict[str, str]:
    return {"en": code.capitalize()}


def _option(
    code: str,
    amount: int,
    *,
    needs: tuple[str, ...] = (),
    excludes: tuple[str, ...] = (),
    trims: tuple[str, ...] | None = None,
) -> Option:
    price = {"EUR": amount}
    return Option(code=code, title=_titled(code), price=price, needs=needs, excludes=excludes, trims=trims)


CATALOGUE = Catalogue(
    version=3,
    currencies=("EUR",),
    models=(
        Model(
            code="meridian",
            title=_titled("meridian"),
            price={"EUR": 30_000_00},
            vin_code="M1RA2",
            trims=(
                Trim(code="base", title=_titled("base"), price={"EUR": 0}),
                Trim(code="sport", title=_titled("sport"), price={"EUR": 5_000_00}),
            ),
            colours=(
                Colour(code="white", title=_titled("white"), price={"EUR": 0}),
                Colour(code="red", title=_titled("red"), price={"EUR": 700_00}, trims=("sport",)),
            ),
            options=(
                _option("tow-bar", 900_00),
                _option("bike-rack", 300_00, needs=("tow-bar",)),
                _option("roof-rails", 250_00),
                _option("glass-roof", 1_200_00, excludes=("roof-rails",)),
                _option("sport-seats", 1_500_00, trims=("sport",)),
            ),
        ),
    ),
)


def _choice(
    trim: str = "base", colour: str = "white", *options: str, model: str = "meridian"
) -> VehicleChoice:
    return VehicleChoice(model=model, trim=trim, colour=colour, options=options)


def _found(choice: VehicleChoice, currency: str = "EUR") -> dict[str, str]:
    return {fault.pointer: fault.detail for fault in faults(CATALOGUE, choice, currency)}


def test_a_price_is_told_line_by_line_in_the_order_of_the_catalogue() -> None:
    told = quote(CATALOGUE, _choice("sport", "red", "sport-seats", "bike-rack", "tow-bar"), "EUR")

    assert [(line.kind, line.code, line.amount) for line in told.lines] == [
        ("model", "meridian", 30_000_00),
        ("trim", "sport", 5_000_00),
        ("colour", "red", 700_00),
        ("option", "tow-bar", 900_00),
        ("option", "bike-rack", 300_00),
        ("option", "sport-seats", 1_500_00),
    ]
    assert told.lines[2].title == {"en": "Red"}
    assert told.total == Money(38_400_00, "EUR")


def test_a_choice_that_keeps_the_rules_has_no_faults() -> None:
    assert _found(_choice("sport", "red", "tow-bar", "bike-rack", "glass-roof", "sport-seats")) == {}


@pytest.mark.parametrize(
    ("choice", "pointer", "detail"),
    [
        (_choice(model="nova"), "/vehicle/model", 'there is no model "nova"; choose from: meridian'),
        (
            _choice("luxury"),
            "/vehicle/trim",
            'meridian has no trim "luxury"; choose from: base, sport',
        ),
        (
            _choice("base", "green"),
            "/vehicle/colour",
            'meridian has no colour "green"; choose from: white, red',
        ),
        (
            _choice("base", "red"),
            "/vehicle/colour",
            "red is only for trim sport; for base choose from: white",
        ),
        (
            _choice("base", "white", "wings"),
            "/vehicle/options/0",
            'meridian has no option "wings"; choose from: tow-bar, bike-rack, roof-rails, glass-roof, sport-seats',
        ),
        (
            _choice("base", "white", "tow-bar", "tow-bar"),
            "/vehicle/options/1",
            '"tow-bar" is given twice; give each option once',
        ),
        (
            _choice("base", "white", "bike-rack"),
            "/vehicle/options/0",
            "bike-rack needs tow-bar; add it, or leave bike-rack out",
        ),
        (
            _choice("base", "white", "roof-rails", "glass-roof"),
            "/vehicle/options/1",
            "glass-roof and roof-rails cannot be had together; leave one of them out",
        ),
        (
            _choice("base", "white", "sport-seats"),
            "/vehicle/options/0",
            "sport-seats is only for trim sport, not for base; leave it out",
        ),
    ],
)
def test_a_broken_rule_says_what_to_do(choice: VehicleChoice, pointer: str, detail: str) -> None:
    assert _found(choice) == {pointer: detail}


def test_all_faults_of_a_choice_are_told_at_once() -> None:
    found = _found(_choice("luxury", "green", "wings", "bike-rack", "glass-roof", "roof-rails"))

    assert list(found) == [
        "/vehicle/trim",
        "/vehicle/colour",
        "/vehicle/options/0",
        "/vehicle/options/1",
        "/vehicle/options/2",
    ]


def test_what_follows_from_an_unknown_trim_is_not_told_beside_it() -> None:
    assert list(_found(_choice("luxury", "red", "sport-seats"))) == ["/vehicle/trim"]


def test_a_model_without_a_price_in_the_currency_cannot_be_ordered_in_it() -> None:
    assert _found(_choice(), "JPY") == {"/vehicle/model": "meridian has no price in JPY"}
    assert faults(CATALOGUE, _choice(), None) == []


def test_what_is_known_of_a_choice_is_checked_without_the_rest() -> None:
    known = PartialChoice(model="meridian", trim=None, colour="green", options=[(2, "bike-rack")])

    assert [fault.pointer for fault in partial_faults(CATALOGUE, known, "EUR", "/car")] == [
        "/car/colour",
        "/car/options/2",
    ]
    assert partial_faults(CATALOGUE, PartialChoice(None, "luxury", "green", [(0, "wings")]), "EUR") == []
