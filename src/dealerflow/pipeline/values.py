"""Reads single values, lists and mappings out of a pipeline file, noting each problem at its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import TypeVar

from dealerflow.pipeline.definition import shown
from dealerflow.pipeline.source import Node, Problems, near

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
FLAGS = {"yes": True, "true": True, "no": False, "false": False}

Entries = dict[str, Node]
Item = TypeVar("Item")


class Values:
    """Where something is wrong, it notes the problem and goes on with an empty or the first value."""

    def __init__(self, problems: Problems) -> None:
        self._wrong = problems.add

    def _flag(self, place: Node | None) -> bool:
        if place is None:
            return False
        return FLAGS.get(self._word(place, FLAGS, "answer"), False)

    def _choice(self, place: Node | None, words: tuple[str, ...]) -> str:
        """One of the words; the first if nothing is written."""
        return (self._word(place, words, "value") if place else "") or words[0]

    def _word(self, place: Node | None, known: Collection[str], what: str) -> str:
        """A word of the vocabulary, or "" (and a problem) if it is none."""
        text = self._text(place)
        if place is None or text in known or not text:
            return text
        self._wrong(place, f"there is no {what} {shown(text)}; {near(text, known)}")
        return ""

    def _matching(self, place: Node | None, pattern: re.Pattern[str], form: str) -> str:
        text = self._text(place)
        if place is None or not text or pattern.fullmatch(text):
            return text
        self._wrong(place, f"{shown(text)} does not fit here; write {form}")
        return ""

    def _text(self, place: Node | None) -> str:
        if place is None:
            return ""
        if place.scalar is None:
            self._wrong(place.key, "there has to be one value here, neither nothing nor a list nor a mapping")
            return ""
        if not place.scalar.strip():
            self._wrong(place, "this is empty; write something")
        return place.scalar.strip()

    # Lists and mappings.

    def _several(self, place: Node | None, read: Callable[[Node], Item | None]) -> tuple[Item, ...]:
        """A list; a single entry may stand alone."""
        if place is None:
            return ()
        if place.missing:
            self._wrong(place.key, "there is nothing here; fill it in or take the key out")
            return ()
        nodes = [place] if place.items is None else place.items
        return tuple(item for item in map(read, nodes) if item)

    def _no_repeats(self, place: Node | None, names: tuple[str, ...]) -> None:
        if place is not None and len(set(names)) < len(names):
            self._wrong(place.key, "the same word stands here twice; name each once")

    def _required(self, entries: Entries, key: str, owner: Node) -> Node | None:
        if key not in entries:
            self._wrong(owner.key, f"{key} is missing; add `{key}: …`")
        return entries.get(key)

    def _entries(self, place: Node, known: Collection[str], what: str) -> Entries:
        """A mapping with keys that the format has."""
        entries = self._mapping(place)
        for key in [key for key in entries if key not in known]:
            self._wrong(entries[key].key, f"{what} has no key {shown(key)}; {near(key, known)}")
        return {key: node for key, node in entries.items() if key in known}

    def _named(
        self, place: Node | None, pattern: re.Pattern[str] = NAME, form: str = "small letters, digits and _"
    ) -> Entries:
        """A mapping whose keys are names that the author gives."""
        entries = self._mapping(place) if place else {}
        for key, node in entries.items():
            if not pattern.fullmatch(key):
                self._wrong(node.key, f"{shown(key)} is no name; write {form}")
        return entries

    def _mapping(self, place: Node) -> Entries:
        pairs = place.entries
        if pairs is None:
            self._wrong(place.key, "there have to be keys here, each with its value, as in `key: value`")
            return {}
        entries: Entries = {}
        for key, value in pairs:
            if key.scalar is None:
                self._wrong(key, "a key has to be one word")
            elif key.scalar in entries:
                self._wrong(key, f"{shown(key.scalar)} stands here twice; keep one")
            else:
                entries[key.scalar] = value
        return entries
