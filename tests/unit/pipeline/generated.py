"""Valid pipelines of all kinds, for tests of what must hold for each."""

from __future__ import annotations

import string
from typing import Any

import yaml
from hypothesis import strategies as st

from dealerflow.pipeline.vocabulary import DECIDERS, TEMPLATES

Tree = dict[str, Any]
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:wax:live"

names = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True).filter(lambda name: name != "received")
languages = st.sampled_from(["es", "de", "fr", "pt-BR"])
words = (
    st.text(
        st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" "),
        min_size=1,
        max_size=80,
    )
    .map(str.strip)
    .filter(bool)
)


@st.composite
def titles(draw: st.DrawFn) -> dict[str, str]:
    return {"en": draw(words), **draw(st.dictionaries(languages, words, max_size=2))}


@st.composite
def details(draw: st.DrawFn) -> Tree:
    kind = draw(st.sampled_from(["text", "choice", "codes"]))
    detail: Tree = {"title": draw(titles()), "kind": kind, "required": draw(st.sampled_from(["yes", "no"]))}
    if kind == "text":
        detail["max_length"] = draw(st.integers(1, 10_000))
    elif draw(st.booleans()):
        detail["source"] = draw(st.sampled_from(["lines", "defects"]))
    else:
        codes = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
        detail["choices"] = draw(st.dictionaries(codes, titles(), min_size=1, max_size=4))
    return detail


@st.composite
def actions(draw: st.DrawFn) -> Tree:
    targets = {
        "mail": st.sampled_from(["customer", "dealership", "role:operator"]),
        "topic": st.just("quality-alerts"),
        "queue": st.sampled_from(["deliveries-{delivery_line}", "my-own"]),
        "event": st.sampled_from(["CarWaxed", "CarReady2"]),
        "function": st.sampled_from(["estimate_arrival", "mine.cars:wax", LAMBDA]),
    }
    kind = draw(st.sampled_from(sorted(targets)))
    action: Tree = {kind: draw(targets[kind]), "when": draw(st.sampled_from(["first", "every"]))}
    if kind in ("mail", "topic"):
        action["template"] = draw(st.sampled_from(sorted(TEMPLATES)))
    return action


@st.composite
def outcomes(draw: st.DrawFn, to: str) -> Tree:
    return {
        "title": draw(titles()),
        "to": to,
        "by": draw(st.lists(st.sampled_from(sorted(DECIDERS)), min_size=1, max_size=3, unique=True)),
        "details": draw(st.dictionaries(names, details(), max_size=3)),
        "guards": draw(st.lists(st.sampled_from(["no_vehicle", {"paid": "handover"}]), max_size=2)),
        "effects": draw(st.lists(st.sampled_from(["mark_built", "ask_refund"]), max_size=2, unique=True)),
    }


def simple_outcomes(to: str) -> st.SearchStrategy[Tree]:
    return st.fixed_dictionaries({"title": words, "to": st.just(to), "by": st.just("dealer")})


@st.composite
def trees(draw: st.DrawFn, *, bare: bool = False) -> Tree:
    """What a valid file says, as plain data. Each state leads to the next; further ways lead anywhere.

    Bare ones have states and outcomes only, but more of them.
    """
    states = draw(st.lists(names, min_size=1, max_size=9 if bare else 5, unique=True))
    described: Tree = {}
    for place, state in enumerate(states):
        ways = states[place + 1 : place + 2]
        if ways:
            ways += draw(st.lists(st.sampled_from(states), max_size=3))
        leading = draw(st.lists(names, min_size=len(ways), max_size=len(ways), unique=True))
        described[state] = {
            "title": draw(titles()),
            "payments": draw(st.sampled_from(["open", "closed"])),
            "actions": [] if bare else draw(st.lists(actions(), max_size=2)),
            "outcomes": {
                name: draw(simple_outcomes(to) if bare else outcomes(to))
                for name, to in zip(leading, ways, strict=True)
            },
        }
    version = draw(st.integers(1, 10**9 - 1))
    return {"pipeline": "drawn", "version": version, "start": states[0], "states": described}


def written(tree: Tree) -> str:
    """The file's text."""
    dumper = yaml.SafeDumper
    dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]
    return str(yaml.dump(tree, Dumper=dumper, allow_unicode=True, sort_keys=False))
