from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dealerflow.composition
from dealerflow.domain.billing import DEFAULT_TERMS
from dealerflow.domain.catalogue_files import read_catalogue
from dealerflow.domain.errors import Invalid, Malformed, TooLarge
from dealerflow.domain.intake import (
    OrderForm,
    PriceChanged,
    Snapshot,
    SnapshotDealership,
    check,
    email_problem,
    phone_problem,
)
from dealerflow.domain.money import Money

DEMO = Path(dealerflow.composition.__file__).parent / "demo"
SNAPSHOT = Snapshot(
    number=7,
    catalogue=read_catalogue((DEMO / "catalogue.json").read_bytes()),
    dealerships={
        "northside": SnapshotDealership(
            id="northside", name="Northside Motors", currency="EUR", terms=DEFAULT_TERMS
        ),
        "sur": SnapshotDealership(
            id="sur", name="Coches Sur", currency="USD", models=("alcor",), terms=DEFAULT_TERMS, language="es"
        ),
        "closed": SnapshotDealership(
            id="closed", name="Closed Cars", currency="JPY", terms=DEFAULT_TERMS, active=False
        ),
    },
)
ORDER: dict[str, Any] = {
    "dealership": "northside",
    "customer": {"name": "Ann Smith", "email": "ann@example.com"},
    "vehicle": {
        "model": "meridian",
        "trim": "touring",
        "colour": "deep-blue",
        "options": ["winter-pack", "tow-bar"],
    },
}
PRICE = Money(31_900_00 + 4_200_00 + 650_00 + 890_00 + 740_00, "EUR")


def _order(**changes: Any) -> bytes:
    """The order with fields changed or added; `customer__email` is the e-mail within the customer."""
    body = copy.deepcopy(ORDER)
    for name, value in changes.items():
        *way, last = name.split("__")
        target = body
        for step in way:
            target = target[step]
        if value is ...:
            del target[last]
        else:
            target[last] = value
    return json.dumps(body).encode()


def _faults(raw: bytes) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        check(raw, SNAPSHOT)
    found = caught.value.faults
    assert len({fault.pointer for fault in found}) == len(found)
    return {fault.pointer: fault.detail for fault in found}


def test_a_good_order_is_accepted_with_its_price() -> None:
    accepted = check(_order(), SNAPSHOT)

    assert accepted.quote.total == PRICE
    assert [line.code for line in accepted.quote.lines] == [
        "meridian",
        "touring",
        "deep-blue",
        "tow-bar",
        "winter-pack",
    ]
    assert accepted.dealership.id == "northside"
    assert accepted.language == "en"


def test_an_order_with_everything_in_it_is_accepted() -> None:
    everything = {
        "name": "Zoë Ångström",
        "email": "zoë@bücher.example",
        "phone": "+34 (956) 12-34-56",
        "language": "es",
        "company": "Ångström & Hijos",
        "address": "Calle Mayor 1\n11001 Cádiz",
        "tax_id": "ESB12345678",
    }
    raw = _order(
        customer=everything, note="Call first.\nThank you!", expected_price=msgspec.to_builtins(PRICE)
    )
    accepted = check(raw, SNAPSHOT)

    assert accepted.form == msgspec.json.decode(raw, type=OrderForm)
    assert accepted.language == "es"


def test_a_car_without_options_needs_no_list_of_them() -> None:
    assert check(_order(vehicle__options=...), SNAPSHOT).form.vehicle.options == ()


def test_an_order_is_priced_in_the_currency_of_its_dealership_and_speaks_its_language() -> None:
    raw = _order(dealership="sur", vehicle={"model": "alcor", "trim": "trail", "colour": "sand"})
    accepted = check(raw, SNAPSHOT)

    assert accepted.quote.total == Money(63_900_00, "USD")
    assert accepted.language == "es"


@pytest.mark.parametrize("shown", [PRICE - Money(1, "EUR"), Money(PRICE.amount, "USD"), Money(2**62, "")])
def test_another_price_than_the_one_shown_is_a_conflict_that_tells_the_price_now(shown: Money) -> None:
    with pytest.raises(PriceChanged) as caught:
        check(_order(expected_price=msgspec.to_builtins(shown)), SNAPSHOT)

    assert caught.value.price == PRICE
    assert caught.value.facts == {"price": PRICE}


def test_faults_of_the_form_and_of_the_catalogue_are_told_together() -> None:
    raw = _order(
        customer={"email": "nobody", "phone": 5, "langauge": "en"},
        vehicle={
            "model": "meridian",
            "trim": "luxury",
            "options": ["sport-seats", 7, "trailer-assist", "wings"],
        },
        note="\u0000",
        extra=1,
    )

    assert list(_faults(raw)) == [
        "/customer/name",
        "/customer/phone",
        "/customer/langauge",
        "/vehicle/colour",
        "/vehicle/options/1",
        "/note",
        "/extra",
        "/customer/email",
        "/vehicle/trim",
        "/vehicle/options/2",
        "/vehicle/options/3",
    ]


