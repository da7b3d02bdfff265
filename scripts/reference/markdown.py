"""Markdown, as far as the generated pages need it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MADE = "<!-- Made from the program by `make docs`: change the program, then run it again. -->"


def page(title: str, *parts: str) -> str:
    """A page of these parts, an empty line between each two."""
    return "\n\n".join([f"# {title}", MADE, *parts]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. Bars and line breaks in cells are made harmless."""
    lines = [_row(head), "|" + "---|" * len(head)]
    return "\n".join([*lines, *(_row(row) for row in rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def code(words: Iterable[object]) -> str:
    """`a`, `b`"""
    return ", ".join(f"`{word}`" for word in words)


def first_sentence(doc: str | None) -> str:
    """The first sentence of a docstring."""
    text = whole(doc)
    found = re.match(r"(.+?[.!?])(?=\s|$)", text)
    return found[1] if found else text


def whole(doc: str | None) -> str:
    """A docstring on one line."""
    return " ".join((doc or "").split())
