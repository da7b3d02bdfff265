from __future__ import annotations

from dealerflow.domain.quality import DefectCode, defect_code_faults, titles

PAINT = DefectCode(code="paint", title={"en": "Paint", "es": "Pintura"})
GAP = DefectCode(code="gap", title={"en": "Panel gap"})


def test_defects_are_shown_in_the_reader_s_language_and_else_in_english() -> None:
    assert titles(["gap", "paint"], [PAINT, GAP], "es") == ["Panel gap", "Pintura"]


def test_a_code_that_has_left_the_list_is_shown_as_it_is() -> None:
    assert titles(["rust"], [PAINT, GAP], "en") == ["rust"]


def test_a_list_names_doubled_codes_and_bad_titles() -> None:
    nameless = DefectCode(code="leak", title={"fr": "Fuite"})
    found = defect_code_faults([PAINT, PAINT, nameless])

    assert [fault.pointer for fault in found] == ["/1/code", "/2/title/fr", "/2/title/en"]
    assert defect_code_faults([PAINT, GAP]) == []
