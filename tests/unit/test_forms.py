from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from dealerflow.domain.errors import Fault, Invalid, Malformed, TooLarge
from dealerflow.domain.form_faults import LARGEST_INTEGER, MAX_FAULTS
from dealerflow.domain.forms import MAX_DEPTH, decode


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: Annotated[str, Meta(min_length=1, max_length=5)]
    count: Annotated[int, Meta(ge=1, le=9)] = 1


class Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(pattern="^[a-z]+$", max_length=8, extra={"say": "must be small letters"})]
    kind: Literal["new", "used"] = "new"
    note: Annotated[str, Meta(extra={"multiline": True})] | None = None
    part: Part | None = None
    parts: Annotated[tuple[Part, ...], Meta(max_length=2)] = ()
    pair: tuple[int, str] | None = None
    titles: dict[str, str] = {}
    scope: int | str | None = None
    weight: Annotated[float, Meta(gt=0, lt=100)] = 1.0
    gift: bool = False
    free: Any = None


def faults_of(body: object) -> list[tuple[str, str]]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Invalid) as caught:
        decode(Form, raw)
    return [(fault.pointer, fault.detail) for fault in caught.value.faults]


def test_a_right_form_becomes_its_struct() -> None:
    raw = b"""{"name": "ann", "kind": "used", "note": "one\\ntwo", "part": {"code": "a"}, "pair": [1, "x"],
        "parts": [{"code": "b", "count": 9}], "titles": {"en": "T"}, "scope": 7, "weight": 2, "gift": true}"""

    assert decode(Form, raw) == Form(
        name="ann",
        kind="used",
        note="one\ntwo",
        part=Part(code="a"),
        pair=(1, "x"),
        parts=(Part(code="b", count=9),),
        titles={"en": "T"},
        scope=7,
        weight=2.0,
        gift=True,
    )


def test_letters_of_any_script_and_signs_beyond_the_first_plane_are_welcome() -> None:
    body = {"name": "a", "note": "Çağrı Ø’Neill 山田 😀 \u200f"}

    assert decode(Form, json.dumps(body).encode()) == decode(
        Form, json.dumps(body, ensure_ascii=False).encode()
    )


@pytest.mark.parametrize(
    ("change", "pointer", "detail"),
    [
        ({"name": 1}, "/name", "must be a text, not a number"),
        ({"name": None}, "/name", "must be a text, not null"),
        ({"name": ["a"]}, "/name", "must be a text, not a list"),
        ({"name": "A"}, "/name", "must be small letters"),
        ({"name": "abcdefghi"}, "/name", "is too long: at most 8 characters, this has 9"),
        ({"name": "a\u0000"}, "/name", "must not hold the control character U+0000"),
        ({"kind": "old"}, "/kind", "must be one of: new, used"),
        ({"kind": 1}, "/kind", "must be one of: new, used"),
        ({"note": 5}, "/note", "must be a text or null, not a number"),
        ({"note": "a\u0007"}, "/note", "must not hold the control character U+0007"),
        ({"note": "a\u202eb"}, "/note", "must not hold the control character U+202E"),
        ({"part": []}, "/part", "must be an object or null, not a list"),
        ({"part": {"code": ""}}, "/part/code", "must not be empty"),
        ({"part": {}}, "/part/code", "is missing: give a text"),
        ({"part": {"code": "a", "count": 0}}, "/part/count", "must be at least 1"),
        ({"part": {"code": "a", "count": 10}}, "/part/count", "must be at most 9"),
        ({"part": {"code": "a", "count": 1.5}}, "/part/count", "must be a whole number"),
        ({"part": {"code": "a", "count": True}}, "/part/count", "must be a whole number, not true or false"),
        ({"part": {"code": "a", "count": 10**30}}, "/part/count", "is too large a number"),
        ({"parts": {}}, "/parts", "must be a list, not an object"),
        ({"parts": [{"code": "a"}] * 3}, "/parts", "has too many items: at most 2, this has 3"),
        ({"parts": [{"code": "a"}, 1]}, "/parts/1", "must be an object, not a number"),
        ({"pair": [1]}, "/pair", "must have at least 2 items, this has 1"),
        ({"pair": [1, "a", 2]}, "/pair", "has too many items: at most 2, this has 3"),
        ({"pair": ["a", "b"]}, "/pair/0", "must be a whole number, not a text"),
        ({"titles": {"en": 1}}, "/titles/en", "must be a text, not a number"),
        ({"titles": {"a/~": "\u0001"}}, "/titles/a~1~0", "must not hold the control character U+0001"),
        ({"titles": {"a\n": "x"}}, "/titles/a\n", "the key must be one line, without line breaks and tabs"),
        ({"scope": 1.5}, "/scope", "must be a whole number"),
        ({"scope": LARGEST_INTEGER + 1}, "/scope", "is too large a number"),
        ({"scope": []}, "/scope", "must be a whole number or a text or null, not a list"),
        ({"weight": 0}, "/weight", "must be more than 0"),
        ({"weight": 100}, "/weight", "must be less than 100"),
        ({"weight": "1"}, "/weight", "must be a number, not a text"),
        ({"gift": 1}, "/gift", "must be true or false, not a number"),
        ({"free": [{"a": "\u0000"}]}, "/free/0/a", "must not hold the control character U+0000"),
        ({"nmae": "a"}, "/nmae", "'nmae' is not known here; did you mean \"name\"?"),
    ],
)
def test_a_fault_says_where_it_is_and_what_would_be_right(
    change: dict[str, object], pointer: str, detail: str
) -> None:
    assert faults_of({"name": "ann"} | change) == [(pointer, detail)]


