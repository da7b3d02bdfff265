"""The options that commands share, and the installation that they name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dealerflow.cli.errors import WrongUsage

if TYPE_CHECKING:
    from dealerflow.composition.embedded import System

Data = Annotated[
    Path,
    typer.Option("--data", envvar="DEALERFLOW_DATA", help="The data directory.", show_default="./data"),
]
DEFAULT_DATA = Path("data")
Json = Annotated[bool, typer.Option("--json", help="As JSON, instead of a table.")]
Csv = Annotated[bool, typer.Option("--csv", help="As CSV, instead of a table.")]
File = Annotated[Path, typer.Argument(help="A file: .csv, else JSON.", metavar="FILE")]


@contextmanager
def opened(data: Path, *, new: bool = False) -> Iterator[System]:
    """The installation in this directory, its database migrated. `new`: it may begin here.

    Raises WrongUsage where there is none, WrongSetting, Outage.
    """
    from dealerflow.composition.embedded import System, prepare
    from dealerflow.composition.logs import configure
    from dealerflow.composition.settings import settings_of

    settings = settings_of(data, os.environ)
    configure("warning" if settings.log_level == "info" else settings.log_level, "cli")
    if not new and not data.is_dir():
        raise WrongUsage(
            f"there is no Dealerflow in {data}; name its directory with --data, or begin with `dealerflow serve`"
        )
    data.mkdir(mode=0o700, parents=True, exist_ok=True)  # customers and their cars are in it
    system = System(settings)
    try:
        prepare(system)
        yield system
    finally:
        system.close()


def content_of(file: Path) -> bytes:
    """What the file holds; "-" is standard input. Raises WrongUsage."""
    import sys

    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise WrongUsage(f"{file} cannot be read: {error.strerror}") from error
