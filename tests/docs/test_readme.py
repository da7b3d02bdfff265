"""What the README and the tutorial name is there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dealerflow.pipeline.loader import standard
from dealerflow.web import pages
from tests.docs.documents import DOCS, ROOT, prose

TEXTS = Path(pages.__file__).parent / "texts"
WALKS = [ROOT / "README.md", DOCS / "tutorial" / "first-car.md"]
SOURCE = re.compile(r"`((?:src/dealerflow|docs|tests|scripts)/[\w./-]*)(?:<\w+>[\w./]*)?`")


@pytest.mark.parametrize("document", WALKS, ids=lambda path: path.name)
def test_what_is_to_be_clicked_stands_on_the_pages(document: Path) -> None:
    walk = _walk(document.read_text("utf-8"))
    bold = (" ".join(label.split()) for label in re.findall(r"\*\*([^*]+)\*\*", prose(walk)))
    named = {label for label in bold if not label.endswith(".")}
    labels = list(_labels())
    unknown = {label for label in named if not any(_fits(label, known) for known in labels)}
    assert len(named) > 8
    assert unknown == set()


def _walk(text: str) -> str:
    """The part that leads through the pages."""
    begin = re.search(r"^##+ (Five minutes|The first car)", text, re.MULTILINE)
    assert begin is not None
    end = re.compile(r"^##+ (The same by curl|The second car)", re.MULTILINE).search(text, begin.end())
    assert end is not None
    return text[begin.start() : end.start()]


def _labels() -> Iterator[str]:
    for file in TEXTS.glob("*en.toml"):
        yield from _leaves(tomllib.loads(file.read_text("utf-8")))
    for state in standard().states.values():
        yield state.title["en"]
        yield from (outcome.title["en"] for outcome in state.outcomes.values())


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else ():
        yield from _leaves(inner)


def _fits(label: str, known: str) -> bool:
    """`Pay …` fits `Pay {amount}`."""
    return label == re.sub(r"\{\w+\}", "…", known)


def test_every_path_that_a_document_names_exists() -> None:
    for document in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for path in SOURCE.findall(document.read_text("utf-8")):
            assert (ROOT / path).exists(), f"{document.relative_to(ROOT)} names {path}"


def test_pictures_are_small() -> None:
    for picture in (DOCS / "pictures").iterdir():
        assert picture.stat().st_size <= 200_000, picture.name
