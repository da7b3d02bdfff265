"""`pipeline`: check, draw and translate a pipeline file, and move orders to another version."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dealerflow.cli.errors import WrongUsage
from dealerflow.cli.options import DEFAULT_DATA, Data, content_of, opened

if TYPE_CHECKING:
    from dealerflow.pipeline.definition import Pipeline

pipeline = typer.Typer(help="The pipeline: states, who decides, what happens.", no_args_is_help=True)

PipelineFile = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="A pipeline file; the installation's own, if left out."),
]


@pipeline.command()
def check(file: PipelineFile = None, data: Data = DEFAULT_DATA) -> None:
    """Say everything that is wrong with a pipeline file, each with its line."""
    from dealerflow.pipeline.checks import warnings

    read = _read(file, data)
    for warning in warnings(read):
        print(f"warning: {warning}")
    print(f"{file or 'the installation'}: nothing is wrong ({read.id}, {len(read.states)} states)")


@pipeline.command()
def diagram(
    file: PipelineFile = None,
    form: Annotated[str, typer.Option("--format", help="text, mermaid or svg.")] = "text",
    language: Annotated[str, typer.Option(help="The language of the titles: en or es.")] = "en",
    data: Data = DEFAULT_DATA,
) -> None:
    """Draw a pipeline."""
    from dealerflow.domain.languages import LANGUAGES
    from dealerflow.pipeline import diagram as drawing

    if language not in LANGUAGES:
        raise WrongUsage(f"--language must be one of: {', '.join(LANGUAGES)}")
    forms = {"text": drawing.text, "mermaid": drawing.mermaid, "svg": drawing.svg}
    if form not in forms:
        raise WrongUsage(f"--format must be one of: {', '.join(forms)}")
    sys.stdout.write(forms[form](_read(file, data), language).rstrip("\n") + "\n")


@pipeline.command()
def asl(
    file: PipelineFile = None,
    partition: Annotated[
        str, typer.Option(help="The part of AWS that it is for: aws, aws-cn or aws-us-gov.")
    ] = "aws",
    data: Data = DEFAULT_DATA,
) -> None:
    """Write a pipeline as a state machine for AWS Step Functions, in the Amazon States Language."""
    from dealerflow.pipeline.asl import PARTITIONS, asl_text

    if partition not in PARTITIONS:
        raise WrongUsage(f"--partition must be one of: {', '.join(PARTITIONS)}")
    sys.stdout.write(asl_text(_read(file, data), partition))


@pipeline.command("list")
def list_pipelines(data: Data = DEFAULT_DATA) -> None:
    """Show the versions that are kept, and how many orders follow each."""
    from dealerflow.cli.output import show
    from dealerflow.composition.installation import orders_by_pipeline, stored_pipelines

    with opened(data) as system:
        orders = orders_by_pipeline(system)
        rows = [
            {
                "id": one.id,
                "name": one.name,
                "version": one.version,
                "current": one.id == system.pipelines.current.id,
                "orders": orders.get(one.id, 0),
            }
            for one in stored_pipelines(system)
        ]
    show(("id", "name", "version", "current", "orders"), rows)


@pipeline.command()
def move(
    version: Annotated[
        str, typer.Argument(metavar="FROM", help="The id of the version whose orders are to move.")
    ],
    carry_out: Annotated[
        bool, typer.Option("--yes", help="Move them; without it only what would happen is shown.")
    ] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Move the orders of an older version to the current one, as far as it has their states."""
    from dealerflow.application.pipeline_moves import move_orders

    with opened(data) as system:
        plan = move_orders(system.database, version, carry_out=carry_out)
    verb = "moved" if carry_out else "would move"
    for reason, count in sorted(Counter(plan.kept.values()).items()):
        print(f"{count} stay: {reason}")
    print(f"{len(plan.moved)} {verb} to {plan.to}")


def _read(file: Path | None, data: Path) -> Pipeline:
    from dealerflow.composition.embedded import System
    from dealerflow.composition.settings import settings_of
    from dealerflow.pipeline.loader import load

    system = System(settings_of(data, os.environ))
    if file is None:
        return system.pipeline
    try:
        text = content_of(file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise WrongUsage(f"{file} is no UTF-8: byte {error.start} is wrong") from error
    return load(text, origin=str(file), vocabulary=system.vocabulary)
