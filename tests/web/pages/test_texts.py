from __future__ import annotations

import re
import string
from collections import Counter
from importlib.resources import files

import pytest

from dealerflow.domain.languages import LANGUAGES
from dealerflow.domain.people import ROLES
from dealerflow.web.pages.navigation import PLACES
from dealerflow.web.pages.texts import entries_in, texts_in

TEMPLATES = sorted((files("dealerflow.web") / "templates").iterdir(), key=lambda file: file.name)
JINJA = re.compile(r"\{% block width %\}.*?\{% endblock %\}|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
TAG = re.compile(r"<[^>]*>|[a-z-]+=\"[^\"]*\"", re.DOTALL)  # and attributes that a macro writes into a tag
SAID = re.compile(r"""<(?:[^>]*\s)?(?:title|alt|placeholder|aria-label)="[^"{]*[a-z][^"{]*\"""")
KEY = re.compile(r"""\bt(?:\.count)?\(\s*"([a-z0-9_.]+)"\s*[,)]""")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_language_has_the_same_texts() -> None:
    keys = {language: texts_in(language).keys for language in LANGUAGES}
    assert all(found == keys["en"] for found in keys.values()), {
        language: sorted(keys["en"] ^ found) for language, found in keys.items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_given_twice(language: str) -> None:
    doubled = [key for key, number in Counter(key for key, _ in entries_in(language)).items() if number > 1]
    assert doubled == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_fills_in_the_same_facts(language: str) -> None:
    english, other = dict(entries_in("en")), dict(entries_in(language))
    assert [key for key in english if placeholders(english[key]) != placeholders(other[key])] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.name)
def test_a_template_has_no_words_of_its_own(template: object) -> None:
    source = JINJA.sub("", template.read_text("utf-8"))  # type: ignore[attr-defined]
    words = re.findall(r"[^\W\d_]{2,}", TAG.sub("", source))
    assert words == []
    assert SAID.findall(source) == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.name)
def test_a_template_asks_only_for_texts_that_exist(template: object) -> None:
    known = texts_in("en").keys
    asked = set(KEY.findall(template.read_text("utf-8")))  # type: ignore[attr-defined]
    plural = {key for key in asked if f"{key}.one" in known and f"{key}.other" in known}
    assert asked - plural - known == set()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.name)
def test_a_template_has_no_style_and_no_script_of_its_own(template: object) -> None:
    source = template.read_text("utf-8")  # type: ignore[attr-defined]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", source)


def test_every_role_and_every_place_has_a_name() -> None:
    known = texts_in("en").keys
    assert {f"role.{role}" for role in ROLES} <= known
    assert {f"nav.{place.name}" for place in PLACES} <= known
