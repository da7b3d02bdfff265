"""Taking an order: what a customer sends, checked and priced against a snapshot of catalogue and dealerships.

This is the hot path: nothing here asks a database, and a valid order takes some 20 µs.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from dealerflow.domain import catalogue as cars
from dealerflow.domain.billing import Term
from dealerflow.domain.catalogue import Catalogue, PartialChoice, Quote, VehicleChoice
from dealerflow.domain.errors import Conflict, Fault, Invalid
from dealerflow.domain.forms import Examined, examine
from dealerflow.domain.languages import Language
from dealerflow.domain.money import Money

MAX_ORDER_BYTES = 64 * 1024  # holds the longest fields, even written as escapes
MAX_EMAIL = 254  # RFC 5321: a path of 256 octets with its angle brackets
MAX_PHONE_DIGITS = 15  # E.164
MAX_OPTIONS = 50

_NOT_BLANK = r"\S"
_SAY_NOT_BLANK = {"say": "must not be blank"}

EmailAddress = Annotated[str, Meta(min_length=1, max_length=MAX_EMAIL)]  # the rest is said by `email_problem`
CodeEntered = Annotated[str, Meta(min_length=1, max_length=40)]


class CustomerForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who orders. `language` None is the dealership's."""

    name: Annotated[str, Meta(pattern=_NOT_BLANK, max_length=200, extra=_SAY_NOT_BLANK)]
    email: EmailAddress
    phone: Annotated[str, Meta(max_length=40)] | None = None
    language: Language | None = None
    company: Annotated[str, Meta(max_length=200)] | None = None
    address: Annotated[str, Meta(max_length=500, extra={"multiline": True})] | None = None
    tax_id: Annotated[str, Meta(max_length=40)] | None = None


class VehicleForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The car, as codes of the catalogue."""

    model: CodeEntered
    trim: CodeEntered
    colour: CodeEntered
    options: Annotated[tuple[CodeEntered, ...], Meta(max_length=MAX_OPTIONS)] = ()


class OrderForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /orders`. `expected_price` is what the customer was shown, tax included."""

    dealership: CodeEntered
    customer: CustomerForm
    vehicle: VehicleForm
    note: Annotated[str, Meta(max_length=2000, extra={"multiline": True})] | None = None
    expected_price: Money | None = None


