"""The words on the pages: one catalogue for each language, `texts/<name>_<language>.toml` and `texts/<language>.toml`.

A text may hold `{names}`, which are filled in when it is asked for. Templates have no words of their own; tests compare the
catalogues with each other and with the templates.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from dealerflow.domain.languages import LANGUAGES

FOLDER = files(__package__) / "texts"


class Texts:
    """The texts of one language: `texts("order.title")`, `texts("order.of", number=3)`."""

    def __init__(self, language: str, entries: Mapping[str, str]) -> None:
        self.language = language
        self._entries = entries

    def __call__(self, key: str, /, **facts: object) -> str:
        """The text of that key. One that is missing is a mistake of ours: KeyError."""
        text = self._entries[key]
        return text.format(**facts) if facts else text

    def count(self, key: str, number: int, /, **facts: object) -> str:
        """`<key>.one` or `<key>.other`, with `{number}` filled in; both languages count alike."""
        return self(f"{key}.{'one' if number == 1 else 'other'}", number=number, **facts)

    def find(self, key: str) -> str | None:
        """The text of a key that may not exist, for names that come from the installation's data."""
        return self._entries.get(key)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    @property
    def keys(self) -> frozenset[str]:
        """All keys of this language."""
        return frozenset(self._entries)


@lru_cache(maxsize=len(LANGUAGES))
def texts_in(language: str) -> Texts:
    """The catalogue of that language: all its files together."""
    return Texts(language, dict(entries_in(language)))


def entries_in(language: str) -> Iterator[tuple[str, str]]:
    """Every (key, text) of that language's files, doubled keys included."""
    for file in sorted(FOLDER.iterdir(), key=lambda file: file.name):
        if file.name == f"{language}.toml" or file.name.endswith(f"_{language}.toml"):
            yield from _flat(tomllib.loads(file.read_text("utf-8")), "")


def _flat(table: Mapping[str, Any], start: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", str(value)
