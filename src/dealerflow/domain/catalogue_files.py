"""Reading a catalogue from a file, and refusing one whose rules no car can keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from dealerflow.domain.catalogue import MAX_CATALOGUE_BYTES, Catalogue, Colour, Model, Option, Trim
from dealerflow.domain.errors import Fault, Invalid, Malformed, TooLarge
from dealerflow.domain.forms import decode
from dealerflow.domain.languages import title_faults


def read_catalogue(raw: bytes) -> Catalogue:
    """The catalogue in this JSON. Raises TooLarge, Malformed, or Invalid with every fault."""
    catalogue = decode(Catalogue, raw, max_bytes=MAX_CATALOGUE_BYTES)
    if found := rule_faults(catalogue):
        raise Invalid(found)
    return catalogue


def catalogue_faults(raw: bytes) -> list[Fault]:
    """What keeps `read_catalogue` from reading this; [] if nothing does."""
    try:
        read_catalogue(raw)
    except Invalid as invalid:
        return list(invalid.faults)
    except (Malformed, TooLarge) as error:
        return [Fault("", error.detail)]
    return []


def rule_faults(catalogue: Catalogue) -> list[Fault]:
    """What is wrong between the parts of a catalogue.

    Codes given twice, missing prices and titles, rules about things that are not there, and options or
    trims that no car can have.
    """
    found = list(_doubled(catalogue.currencies, "/currencies/{}"))
    found += _doubled([model.code for model in catalogue.models], "/models/{}/code")
    found += _doubled([model.vin_code for model in catalogue.models], "/models/{}/vin_code")
    for place, model in enumerate(catalogue.models):
        found += _model_faults(model, catalogue.currencies, f"/models/{place}")
    return found


def _model_faults(model: Model, currencies: Sequence[str], pointer: str) -> Iterator[Fault]:
    yield from _item_faults(model, currencies, pointer)
    parts: dict[str, Sequence[Trim | Colour | Option]] = {
        "trims": model.trims,
        "colours": model.colours,
        "options": model.options,
    }
    for name, items in parts.items():
        yield from _doubled([item.code for item in items], f"{pointer}/{name}/{{}}/code")
        for place, item in enumerate(items):
            yield from _item_faults(item, currencies, f"{pointer}/{name}/{place}")
    unknown = list(_unknown_references(model, pointer))
    # With a rule about something that is not there, what follows from the rules would only confuse.
    yield from unknown or _impossible(model, pointer)


def _item_faults(
    item: Model | Trim | Colour | Option, currencies: Sequence[str], pointer: str
) -> Iterator[Fault]:
    yield from title_faults(item.title, f"{pointer}/title")
    for currency in currencies:
        if currency not in item.price:
            yield Fault(f"{pointer}/price/{currency}", f"is missing: {item.code} needs a price in {currency}")
    for currency in item.price:
        if currency not in currencies:
            yield Fault(f"{pointer}/price/{currency}", f"{currency} is not among the catalogue's currencies")


def _unknown_references(model: Model, pointer: str) -> Iterator[Fault]:
    trims = {trim.code for trim in model.trims}
    options = {option.code for option in model.options}
    for place, colour in enumerate(model.colours):
        yield from _unknown(colour.trims or (), trims, f"{pointer}/colours/{place}/trims", "trim")
    for place, option in enumerate(model.options):
        where = f"{pointer}/options/{place}"
        yield from _unknown(option.trims or (), trims, f"{where}/trims", "trim")
        yield from _unknown(option.needs, options - {option.code}, f"{where}/needs", "other option")
        yield from _unknown(option.excludes, options - {option.code}, f"{where}/excludes", "other option")


def _unknown(codes: Iterable[str], known: set[str], pointer: str, kind: str) -> Iterator[Fault]:
    for place, code in enumerate(codes):
        if code not in known:
            yield Fault(f"{pointer}/{place}", f'the model has no {kind} "{code}"')


def _impossible(model: Model, pointer: str) -> Iterator[Fault]:
    for place, trim in enumerate(model.trims):
        if not any(colour.trims is None or trim.code in colour.trims for colour in model.colours):
            yield Fault(
                f"{pointer}/trims/{place}", f"{trim.code} is to be had in no colour: allow one for it"
            )
    options = {option.code: option for option in model.options}
    trims = {trim.code for trim in model.trims}
    for place, option in enumerate(model.options):
        if reason := _contradiction(option, options, trims):
            yield Fault(f"{pointer}/options/{place}", f"no car can have {option.code}: {reason}")


def _contradiction(option: Option, options: dict[str, Option], trims: set[str]) -> str | None:
    """Why the option can never be had, given all that it needs, and all that those need."""
    together = _with_needs(option, options)
    for one, other in combinations(together, 2):
        if other.code in one.excludes or one.code in other.excludes:
            return f"it would need {one.code} and {other.code} together, which exclude each other"
    for part in together:
        trims = trims & set(part.trims or trims)
    if not trims:
        return f"there is no trim for which {', '.join(part.code for part in together)} can all be had"
    return None


def _with_needs(option: Option, options: dict[str, Option]) -> list[Option]:
    together, waiting = {option.code: option}, [option]
    while waiting:
        for code in waiting.pop().needs:
            if code not in together:
                together[code] = options[code]
                waiting.append(options[code])
    return list(together.values())


def _doubled(codes: Sequence[str], pointer: str) -> Iterator[Fault]:
    for place, code in enumerate(codes):
        if code in codes[:place]:
            yield Fault(pointer.format(place), f'"{code}" is there already: each may be given once')
