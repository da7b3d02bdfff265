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
    from dealerflow.composition.installation import Installation
    from dealerflow.composition.settings import Settings

Data = Annotated[
    Path,
    typer.Option("--data", envvar="DEALERFLOW_DATA", help="The data directory.", show_default="./data"),
]
DEFAULT_DATA = Path("data")
Json = Annotated[bool, typer.Option("--json", help="As JSON, instead of a table.")]
Csv = Annotated[bool, typer.Option("--csv", help="As CSV, instead of a table.")]
File = Annotated[Path, typer.Argument(help="A file: .csv, else JSON.", metavar="FILE")]


@contextmanager
def opened(data: Path, *, new: bool = False) -> Iterator[Installation]:
    """The installation in this directory, its database migrated; or the one on AWS, if its stack is named.

    `new`: it may begin here. Raises WrongUsage where there is none, WrongSetting, Outage.
    """
    from dealerflow.composition.logs import configure
    from dealerflow.composition.settings import settings_of

    settings = settings_of(data, os.environ)
    configure("warning" if settings.log_level == "info" else settings.log_level, "cli")
    system = _on_aws(settings) if settings.stack else _on_this_machine(settings, new=new)
    try:
        yield system
    finally:
        system.close()


def _on_this_machine(settings: Settings, *, new: bool) -> Installation:
    from dealerflow.composition.embedded import System, prepare

    data = settings.data
    if not new and not data.is_dir():
        raise WrongUsage(
            f"there is no Dealerflow in {data}; name its directory with --data, or begin with `dealerflow serve`"
        )
    data.mkdir(mode=0o700, parents=True, exist_ok=True)  # customers and their cars are in it
    system = System(settings)
    try:
        prepare(system)
    except BaseException:
        system.close()
        raise
    return system


def _on_aws(settings: Settings) -> Installation:
    try:
        from dealerflow.composition.aws_console import reached
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("boto3", "botocore"):
            raise
        raise WrongUsage(
            f"DEALERFLOW_STACK names an installation on AWS ({settings.stack}), and what speaks to AWS is not installed: "
            "make console (or pip install 'dealerflow[aws]'), or unset DEALERFLOW_STACK"
        ) from error
    return reached(settings.data, os.environ, settings.stack)


def only_on_one_machine(data: Path, instead: str) -> None:
    """Refuse a command that makes no sense for an installation on AWS. Raises WrongUsage, which says what to do instead."""
    from dealerflow.composition.settings import settings_of

    if stack := settings_of(data, os.environ).stack:
        raise WrongUsage(
            f"DEALERFLOW_STACK names an installation on AWS ({stack}): {instead}. "
            "Unset DEALERFLOW_STACK to mean this machine."
        )


def content_of(file: Path) -> bytes:
    """What the file holds; "-" is standard input. Raises WrongUsage."""
    import sys

    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise WrongUsage(f"{file} cannot be read: {error.strerror}") from error
