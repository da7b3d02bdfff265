from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dealerflow.cli.main import app
from scripts.reference.commands import commands
from tests.unit.cli.conftest import Terminal


@pytest.mark.parametrize(
    "arguments",
    [
        ("openapi", "{}/away/openapi.json"),
        ("asyncapi", "{}"),
        ("backup", "{}/a file/copy"),
        ("restore", "{}"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_without_a_traceback(
    terminal: Terminal, tmp_path: Path, arguments: tuple[str, str]
) -> None:
    (tmp_path / "a file").touch()
    command, where = arguments
    result = terminal.run(command, where.format(tmp_path))
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert str(tmp_path) in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_language_that_nobody_has_written_titles_in_is_wrong_usage(terminal: Terminal) -> None:
    result = terminal.run("pipeline", "diagram", "--language", "fr")
    assert (result.exit_code, result.stderr) == (2, "--language must be one of: en, es\n")


def test_the_version_can_be_asked_for() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"dealerflow {version('dealerflow')}\n")


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_command_takes_a_data_directory(name: str, command: Any) -> None:
    assert any("--data" in parameter.opts for parameter in command.params), name
