"""docs/reference/command-line.md, from the program's own commands."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from dealerflow.cli.main import app
from scripts.reference.markdown import code, table
from scripts.reference.markdown import page as markdown_page

INTRODUCTION = """Every command takes `--data DIR` after its arguments (or the environment variable
`DEALERFLOW_DATA`; default `./data`) and works beside a running `dealerflow serve` on the same directory.
Further [settings](settings.md) come from the environment or from `dealerflow.toml` in that directory.

An error that a person can cause is told in a sentence on standard error; the exit status is then 1, and 2 for
wrong usage. `DEALERFLOW_DEBUG=1` shows tracebacks. `dealerflow --version` says which version it is."""

ON_EVERY_COMMAND = ("--data", "--help")


def page() -> str:
    """The page."""
    found = list(commands())
    overview = table(
        ("command", "does"),
        ((f"[`{name}`](#{name.replace(' ', '-')})", _summary(command)) for name, command in found),
    )
    texts = ("\n\n".join(_command(name, command)) for name, command in found)
    return markdown_page("Command line", INTRODUCTION, overview, *texts)


def commands() -> Iterator[tuple[str, Any]]:
    """(name, command) of everything that can be called, groups left out."""
    yield from _within(typer.main.get_command(app), "dealerflow")


def _within(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None or getattr(command, "invoke_without_command", False):
        yield name, command
    for part, one in sorted((inner or {}).items()):
        if not one.hidden:
            yield from _within(one, f"{name} {part}")


def _help(command: Any) -> str:
    return inspect.cleandoc(command.help or "").replace("\b\n", "").replace("\f", "")


def _summary(command: Any) -> str:
    return _help(command).partition("\n\n")[0]


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"## {name}"
    yield f"```\n{' '.join([name, *_usage(command)])}\n```"
    yield _help(command)
    rows = [_row(parameter) for parameter in _told(command)]
    if rows:
        yield table(("", "is", "default"), rows)


def _told(command: Any) -> list[Any]:
    return [
        parameter
        for parameter in command.params
        if not getattr(parameter, "hidden", False) and not set(parameter.opts) & set(ON_EVERY_COMMAND)
    ]


def _usage(command: Any) -> Iterator[str]:
    told = _told(command)
    if any(parameter.param_type_name == "option" for parameter in told):
        yield "[OPTIONS]"
    for parameter in told:
        if parameter.param_type_name == "argument":
            word = _argument(parameter)
            yield word if parameter.required else f"[{word}]"


def _argument(parameter: Any) -> str:
    word = (parameter.metavar or parameter.name or "").upper().strip("[]")
    return f"{word} …" if parameter.nargs == -1 and not word.endswith("…") else word


def _row(parameter: Any) -> tuple[str, str, str]:
    if parameter.param_type_name == "argument":
        return f"`{_argument(parameter)}`", parameter.help or "", ""
    names = code([*parameter.opts, *parameter.secondary_opts])
    default = parameter.default
    shown = "" if default in (None, False, (), [], "") or callable(default) else f"`{default}`"
    return names, parameter.help or "", "required" if parameter.required else shown
