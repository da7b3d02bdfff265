"""`dealerflow`: the commands. Each group has a file; what a command needs is imported when it runs, so that
`--help` is quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

from dealerflow.cli import cost, keeping, orders, people, pipeline, queues, reference, serve, simulate
from dealerflow.cli.errors import Commands

app = typer.Typer(
    name="dealerflow",
    help="Carries a car from the order page of a dealership to the handover of its keys.",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"dealerflow {version('dealerflow')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


app.command()(serve.serve)
app.command()(serve.work)
app.command()(people.token)
app.add_typer(people.accounts, name="accounts")
app.add_typer(reference.dealerships, name="dealerships")
app.add_typer(reference.catalogue, name="catalogue")
app.add_typer(reference.plants, name="plants")
app.add_typer(reference.lines, name="lines")
app.add_typer(reference.defects, name="defects")
app.add_typer(reference.topics, name="topics")
app.add_typer(orders.orders, name="orders")
app.add_typer(orders.payments, name="payments")
app.add_typer(orders.mail, name="mail")
app.add_typer(queues.queues, name="queues")
app.add_typer(pipeline.pipeline, name="pipeline")
app.command()(keeping.audit)
app.command()(keeping.backup)
app.command()(keeping.restore)
app.command()(keeping.new_series)
app.command()(keeping.openapi)
app.command()(keeping.asyncapi)
app.command()(simulate.simulate)
app.command()(cost.cost)


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
