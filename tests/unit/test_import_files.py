from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealerflow.application.import_files import converted, listed, pairs, read_rows, text, whole, yes_no
from dealerflow.domain.errors import DealerflowError, Invalid, Malformed


class Maker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    rate: int = 0


class Car(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Annotated[str, msgspec.Meta(max_length=5)]
    maker: Maker
    tags: tuple[str, ...] = ()
    sold: bool = False


COLUMNS = {"id": text, "maker.name": text, "maker.rate": whole, "tags": listed, "sold": yes_no}


def cars(raw: str | bytes, name: str = "cars.csv") -> list[Car]:
    return converted(read_rows(raw if isinstance(raw, bytes) else raw.encode(), name, COLUMNS), Car)


def said(raw: str) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as raised:
        cars(raw)
    return [(fault.pointer, fault.detail) for fault in raised.value.faults]


def test_a_column_with_a_dot_is_a_field_of_a_field() -> None:
    assert cars("id,maker.name,maker.rate,tags,sold\na,Ada,7,red fast,yes\n") == [
        Car(id="a", maker=Maker(name="Ada", rate=7), tags=("red", "fast"), sold=True)
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_any_usual_delimiter_will_do(delimiter: str) -> None:
    assert cars(f"id{delimiter}maker.name\na{delimiter}Ada\n") == [Car(id="a", maker=Maker(name="Ada"))]


def test_an_empty_cell_is_left_out_and_an_empty_row_too() -> None:
    assert cars("id,maker.name,maker.rate\na,Ada,\n,,\n\nb,Bo,1\n") == [
        Car(id="a", maker=Maker(name="Ada")),
        Car(id="b", maker=Maker(name="Bo", rate=1)),
    ]


def test_faults_are_told_by_row_and_column() -> None:
    assert said("id,maker.name,maker.rate,sold\na,Ada,x,\n\nabcdef,,1,perhaps\n") == [
        ("row 2, column maker.rate", "must be a whole number, not a text"),
        ("row 4, column id", "is too long: at most 5 characters, this has 6"),
        ("row 4, column maker.name", "is missing: give a text"),
        ("row 4, column sold", "must be true or false, not a text"),
    ]


def test_faults_of_json_are_told_by_pointer() -> None:
    with pytest.raises(Invalid) as raised:
        cars(b'[{"id": "a", "maker": {"name": 1}}]', "cars.json")
    assert [fault.pointer for fault in raised.value.faults] == ["/0/maker/name"]


def test_unknown_and_doubled_columns_are_named() -> None:
    told = said("id,id,colour\n")
    assert [where for where, _ in told] == ["row 1", "row 1"]
    assert 'no column "colour"' in told[0][1]
    assert '"id" is there twice' in told[1][1]


def test_a_row_with_too_many_cells_is_named() -> None:
    assert said("id,maker.name\na,b\nc,d,e\n") == [("row 3", "has more cells than there are columns")]


@pytest.mark.parametrize(
    ("raw", "name", "detail"),
    [
        (b"\xff\xfe", "a.csv", "CSV UTF-8"),
        (b"{}", "a.json", "must hold a list"),
        (b"nothing", "a.json", "no JSON"),
        (b'id\n"a', "a.csv", "no CSV"),
    ],
)
def test_what_is_no_such_file_is_said_so(raw: bytes, name: str, detail: str) -> None:
    with pytest.raises(Malformed, match=detail):
        cars(raw, name)


def test_pairs_are_read_with_and_without_a_second_part() -> None:
    read = pairs("role", "scope")
    assert read("dealer:north admin") == [{"role": "dealer", "scope": "north"}, {"role": "admin"}]


@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.json"]))
def test_whatever_a_file_holds_it_is_read_or_refused_with_reasons(raw: bytes, name: str) -> None:
    try:
        cars(raw, name)
    except DealerflowError as error:
        assert error.detail  # noqa: PT017 - either way out is right


@given(st.text(alphabet='id,maker.name;\n"a\t', max_size=60))
def test_whatever_a_spreadsheet_holds_it_is_read_or_refused_with_reasons(content: str) -> None:
    try:
        cars(content)
    except DealerflowError as error:
        assert error.detail  # noqa: PT017 - either way out is right
