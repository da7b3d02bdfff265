"""`audit`, `backup`, `restore`, `new-series`, `openapi` and `asyncapi`: keeping an installation."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from dealerflow.cli.errors import WrongUsage
from dealerflow.cli.options import DEFAULT_DATA, Data, Json, only_on_one_machine, opened

POSTGRES_BACKUP = (
    "The database is PostgreSQL: now copy it with its own tools (pg_dump), after this and not before."
)


def audit(
    repair: Annotated[bool, typer.Option("--repair", help="Put right what can be put right safely.")] = False,
    as_json: Json = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Check that everything that was accepted has what belongs to it. Exit status 1 where something is wrong."""
    import msgspec

    from dealerflow.cli.output import say_json, show

    with opened(data) as system:
        report = system.auditor.audit(repair=repair)
    if as_json:
        say_json({**msgspec.to_builtins(report), "clean": report.clean})
    else:
        checked = ", ".join(f"{count} {what}" for what, count in report.checked.items())
        print(f"checked: {checked or 'nothing'}")
        for what, count in report.pending.items():
            print(f"pending: {what}: {count}")
        if report.faults:
            show(
                ("check", "subject", "detail", "repairable", "repaired"),
                map(msgspec.to_builtins, report.faults),
            )
        else:
            print("nothing is wrong")
    if not report.clean:
        raise typer.Exit(1)


def backup(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; a new directory.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Make a consistent copy of the data directory, also while it is in use."""
    from dealerflow.adapters.embedded.backup import back_up
    from dealerflow.composition.settings import settings_of

    only_on_one_machine(data, "take a snapshot of its database (RDS keeps one for each day)")
    settings = settings_of(data, os.environ)
    copied = back_up(settings.data, directory)
    print(f"{directory}: {', '.join(copied)}")
    if not settings.database_url.startswith("sqlite"):
        sys.stderr.write(POSTGRES_BACKUP + "\n")


def restore(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A backup.")], data: Data = DEFAULT_DATA
) -> None:
    """Bring a backup back into a new data directory. Document numbers go on in new series.

    With PostgreSQL restore the database first, with its own tools.
    """
    from dealerflow.adapters.embedded.backup import open_anew, put_back
    from dealerflow.adapters.embedded.liveness import DirectoryLock
    from dealerflow.cli.person import name

    only_on_one_machine(
        data, "let RDS put its database back to an earlier time, then call `dealerflow new-series`"
    )
    lock = DirectoryLock(data)
    lock.acquire()
    try:
        put_back(directory, data)
        with opened(data) as system:
            times = open_anew(
                system.engine,
                system.settings.data,
                at=system.clock.now(),
                by=name(),
                reason=f"restored from {directory.name}",
            )
    finally:
        lock.release()
    print(f"restored into {data}; document numbers go on with R{times}")


def new_series(
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without it only what would change is shown.")
    ] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Give document numbers and VINs anew, after the database was put back to an earlier time.

    What was issued in the lost time has been seen outside, so its numbers must not be given again. `restore` does it by itself.
    """
    from dealerflow.adapters.database import number_series
    from dealerflow.adapters.database.engine import transaction
    from dealerflow.cli.output import show, shown_time
    from dealerflow.cli.person import name

    if yes and not reason.strip():
        raise WrongUsage("say why with --reason; it is kept")
    with opened(data) as system:
        with transaction(system.engine, "read") as connection:
            before = number_series.openings(connection)
        for one in before:
            print(f"R{one.number} was opened on {shown_time(one.at)} by {one.by}: {one.reason}")
        show(("what", "last", "next"), [one._asdict() for one in number_series.preview(system.engine)])
        if not yes:
            print("nothing was changed: this is how numbers would go on; open the new series with --yes")
            return
        with transaction(system.engine) as connection:
            number = number_series.open_series(
                connection, at=system.clock.now(), by=name(), reason=reason.strip()
            )
    print(f"document numbers go on with R{number}")


def openapi(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to; standard output, if left out.")
    ] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Write the OpenAPI document of the HTTP API."""
    from dealerflow.composition.settings import settings_of
    from dealerflow.web.app import API, API_ROUTES
    from dealerflow.web.health import ROUTES
    from dealerflow.web.reference import openapi as document

    made = document({API: API_ROUTES, "": ROUTES}, public_url=settings_of(data, os.environ).public_url)
    _write(made, file)


def asyncapi(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to; standard output, if left out.")
    ] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Write the AsyncAPI document of the queues, their messages and the events."""
    from dealerflow.application.asyncapi import asyncapi as document
    from dealerflow.composition.embedded import System
    from dealerflow.composition.settings import settings_of

    _write(document(System(settings_of(data, os.environ)).pipeline), file)


def _write(document: object, file: Path | None) -> None:
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
    if file is None:
        sys.stdout.write(text)
    else:
        file.write_text(text, "utf-8")
