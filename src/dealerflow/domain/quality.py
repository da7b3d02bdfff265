"""Defects: the list of codes from which a quality lead chooses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from dealerflow.domain.errors import Fault
from dealerflow.domain.languages import Text, in_language, title_faults


class DefectCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of defect. `code` stands in messages and figures, `title` is what people read."""

    code: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
    title: Text


def defect_code_faults(codes: Iterable[DefectCode], pointer: str = "") -> list[Fault]:
    """What is wrong with a list of defect codes: codes given twice, titles without English."""
    found: list[Fault] = []
    seen: set[str] = set()
    for place, defect in enumerate(codes):
        if defect.code in seen:
            found.append(Fault(f"{pointer}/{place}/code", f'"{defect.code}" is there already'))
        seen.add(defect.code)
        found.extend(title_faults(defect.title, f"{pointer}/{place}/title"))
    return found


def titles(codes: Iterable[str], known: Iterable[DefectCode], language: str) -> list[str]:
    """The titles of these codes for a reader. A code that has left the list since is shown as it is."""
    named = {defect.code: in_language(defect.title, language) for defect in known}
    return [named.get(code, code) for code in codes]
