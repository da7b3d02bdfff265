"""Every command and option that a document names exists, also where the command is not run by a test."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from scripts.reference.commands import commands
from tests.docs.documents import DOCS, ROOT, blocks

DOCUMENTS = [
    path for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))] if "reference" not in path.parts
]
KNOWN = dict(commands())
OFFERED_EVERYWHERE = {"--data", "--help"}


def named(text: str) -> list[str]:
    """What begins with `dealerflow` in shell blocks and between backticks."""
    found = [
        line
        for block in blocks(text)
        if block.language in ("sh", "console")
        for line in block.text.splitlines()
    ]
    found += [" ".join(code.split()) for code in re.findall(r"`(dealerflow\s(?:[^`\n]|\n(?!\n))+)`", text)]
    return [
        match[0] for line in found for match in re.finditer(r"(?<![\w./-])dealerflow [a-z][^|&;)]*", line)
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_document_names_exists(document: Path) -> None:
    wrong = [line for line in named(document.read_text("utf-8")) if not _exists(line)]
    assert wrong == []


def _exists(line: str) -> bool:
    words = shlex.split(line.partition(" #")[0].replace("…", ""), posix=False)
    for length in (3, 2):
        command = KNOWN.get(" ".join(words[:length]))
        if command is not None:
            options = {word.partition("=")[0] for word in words[length:] if word.startswith("--")}
            return options <= _options(command)
    return len(words) == 2 and any(name.startswith(" ".join(words) + " ") for name in KNOWN)  # a group


def _options(command: Any) -> set[str]:
    return OFFERED_EVERYWHERE.union(*(parameter.opts for parameter in command.params))


def test_a_command_that_does_not_exist_is_found() -> None:
    assert not _exists("dealerflow orders lst")
    assert not _exists("dealerflow orders list --colour")
    assert _exists("dealerflow queues")
    assert named("```sh\nx=1 dealerflow work invoices --data d\n```\n`dealerflow audit`") == [
        "dealerflow work invoices --data d",
        "dealerflow audit",
    ]


def test_the_reference_has_every_command() -> None:
    page = (DOCS / "reference" / "command-line.md").read_text("utf-8")
    assert set(re.findall(r"^## (dealerflow .+)$", page, re.MULTILINE)) == set(KNOWN)
