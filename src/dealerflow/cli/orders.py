"""`orders`, `payments` and `mail`: look things up, bring open orders in, put one in a state by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealerflow.cli.errors import WrongUsage
from dealerflow.cli.options import DEFAULT_DATA, Csv, Data, File, Json, content_of, opened

if TYPE_CHECKING:
    from dealerflow.application.queries import OrderFilter, Reader
    from dealerflow.application.views import OrderView
    from dealerflow.composition.installation import Installation

orders = typer.Typer(help="Orders.", no_args_is_help=True)
payments = typer.Typer(help="Payments.", no_args_is_help=True)
mail = typer.Typer(help="The mails that were sent.", no_args_is_help=True)

COLUMNS = (
    "id", "state", "dealership", "customer", "model", "vin", "line", "price", "paid", "failures", "placed_at", "entered_at",
)  # fmt: skip
CSV_COLUMNS = (*COLUMNS, "currency")
AT_ONCE = 200

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")]
States = Annotated[
    list[str] | None, typer.Option("--state", help="Only orders in this state; may be given again.")
]
OfDealership = Annotated[str | None, typer.Option(help="Only orders of this dealership.")]
OfLine = Annotated[
    str | None,
    typer.Option(help="Only orders of this line; with `--state order_arrived`: what it can build."),
]
OfModel = Annotated[str | None, typer.Option(help="Only orders of this model.")]
Query = Annotated[
    str | None, typer.Option("--q", help="Finds an id or short number, a VIN, a customer's name or address.")
]


@orders.command("list")
def list_orders(
    state: States = None,
    dealership: OfDealership = None,
    line: OfLine = None,
    model: OfModel = None,
    q: Query = None,
    sort: Annotated[
        str | None, typer.Option(help="placed_at, entered_at; -placed_at is newest first.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 50,
    as_json: Json = False,
    as_csv: Csv = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Show orders."""
    from dealerflow.cli.output import show

    wanted = _filter(state, dealership, line, model, q, sort)
    with opened(data) as system:
        found = [view for _, view in zip(range(limit), _views(system, wanted), strict=False)]
    columns = CSV_COLUMNS if as_csv else COLUMNS
    show(columns, _shown(found, as_json, as_csv), as_json=as_json, as_csv=as_csv)


