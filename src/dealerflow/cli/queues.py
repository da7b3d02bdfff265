"""`queues`: see and steer them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealerflow.cli.errors import WrongUsage
from dealerflow.cli.options import DEFAULT_DATA, Csv, Data, Json, opened

if TYPE_CHECKING:
    from dealerflow.composition.installation import Installation

queues = typer.Typer(help="See and steer the queues.")

COLUMNS = ("name", "waiting", "in_flight", "delayed", "dead", "oldest_age_s", "paused")
AT_ONCE = 200

Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="The queue's name.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Messages, by id.")]


@queues.callback(invoke_without_command=True)
def _default(
    ctx: typer.Context, as_json: Json = False, as_csv: Csv = False, data: Data = DEFAULT_DATA
) -> None:
    if ctx.invoked_subcommand is None:
        list_queues(as_json=as_json, as_csv=as_csv, data=data)


@queues.command("list")
def list_queues(as_json: Json = False, as_csv: Csv = False, data: Data = DEFAULT_DATA) -> None:
    """Show every queue: what waits, is in flight, delayed, dead, and whether it is paused."""
    import msgspec

    from dealerflow.cli.output import show

    with opened(data) as system:
        rows = [msgspec.to_builtins(one) for one in system.queue_figures()]
    show(COLUMNS, rows, as_json=as_json, as_csv=as_csv)


@queues.command()
def pause(queue: Queue, data: Data = DEFAULT_DATA) -> None:
    """Claim nothing new from a queue; its messages go on arriving. It stays so over restarts."""
    with opened(data) as system:
        _known(system, queue)
        system.store.pause(queue)


@queues.command()
def resume(queue: Queue, data: Data = DEFAULT_DATA) -> None:
    """Work a queue again."""
    with opened(data) as system:
        _known(system, queue)
        system.store.resume(queue)
        system.ring()


@queues.command()
def dead(queue: Queue, as_json: Json = False, as_csv: Csv = False, data: Data = DEFAULT_DATA) -> None:
    """Show the messages of a queue that failed too often, with why."""
    from dealerflow.cli.output import show

    with opened(data) as system:
        _known(system, queue)
        rows = list(_dead(system, queue))
    columns = ("id", "type", "order", "attempts", "died_at", "error")
    show(columns, rows, as_json=as_json, as_csv=as_csv)


@queues.command()
def redrive(
    queue: Queue,
    ids: Ids = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters of the queue.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Offer dead letters again, with their attempts forgotten."""
    if bool(ids) == everything:
        raise WrongUsage("name the messages, or give --all")
    with opened(data) as system:
        _known(system, queue)
        count = system.store.redrive(queue, None if everything else ids, now=system.clock.now())
        system.ring([queue])
    print(f"{count} messages")


@queues.command()
def discard(
    queue: Queue,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Messages, by id.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Delete dead letters for good, on record."""
    from dealerflow.cli.person import name

    if not reason.strip():
        raise WrongUsage("say why with --reason; it is kept")
    with opened(data) as system:
        _known(system, queue)
        count = system.store.discard(queue, ids, now=system.clock.now(), by=name(), reason=reason)
    print(f"{count} messages")


def _known(system: Installation, queue: str) -> None:
    from dealerflow.domain.errors import NotFound

    names = system.store.queues()
    if queue not in names:
        raise NotFound(f"there is no queue {queue}; there are: {', '.join(names)}")


def _dead(system: Installation, queue: str) -> Any:
    from dealerflow.cli.output import shown_time

    after = None
    while letters := system.store.dead_letters(queue, limit=AT_ONCE, after=after):
        for letter in letters:
            yield {
                "id": letter.id,
                "type": type(letter.envelope.message).__name__,
                "order": letter.envelope.order,
                "attempts": letter.attempts,
                "died_at": shown_time(letter.died_at),
                "error": letter.error,
            }
        after = letters[-1].id
