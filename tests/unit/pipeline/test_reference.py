"""The reference of the pipeline file explains every key and word, and none that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dealerflow.pipeline import loader, vocabulary
from dealerflow.pipeline.loader import load

REFERENCE = (Path(__file__).parents[3] / "docs" / "reference" / "pipeline-file.md").read_text(
    encoding="utf-8"
)

WORDS = {
    "Keys of the file": loader.PIPELINE_KEYS,
    "Keys of a state": loader.STATE_KEYS,
    "Keys of an outcome": loader.OUTCOME_KEYS,
    "Keys of a detail": loader.DETAIL_KEYS,
    "Keys of an action": ("template", "when"),
    "Roles": vocabulary.DECIDERS,
    "Guards": vocabulary.GUARDS,
    "Effects": vocabulary.EFFECTS,
    "Kinds of action": vocabulary.ACTION_KINDS,
    "Whom to mail": (*vocabulary.MAIL_TARGETS, f"{vocabulary.ROLE_PREFIX}<role>"),
    "Templates": vocabulary.TEMPLATES,
    "Topics": vocabulary.TOPICS,
    "Placeholders": [f"{{{name}}}" for name in vocabulary.PLACEHOLDERS],
    "Kinds of detail": vocabulary.DETAIL_KINDS,
    "Sources": vocabulary.SOURCES,
}


def section(heading: str) -> str:
    return REFERENCE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("heading", WORDS)
def test_every_word_is_explained_in_its_table(heading: str) -> None:
    explained = re.findall(r"^\| `([^`]+)` \|", section(heading), re.MULTILINE)
    assert sorted(explained) == sorted(WORDS[heading])


@pytest.mark.parametrize("name", vocabulary.GUARDS)
def test_every_argument_of_a_guard_is_explained(name: str) -> None:
    row = next(line for line in section("Guards").splitlines() if line.startswith(f"| `{name}` "))
    assert all(f"`{name}: {argument}`" in row for argument in vocabulary.GUARDS[name].arguments)


def test_the_queues_that_are_not_free_are_named() -> None:
    assert all(f"`{queue}`" in section("Kinds of action") for queue in vocabulary.RESERVED_QUEUES)


def test_the_limits_are_those_of_the_program() -> None:
    assert f"1 to {loader.MAX_TEXT_LENGTH}" in REFERENCE
    assert f"at most {loader.MAX_TITLE} characters" in REFERENCE


def test_the_example_is_valid() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL)
    assert list(load(example).states) == ["waiting", "waxed"]
