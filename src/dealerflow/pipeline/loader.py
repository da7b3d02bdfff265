"""Reads a pipeline file, and names everything that is wrong with it at once, each with its line.

`load` builds the data from what stands in the file, word by word; `checks` then looks at the whole: does each
way lead somewhere. The format is described in docs/reference/pipeline-file.md.
"""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import cast

from dealerflow.pipeline import checks
from dealerflow.pipeline.definition import (
    Action,
    ActionKind,
    Detail,
    DetailKind,
    DetailSource,
    Guard,
    Outcome,
    Payments,
    Pipeline,
    State,
    Text,
    Via,
    When,
    has_control_characters,
    pipeline_id,
    shown,
)
from dealerflow.pipeline.functions import LAMBDA
from dealerflow.pipeline.source import Node, PipelineError, Problems, near, parse
from dealerflow.pipeline.values import Entries, Values
from dealerflow.pipeline.vocabulary import (
    ACTION_KINDS,
    DETAIL_KINDS,
    MAIL_TARGETS,
    PLACEHOLDERS,
    RESERVED_QUEUES,
    RESERVED_STATES,
    ROLE_PREFIX,
    SOURCES,
    STANDARD,
    NeededDetail,
    Vocabulary,
)

__all__ = ["PipelineError", "load", "standard"]

MAX_TITLE = 80  # characters, so that a title fits a button and a box of the diagram
MAX_TEXT_LENGTH = 10_000  # characters, the most that a detail may allow

PIPELINE_KEYS = ("pipeline", "version", "start", "states")
STATE_KEYS = ("title", "payments", "holds_place", "effects", "actions", "outcomes")
OUTCOME_KEYS = ("title", "to", "by", "via", "guards", "effects", "details")
DETAIL_KEYS = ("title", "kind", "required", "choices", "source", "max_length")
ACTION_KEYS = (*ACTION_KINDS, "template", "when")
KINDS_WITH_TEMPLATE = ("mail", "topic")

PIPELINE_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
LANGUAGE = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
VERSION = re.compile(r"[1-9][0-9]{0,8}")
# With a placeholder filled in it has to fit SQS, which takes 80 characters.
QUEUE = re.compile(r"[a-z](?:[a-z0-9-]|\{[a-z_]*\}){0,59}")
EVENT = re.compile(r"[A-Z][A-Za-z0-9]{0,59}")
FUNCTION = re.compile(
    r"[A-Za-z_][\w.-]{0,99}|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*|" + LAMBDA.pattern
)

Asked = tuple[Detail, ...] | None
"""The details of the outcome that is being read; None while the entry into a state is read."""


def load(text: str, *, origin: str = "pipeline", vocabulary: Vocabulary = STANDARD) -> Pipeline:
    """The pipeline that the text of a file describes.

    `origin` names the file in messages. Raises `PipelineError`, which names every problem with its line and
    column. Whether the functions that it names can be found is not looked at here, see `checks.warnings`.
    """
    problems = Problems()
    root = parse(text, origin)
    pipeline = _Reader(problems, vocabulary).pipeline(root, text)
    if problems.found:
        raise PipelineError(origin, problems.found)
    return pipeline


@functools.cache
def standard() -> Pipeline:
    """The pipeline that Dealerflow brings along."""
    file = resources.files("dealerflow.pipeline") / "standard.yaml"
    return load(file.read_text(encoding="utf-8"), origin="standard.yaml")


