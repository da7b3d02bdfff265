"""The reference is what the program is: generated pages are up to date, and name everything that there is."""

from __future__ import annotations

import importlib
import inspect
import json
import re

import pytest

from dealerflow.adapters.database.tables import metadata
from dealerflow.adapters.documents.letters import TemplateLetters
from dealerflow.application import queues
from dealerflow.domain import events, messages
from dealerflow.pipeline.loader import standard
from dealerflow.web import health
from dealerflow.web.app import API, API_ROUTES
from dealerflow.web.problems import known_problems, type_of
from scripts.reference.messages import message_types
from scripts.reference.pages import DOCS, WRITERS


@pytest.mark.parametrize("name", WRITERS)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == WRITERS[name](), "run: make docs"


def page(name: str) -> str:
    return (DOCS / "reference" / f"{name}.md").read_text("utf-8")


def headings(name: str, level: int) -> set[str]:
    return {found.strip("`") for found in re.findall(rf"^#{{{level}}} (.+)$", page(name), re.MULTILINE)}


def test_every_message_stands_in_the_reference() -> None:
    written = {
        name
        for name, kind in inspect.getmembers(messages, inspect.isclass)
        if issubclass(kind, messages.Message) and kind not in {messages.Message, messages.Unreadable}
    }
    assert written == {kind.__name__ for kind in message_types()} == headings("messages", 3)


def test_every_event_stands_in_the_reference() -> None:
    recorded = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}
    added = {
        action.target
        for state in standard().states.values()
        for action in state.actions
        if action.kind == "event"
    }
    told = set(re.findall(r"^\| `([A-Z]\w+)` \|", page("messages"), re.MULTILINE))
    assert told == recorded
    assert all(f"`{event}`" in page("messages") for event in added)


def test_the_schemas_describe_every_message() -> None:
    schemas = json.loads((DOCS / "reference" / "messages.schema.json").read_text("utf-8"))
    assert {kind.__name__ for kind in message_types()} | {"Envelope", "Event", "CloudEvent"} <= set(
        schemas["$defs"]
    )


def test_every_state_and_outcome_stands_in_the_reference() -> None:
    assert set(standard().states) <= headings("states", 2)
    for state in standard().states.values():
        section = page("states").split(f"\n## `{state.name}`\n")[1].split("\n## ")[0]
        assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(state.outcomes)


def test_every_route_stands_in_the_reference() -> None:
    declared = {
        f"{method} {prefix}{re.sub(r':[a-z]+}', '}', path)}"
        for prefix, routes in ((API, API_ROUTES), ("", health.ROUTES))
        for route in routes
        for path in route.paths
        for method in route.http_methods
        if method not in ("HEAD", "OPTIONS")
    }
    assert declared == headings("http-api", 3)


def test_the_problem_in_the_reference_is_of_a_type_that_is_answered() -> None:
    text = (DOCS / "reference" / "problems.md").read_text("utf-8")
    shown = json.loads(text.partition("```json\n")[2].partition("```")[0])
    assert shown["type"] == type_of("invalid")
    assert set(re.findall(r"^\| `([^`]+)` \| \d", text, re.MULTILINE)) == {
        type_of(name) for name, _, _ in known_problems()
    }


def test_every_queue_stands_in_the_reference() -> None:
    told = set(re.findall(r"^\| `([^`]+)` \|", page("queues"), re.MULTILINE))
    assert told == {*queues.POLICIES, *queues.OUTSIDE, "deliveries-<delivery line>"}


def test_every_letter_stands_in_the_reference() -> None:
    table = page("mail-templates").split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == TemplateLetters().templates()


def test_every_table_stands_in_the_reference() -> None:
    assert headings("database", 2) - {"The spool"} == set(metadata.tables)


def test_what_the_generator_tells_is_about_things_that_exist() -> None:
    for module, names in (("database", "MEANINGS"), ("queues", "CARRIES")):
        loaded = importlib.import_module(f"scripts.reference.{module}")
        told = set(getattr(loaded, names))
        known = (
            set(metadata.tables)
            if module == "database"
            else {*queues.POLICIES, *queues.OUTSIDE, "deliveries-<delivery line>"}
        )
        assert told == known