def test_all_faults_are_told_at_once() -> None:
    body = {"kind": "old", "note": "\u0000", "parts": [{}, {"code": "abcdef", "x": 1}], "gift": "yes"}

    assert [pointer for pointer, _ in faults_of(body)] == [
        "/name",
        "/kind",
        "/note",
        "/parts/0/code",
        "/parts/1/code",
        "/parts/1/x",
        "/gift",
    ]


def test_a_line_break_is_refused_in_one_line_and_welcome_in_many() -> None:
    found = faults_of(b'{"name": "ann\\n", "note": "one\\r\\n\\ttwo"}')

    assert ("/name", "must be one line, without line breaks and tabs") in found
    assert {pointer for pointer, _ in found} == {"/name"}


@pytest.mark.parametrize("body", [[], 1, "a", None, True])
def test_what_is_no_object_is_told_of_as_a_whole(body: object) -> None:
    assert [pointer for pointer, _ in faults_of(body)] == [""]


def test_a_hostile_body_gets_a_short_answer() -> None:
    found = faults_of({f"key{number}": 1 for number in range(2_000)})
    long_key = faults_of({"name": "a", "k" * 5_000: 1})

    assert len(found) == MAX_FAULTS
    assert [(pointer, len(detail) < 300) for pointer, detail in long_key] == [("", True)]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"{", "no JSON"),
        (b"{}{}", "no JSON"),
        (b"name=ann", "no JSON"),
        (b"{'name': 'ann'}", "no JSON"),
        (b'{"name": "a\nb"}', "no JSON"),
        (b"\xef\xbb\xbf{}", "no JSON"),
        (b'{"name": "\xff"}', "no UTF-8: byte 10"),
        ('{"name": "ann"}'.encode("utf-16"), "no UTF-8"),
        (b'{"weight": NaN}', "NaN"),
        (b'{"weight": -Infinity}', "-Infinity"),
        (b'{"weight": 1e999}', "too large"),
        (b'{"scope": ' + b"9" * 5_000 + b"}", "too large"),
        (b'{"name": "a", "name": "b"}', "'name' is given twice"),
        (b'{"name": "a", "n\\u0061me": "b"}', "'name' is given twice"),
        (b'{"name": "a", "free": [{"\\ud800": 1, "\\ud800": 2}]}', "given twice"),
        (b'{"name": "\\ud800"}', "half of a surrogate pair"),
        (b'{"name": "a", "free": {"\\uDC00": 1}}', "half of a surrogate pair"),
        (b"[" * 10_000, "nested too deeply"),
        (b'{"free": ' + b"[" * 50 + b"]" * 50 + b"}", "nested too deeply"),
        (b'{"free": ' * 20_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_understood_is_malformed(raw: bytes, said: str) -> None:
    with pytest.raises(Malformed) as caught:
        decode(Form, raw, max_bytes=1_000_000)

    assert said in caught.value.detail
    assert len(caught.value.detail) < 200


def test_nesting_up_to_the_limit_is_taken_and_one_more_is_not() -> None:
    lists = MAX_DEPTH - 1  # the object around them counts too
    flat = decode(Form, json.dumps({"name": "a", "free": [[]] * 100}).encode())
    deep = b'{"name": "a", "free": ' + b"[" * lists + b"]" * lists + b"}"

    assert flat.free == [[]] * 100
    assert decode(Form, deep).name == "a"
    with pytest.raises(Malformed):
        decode(Form, deep.replace(b"[]", b"[[]]"))


def test_a_body_over_the_limit_is_too_large_before_it_is_read() -> None:
    with pytest.raises(TooLarge, match="at most 10 are taken"):
        decode(Form, b"{" * 11, max_bytes=10)


def test_a_type_without_words_of_our_own_is_still_refused_with_what_msgspec_says() -> None:
    class Dated(msgspec.Struct):
        at: msgspec.Raw | int
        tags: frozenset[int] = frozenset()

    with pytest.raises(Invalid) as caught:
        decode(Dated, b'{"at": 1, "tags": ["a"]}')

    assert caught.value.faults == (Fault("", "Expected `int`, got `str` - at `$.tags[0]`"),)
