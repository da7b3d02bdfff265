"""Runs what the documents show in ```console blocks, against a real `dealerflow serve --demo`, and compares.

    $ command        is run, all of a document in one shell, so that variables and functions last
    > more of it     continues the command, as a line after a backslash does
    output           is what must be printed; … stands for anything, alone on a line for any number of lines

The address of the documents, http://127.0.0.1:8000, is replaced by the one that the test's server has.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.docs.documents import ROOT, blocks

ADDRESS = "http://127.0.0.1:8000"
LONGEST_SESSION_S = 120
STARTS_WITHIN_S = 60
STOPS_WITHIN_S = 20
_MARK = "--- {} of the session ---"
_ADDRESS = re.compile(r"^Dealerflow (?:is ready|takes orders).*: (http://\S+)$")


@dataclass
class Command:
    """One command of a document, what it shall print, and the line on which it stands."""

    text: str
    line: int
    expected: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Demo:
    """A running demo in `folder`, which holds its `data` and a `.venv` like a checkout's."""

    address: str
    folder: Path
    environment: Mapping[str, str]


@contextmanager
def demo(folder: Path, **environment: str) -> Iterator[Demo]:
    """A demo of its own, on a free port; stopped at the end as Ctrl-C would."""
    (folder / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("DEALERFLOW_")}
    variables |= {"COLUMNS": "160", "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1", **environment}
    program, data = str(folder / ".venv/bin/dealerflow"), str(folder / "data")
    command = [program, "serve", "--demo", "--port", "0", "--data", data]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert server.stdout is not None
        told = next((found for line in server.stdout if (found := _ADDRESS.match(line))), None)
        if told is None:
            raise AssertionError(f"the demo did not start:\n{(folder / 'log').read_text()}")
        _wait_until_everything_is_up(told[1])
        yield Demo(address=told[1], folder=folder, environment=variables)
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=STOPS_WITHIN_S)


def _wait_until_everything_is_up(address: str) -> None:
    retrying = httpx.HTTPTransport(retries=3)
    waiting = threading.Event()
    with httpx.Client(base_url=address, transport=retrying, timeout=10) as client:
        for _ in range(STARTS_WITHIN_S * 20):
            if client.get("/readyz").json() == {"ready": True, "down": {}}:
                return
            waiting.wait(0.05)
    raise AssertionError("the demo is not ready")


def commands(text: str) -> list[Command]:
    """The commands of a document's console blocks, in order."""
    found: list[Command] = []
    for block in blocks(text):
        if block.language == "console":
            found += _commands(block.text, block.line + 1)
    return found


def _commands(text: str, first_line: int) -> Iterator[Command]:
    command: Command | None = None
    for number, line in enumerate(text.splitlines(), first_line):
        if line.startswith("$ "):
            if command is not None:
                yield command
            command = Command(line[2:], number)
        elif command is None:
            raise AssertionError(f"line {number}: a console block begins with a command")
        elif not command.expected and (line.startswith("> ") or command.text.endswith("\\")):
            command.text += "\n" + line.removeprefix("> ")
        else:
            command.expected.append(line.rstrip())
    if command is not None:
        yield command


def run(text: str, running: Demo) -> list[str]:
    """Run a document's commands; what is not as it is shown, in words."""
    told = commands(text.replace(ADDRESS, running.address))
    script = "".join(
        f"{command.text}\nstatus=$?; echo; echo '{_MARK.format(number)}' $status\n"
        for number, command in enumerate(told)
    )
    printed_all = _in_a_shell(script, running)
    printed = re.split(r"\n?\n--- \d+ of the session --- (\d+)\n", printed_all)
    outputs, statuses = printed[:-1:2], printed[1::2]
    problems = [] if len(outputs) == len(told) else [f"the session ended early:\n{printed_all[-2000:]}"]
    for command, output, status in zip(told, outputs, statuses, strict=False):
        problems += _problems(command, output, int(status))
    return problems


def _in_a_shell(script: str, running: Demo) -> str:
    """What the script prints; everything that it started ends with it."""
    shell = subprocess.Popen(
        ["bash", "--norc", "-o", "pipefail"],
        cwd=running.folder,
        env=dict(running.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        return shell.communicate(script, timeout=LONGEST_SESSION_S)[0]
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        return shell.communicate()[0]


def _problems(command: Command, output: str, status: int) -> Iterator[str]:
    where = f"line {command.line}: {command.text}"
    lines = [line.rstrip() for line in output.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if status != 0:
        yield f"{where}\nfailed with {status}:\n{output}"
    elif not matches(command.expected, lines):
        shown = "\n".join(command.expected) or "(nothing)"
        yield f"{where}\nshall print:\n{shown}\nand prints:\n{output}"


def matches(expected: list[str], lines: list[str]) -> bool:
    """Whether these lines are what is shown."""
    pattern = "".join("(?:.*\n)*?" if line.strip() == "…" else _line(line) for line in expected)
    return re.fullmatch(pattern, "".join(line + "\n" for line in lines)) is not None


def _line(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.split("…")) + "\n"


def sessions() -> list[Path]:
    """The documents that show a session."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [path for path in found if commands(path.read_text("utf-8"))]
