from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dealerflow.domain.catalogue_files import catalogue_faults, read_catalogue
from dealerflow.domain.errors import Invalid, Malformed

PRICE = {"EUR": 100}
GOOD: dict[str, Any] = {
    "version": 1,
    "currencies": ["EUR"],
    "models": [
        {
            "code": "nova",
            "title": {"en": "Nova", "es": "Nova"},
            "price": PRICE,
            "vin_code": "N1VA0",
            "trims": [
                {"code": "base", "title": {"en": "Base"}, "price": PRICE},
                {"code": "sport", "title": {"en": "Sport"}, "price": PRICE},
            ],
            "colours": [{"code": "red", "title": {"en": "Red"}, "price": PRICE}],
            "options": [
                {"code": "a", "title": {"en": "A"}, "price": PRICE, "needs": ["b"], "trims": ["base"]},
                {"code": "b", "title": {"en": "B"}, "price": PRICE, "needs": ["c"]},
                {"code": "c", "title": {"en": "C"}, "price": PRICE, "excludes": ["d"]},
                {"code": "d", "title": {"en": "D"}, "price": PRICE},
            ],
        }
    ],
}


def _changed(change: Callable[[Any], object]) -> bytes:
    body = copy.deepcopy(GOOD)
    change(body)
    return json.dumps(body).encode()


def test_a_good_file_is_read() -> None:
    catalogue = read_catalogue(json.dumps(GOOD).encode())

    assert catalogue.models[0].options[0].needs == ("b",)
    assert catalogue.models[0].colours[0].trims is None


@pytest.mark.parametrize(
    ("change", "pointer", "said"),
    [
        (lambda c: c["models"].append(c["models"][0]), "/models/1/code", '"nova" is there already'),
        (lambda c: c["models"].append(c["models"][0]), "/models/1/vin_code", "there already"),
        (lambda c: c["currencies"].append("EUR"), "/currencies/1", "there already"),
        (lambda c: c["currencies"].append("USD"), "/models/0/price/USD", "nova needs a price in USD"),
        (lambda c: c["currencies"].append("USD"), "/models/0/options/3/price/USD", "d needs a price in USD"),
        (lambda c: c["models"][0]["price"].update(JPY=1), "/models/0/price/JPY", "JPY is not among"),
        (lambda c: c["models"][0]["price"].update(EUR=-1), "/models/0/price/EUR", "at least 0"),
        (lambda c: c["models"][0]["price"].update(EUR=1.5), "/models/0/price/EUR", "whole number"),
        (lambda c: c["models"][0]["title"].pop("en"), "/models/0/title/en", "is missing"),
        (lambda c: c["models"][0]["title"].update(xx="?"), "/models/0/title/xx", "no language"),
        (lambda c: c["models"][0].update(vin_code="NOVA1"), "/models/0/vin_code", "5 capital letters"),
        (lambda c: c["models"][0].update(code="No va"), "/models/0/code", "small letters"),
        (lambda c: c["models"][0].update(trims=[]), "/models/0/trims", "at least 1 item"),
        (lambda c: c["models"][0].update(trimms=[]), "/models/0/trimms", 'did you mean "trims"?'),
        (
            lambda c: c["models"][0]["options"][1].update(code="a"),
            "/models/0/options/1/code",
            "there already",
        ),
        (lambda c: c["models"][0]["options"][3].update(needs=["x"]), "/models/0/options/3/needs/0", '"x"'),
        (lambda c: c["models"][0]["options"][3].update(needs=["d"]), "/models/0/options/3/needs/0", '"d"'),
        (
            lambda c: c["models"][0]["options"][3].update(excludes=["x"]),
            "/models/0/options/3/excludes/0",
            '"x"',
        ),
        (lambda c: c["models"][0]["options"][3].update(trims=["x"]), "/models/0/options/3/trims/0", '"x"'),
        (lambda c: c["models"][0]["colours"][0].update(trims=["x"]), "/models/0/colours/0/trims/0", '"x"'),
        (
            lambda c: c["models"][0]["options"][0].update(needs=["b", "d"]),
            "/models/0/options/0",
            "no car can have a: it would need d and c together, which exclude each other",
        ),
        (
            lambda c: c["models"][0]["options"][2].update(trims=["sport"]),
            "/models/0/options/0",
            "no car can have a: there is no trim for which a, b, c can all be had",
        ),
        (
            lambda c: c["models"][0]["colours"][0].update(trims=["base"]),
            "/models/0/trims/1",
            "sport is to be had in no colour",
        ),
    ],
)
def test_a_bad_file_is_told_where_it_is_bad(change: Callable[[Any], object], pointer: str, said: str) -> None:
    found = {fault.pointer: fault.detail for fault in catalogue_faults(_changed(change))}

    assert said in found.get(pointer, f"nothing there, but {found}")
    with pytest.raises(Invalid):
        read_catalogue(_changed(change))


def test_options_that_need_each_other_are_had_together() -> None:
    assert catalogue_faults(_changed(lambda c: c["models"][0]["options"][2].update(needs=["a"]))) == []


def test_a_file_that_is_no_json_is_told_of_as_a_whole() -> None:
    assert [fault.pointer for fault in catalogue_faults(b"code,title")] == [""]
    with pytest.raises(Malformed):
        read_catalogue(b"code,title")


def test_a_catalogue_file_as_written_is_the_one_that_is_read(tmp_path: Path) -> None:
    import msgspec

    catalogue = read_catalogue(json.dumps(GOOD).encode())
    (tmp_path / "catalogue.json").write_bytes(msgspec.json.encode(catalogue))

    assert read_catalogue((tmp_path / "catalogue.json").read_bytes()) == catalogue
    assert catalogue.model_index.keys() == {"nova"}
