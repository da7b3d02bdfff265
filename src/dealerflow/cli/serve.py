"""`serve` and `work`: the processes that do the work."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dealerflow.cli.errors import WrongUsage
from dealerflow.cli.options import DEFAULT_DATA, Data, only_on_one_machine

if TYPE_CHECKING:
    from dealerflow.composition.embedded import System

Without = Annotated[
    list[str] | None,
    typer.Option("--except", metavar="QUEUE", help="Leave this queue to others; may be given again."),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--queues", metavar="QUEUE", help="Work only this queue; may be given again."),
]


def serve(
    host: Annotated[
        str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            help="The port to listen on; 0 takes a free one.", show_default="8000", min=0, max=65535
        ),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Begin with the demo's data; on a loopback address only.")
    ] = False,
    no_workers: Annotated[
        bool, typer.Option("--no-workers", help="Serve pages and API only; `dealerflow work` does the rest.")
    ] = False,
    only: Only = None,
    without: Without = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Serve pages and API, and work the queues."""
    from dealerflow.cli.plan import Plan
    from dealerflow.composition.embedded import System
    from dealerflow.composition.settings import settings_of

    only_on_one_machine(data, "its functions serve the pages and work the queues")
    settings = settings_of(data, os.environ, host=host, port=port)
    if demo and not _is_loopback(settings.host):
        raise WrongUsage(
            f"--demo has accounts with a password that everybody knows: not on {settings.host}, only on 127.0.0.1"
        )
    make_directory(settings.data)
    system = System(settings)
    _check(system)
    plan = Plan(
        data=str(settings.data),
        host=settings.host,
        port=settings.port,
        workers=0 if no_workers else settings.workers,
        demo=demo,
        announce=True,
        log_level=settings.log_level,
        only=tuple(only) if only else None,
        without=tuple(without or ()),
    )
    # The supervisor takes this process's place: it lives as long as all of it, and should be small.
    command = plan.command("dealerflow.cli.supervise")
    os.execv(command[0], command)  # noqa: S606 - our own interpreter, no shell


def work(
    queues: Annotated[
        list[str] | None,
        typer.Argument(metavar="[QUEUE]...", help="The queues to work; all, if none is named."),
    ] = None,
    without: Without = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Work queues, beside a running `serve`; with PostgreSQL on as many machines as wanted."""
    from dealerflow.cli.worker_process import work as run
    from dealerflow.composition.settings import SECRET_FILE, settings_of

    only_on_one_machine(data, "its functions work the queues, as many at once as it takes")
    settings = settings_of(data, os.environ)
    if (
        not settings.database_url.startswith("sqlite")
        and not settings.secret_key
        and not (data / SECRET_FILE).exists()
    ):
        raise WrongUsage(
            "a worker signs links as `serve` does: give it the same DEALERFLOW_SECRET_KEY, or its secret.key in --data"
        )
    make_directory(settings.data)
    run(settings, only=tuple(queues) if queues else None, without=tuple(without or ()))


def make_directory(data: Path) -> None:
    """Make the data directory, and see that it can be written. Raises WrongUsage."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)  # customers and their cars are in it
        (data / "run").mkdir(exist_ok=True)
    except OSError as error:
        raise WrongUsage(f"the data directory {data} cannot be made: {error.strerror}") from error
    if not os.access(data, os.W_OK):
        raise WrongUsage(f"the data directory {data} cannot be written")


def _check(system: System) -> None:
    """What is wrong with files is told before anything starts."""
    _ = system.secret, system.pipeline
    if system.settings.smtp_url:
        _ = system.mailer
    if system.settings.templates:
        _ = system.letters


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
