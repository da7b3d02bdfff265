from __future__ import annotations

import pytest

from dealerflow.domain.errors import Fault, Invalid
from dealerflow.pipeline.definition import (
    Detail,
    Outcome,
    details_faults,
    has_control_characters,
    pipeline_id,
    text_in,
)
from dealerflow.pipeline.loader import standard

TITLE = {"en": "Title"}
CHOICES = {"lines": ["A", "B"], "defects": {"paint", "gap"}}


def outcome_asking(*details: Detail) -> Outcome:
    return Outcome(name="decide", title=TITLE, to="next", by=("dealer",), details=details)


REASON = Detail(name="reason", title=TITLE, kind="text", required=True, max_length=10)
NOTE = Detail(name="note", title=TITLE, kind="text")
LINE = Detail(name="line", title=TITLE, kind="choice", source="lines", required=True)
CONDITION = Detail(name="condition", title=TITLE, kind="choice", choices=("ok", "damaged"))
DEFECTS = Detail(name="defects", title=TITLE, kind="codes", source="defects", required=True)


@pytest.mark.parametrize(
    ("details", "sent"),
    [
        ((), None),
        ((), {}),
        ((NOTE,), {}),
        ((NOTE,), {"note": None}),
        ((NOTE,), {"note": ""}),
        ((NOTE,), {"note": "two\r\nlines\tand a tab"}),
        ((REASON,), {"reason": "x" * 10}),
        ((LINE,), {"line": "A"}),
        ((CONDITION,), {"condition": "damaged"}),
        ((DEFECTS, NOTE), {"defects": ["paint", "gap"], "note": "doors"}),
    ],
)
def test_right_details_have_no_faults(details: tuple[Detail, ...], sent: object) -> None:
    assert details_faults(outcome_asking(*details), sent, CHOICES) == []


@pytest.mark.parametrize(
    ("details", "sent", "pointers"),
    [
        ((), "text", ["/details"]),
        ((), ["reason"], ["/details"]),
        ((), {"a/b~c": 1}, ["/details/a~1b~0c"]),
        ((REASON,), None, ["/details/reason"]),
        ((REASON,), {"reason": None}, ["/details/reason"]),
        ((REASON,), {"reason": " \n "}, ["/details/reason"]),
        ((REASON,), {"reason": 7}, ["/details/reason"]),
        ((REASON,), {"reason": "x" * 11}, ["/details/reason"]),
        ((REASON,), {"reason": "x" * 11 + "\0"}, ["/details/reason", "/details/reason"]),
        ((NOTE,), {"note": "\ud800"}, ["/details/note"]),
        ((LINE,), {"line": "C"}, ["/details/line"]),
        ((LINE,), {"line": ["A"]}, ["/details/line"]),
        ((CONDITION,), {"condition": ""}, ["/details/condition"]),
        ((DEFECTS,), {"defects": []}, ["/details/defects"]),
        ((DEFECTS,), {"defects": "paint"}, ["/details/defects"]),
        ((DEFECTS,), {"defects": ["paint", "rust", {}]}, ["/details/defects/1", "/details/defects/2"]),
        ((DEFECTS,), {"defects": ["paint", "paint"]}, ["/details/defects/1"]),
        ((DEFECTS,), {"defects": ["paint"] * 101}, ["/details/defects"]),
        (
            (REASON, LINE, DEFECTS),
            {"line": "C", "defects": ["rust"], "extra": 1},
            ["/details/extra", "/details/reason", "/details/line", "/details/defects/0"],
        ),
    ],
)
def test_every_fault_of_the_details_is_named_at_once(
    details: tuple[Detail, ...], sent: object, pointers: list[str]
) -> None:
    faults = details_faults(outcome_asking(*details), sent, CHOICES)
    assert [fault.pointer for fault in faults] == pointers
    assert all(fault.detail for fault in faults)


def test_a_fault_says_what_would_be_right() -> None:
    assert details_faults(outcome_asking(LINE), {"line": "C"}, CHOICES) == [
        Fault("/details/line", "'C' is no valid choice; choose one of A, B")
    ]


def test_a_source_that_has_nothing_yet_has_no_valid_choice() -> None:
    faults = details_faults(outcome_asking(LINE), {"line": "A"}, {})
    assert [fault.pointer for fault in faults] == ["/details/line"]


def test_an_unknown_state_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Invalid) as refused:
        standard().state("order_lost")
    assert [fault.pointer for fault in refused.value.faults] == ["/state"]
    assert "order_arrived" in refused.value.detail


def test_an_unknown_outcome_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Invalid, match="accept, decline, cancel") as refused:
        standard().outcome("order_placed", "approve")
    assert [fault.pointer for fault in refused.value.faults] == ["/outcome"]
    with pytest.raises(Invalid, match="nothing can be decided there"):
        standard().outcome("ended", "accept")


def test_those_who_decide_in_a_state_are_those_of_all_its_outcomes() -> None:
    assert standard().roles_deciding("order_arrived") == {
        "production_manager",
        "customer",
        "dealer",
        "dealer_admin",
    }
    assert standard().roles_deciding("ended") == frozenset()


def test_another_text_gives_another_id() -> None:
    assert pipeline_id("mine", "text").startswith("mine-")
    assert len(pipeline_id("mine", "text")) == len("mine-") + 12
    assert pipeline_id("mine", "text") != pipeline_id("mine", "text ")


def test_a_text_without_translation_is_shown_in_english() -> None:
    assert text_in({"en": "Reason", "es": "Motivo"}, "es") == "Motivo"
    assert text_in({"en": "Reason", "es": "Motivo"}, "fr") == "Reason"


@pytest.mark.parametrize("text", ["\0", "a\x1b", "\x7f", "\x85", "\ud83d"])
def test_control_characters_and_half_characters_are_found(text: str) -> None:
    assert has_control_characters(text)


@pytest.mark.parametrize("text", ["", "ñ ł ø", "line\r\nline\t", "👍", "Ωмега 車"])
def test_ordinary_text_has_no_control_characters(text: str) -> None:
    assert not has_control_characters(text)
