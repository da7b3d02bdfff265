from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest

import dealerflow.composition
from dealerflow.adapters.documents.formats import country_text
from dealerflow.domain.billing import DEFAULT_TERMS, Term, terms_faults
from dealerflow.domain.catalogue import Catalogue, VehicleChoice, faults, quote
from dealerflow.domain.catalogue_files import read_catalogue
from dealerflow.domain.intake import email_problem
from dealerflow.domain.people import ROLES, SCOPE_OF, Membership
from dealerflow.domain.quality import DefectCode, defect_code_faults

DEMO = Path(dealerflow.composition.__file__).parent / "demo"


def _demo(name: str) -> Any:
    return json.loads((DEMO / name).read_text(encoding="utf-8"))


@pytest.fixture
def catalogue() -> Catalogue:
    return read_catalogue((DEMO / "catalogue.json").read_bytes())


def test_the_catalogue_has_three_models_with_rules_of_every_kind(catalogue: Catalogue) -> None:
    assert [model.code for model in catalogue.models] == ["meridian", "solano", "alcor"]
    options = [option for model in catalogue.models for option in model.options]
    assert any(option.needs for option in options)
    assert any(option.excludes for option in options)
    assert any(option.trims for option in options)
    assert all(set(option.title) == {"en", "es"} for option in options)


def test_every_meridian_is_valid_with_tow_bar_winter_pack_both_or_neither(catalogue: Catalogue) -> None:
    meridian = catalogue.model_index["meridian"]
    assert {"base", "touring"} <= meridian.trims.keys()
    assert {"pearl-white", "deep-blue"} <= meridian.colours.keys()

    extras = [(), ("tow-bar",), ("winter-pack",), ("tow-bar", "winter-pack")]
    for trim, colour, options in product(meridian.trims, meridian.colours, extras):
        choice = VehicleChoice(model="meridian", trim=trim, colour=colour, options=options)
        assert faults(catalogue, choice, "EUR") == []
        assert quote(catalogue, choice, "EUR").total.amount >= 20_000_00


def test_the_dealerships_are_those_of_the_demo_with_their_terms() -> None:
    dealerships = {dealership["id"]: dealership for dealership in _demo("dealerships.json")}
    terms = {id_: msgspec.convert(d["terms"], tuple[Term, ...]) for id_, d in dealerships.items()}

    assert list(dealerships) == ["northside", "harbour", "lakeside"]
    assert terms["northside"] == terms["harbour"] == DEFAULT_TERMS
    assert terms["lakeside"] == (Term(before="production", percent=20), Term(before="handover", percent=80))
    for id_, dealership in dealerships.items():
        assert terms_faults(terms[id_]) == []
        assert dealership["models"] is None
        assert dealership["email"] == f"dealer@{id_}.example"
        assert dealership["seller"]["currency"] == "EUR"
        assert dealership["seller"]["number_prefix"] == id_.upper()
    assert {id_: d["delivery_line"] for id_, d in dealerships.items()} == {
        "northside": "north",
        "harbour": "coast",
        "lakeside": "north",
    }


def test_both_lines_build_every_model_and_have_ten_places() -> None:
    lines = _demo("lines.json")

    assert [line["id"] for line in lines] == ["A", "B"]
    assert all((line["plant"], line["places"], line["models"]) == ("main", 10, None) for line in lines)


def test_every_account_of_the_demo_has_a_role_in_a_scope_that_is_there() -> None:
    accounts = _demo("accounts.json")
    scopes = {
        "dealership": {dealership["id"] for dealership in _demo("dealerships.json")},
        "line": {line["id"] for line in _demo("lines.json")},
        "plant": {line["plant"] for line in _demo("lines.json")},
    }
    memberships = {a["email"]: msgspec.convert(a["memberships"], list[Membership]) for a in accounts}

    assert all(account["password"] == "demo" and not email_problem(account["email"]) for account in accounts)
    assert {m.role for held in memberships.values() for m in held} == set(ROLES)
    for membership in (m for held in memberships.values() for m in held):
        kind = SCOPE_OF.get(membership.role)
        assert membership.scope in scopes[kind] if kind else membership.scope == ""
    assert [email.partition("@")[0] for email in memberships] == [
        "dealer",
        "dealer",
        "dealer",
        "production",
        "line-a",
        "line-b",
        "quality",
        "delivery",
        "head1",
        "head2",
        "operator",
        "admin",
    ]


def test_the_defect_codes_are_those_of_the_demo() -> None:
    codes = msgspec.convert(_demo("defects.json"), list[DefectCode])

    assert [defect.code for defect in codes] == ["paint", "gap", "electrics", "noise", "leak"]
    assert defect_code_faults(codes) == []


def test_no_seller_s_address_names_the_country_which_documents_name_in_their_own_language() -> None:
    for dealership in _demo("dealerships.json"):
        seller = dealership["seller"]
        assert country_text(seller["country"], "en") not in seller["address"]
