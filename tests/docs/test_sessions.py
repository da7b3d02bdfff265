"""What the documents show is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.documents import DOCS, ROOT
from tests.docs.sessions import commands, demo, matches, run, sessions

WITH_A_PIPELINE_OF_THEIR_OWN = {DOCS / "how-to" / "add-a-state.md"}
BY_MAKE = {DOCS / "how-to" / "develop.md"}  # its commands are `make test` and the like
TOLD = [path for path in sessions() if path not in WITH_A_PIPELINE_OF_THEIR_OWN | BY_MAKE]


@pytest.mark.parametrize("document", TOLD, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_document_print_what_it_shows(document: Path, tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        assert "\n\n".join(run(document.read_text("utf-8"), running)) == ""


def test_tutorial_and_readme_have_sessions() -> None:
    assert {ROOT / "README.md", DOCS / "tutorial" / "first-car.md"} <= set(TOLD)


def test_commands_and_what_they_print_are_told_apart() -> None:
    text = (
        "```console\n$ first \\\n    --more\nprinted …\n$ x=1\n```\n\n```console\n$ f() {\n>   g\n> }\n```\n"
    )
    told = [(command.text, command.expected, command.line) for command in commands(text)]
    assert told == [
        ("first \\\n    --more", ["printed …"], 2),
        ("x=1", [], 5),
        ("f() {\n  g\n}", [], 9),
    ]


def test_an_ellipsis_stands_for_anything() -> None:
    assert matches(["id ord_…", "…", "end"], ["id ord_1", "a", "b", "end"])
    assert not matches(["id ord_…"], ["id pay_1"])
    assert not matches([], ["something"])
