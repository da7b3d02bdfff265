"""What can be ordered: models, trims, colours and options, the rules between them, and their prices.

Prices are integers in minor units per currency (`{"EUR": 2490000}` is 24,900.00 €), tax included. A car's
price is the sum of its model, trim, colour and options. The rules concern options (needs, excludes, only
for some trims) and colours (only for some trims). A catalogue whose rules no car can keep is refused: see
`catalogue_files`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from dealerflow.domain.errors import Fault
from dealerflow.domain.languages import Text
from dealerflow.domain.money import Money
from dealerflow.domain.orders import PricedLine

MAX_CATALOGUE_BYTES = 4 * 1024 * 1024
MAX_PRICE = 10**12  # minor units
MAX_LISTED = 20  # valid codes named in a fault

Code = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$",
        max_length=40,
        extra={"say": "must be small letters a–z and digits, with single hyphens between them"},
    ),
]
Currency = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z]{3}$", extra={"say": 'must be a currency of ISO 4217 in capital letters, like "EUR"'}
    ),
]
Price = Annotated[int, Meta(ge=0, le=MAX_PRICE)]
VinCode = Annotated[
    str,
    Meta(
        pattern=r"^[A-HJ-NPR-Z0-9]{5}$",
        extra={"say": "must be 5 capital letters (without I, O, Q) or digits: positions 4 to 8 of the VIN"},
    ),
]
Swatch = Annotated[
    str,
    Meta(
        pattern=r"^#[0-9a-f]{6}$",
        extra={"say": 'must be a colour of the web in small letters, like "#1d3a6e"'},
    ),
]
Codes = tuple[Code, ...]
Shape = Literal["saloon", "crossover", "van"]


class Trim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An equipment line of a model; `price` comes on top of the model's."""

    code: Code
    title: Text
    price: dict[Currency, Price]


class Colour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A colour; `trims` are the only ones that have it, None is all. `swatch` is how it looks on a screen."""

    code: Code
    title: Text
    price: dict[Currency, Price]
    trims: Annotated[Codes, Meta(min_length=1)] | None = None
    swatch: Swatch | None = None


class Option(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An extra that `needs` all of these options, `excludes` each of those; `trims` as for a colour."""

    code: Code
    title: Text
    price: dict[Currency, Price]
    needs: Codes = ()
    excludes: Codes = ()
    trims: Annotated[Codes, Meta(min_length=1)] | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model; `vin_code` stands in positions 4 to 8 of its vehicles' VINs. `shape` is how pages draw it."""

    code: Code
    title: Text
    price: dict[Currency, Price]
    vin_code: VinCode
    trims: Annotated[tuple[Trim, ...], Meta(min_length=1, max_length=100)]
    colours: Annotated[tuple[Colour, ...], Meta(min_length=1, max_length=200)]
    options: Annotated[tuple[Option, ...], Meta(max_length=500)] = ()
    shape: Shape = "saloon"


class Catalogue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """All that can be ordered, in one version. Everything in it has a price in each of `currencies`."""

    version: Annotated[int, Meta(ge=1)] = 1
    currencies: Annotated[tuple[Currency, ...], Meta(min_length=1, max_length=50)]
    models: Annotated[tuple[Model, ...], Meta(min_length=1, max_length=500)]

    @cached_property
    def model_index(self) -> dict[str, ModelIndex]:
        """Model code → everything of that model by its code. Built once, read for every order."""
        return {model.code: ModelIndex(model, self.currencies) for model in self.models}


class VehicleChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The codes of a car as a customer chooses it."""

    model: str
    trim: str
    colour: str
    options: tuple[str, ...] = ()


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What a car costs: lines for model, trim, colour, options (in the catalogue's order), and their sum.

    `vin_code` is the model's part of the VIN that the car will have.
    """

    lines: tuple[PricedLine, ...]
    total: Money
    vin_code: str = ""


class PartialChoice(NamedTuple):
    """As much of a choice as is known; None is what is missing or already known to be wrong.

    `options` are (place in the list as sent, code).
    """

    model: str | None
    trim: str | None
    colour: str | None
    options: Sequence[tuple[int, str]] = ()


class ModelIndex:
    """One model by code: its parts, the places of its options, and ready-made price lines by currency."""

    def __init__(self, model: Model, currencies: Sequence[str]) -> None:
        self.model = model
        self.trims = {trim.code: trim for trim in model.trims}
        self.colours = {colour.code: colour for colour in model.colours}
        self.options = {option.code: option for option in model.options}
        self.places = {option.code: place for place, option in enumerate(model.options)}
        self.lines = {currency: self._lines_in(currency) for currency in currencies}

    def _lines_in(self, currency: str) -> PriceLines:
        return PriceLines(
            model=_line("model", self.model, currency),
            trims={trim.code: _line("trim", trim, currency) for trim in self.model.trims},
            colours={colour.code: _line("colour", colour, currency) for colour in self.model.colours},
            options={option.code: _line("option", option, currency) for option in self.model.options},
        )


class PriceLines(NamedTuple):
    """The price lines of one model in one currency, by code."""

    model: PricedLine
    trims: dict[str, PricedLine]
    colours: dict[str, PricedLine]
    options: dict[str, PricedLine]


