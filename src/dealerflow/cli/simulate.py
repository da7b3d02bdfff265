"""`simulate`: a rehearsal, or a load test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from dealerflow.cli.errors import WrongUsage
from dealerflow.cli.options import DEFAULT_DATA, Data, Json, opened

if TYPE_CHECKING:
    from dealerflow.cli.simulation import Report, World
    from dealerflow.composition.installation import Installation


def simulate(
    orders: Annotated[int, typer.Option(help="How many cars are ordered.", min=1, max=100_000)] = 100,
    at_once: Annotated[int, typer.Option(help="How many calls are made at once.", min=1, max=256)] = 16,
    seed: Annotated[int, typer.Option(help="The same seed makes the same choices.")] = 1,
    url: Annotated[
        str | None, typer.Option(help="Where it runs.", show_default="where `serve` listened last")
    ] = None,
    as_json: Json = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Drive a running Dealerflow with customers and staff, from order to keys.

    It acts with the accounts of the data directory. For a demo or a trial: the orders stay.
    """
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    from dealerflow.cli.simulation import Simulation

    with opened(data) as system:
        world = _world(system, url)
    console = Console(stderr=True)
    with Progress(
        "orders",
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not sys.stderr.isatty(),
    ) as progress:
        bar = progress.add_task("orders", total=orders)
        simulation = Simulation(
            world, orders=orders, at_once=at_once, seed=seed, ended=lambda: progress.advance(bar)
        )
        report = asyncio.run(simulation.run())
    _tell(report, as_json)
    if report.unexpected or any(end.startswith(("given up", "not taken")) for end in report.ends):
        raise typer.Exit(1)


def _world(system: Installation, url: str | None) -> World:
    from dealerflow.application.access import issue_token
    from dealerflow.cli.simulation import World
    from dealerflow.composition.address import last_address

    settings = system.settings
    address = url or (settings.public_url if settings.stack else last_address(settings.data))
    if not address:
        raise WrongUsage("nothing was ever served here; start `dealerflow serve`, or say where with --url")
    with system.database.read() as work:
        catalogue = work.reference.catalogue()
        accounts = [account for account in work.reference.accounts() if account.active]
        dealerships = [one for one in work.reference.dealerships() if one.active]
    if catalogue is None or not dealerships:
        raise WrongUsage(
            "there is nothing to order yet; import a catalogue and dealerships, or begin with --demo"
        )
    choices = {
        model.code: [
            (trim.code, colour.code)
            for trim in model.trims
            for colour in model.colours
            if colour.trims is None or trim.code in colour.trims
        ]
        for model in catalogue.models
    }
    return World(
        url=address.rstrip("/"),
        tokens={account.id: issue_token(account, system.secret) for account in accounts},
        accounts=accounts,
        dealerships={one.id: one.models or tuple(choices) for one in dealerships},
        choices=choices,
        pipeline=system.pipelines.current,
    )


def _tell(report: Report, as_json: bool) -> None:
    from dealerflow.cli.output import say_json, show

    if as_json:
        ends, unexpected = dict(report.ends), dict(report.unexpected)
        say_json(
            {
                "seconds": round(report.took_s, 2),
                "ends": ends,
                "unexpected": unexpected,
                "calls": report.rows(),
            }
        )
        return
    for end, count in report.ends.most_common():
        print(f"{count:>6}  {end}")
    print(f"in {report.took_s:.1f} s\n")
    show(("what", "count", "per_second", "p50_ms", "p95_ms"), report.rows())
    for what, count in report.unexpected.most_common(10):
        print(f"unexpected, {count} times: {what}")