@orders.command()
def export(
    state: States = None,
    dealership: OfDealership = None,
    line: OfLine = None,
    model: OfModel = None,
    q: Query = None,
    as_json: Json = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Write all orders (or those asked for) as CSV, amounts in minor units; or as JSON."""
    from dealerflow.cli.output import show

    with opened(data) as system:
        found = _views(system, _filter(state, dealership, line, model, q, "placed_at"))
        show(CSV_COLUMNS, _shown(found, as_json, True), as_json=as_json, as_csv=True)


@orders.command("show")
def show_order(order: OrderId, as_json: Json = False, data: Data = DEFAULT_DATA) -> None:
    """Show an order with its history."""
    from dealerflow.cli.output import say_json, show

    with opened(data) as system:
        view = _queries(system).orders.one(_reader(), order)
    if as_json:
        say_json(view)
        return
    row = {**_row(view), "state": f"{view.state} ({view.state_title})", "due": _due(view), "step": view.step}
    for name, value in row.items():
        if value not in (None, "", 0):
            print(f"{name.replace('_', ' '):<12} {value}")
    print()
    import msgspec

    history = view.history if isinstance(view.history, tuple) else ()
    show(("at", "type", "state", "outcome", "by", "details"), [msgspec.to_builtins(item) for item in history])


@orders.command("import")
def import_open_orders(
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, and change nothing.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Bring in the open orders of another system, with state, VIN and paid amount: all of a file, or none.
    No mails are sent.
    """
    import sys

    from dealerflow.application.import_files import read_rows
    from dealerflow.application.imports import COLUMNS as KNOWN
    from dealerflow.application.imports import import_orders
    from dealerflow.cli.person import name

    rows = read_rows(content_of(file), file.name, KNOWN)
    with opened(data) as system:
        try:
            with system.database.begin() as work:
                imported = import_orders(work, rows, by=name())
                if dry_run:
                    raise _Undone
        except _Undone:
            pass
    for warning in imported.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    print(f"{len(imported.orders)} orders {'would be ' if dry_run else ''}imported")


@orders.command()
def place(
    order: OrderId,
    state: Annotated[str, typer.Argument(help="The state to put it in.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the order's history.")],
    line: Annotated[
        str | None, typer.Option(help="The line whose place the car takes, where the state needs one.")
    ] = None,
    silent: Annotated[bool, typer.Option("--silent", help="Without the state's actions: no mails.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also if a decision is on its way.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Put an order in a state by hand, on record."""
    from dealerflow.application.orders import put_order
    from dealerflow.cli.person import name

    with opened(data) as system, system.database.begin() as work:
        put = put_order(work, order, state, by=name(), reason=reason, silent=silent, force=force, line=line)
    print(f"{put.id} is in {put.state}")


@payments.command()
def refund(
    payment: Annotated[str, typer.Argument(metavar="PAYMENT", help="The payment's id.")],
    reference: Annotated[str | None, typer.Option(help="The bank's or provider's reference.")] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Record that a payment was given back; its credit note follows."""
    from dealerflow.application.refunds import record_refund
    from dealerflow.cli.person import administrator

    with opened(data) as system, system.database.begin() as work:
        refunded = record_refund(work, administrator(), payment, reference)
    print(f"{refunded.id} is {refunded.status}")


@payments.command("list")
def list_payments(
    order: OrderId, as_json: Json = False, as_csv: Csv = False, data: Data = DEFAULT_DATA
) -> None:
    """Show the payments of an order."""
    from dealerflow.cli.output import show, shown_time

    with opened(data) as system, system.database.read() as work:
        work.orders.get(order)
        rows = [
            {
                "id": one.id,
                "status": one.status,
                "amount": _money(one.amount, one.currency),
                "before": one.before,
                "method": one.method,
                "received_at": shown_time(one.received_at),
                "reference": one.reference,
            }
            for one in work.billing.payments(order)
        ]
    show(
        ("id", "status", "amount", "before", "method", "received_at", "reference"),
        rows,
        as_json=as_json,
        as_csv=as_csv,
    )


@mail.command("list")
def list_mail(
    order: Annotated[str | None, typer.Option(help="Only mails about this order.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most, the newest first.", min=1)] = 50,
    as_json: Json = False,
    as_csv: Csv = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Show the mails that were asked for and sent, one for each recipient."""
    import msgspec

    from dealerflow.adapters.database.mail_log import SqlMailLog
    from dealerflow.cli.output import show, shown_time

    with opened(data) as system:
        found = SqlMailLog(system.engine).page(order=order, limit=limit, before=None)
    rows = [
        {**msgspec.to_builtins(one), "at": shown_time(one.at), "sent_at": shown_time(one.sent_at)}
        for one in found
    ]
    show(("id", "at", "to", "template", "status", "order", "subject"), rows, as_json=as_json, as_csv=as_csv)


class _Undone(Exception):
    """Takes back a dry run."""


def _filter(
    state: list[str] | None,
    dealership: str | None,
    line: str | None,
    model: str | None,
    q: str | None,
    sort: str | None,
) -> OrderFilter:
    from dealerflow.application.queries import SORTS, OrderFilter

    if sort is not None and sort not in SORTS:
        raise WrongUsage(f"--sort must be one of: {', '.join(SORTS)}")
    return OrderFilter(
        states=tuple(state or ()), dealership=dealership, line=line, model=model, q=q, sort=sort
    )


def _views(system: Installation, wanted: OrderFilter) -> Iterator[OrderView]:
    """All of them, page by page."""
    from dealerflow.application.queries import PageRequest

    queries, after = _queries(system), None
    while True:
        page = queries.orders.many(_reader(), wanted, PageRequest(limit=AT_ONCE, after=after))
        yield from page.items
        if page.next is None:
            return
        after = page.next


def _shown(views: Any, as_json: bool, as_csv: bool) -> Iterator[Any]:
    import msgspec

    for view in views:
        yield msgspec.to_builtins(view) if as_json else {**_row(view), **(_amounts(view) if as_csv else {})}


def _amounts(view: OrderView) -> dict[str, Any]:
    """For programs: whole minor units."""
    price, arrived = view.price, view.payment.arrived
    return {
        "price": price.amount if price else None,
        "paid": arrived.amount if arrived else None,
        "currency": price.currency if price else None,
    }


def _row(view: OrderView) -> dict[str, Any]:
    arrived = view.payment.arrived
    return {
        "id": view.id,
        "state": view.state,
        "dealership": view.dealership,
        "customer": view.customer.name if view.customer else None,
        "model": view.vehicle.model if view.vehicle else None,
        "vin": view.vin,
        "line": view.line,
        "price": _money(view.price.amount, view.price.currency) if view.price else None,
        "paid": _money(arrived.amount, arrived.currency) if arrived else None,
        "failures": view.failures,
        "placed_at": view.placed_at,
        "entered_at": view.entered_at,
    }


def _due(view: OrderView) -> str:
    due = view.payment.due
    return f"{_money(due.amount.amount, due.amount.currency)} before {due.before}" if due else ""


def _money(amount: int, currency: str) -> str:
    from dealerflow.domain.money import shown

    return shown(amount, currency)


def _reader() -> Reader:
    from dealerflow.application.queries import Reader
    from dealerflow.cli.person import administrator

    return Reader(caller=administrator(), language="en")


def _queries(system: Installation) -> Any:
    from dealerflow.adapters.database.queries import SqlQueries

    return SqlQueries(system.engine, system.clock, system.pipelines)
