"""What the documents show is what happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.documents import DOCS, ROOT
from tests.docs.sessions import Demo, commands, demo, matches, run, sessions

WITH_A_PIPELINE_OF_THEIR_OWN = {
    DOCS / "how-to" / "add-a-state.md",
    DOCS / "how-to" / "roll-out-a-pipeline.md",
}
BY_MAKE = {DOCS / "how-to" / "develop.md"}  # its commands are `make test` and the like
TOLD = [path for path in sessions() if path not in WITH_A_PIPELINE_OF_THEIR_OWN | BY_MAKE]
GUIDES = [path for path in TOLD if path.parent.name == "how-to"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for all guides: what they do does not get into each other's way."""
    with demo(tmp_path_factory.mktemp("guides")) as running:
        yield running


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_the_commands_of_a_guide_print_what_it_shows(guide: Path, shared: Demo) -> None:
    assert "\n\n".join(run(guide.read_text("utf-8"), shared)) == ""


@pytest.mark.parametrize("document", sorted(set(TOLD) - set(GUIDES)), ids=lambda path: path.stem)
def test_the_commands_of_a_first_try_print_what_it_shows(document: Path, tmp_path: Path) -> None:
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