class _Reader(Values):
    """Reads one file with the words of one vocabulary, from the whole to the small."""

    def __init__(self, problems: Problems, vocabulary: Vocabulary) -> None:
        super().__init__(problems)
        self._words = vocabulary

    def pipeline(self, root: Node, text: str) -> Pipeline:
        entries = self._entries(root, PIPELINE_KEYS, "the file")
        name = self._matching(
            self._required(entries, "pipeline", root), PIPELINE_NAME, "small letters, digits and -"
        )
        version = self._matching(self._required(entries, "version", root), VERSION, "a whole number from 1")
        start = self._required(entries, "start", root)
        places = self._named(self._required(entries, "states", root))
        for place in places.values():
            if place.path[-1] in RESERVED_STATES:
                self._wrong(
                    place.key, f"{place.path[-1]!r} names orders before they are processed; use another"
                )
        read = {state: self._state(state, place) for state, place in places.items()}
        whole = Pipeline(
            name=name,
            version=int(version or 1),
            id=pipeline_id(name, text),
            text=text,
            start=self._word(start, places, "state"),
            states=read,
        )
        checks.check(whole, places, start or root, self._wrong)
        return whole

    def _state(self, name: str, place: Node) -> State:
        entries = self._entries(place, STATE_KEYS, f"the state {name}")
        return State(
            name=name,
            title=self._title(entries, place),
            payments=cast("Payments", self._choice(entries.get("payments"), ("open", "closed"))),
            holds_place=self._flag(entries.get("holds_place")),
            effects=self._effects(entries.get("effects"), None),
            actions=self._several(entries.get("actions"), self._action),
            outcomes={
                outcome: self._outcome(outcome, node)
                for outcome, node in self._named(entries.get("outcomes")).items()
            },
        )

    def _outcome(self, name: str, place: Node) -> Outcome:
        entries = self._entries(place, OUTCOME_KEYS, f"the outcome {name}")
        asked = self._named(entries.get("details"))
        details = tuple(self._detail(detail, node) for detail, node in asked.items())
        by = self._several(self._required(entries, "by", place), self._decider)
        if "by" in entries and entries["by"].items == []:
            self._wrong(entries["by"].key, "nobody decides this outcome; name at least one role, or customer")
        self._no_repeats(entries.get("by"), by)
        return Outcome(
            name=name,
            title=self._title(entries, place),
            to=self._text(self._required(entries, "to", place)),
            by=by,
            details=details,
            guards=self._several(entries.get("guards"), lambda node: self._guard(node, details)),
            effects=self._effects(entries.get("effects"), details),
            via=cast("Via", self._choice(entries.get("via"), ("person", "departure"))),
        )

    def _detail(self, name: str, place: Node) -> Detail:
        entries = self._entries(place, DETAIL_KEYS, f"the detail {name}")
        kind = self._word(self._required(entries, "kind", place), DETAIL_KINDS, "kind of detail")
        titles = self._choices(entries.get("choices"))
        source = self._word(entries["source"], SOURCES, "source") if "source" in entries else None
        if kind in ("choice", "codes") and ("choices" in entries) == ("source" in entries):
            self._wrong(place.key, f"a detail of kind {kind} has either choices or a source")
        for key in ("choices", "source") if kind == "text" else ("max_length",):
            if key in entries:
                self._wrong(entries[key].key, f"a detail of kind {kind or '?'} has no {key}; take it out")
        return Detail(
            name=name,
            title=self._title(entries, place),
            kind=cast("DetailKind", kind),
            required=self._flag(entries.get("required")),
            choices=tuple(titles),
            choice_titles={code: title for code, title in titles.items() if title},
            source=cast("DetailSource | None", source),
            max_length=self._length(entries.get("max_length")),
        )

    def _guard(self, place: Node, asked: Asked) -> Guard | None:
        """`no_vehicle`, or with an argument `paid: production`."""
        word, given = place, None
        if place.entries is not None:
            pairs = place.entries
            if len(pairs) != 1:
                self._wrong(place, "a guard is one word, or one with an argument as in `paid: production`")
                return None
            word, given = pairs[0]
        name = self._word(word, self._words.guards, "guard")
        if not name:
            return None
        rule = self._words.guards[name]
        self._needs(word, name, rule.needs, asked)
        if rule.arguments and given is None:
            self._wrong(word, f"the guard {name} needs an argument, one of {', '.join(rule.arguments)}")
        if not rule.arguments and given is not None:
            self._wrong(given, f"the guard {name} takes no argument; write only `{name}`")
        argument = (
            self._word(given, rule.arguments, f"argument of {name}") if rule.arguments and given else None
        )
        return Guard(name=name, argument=argument)

    def _effects(self, place: Node | None, asked: Asked) -> tuple[str, ...]:
        def effect(node: Node) -> str:
            name = self._word(node, self._words.effects, "effect")
            if name:
                self._needs(node, name, self._words.effects[name].needs, asked)
            return name

        found = self._several(place, effect)
        self._no_repeats(place, found)
        return found

    def _needs(self, place: Node, word: str, needed: NeededDetail | None, asked: Asked) -> None:
        """Notes if `word` reads a detail that is not asked for, or of which it could make nothing."""
        if needed is None:
            return
        reads = f"{word} reads the detail {needed.name}"
        if asked is None:
            self._wrong(place, f"{reads}; it belongs to the outcome that asks for it")
            return
        detail = next((detail for detail in asked if detail.name == needed.name), None)
        if detail is None or not detail.required:
            self._wrong(place, f"{reads}; ask for it in details, with `required: yes`")
            return
        if detail.kind != needed.kind:
            self._wrong(place, f"{reads}; give that `kind: {needed.kind}`")
        if needed.source not in (None, detail.source):
            self._wrong(place, f"{reads}; give that `source: {needed.source}`")

    def _action(self, place: Node) -> Action | None:
        entries = self._entries(place, ACTION_KEYS, "an action")
        kinds = [kind for kind in ACTION_KINDS if kind in entries]
        if len(kinds) != 1:
            self._wrong(place, f"an action is one of {', '.join(ACTION_KINDS)}, as in `mail: customer`")
            return None
        kind = cast("ActionKind", kinds[0])
        return Action(
            kind=kind,
            target=self._target(kind, entries[kind]),
            template=self._template(kind, entries, place),
            when=cast("When", self._choice(entries.get("when"), ("every", "first"))),
        )

    def _target(self, kind: ActionKind, place: Node) -> str:
        if kind == "mail":
            return self._mail_target(place)
        if kind == "topic":
            return self._word(place, self._words.topics, "topic")
        if kind == "queue":
            return self._queue(place)
        if kind == "event":
            return self._matching(place, EVENT, "a name such as CarHandedOver, in letters and digits")
        return self._matching(
            place, FUNCTION, "`module:attribute`, the name of an entry point or the ARN of a Lambda"
        )

    def _mail_target(self, place: Node) -> str:
        text = self._text(place)
        role = text.removeprefix(ROLE_PREFIX)
        if text.startswith(ROLE_PREFIX):
            if role not in self._words.roles:
                self._wrong(place, f"there is no role {shown(role)}; {near(role, self._words.roles)}")
            return text
        return self._word(
            place, (*MAIL_TARGETS, *(ROLE_PREFIX + name for name in self._words.roles)), "mail target"
        )

    def _queue(self, place: Node) -> str:
        text = self._matching(place, QUEUE, "small letters, digits and -, and {delivery_line}")
        for placeholder in re.findall(r"\{(.*?)\}", text):
            if placeholder not in PLACEHOLDERS:
                self._wrong(
                    place, f"{{{placeholder}}} is not known in a queue; {near(placeholder, PLACEHOLDERS)}"
                )
        if text in RESERVED_QUEUES:
            self._wrong(place, f"the queue {text} carries the program's own work; use another name")
        return text

    def _template(self, kind: ActionKind, entries: Entries, place: Node) -> str | None:
        if kind in KINDS_WITH_TEMPLATE:
            return self._word(self._required(entries, "template", place), self._words.templates, "template")
        if "template" in entries:
            self._wrong(entries["template"].key, f"an action of kind {kind} has no template; take it out")
        return None

    def _title(self, entries: Entries, owner: Node) -> Text:
        """`{en: …, es: …}`; a bare text is English."""
        place = self._required(entries, "title", owner)
        return self._translated(place) if place else {}

    def _translated(self, place: Node) -> Text:
        if place.entries is None:
            return {"en": self._shown_text(place)}
        texts = {}
        for language, node in self._named(place, LANGUAGE, "a language such as en or es").items():
            texts[language] = self._shown_text(node)
        if "en" not in texts:
            self._wrong(place.key, "the English title is missing; add `en: …`")
        return texts

    def _shown_text(self, place: Node) -> str:
        text = self._text(place)
        if len(text) > MAX_TITLE:
            self._wrong(place, f"this title has {len(text)} characters; {MAX_TITLE} are allowed")
        if has_control_characters(text, allowed=""):
            self._wrong(place, "a title is one line without control characters")
        return text

    def _choices(self, place: Node | None) -> dict[str, Text]:
        """Codes with their titles, which are empty if the file gives a list of bare codes."""
        if place is None:
            return {}
        if place.entries is not None:
            named = self._named(place, CODE, "letters, digits, -, _ and .")
            found = {code: self._translated(node) for code, node in named.items()}
        else:
            codes = self._several(
                place, lambda node: self._matching(node, CODE, "letters, digits, -, _ and .")
            )
            self._no_repeats(place, codes)
            found = {code: {} for code in codes}
        if [] in (place.items, place.entries):
            self._wrong(place.key, "there is nothing to choose from; name at least one choice")
        return found

    def _decider(self, place: Node) -> str:
        return self._word(place, self._words.deciders, "role")

    def _length(self, place: Node | None) -> int:
        if place is None:
            return 2000
        text = self._matching(place, VERSION, f"a number of characters from 1 to {MAX_TEXT_LENGTH}")
        if int(text or 1) > MAX_TEXT_LENGTH:
            self._wrong(place, f"{MAX_TEXT_LENGTH} characters are the most that can be allowed")
        return int(text or 1)
