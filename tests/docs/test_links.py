"""Links in the documents lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.documents import DOCS, ROOT, anchors, links, markdown_files


@pytest.mark.parametrize("document", markdown_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_exist(document: Path) -> None:
    broken = [
        target for target in links(document.read_text("utf-8")) if not _leads_somewhere(document, target)
    ]
    assert broken == []


def _leads_somewhere(document: Path, target: str) -> bool:
    if target.startswith(("https://", "http://")):
        return True
    path, _, anchor = unquote(target).partition("#")
    file = (document.parent / path).resolve() if path else document
    if not file.exists() or not file.is_relative_to(ROOT):
        return False
    return not anchor or (file.suffix == ".md" and anchor in anchors(file.read_text("utf-8")))


def test_a_broken_link_is_found() -> None:
    assert not _leads_somewhere(DOCS / "README.md", "nowhere.md")
    assert not _leads_somewhere(DOCS / "README.md", "README.md#no-such-heading")


def test_every_document_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document in seen or document.suffix != ".md":
            continue
        seen.add(document)
        targets = [target.partition("#")[0] for target in links(document.read_text("utf-8"))]
        waiting += [(document.parent / path).resolve() for path in targets if path and "://" not in path]
    assert {path for path in markdown_files() if path not in seen} == set()


def test_every_picture_has_words_for_those_who_do_not_see_it() -> None:
    for document in markdown_files():
        assert not re.search(r"!\[\s*\]\(", document.read_text("utf-8")), document
