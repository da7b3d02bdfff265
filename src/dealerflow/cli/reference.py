"""`dealerships`, `catalogue`, `plants`, `lines`, `defects` and `topics`: what the trade rests on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealerflow.cli.options import DEFAULT_DATA, Csv, Data, File, Json, content_of, opened

if TYPE_CHECKING:
    from dealerflow.application.import_files import Cell, Rows
    from dealerflow.application.work import UnitOfWork

dealerships = typer.Typer(help="Dealerships and the sellers behind them.")
catalogue = typer.Typer(help="What can be ordered, and its prices.")
plants = typer.Typer(help="Plants, and the codes with which their VINs begin.")
lines = typer.Typer(help="Assembly lines.")
defects = typer.Typer(help="The defect codes from which quality leads choose.")
topics = typer.Typer(help="Who gets what is published to a topic.")

Id = Annotated[str, typer.Argument(metavar="ID", help="A short name in small letters; it stays.")]
Models = Annotated[
    list[str] | None, typer.Option("--model", help="Only this model; may be given again. All, if left out.")
]

Rows_ = Callable[["UnitOfWork"], list[dict[str, Any]]]


def _listing(group: typer.Typer, columns: tuple[str, ...], rows: Rows_, what: str) -> None:
    """Give a group its `list`, which is also what it does without a command."""

    def shown(as_json: bool, as_csv: bool, data: Path) -> None:
        from dealerflow.cli.output import show

        with opened(data) as system, system.database.read() as work:
            found = rows(work)
        show(columns, found, as_json=as_json, as_csv=as_csv)

    @group.callback(invoke_without_command=True)
    def default(
        ctx: typer.Context, as_json: Json = False, as_csv: Csv = False, data: Data = DEFAULT_DATA
    ) -> None:
        if ctx.invoked_subcommand is None:
            shown(as_json, as_csv, data)

    @group.command("list", help=f"Show {what}.")
    def listed(as_json: Json = False, as_csv: Csv = False, data: Data = DEFAULT_DATA) -> None:
        shown(as_json, as_csv, data)


def _importing(group: typer.Typer, what: str, columns: str, put: str, help_: str) -> None:
    """Give a group its `import`. `columns` and `put` are names in application.reference_files."""

    @group.command("import", help=help_)
    def imported(file: File, data: Data = DEFAULT_DATA) -> None:
        from dealerflow.application import reference_files
        from dealerflow.application.import_files import read_rows

        known: dict[str, Cell] = getattr(reference_files, columns)
        print(f"{_put(data, put, read_rows(content_of(file), file.name, known))} {what}")


def _put(data: Path, put: str, rows: Rows) -> int:
    from dealerflow.application import reference_files

    with opened(data, new=True) as system, system.database.begin() as work:
        count: int = getattr(reference_files, put)(work, rows)
    return count


def _put_one(data: Path, put: str, value: dict[str, Any]) -> None:
    from dealerflow.application.import_files import Rows

    _put(data, put, Rows(values=[{name: entered for name, entered in value.items() if entered is not None}]))


def _builtins(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)


# --- dealerships
# ---------------------------------------------------------------------------------------------------------


def _dealership_rows(work: UnitOfWork) -> list[dict[str, Any]]:
    sellers = {seller.id: _builtins(seller) for seller in work.reference.sellers()}
    return [
        {
            **_builtins(dealership),
            "seller": sellers[dealership.seller],
            "seller_name": sellers[dealership.seller]["name"],
            "currency": sellers[dealership.seller]["currency"],
            "terms": [f"{term.before}:{term.percent}" for term in dealership.terms],
            "models": dealership.models or "all",
        }
        for dealership in work.reference.dealerships()
    ]


_listing(
    dealerships,
    (
        "id",
        "name",
        "email",
        "seller_name",
        "currency",
        "delivery_line",
        "models",
        "terms",
        "language",
        "active",
    ),
    _dealership_rows,
    "all dealerships",
)
_importing(
    dealerships,
    "dealerships",
    "DEALERSHIP_COLUMNS",
    "put_dealerships",
    "Add or change the dealerships of a file: all of them, or none.",
)


@dealerships.command("add")
def add_dealership(
    id_: Id,
    name: Annotated[str, typer.Option(help="The name that customers know.")],
    email: Annotated[str, typer.Option(help="Where its mail goes.")],
    delivery_line: Annotated[str, typer.Option(help="The delivery line that serves it.")],
    seller: Annotated[str, typer.Option(help="The legal name of the seller.")],
    address: Annotated[str, typer.Option(help="The seller's address.")],
    tax_id: Annotated[str, typer.Option(help="The seller's tax id.")],
    country: Annotated[str, typer.Option(help="The seller's country, e.g. IE.")],
    currency: Annotated[str, typer.Option(help="The currency of prices and invoices, e.g. EUR.")],
    tax_rate: Annotated[int, typer.Option(help="In hundredths of a percent: 2300 is 23 %.")],
    timezone: Annotated[str, typer.Option(help="The seller's time zone, e.g. Europe/Dublin.")],
    number_prefix: Annotated[
        str | None, typer.Option(help="With which document numbers begin.", show_default="the id")
    ] = None,
    terms: Annotated[str, typer.Option(help="What is due before what, in percent.")] = "production:100",
    models: Models = None,
    language: Annotated[str, typer.Option(help="en or es.")] = "en",
    data: Data = DEFAULT_DATA,
) -> None:
    """Add a dealership, or change the one with this id."""
    from dealerflow.application.import_files import pairs, whole

    told = {
        "name": seller,
        "address": address,
        "tax_id": tax_id,
        "country": country,
        "timezone": timezone,
        "currency": currency,
        "tax_rate": tax_rate,
        "number_prefix": number_prefix or id_.upper(),
    }
    value = {
        "id": id_,
        "name": name,
        "email": email,
        "delivery_line": delivery_line,
        "language": language,
        "models": models,
    }
    _put_one(
        data, "put_dealerships", {**value, "terms": pairs("before", "percent", whole)(terms), "seller": told}
    )


# --- the catalogue
# -------------------------------------------------------------------------------------------------------


def _model_rows(work: UnitOfWork) -> list[dict[str, Any]]:
    now = work.reference.catalogue()
    if now is None:
        return []
    return [
        {
            "version": now.version,
            "model": model.code,
            "title": model.title["en"],
            "prices": [f"{amount} {currency}" for currency, amount in model.price.items()],
            "trims": [trim.code for trim in model.trims],
            "colours": [colour.code for colour in model.colours],
            "options": [option.code for option in model.options],
        }
        for model in now.models
    ]


_listing(
    catalogue,
    ("version", "model", "title", "prices", "trims", "colours", "options"),
    _model_rows,
    "the models that are sold",
)


@catalogue.command("import")
def import_catalogue(
    file: Annotated[Path, typer.Argument(help="A JSON file.", metavar="FILE")], data: Data = DEFAULT_DATA
) -> None:
    """Make the catalogue of a file the one that is sold from now on. Orders that were placed keep theirs."""
    from dealerflow.application.reference_files import put_catalogue

    raw = content_of(file)
    with opened(data, new=True) as system, system.database.begin() as work:
        version = put_catalogue(work, raw)
    print(f"catalogue version {version}")


@catalogue.command("check")
def check_catalogue(
    file: Annotated[Path, typer.Argument(help="A JSON file.", metavar="FILE")],
    data: Data = DEFAULT_DATA,  # noqa: ARG001 - not needed, but every command takes it
) -> None:
    """Say everything that is wrong with a catalogue file, and change nothing."""
    from dealerflow.domain.catalogue_files import catalogue_faults

    faults = catalogue_faults(content_of(file))
    for fault in faults:
        print(f"{fault.pointer}: {fault.detail}".removeprefix(": "))
    if faults:
        raise typer.Exit(1)
    print("nothing is wrong")


@catalogue.command("export")
def export_catalogue(data: Data = DEFAULT_DATA) -> None:
    """Print the catalogue as JSON, to be changed and imported again."""
    from dealerflow.cli.output import say_json
    from dealerflow.domain.errors import NotFound

    with opened(data) as system, system.database.read() as work:
        now = work.reference.catalogue()
    if now is None:
        raise NotFound("there is no catalogue yet")
    say_json(now)


# --- the factory
# ---------------------------------------------------------------------------------------------------------


def _plant_rows(work: UnitOfWork) -> list[dict[str, Any]]:
    return [_builtins(plant) for plant in work.reference.plants()]


def _line_rows(work: UnitOfWork) -> list[dict[str, Any]]:
    return [{**_builtins(line), "models": line.models or "all"} for line in work.factory.lines()]


def _defect_rows(work: UnitOfWork) -> list[dict[str, Any]]:
    codes = work.factory.defect_codes()
    return [
        {"code": one.code, "en": one.title.get("en"), "es": one.title.get("es"), "title": one.title}
        for one in codes
    ]


_listing(plants, ("id", "name", "vin_code"), _plant_rows, "all plants")
_importing(plants, "plants", "PLANT_COLUMNS", "put_plants", "Add or change the plants of a file.")
_listing(lines, ("id", "name", "plant", "models", "places", "taken"), _line_rows, "all assembly lines")
_importing(lines, "lines", "LINE_COLUMNS", "put_lines", "Add or change the lines of a file.")
_listing(defects, ("code", "en", "es"), _defect_rows, "the list of defects")
_importing(
    defects,
    "defect codes",
    "DEFECT_COLUMNS",
    "put_defect_codes",
    "Make the codes of a file, in their order, the list.",
)


@plants.command("add")
def add_plant(
    id_: Id,
    name: Annotated[str, typer.Option(help="The plant's name.")],
    vin_code: Annotated[
        str, typer.Option(help="The maker's code with which its VINs begin (ISO 3780), 3 characters.")
    ],
    data: Data = DEFAULT_DATA,
) -> None:
    """Add a plant, or change the one with this id (the first one is "main")."""
    _put_one(data, "put_plants", {"id": id_, "name": name, "vin_code": vin_code})


@lines.command("add")
def add_line(
    id_: Annotated[str, typer.Argument(metavar="ID", help="A short name; it stays.")],
    places: Annotated[int, typer.Option(help="How many cars it holds at once.")],
    name: Annotated[str | None, typer.Option(help="The name that people see.")] = None,
    plant: Annotated[str, typer.Option(help="Where it stands.")] = "main",
    models: Models = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Add an assembly line, or change the one with this id."""
    value = {"id": id_, "name": name or f"Line {id_}", "plant": plant, "places": places, "models": models}
    _put_one(data, "put_lines", value)


