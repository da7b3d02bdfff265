"""Every sentence with which the core refuses something is found in its source, and must be known to the pages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import dealerflow
from dealerflow.domain.errors import TooLarge
from dealerflow.domain.languages import LANGUAGES
from dealerflow.web.pages.core_words import in_words
from dealerflow.web.pages.frame import SAYS_DETAIL
from dealerflow.web.pages.texts import texts_in
from dealerflow.web.problems import STATUS

SOURCES = Path(dealerflow.__file__).parent
FOLDERS = (
    "domain",
    "application",
    "pipeline/definition.py",
    "web",
    "adapters/database",
    "adapters/security",
)

# Errors whose sentences pages show, with the place of the sentence among their arguments.
SAID = {kind.__name__: 0 for kind, status in STATUS.items() if status in SAYS_DETAIL or kind is TooLarge}
SAID |= {"Invalid": 1, "Fault": 1}

# What no page asks for.
ELSEWHERE = {
    "adapters/database/spool_positions.py": {"": "work in the background"},
    "application/calls.py": {"this Idempotency-Key was used": "pages say it in their own words"},
    "application/executions.py": {"the state machine goes": "work in the background"},
    "application/import_files.py": {"": "files, on the command line"},
    "application/imports.py": {"": "files, on the command line"},
    "application/invoices.py": {"payment ": "work in the background"},
    "application/letters.py": {"": "mail that is written in the background"},
    "application/message_events.py": {"this is no message": "messages"},
    "application/pipeline_moves.py": {"": "the command line"},
    "application/reference_files.py": {"": "files, on the command line"},
    "application/shipping.py": {
        "these cars cannot go on the load": "told car by car, by refusal_in_words",
        "the load stays": "as well",
    },
    "domain/billing.py": {"": "files, on the command line"},
    "domain/catalogue_files.py": {"": "files, on the command line"},
    "domain/form_faults.py": {"": "JSON; a form's fields have words of their own"},
    "domain/forms.py": {"": "JSON"},
    "domain/languages.py": {"": "files, on the command line"},
    "domain/quality.py": {"": "files, on the command line"},
    "domain/vehicles.py": {"": "files, on the command line"},
    "web/api/": {"": "the API"},
    "web/auth.py": {"the form is out of date": "the API"},
}
WHERE_SENTENCES_ARE_RETURNED = (
    "domain/intake.py",
    "application/guards.py",
    "application/shipping.py",
    "application/reference_files.py",
)
ONLY_RETURNED = {"application/reference_files.py": ("password_problem",)}


def sentences() -> Iterator[tuple[str, int, str]]:
    """(file, line, sentence) of all that is refused. What varies in a sentence stands in it as it would be said."""
    for folder in FOLDERS:
        path = SOURCES / folder
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            name = file.relative_to(SOURCES).as_posix()
            tree = ast.parse(file.read_text("utf-8"))
            named = _named(tree)
            for node in ast.walk(tree):
                for said in _said(node, named):
                    yield name, node.lineno, said  # type: ignore[attr-defined]
            if name in WHERE_SENTENCES_ARE_RETURNED:
                yield from ((name, line, said) for line, said in _returned(tree, ONLY_RETURNED.get(name)))


def _named(tree: ast.Module) -> dict[str, list[str]]:
    """What the variables of a file may say."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).extend(_texts(node.value))
    return found


def _said(node: ast.AST, named: dict[str, list[str]]) -> list[str]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in SAID:
        return []
    place = SAID[node.func.id]
    if len(node.args) <= place:
        return []
    sentence = node.args[place]
    return named.get(sentence.id, []) if isinstance(sentence, ast.Name) else _texts(sentence)


def _returned(tree: ast.Module, only: tuple[str, ...] | None) -> Iterator[tuple[int, str]]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and (only is None or function.name in only):
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and node.value is not None:
                    yield from ((node.lineno, said) for said in _texts(node.value) if " " in said)


def _texts(node: ast.expr) -> list[str]:
    """What an expression may say."""
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body), *_texts(node.orelse)]
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else "7" for part in node.values)]  # type: ignore[misc]
    return []


def is_elsewhere(file: str, said: str) -> bool:
    return any(
        file.startswith(place) and any(said.startswith(start) for start in starts)
        for place, starts in ELSEWHERE.items()
    )


ALL = list(sentences())


def test_the_sentences_are_found() -> None:
    found = {said for _, _, said in ALL}
    assert len(found) > 100
    assert {
        "load 7 is empty; put cars on it first",
        "must have 7 to 7 characters",
        "it is on load 7",
        "there are 7 webhooks already; remove one first",
        "cursor is not one that this list gave; start again without it",
    } <= found


@pytest.mark.parametrize(
    ("file", "said"), sorted({(file, said) for file, _, said in ALL if not is_elsewhere(file, said)})
)
def test_what_the_core_refuses_is_told_in_every_language(file: str, said: str) -> None:
    words = [in_words(texts_in(language), _spoken(said)) for language in LANGUAGES]
    assert _spoken(said) not in words, f"{file}: give it a text in web/pages/core_words.py"
    assert len(set(words)) == len(LANGUAGES)


def _spoken(said: str) -> str:
    """Sentences of two halves of which one varies."""
    return {
        "7; load the order again to see where it stands": "the order has moved on; load the order again to see where it stands",
        "payment is missing: 7 is due before 7": "payment is missing: 7 is due before production",
    }.get(said, said)


@pytest.mark.parametrize("file", ELSEWHERE)
def test_what_is_said_to_be_elsewhere_is_there(file: str) -> None:
    for start in ELSEWHERE[file]:
        assert any(name.startswith(file) and said.startswith(start) for name, _, said in ALL), start
