"""A pipeline file's text, taken apart into nodes that know their line: safe to read, whoever wrote it.

Only plain YAML is read: mappings, lists and scalars. Anchors, aliases, tags, several documents, deep nesting
and very large files are refused, so that no text can make the program do more than read it.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

import msgspec
import yaml

from dealerflow.domain.errors import Fault, Invalid

MAX_CHARACTERS = 256 * 1024  # the standard pipeline has about 7,000
MAX_DEPTH = 20  # the format itself needs 9


class Problem(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One thing that is wrong in a file. `line` and `column` count from 1, `pointer` as in RFC 6901."""

    line: int
    column: int
    message: str
    pointer: str = ""


class PipelineError(Invalid):
    """A pipeline file is wrong. `problems` holds everything that is.

    The text has a line for each of them: `origin:line:column: what is wrong; what to do`.
    """

    def __init__(self, origin: str, problems: Collection[Problem]) -> None:
        self.origin = origin
        self.problems = tuple(sorted(problems))
        faults = [
            Fault(problem.pointer, f"{origin}:{problem.line}:{problem.column}: {problem.message}")
            for problem in self.problems
        ]
        super().__init__(faults, "\n".join(fault.detail for fault in faults))


class Problems:
    """Collects what is wrong while a file is read, so that its author sees everything at once."""

    def __init__(self) -> None:
        self.found: set[Problem] = set()

    def add(self, place: Node, message: str) -> None:
        """Notes that something is wrong at this place. The message says what, and what to do."""
        self.found.add(Problem(line=place.line, column=place.column, message=message, pointer=place.pointer))


class Node:
    """A value in the file and where it stands. `key` is the node of the key before it, if it has one."""

    def __init__(self, node: yaml.Node, path: tuple[str, ...] = (), key: Node | None = None) -> None:
        self._node = node
        self.path = path
        self.key = key or self
        self.line: int = node.start_mark.line + 1
        self.column: int = node.start_mark.column + 1

    @property
    def pointer(self) -> str:
        """Where the value stands, as a JSON pointer."""
        return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in self.path)

    @property
    def missing(self) -> bool:
        """Nothing is written after the key, or `null`."""
        return isinstance(self._node, yaml.ScalarNode) and self._node.tag == "tag:yaml.org,2002:null"

    @property
    def scalar(self) -> str | None:
        """The text as it stands in the file (`no` stays "no"), or None if this is a mapping or a list."""
        if isinstance(self._node, yaml.ScalarNode) and not self.missing:
            return str(self._node.value)
        return None

    @property
    def items(self) -> list[Node] | None:
        """The entries of a list, or None if this is no list."""
        if not isinstance(self._node, yaml.SequenceNode):
            return None
        return [Node(item, (*self.path, str(place))) for place, item in enumerate(self._node.value)]

    @property
    def entries(self) -> list[tuple[Node, Node]] | None:
        """Keys and values of a mapping in the file's order, repeated ones too, or None if this is none."""
        if not isinstance(self._node, yaml.MappingNode):
            return None
        return list(self._pairs(self._node))

    def _pairs(self, mapping: yaml.MappingNode) -> Iterator[tuple[Node, Node]]:
        for raw_key, raw_value in mapping.value:
            name = raw_key.value if isinstance(raw_key, yaml.ScalarNode) else "?"
            path = (*self.path, str(name))
            key = Node(raw_key, path)
            yield key, Node(raw_value, path, key)


def parse(text: str, origin: str) -> Node:
    """The file's outermost node; `PipelineError` where the text is no YAML or more than plain YAML."""
    if len(text) > MAX_CHARACTERS:
        message = f"the file has {len(text)} characters; {MAX_CHARACTERS} are allowed"
        raise PipelineError(origin, [Problem(line=1, column=1, message=message)])
    try:
        root = _PlainLoader(text).get_single_node()
    except yaml.reader.ReaderError as error:
        raise PipelineError(origin, [_unprintable(text, error)]) from None
    except yaml.MarkedYAMLError as error:
        raise PipelineError(origin, [_misformed(error)]) from None
    except (ValueError, OverflowError):  # PyYAML lets an escape such as "\UFFFFFFFF" fall through to chr()
        message = "a quoted text holds an escape that is no character; write the character itself"
        raise PipelineError(origin, [Problem(line=1, column=1, message=message)]) from None
    if root is None:
        message = "the file is empty; begin with `pipeline: <name>`"
        raise PipelineError(origin, [Problem(line=1, column=1, message=message)])
    return Node(root)


def near(word: str, known: Collection[str]) -> str:
    """Advice for a word that is not known: the nearest one, or all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"use one of {', '.join(known)}" if known else "there is none yet"


class _Refused(yaml.MarkedYAMLError):
    """YAML that is well formed, but more than plain data needs."""

    def __init__(self, what: str, event: yaml.Event) -> None:
        super().__init__(problem=what, problem_mark=event.start_mark)  # type: ignore[arg-type]


class _PlainLoader(yaml.SafeLoader):
    """Composes nodes only. Refuses on sight whatever plain data does not need."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        self._refuse_extras(event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Refused("this is nested too deeply", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _refuse_extras(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            what = "anchors and aliases (& and *) are not read; write the text out, or quote it"
            raise _Refused(what, event)
        if getattr(event, "tag", None):
            what = "tags (!) are not read; leave it out, or quote the text"
            raise _Refused(what, event)


def _misformed(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = error.problem or error.context or "this cannot be read as YAML"
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Problem(line=line, column=column, message=f"{what} ({error.context})" if error.context else what)


def _unprintable(text: str, error: yaml.reader.ReaderError) -> Problem:
    before = text[: error.position]
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Problem(
        line=line, column=column, message="there is a character here that cannot be shown; take it out"
    )