def test_a_fault_of_the_form_is_not_told_again_by_the_catalogue() -> None:
    found = _faults(_order(dealership="", vehicle__model="x" * 41, vehicle__options=["", "y" * 41]))

    assert found["/dealership"] == "must not be empty"
    assert found["/vehicle/model"] == "is too long: at most 40 characters, this has 41"
    assert list(found) == ["/dealership", "/vehicle/model", "/vehicle/options/0", "/vehicle/options/1"]


@pytest.mark.parametrize(
    ("changes", "pointer", "said"),
    [
        ({"dealership": ...}, "/dealership", "is missing"),
        ({"dealership": "southside"}, "/dealership", 'there is no dealership "southside"'),
        ({"dealership": None}, "/dealership", "must be a text, not null"),
        ({"customer": ...}, "/customer", "is missing: give an object"),
        ({"customer": "Ann"}, "/customer", "must be an object, not a text"),
        ({"customer__name": ...}, "/customer/name", "is missing"),
        ({"customer__name": ""}, "/customer/name", "must not be blank"),
        ({"customer__name": " \u00a0 "}, "/customer/name", "must not be blank"),
        ({"customer__name": "x" * 201}, "/customer/name", "at most 200"),
        ({"customer__name": "Ann\nSmith"}, "/customer/name", "must be one line"),
        ({"customer__name": "Ann\u0000"}, "/customer/name", "U+0000"),
        ({"customer__name": "Ann\u007f"}, "/customer/name", "U+007F"),
        ({"customer__name": "Ann\u0085"}, "/customer/name", "U+0085"),
        ({"customer__name": "Ann\u202e"}, "/customer/name", "U+202E"),
        ({"customer__email": ...}, "/customer/email", "is missing"),
        ({"customer__email": ""}, "/customer/email", "must not be empty"),
        ({"customer__email": "a@example.com\nBcc: b@example.com"}, "/customer/email", "one line"),
        ({"customer__email": "a@" + "b" * 260 + ".com"}, "/customer/email", "at most 254"),
        ({"customer__phone": "call me"}, "/customer/phone", "5 to 15 digits"),
        ({"customer__language": "fr"}, "/customer/language", "must be one of: en, es"),
        ({"customer__language": ""}, "/customer/language", "must be one of: en, es"),
        ({"customer__company": "x" * 201}, "/customer/company", "at most 200"),
        ({"customer__address": "x" * 501}, "/customer/address", "at most 500"),
        ({"customer__tax_id": "x" * 41}, "/customer/tax_id", "at most 40"),
        ({"customer__age": 7}, "/customer/age", "not known"),
        ({"vehicle": ...}, "/vehicle", "is missing"),
        ({"vehicle": []}, "/vehicle", "must be an object, not a list"),
        ({"vehicle__model": ...}, "/vehicle/model", "is missing"),
        ({"vehicle__model": "nova"}, "/vehicle/model", "choose from: meridian, solano, alcor"),
        ({"vehicle__trim": "sprt"}, "/vehicle/trim", "choose from: base, touring, sport"),
        ({"vehicle__colour": 5}, "/vehicle/colour", "must be a text, not a number"),
        ({"vehicle__options": "tow-bar"}, "/vehicle/options", "must be a list, not a text"),
        ({"vehicle__options": ["tow-bar"] * 2}, "/vehicle/options/1", "given twice"),
        ({"vehicle__options": ["trailer-assist"]}, "/vehicle/options/0", "needs tow-bar"),
        ({"note": "x" * 2001}, "/note", "at most 2000"),
        ({"note": "bell \u0007"}, "/note", "U+0007"),
        ({"expected_price": 5}, "/expected_price", "must be an object or null"),
        ({"expected_price": {"amount": "5", "currency": "EUR"}}, "/expected_price/amount", "whole number"),
        ({"expected_price": {"amount": 10**40, "currency": "EUR"}}, "/expected_price/amount", "too large"),
        ({"state": "ended"}, "/state", "not known"),
    ],
)
def test_each_field_that_is_wrong_is_named(changes: dict[str, Any], pointer: str, said: str) -> None:
    found = _faults(_order(**changes))

    assert list(found) == [pointer]
    assert said in found[pointer]


def test_too_many_options_are_refused_without_naming_each() -> None:
    found = _faults(_order(vehicle__options=[f"o{number}" for number in range(3_000)]))

    assert found["/vehicle/options"] == "has too many items: at most 50, this has 3000"
    assert len(found) <= 51


