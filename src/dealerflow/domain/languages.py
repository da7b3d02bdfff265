"""The languages that Dealerflow speaks, and texts that exist in each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from dealerflow.domain.errors import Fault

Language = Literal["en", "es"]
Text = dict[str, str]  # language → text; English is always there

LANGUAGES: tuple[Language, ...] = ("en", "es")
FALLBACK: Language = "en"


def in_language(text: Mapping[str, str], language: str) -> str:
    """The text in this language, or in English where it has not been translated."""
    return text.get(language) or text[FALLBACK]


def title_faults(title: Text, pointer: str) -> list[Fault]:
    """A title needs a text in English, and may have one in each other language that Dealerflow speaks."""
    found = [
        Fault(f"{pointer}/{language}", f"is no language of Dealerflow; choose from: {', '.join(LANGUAGES)}")
        for language in title
        if language not in LANGUAGES
    ]
    if not title.get(FALLBACK, "").strip():
        found.append(Fault(f"{pointer}/{FALLBACK}", "is missing: every title needs its English text"))
    return found