# --- topics
# --------------------------------------------------------------------------------------------------------------

Topic = Annotated[str, typer.Argument(help="The topic, e.g. quality-alerts.")]
Kind = Annotated[str, typer.Argument(help="role, address, url or queue.")]
Target = Annotated[str, typer.Argument(help="The role, mail address, URL or queue.")]


def _topic_rows(work: UnitOfWork) -> list[dict[str, Any]]:
    return [_builtins(subscription) for subscription in work.reference.subscriptions()]


_listing(topics, ("topic", "kind", "target"), _topic_rows, "all subscriptions")


@topics.command("subscribe")
def subscribe(topic: Topic, kind: Kind, target: Target, data: Data = DEFAULT_DATA) -> None:
    """Send what is published to a topic to somebody more. For a URL it prints the secret that signs what is posted."""
    import secrets

    from dealerflow.application.reference_files import put_subscription
    from dealerflow.application.webhooks import SECRET_BYTES, new_secret

    secret = new_secret(secrets.token_bytes(SECRET_BYTES))
    with opened(data, new=True) as system, system.database.begin() as work:
        new = put_subscription(work, topic, kind, target, secret=secret)
    if new:
        print(secret)


@topics.command("unsubscribe")
def unsubscribe(topic: Topic, kind: Kind, target: Target, data: Data = DEFAULT_DATA) -> None:
    """End a subscription."""
    from dealerflow.application.reference_files import remove_subscription

    with opened(data) as system, system.database.begin() as work:
        remove_subscription(work, topic, kind, target)