def test_a_dealership_takes_orders_only_for_what_it_sells() -> None:
    found = _faults(_order(dealership="sur"))

    assert found == {"/vehicle/model": "Coches Sur does not sell meridian; it sells: alcor"}


def test_a_dealership_that_is_closed_or_has_no_prices_takes_no_orders() -> None:
    assert _faults(_order(dealership="closed")) == {
        "/dealership": "Closed Cars takes no orders at present; choose another",
        "/vehicle/model": "meridian has no price in JPY",
    }


def test_what_is_no_json_or_too_large_is_told_apart() -> None:
    with pytest.raises(Malformed):
        check(b"dealership=northside", SNAPSHOT)
    with pytest.raises(TooLarge):
        check(_order(note="x" * 70_000), SNAPSHOT)


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.com",
        "ann.smith+car@mail.example.co.uk",
        "o'neill@example.ie",
        "用户@例子.广告",
        "zoë@bücher.example",
        "a_b-c@x-y.example",
        "1@2.example",
        "a@xn--bcher-kva.example",
        "x" * 64 + "@example.com",
    ],
)
def test_an_address_that_people_have_is_welcome(address: str) -> None:
    assert email_problem(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "ann@localhost",
        "ann@@example.com",
        "a@b@example.com",
        "ann smith@example.com",
        "ann@exam ple.com",
        "ann@example.com ",
        " ann@example.com",
        "ann@example.com\n",
        "ann\r\n@example.com",
        "ann\u0000@example.com",
        "ann\u00a0@example.com",
        ".ann@example.com",
        "ann.@example.com",
        "a..n@example.com",
        "ann@.example.com",
        "ann@example..com",
        "ann@example.com.",
        "ann@-example.com",
        "ann@example-.com",
        "ann@exa_mple.com",
        "ann@127.0.0.1",
        "ann@[127.0.0.1]",
        '"ann"@example.com',
        "<ann@example.com>",
        "Ann <ann@example.com>",
        "ann@example.com,bob@example.com",
        "ann@example.com;bob@example.com",
        "ann(comment)@example.com",
        "x" * 65 + "@example.com",
        "a@" + "b" * 64 + ".com",
        "a@" + ".".join(["b" * 60] * 5) + ".com",
        "ann@exa\u3002mple",
        "ann@\ud800.com",
        "\ud800@example.com",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    assert email_problem(address)


@given(st.text(max_size=80) | st.from_regex(r"[a-z.@\-\s\x00]{1,40}@[a-z.\-é]{1,40}", fullmatch=True))
def test_an_address_that_passes_can_stand_in_the_head_of_a_mail(address: str) -> None:
    if email_problem(address) is None:
        assert len(address.split()) == 1
        assert address.isprintable()
        assert address.count("@") == 1
        assert not set(address) & set('<>()[],;:"\\')
        assert address.rpartition("@")[2].encode("idna")


@pytest.mark.parametrize("number", ["", "+353 1 234 5678", "(956) 12-34-56", "12345", "1" * 15, "01/234.56"])
def test_a_phone_number_as_people_write_it_is_welcome(number: str) -> None:
    assert phone_problem(number) is None


@pytest.mark.parametrize("number", ["1234", "1" * 16, "call me", "12+34567", "123456x", "１２３４５６"])
def test_what_is_no_phone_number_is_refused(number: str) -> None:
    assert phone_problem(number)


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.lists(st.text(max_size=5), max_size=3)
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "dealership": st.sampled_from(list(SNAPSHOT.dealerships)) | VALUES,
            "customer": st.just(ORDER["customer"]) | VALUES | st.dictionaries(st.text(max_size=5), VALUES),
            "vehicle": st.fixed_dictionaries(
                {},
                optional={
                    "model": st.sampled_from(["meridian", "alcor"]) | VALUES,
                    "trim": st.sampled_from(["base", "trail"]) | VALUES,
                    "colour": st.sampled_from(["pearl-white", "sand"]) | VALUES,
                    "options": st.lists(st.sampled_from(["tow-bar", "trailer-assist", ""]) | VALUES) | VALUES,
                },
            )
            | VALUES,
            "note": VALUES,
            "expected_price": st.just(msgspec.to_builtins(PRICE)) | VALUES,
        },
    )
)
def test_any_order_is_accepted_or_refused_with_reasons(body: dict[str, Any]) -> None:
    with suppress(Invalid, PriceChanged):
        accepted = check(json.dumps(body).encode(), SNAPSHOT)
        assert accepted.quote.total.amount == sum(line.amount for line in accepted.quote.lines)
