"""Each decision has a page of one form, and stands in the list."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.documents import DOCS

DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives"]
A_PAGE = 75  # lines


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_tells_context_decision_consequences_and_alternatives(decision: Path) -> None:
    text = decision.read_text("utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert text.startswith(f"# {decision.name[:4]} ")
    assert len(text.splitlines()) <= A_PAGE


def test_the_list_names_every_decision_by_its_title() -> None:
    listed = dict(
        re.findall(
            r"^\| \[\d{4}\]\((\S+)\) \| (.+) \|$",
            (DOCS / "decisions" / "README.md").read_text("utf-8"),
            re.MULTILINE,
        )
    )
    titles = {path.name: path.read_text("utf-8").splitlines()[0][7:] for path in DECISIONS}
    assert listed == titles
