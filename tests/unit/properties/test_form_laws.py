from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta

from dealerflow.domain.errors import Invalid, Malformed, TooLarge
from dealerflow.domain.form_faults import LARGEST_INTEGER, control_characters, form_faults
from dealerflow.domain.forms import decode, examine, parse


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    before: Literal["production", "delivery"]
    percent: Annotated[int, Meta(ge=1, le=100)]
    label: Annotated[str, Meta(min_length=1, max_length=5)] | None = None


class Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(max_length=10, pattern=r"\S")]
    count: int
    share: float = 0.0
    yes: bool = False
    note: Annotated[str, Meta(extra={"multiline": True})] | None = None
    rows: Annotated[tuple[Row, ...], Meta(max_length=3)] = ()
    first: Row | None = None
    title: dict[str, str] = {}
    scope: int | str | None = None


LINES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=10)
INTEGERS = st.integers(-LARGEST_INTEGER, LARGEST_INTEGER)
ROWS = st.builds(
    Row,
    before=st.sampled_from(["production", "delivery"]),
    percent=st.integers(1, 100),
    label=st.none() | LINES.filter(bool).map(lambda text: text[:5]),
)
FORMS = st.builds(
    Form,
    name=LINES.filter(bool),
    count=INTEGERS,
    share=st.floats(allow_nan=False, allow_infinity=False),
    yes=st.booleans(),
    note=st.none() | st.lists(LINES, max_size=3).map("\n".join),
    rows=st.lists(ROWS, max_size=3).map(tuple),
    first=st.none() | ROWS,
    title=st.dictionaries(LINES, LINES, max_size=3),
    scope=st.none() | INTEGERS | LINES,
)
NAMES = st.sampled_from([*Form.__struct_fields__, *Row.__struct_fields__, "en", "x/~y"])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | INTEGERS
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=12,
)


@given(FORMS)
def test_a_struct_sent_is_the_struct_read(form: Form) -> None:
    assert decode(Form, msgspec.json.encode(form)) == form


@settings(max_examples=200)
@given(JSON | FORMS.map(msgspec.to_builtins), st.booleans())
def test_any_json_is_read_or_refused_with_faults_that_can_be_found(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    _, form, faults = examine(Form, raw)

    assert (form is None) == bool(faults)
    assert all(_is_found(value, fault.pointer) for fault in faults)
    if form is not None:
        assert form == msgspec.convert(value, Form)
        assert not any(map(control_characters, _texts(value, without="note")))


@settings(max_examples=200)
@given(
    st.binary(max_size=60) | st.text(alphabet='{}[]",:\\u01dD8eE-+.9anm \n\x00', max_size=60).map(str.encode)
)
def test_no_bytes_do_anything_but_be_read_or_be_refused(raw: bytes) -> None:
    with suppress(Invalid, Malformed, TooLarge):
        assert isinstance(decode(Form, raw, max_bytes=50), Form)


@settings(max_examples=200)
@given(FORMS, st.data())
def test_a_planted_fault_is_named_where_it_was_planted(form: Form, data: st.DataObject) -> None:
    value = msgspec.to_builtins(form)
    where, holder, key = data.draw(st.sampled_from(list(_places(value))))
    holder[key] = data.draw(JSON)
    raw = json.dumps(value).encode()

    found = form_faults(Form, parse(raw))
    assert all(fault.pointer == where or fault.pointer.startswith(f"{where}/") for fault in found)


def _places(value: Any, pointer: str = "") -> Iterator[tuple[str, Any, Any]]:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list | tuple)
        else ()
    )
    for key, item in items:
        where = f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
        if not isinstance(value, tuple):
            yield where, value, key
        yield from _places(item, where)


def _texts(value: Any, *, without: str) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for key, item in value.items() if isinstance(value, dict) else ():
        yield key
        yield from () if key == without else _texts(item, without=without)
    for item in value if isinstance(value, list | tuple) else ():
        yield from _texts(item, without=without)


def _is_found(value: Any, pointer: str) -> bool:
    """Whether all but the last step of the pointer are there (the last may be what is missing)."""
    *way, _ = pointer.split("/")
    for step in way[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list | tuple):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return False
    return True
