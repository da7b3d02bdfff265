"""The list: which page is written by what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dealerflow.composition.settings import reference as settings
from dealerflow.pipeline import diagram
from dealerflow.pipeline.asl import asl_text
from dealerflow.pipeline.loader import standard
from scripts.reference import commands, database, http, letters, messages, problems, queues, states

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
"""Names of pages are seen from here."""


def _state_machine() -> str:
    return asl_text(standard())


def _diagram(language: str) -> Callable[[], str]:
    return lambda: diagram.svg(standard(), language)


WRITERS: dict[str, Callable[[], str]] = {
    "reference/settings.md": settings,
    "reference/http-api.md": http.page,
    "reference/command-line.md": commands.page,
    "reference/messages.md": messages.page,
    "reference/messages.schema.json": messages.schemas,
    "reference/states.md": states.page,
    "reference/queues.md": queues.page,
    "reference/mail-templates.md": letters.page,
    "reference/problems.md": problems.page,
    "reference/database.md": database.page,
    "pictures/pipeline.svg": _diagram("en"),
    "pictures/pipeline.es.svg": _diagram("es"),
    "../infra/standard.asl.json": _state_machine,
}


def pages() -> dict[str, str]:
    """Page → its text as it should be now."""
    return {name: write() for name, write in WRITERS.items()}