class SnapshotDealership(msgspec.Struct, frozen=True, kw_only=True):
    """What intake knows of a dealership. `models` None sells all; orders are priced in `currency`."""

    id: str
    name: str
    currency: str
    models: tuple[str, ...] | None = None
    terms: tuple[Term, ...]
    language: Language = "en"
    active: bool = True


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Catalogue and dealerships (by id) as intake holds them in memory; a higher `number` is newer."""

    number: int
    catalogue: Catalogue
    dealerships: dict[str, SnapshotDealership]


class AcceptedForm(msgspec.Struct, frozen=True, kw_only=True):
    """An order without faults, its dealership, and its price."""

    form: OrderForm
    dealership: SnapshotDealership
    quote: Quote

    @property
    def language(self) -> Language:
        """The language in which the customer is written to."""
        return self.form.customer.language or self.dealership.language


class PriceChanged(Conflict):
    """The price is not the one that was expected."""

    def __init__(self, price: Money) -> None:
        super().__init__("The price has changed: look at the price now and order again.", price=price)
        self.price = price


def check(raw: bytes, snapshot: Snapshot, *, max_bytes: int = MAX_ORDER_BYTES) -> AcceptedForm:
    """The order in this JSON, priced.

    Raises TooLarge, Malformed, Invalid (all faults of form, catalogue and dealership in one), or
    PriceChanged.
    """
    seen = examine(OrderForm, raw, max_bytes=max_bytes)
    parts = _parts(seen.form) if seen.form else _readable_parts(seen)
    found = [*seen.faults, *_faults(parts, snapshot)]
    if seen.form is None or found:
        raise Invalid(found)
    return _priced(seen.form, snapshot)


def email_problem(address: str) -> str | None:
    """What is wrong with an e-mail address, in words, or None.

    A practical part of RFC 5321 and 6531: no quoted local parts, no address literals, a domain with a dot;
    letters of any script. Nothing is asked of the network.
    """
    if _PLAIN_EMAIL.fullmatch(address) and len(address) <= MAX_EMAIL:
        return None
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        return "must be an e-mail address, like name@example.com"
    if len(address) > MAX_EMAIL or len(local.encode(errors="replace")) > 64:
        return f"is too long for an e-mail address: at most 64 characters before the @, {MAX_EMAIL} in all"
    if not _LOCAL_PART.fullmatch(local):
        return "must not hold spaces, quotes, brackets, or doubled dots before the @"
    if not _is_domain(domain):
        return "must end in a domain, like example.com"
    return None


def phone_problem(number: str) -> str | None:
    """What is wrong with a phone number, in words, or None; separators are as people write them."""
    if not number or (_PHONE.fullmatch(number) and 5 <= sum(map(str.isdigit, number)) <= MAX_PHONE_DIGITS):
        return None
    return f"must be a phone number of 5 to {MAX_PHONE_DIGITS} digits, like +353 1 234 5678"


# `\w` is every letter and digit of any script, and "_".
_PLAIN_EMAIL = re.compile(
    r"[A-Za-z0-9_%+'-]{1,32}(?:\.[A-Za-z0-9_%+'-]{1,31})?@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?\.){1,4}[A-Za-z]{2,32}"
)
_LOCAL_PART = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_DOMAIN_LABEL = re.compile(r"[^\W_](?:[\w-]*[^\W_])?")
_PHONE = re.compile(r"\+?[0-9 ()./-]+")


def _is_domain(domain: str) -> bool:
    labels = domain.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or not all(map(_DOMAIN_LABEL.fullmatch, labels)):
        return False
    try:  # says which labels are too long, and which signs no domain has
        return "_" not in domain and len(domain.encode("idna")) <= 253
    except UnicodeError:
        return False


class _Parts(NamedTuple):
    """What is checked beyond the form; None is what is missing or already known to be wrong."""

    dealership: str | None
    email: str | None
    phone: str | None
    choice: PartialChoice


def _parts(form: OrderForm) -> _Parts:
    vehicle = form.vehicle
    choice = PartialChoice(vehicle.model, vehicle.trim, vehicle.colour, tuple(enumerate(vehicle.options)))
    return _Parts(form.dealership, form.customer.email, form.customer.phone, choice)


def _readable_parts(seen: Examined[OrderForm]) -> _Parts:
    """From JSON that is no order form: those parts that are texts, and in which no fault was found."""
    wrong = {fault.pointer for fault in seen.faults}

    def text(*way: str) -> str | None:
        value = _at(seen.value, way)
        return value if isinstance(value, str) and "/" + "/".join(way) not in wrong else None

    entered = _at(seen.value, ("vehicle", "options"))
    options = [
        (place, code)
        for place, code in enumerate(entered[:MAX_OPTIONS] if isinstance(entered, list) else [])
        if isinstance(code, str) and f"/vehicle/options/{place}" not in wrong
    ]
    choice = PartialChoice(
        text("vehicle", "model"), text("vehicle", "trim"), text("vehicle", "colour"), options
    )
    return _Parts(text("dealership"), text("customer", "email"), text("customer", "phone"), choice)


def _at(value: Any, way: tuple[str, ...]) -> Any:
    for key in way:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _faults(parts: _Parts, snapshot: Snapshot) -> list[Fault]:
    found = []
    if parts.email is not None and (said := email_problem(parts.email)):
        found.append(Fault("/customer/email", said))
    if parts.phone is not None and (said := phone_problem(parts.phone)):
        found.append(Fault("/customer/phone", said))
    dealership = snapshot.dealerships.get(parts.dealership) if parts.dealership is not None else None
    if dealership is not None:
        found += dealership_faults(dealership, parts.choice.model, snapshot)
    elif parts.dealership is not None:
        found.append(Fault("/dealership", f'there is no dealership "{parts.dealership}"'))
    found += cars.partial_faults(
        snapshot.catalogue, parts.choice, dealership.currency if dealership else None
    )
    return found


def dealership_faults(dealership: SnapshotDealership, model: str | None, snapshot: Snapshot) -> list[Fault]:
    """Why this dealership does not sell this model."""
    found = []
    if not dealership.active:
        found.append(Fault("/dealership", f"{dealership.name} takes no orders at present; choose another"))
    # An unknown model is named as such by the catalogue.
    known = model in snapshot.catalogue.model_index
    if dealership.models is not None and known and model not in dealership.models:
        sold = ", ".join(dealership.models)
        found.append(Fault("/vehicle/model", f"{dealership.name} does not sell {model}; it sells: {sold}"))
    return found


def _priced(form: OrderForm, snapshot: Snapshot) -> AcceptedForm:
    vehicle, dealership = form.vehicle, snapshot.dealerships[form.dealership]
    choice = VehicleChoice(
        model=vehicle.model, trim=vehicle.trim, colour=vehicle.colour, options=vehicle.options
    )
    quote = cars.quote(snapshot.catalogue, choice, dealership.currency)
    if form.expected_price is not None and form.expected_price != quote.total:
        raise PriceChanged(quote.total)
    return AcceptedForm(form=form, dealership=dealership, quote=quote)