def quote(catalogue: Catalogue, choice: VehicleChoice, currency: str) -> Quote:
    """The price of a choice without `faults` in this currency. The order of options makes no difference."""
    index = catalogue.model_index[choice.model]
    prices = index.lines[currency]
    options = sorted(choice.options, key=index.places.__getitem__) if choice.options else ()
    lines = (
        prices.model,
        prices.trims[choice.trim],
        prices.colours[choice.colour],
        *[prices.options[code] for code in options],
    )
    total = Money(sum([line.amount for line in lines]), currency)
    return Quote(lines=lines, total=total, vin_code=index.model.vin_code)


def faults(
    catalogue: Catalogue, choice: VehicleChoice, currency: str | None, pointer: str = "/vehicle"
) -> list[Fault]:
    """Everything that keeps this car from being built or priced, at once; [] says that it can be ordered.

    `currency` None leaves prices out.
    """
    known = PartialChoice(choice.model, choice.trim, choice.colour, tuple(enumerate(choice.options)))
    return partial_faults(catalogue, known, currency, pointer)


def partial_faults(
    catalogue: Catalogue, choice: PartialChoice, currency: str | None, pointer: str = "/vehicle"
) -> list[Fault]:
    """As `faults`, of what is known of a choice."""
    found = list(_doubled(choice.options, pointer)) if len(choice.options) > 1 else []
    if choice.model is None:
        return found
    index = catalogue.model_index.get(choice.model)
    if index is None:
        detail = f'there is no model "{choice.model}"; {_choose_from(catalogue.model_index)}'
        return [Fault(f"{pointer}/model", detail), *found]
    if currency is not None and currency not in index.lines:
        found.append(Fault(f"{pointer}/model", f"{choice.model} has no price in {currency}"))
    found.extend(_trim_faults(index, choice, pointer))
    found.extend(_colour_faults(index, choice, pointer))
    if choice.options:
        found.extend(_option_faults(index, choice, pointer))
    return found


def _doubled(options: Sequence[tuple[int, str]], pointer: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for place, code in options:
        if code in seen:
            yield Fault(f"{pointer}/options/{place}", f'"{code}" is given twice; give each option once')
        seen.add(code)


def _trim_faults(index: ModelIndex, choice: PartialChoice, pointer: str) -> Iterator[Fault]:
    if choice.trim is not None and choice.trim not in index.trims:
        detail = f'{choice.model} has no trim "{choice.trim}"; {_choose_from(index.trims)}'
        yield Fault(f"{pointer}/trim", detail)


def _colour_faults(index: ModelIndex, choice: PartialChoice, pointer: str) -> Iterator[Fault]:
    if choice.colour is None:
        return
    colour = index.colours.get(choice.colour)
    if colour is None:
        detail = f'{choice.model} has no colour "{choice.colour}"; {_choose_from(index.colours)}'
        yield Fault(f"{pointer}/colour", detail)
    elif colour.trims and choice.trim in index.trims and choice.trim not in colour.trims:
        fitting = [c.code for c in index.model.colours if not c.trims or choice.trim in c.trims]
        detail = (
            f"{colour.code} is only for trim {_or(colour.trims)}; for {choice.trim} {_choose_from(fitting)}"
        )
        yield Fault(f"{pointer}/colour", detail)


def _option_faults(index: ModelIndex, choice: PartialChoice, pointer: str) -> Iterator[Fault]:
    chosen = {code for _, code in choice.options}
    for place, code in choice.options:
        option = index.options.get(code)
        where = f"{pointer}/options/{place}"
        if option is None:
            yield Fault(where, f'{choice.model} has no option "{code}"; {_choose_from(index.options)}')
        elif option.needs or option.excludes or option.trims:
            yield from _rule_faults(
                option, chosen, choice.trim if choice.trim in index.trims else None, where
            )


def _rule_faults(option: Option, chosen: set[str], trim: str | None, where: str) -> Iterator[Fault]:
    for rule, others in broken_rules(option, chosen, trim):
        if rule == "needs":
            detail = f"{option.code} needs {others[0]}; add it, or leave {option.code} out"
        elif rule == "excludes":
            detail = f"{option.code} and {others[0]} cannot be had together; leave one of them out"
        else:
            detail = f"{option.code} is only for trim {_or(others)}, not for {trim}; leave it out"
        yield Fault(where, detail)


class BrokenRule(NamedTuple):
    """A rule of an option that a choice breaks, and the codes it names: one option, or the trims that have it."""

    rule: Literal["needs", "excludes", "trims"]
    others: tuple[str, ...]


def broken_rules(option: Option, chosen: Collection[str], trim: str | None) -> Iterator[BrokenRule]:
    """Which rules of this option are broken by the chosen options and trim (None: not known yet)."""
    for needed in option.needs:
        if needed not in chosen:
            yield BrokenRule("needs", (needed,))
    for excluded in option.excludes:
        if excluded in chosen:
            yield BrokenRule("excludes", (excluded,))
    if option.trims and trim is not None and trim not in option.trims:
        yield BrokenRule("trims", option.trims)


def _line(kind: str, item: Model | Trim | Colour | Option, currency: str) -> PricedLine:
    return PricedLine(kind=kind, code=item.code, title=item.title, amount=item.price[currency])


def _choose_from(codes: Iterable[str]) -> str:
    listed = list(codes)
    rest = ", …" if len(listed) > MAX_LISTED else ""
    return f"choose from: {', '.join(listed[:MAX_LISTED])}{rest}" if listed else "leave it out"


def _or(codes: Sequence[str]) -> str:
    return " or ".join(codes)
