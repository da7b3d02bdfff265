"""Dealerships, lines, plants, accounts, defect codes and catalogues from files: all of a file, or nothing of
it.

    raw bytes ──import_files──> rows ──converted──> forms ──checked against what is there──> written

Each `put_…` takes rows as a file gives them (one that a command makes up is a file of one row), adds what is
new, changes what has the same id, and gives the number of rows. It raises Invalid with every fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta
from msgspec.structs import asdict, replace

from dealerflow.application.import_files import (
    Cell,
    Rows,
    converted,
    doubled,
    listed,
    pairs,
    text,
    whole,
    yes_no,
)
from dealerflow.application.records import Dealership, Line, Seller
from dealerflow.application.reference import STANDARD_PLANT, SUBSCRIBER_KINDS, Plant, Subscription
from dealerflow.application.webhooks import subscribe_to_topic, webhook_of_topic
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.billing import DEFAULT_TERMS, MAX_RATE, Term, terms_faults
from dealerflow.domain.catalogue import Code, Currency
from dealerflow.domain.catalogue_files import read_catalogue
from dealerflow.domain.errors import Fault, Invalid, NotFound
from dealerflow.domain.intake import email_problem
from dealerflow.domain.languages import Language
from dealerflow.domain.people import ROLES, SCOPE_OF, Account, Membership
from dealerflow.domain.quality import DefectCode, defect_code_faults

LEAST_PASSWORD = 8  # characters; OWASP ASVS 5, 6.2.1
MOST_PASSWORD = 200

Name = Annotated[str, Meta(pattern=r"\S", max_length=200, extra={"say": "must not be blank"})]
LineId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$",
        max_length=40,
        extra={"say": "must be letters a–z and digits, with single hyphens between them"},
    ),
]
NumberPrefix = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z0-9]+(-[A-Z0-9]+)*$",
        max_length=20,
        extra={"say": "must be capital letters and digits, with single hyphens between them"},
    ),
]
Country = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z]{2}$",
        extra={"say": 'must be a country of ISO 3166 in two capital letters, like "IE"'},
    ),
]
MakerCode = Annotated[
    str,
    Meta(
        pattern=r"^[A-HJ-NPR-Z0-9]{3}$",
        extra={
            "say": "must be 3 capital letters (without I, O, Q) or digits: the first three characters of a VIN"
        },
    ),
]


class SellerForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The legal entity that invoices. `id` is the dealership's, by default; `tax_rate` in basis points (2100
    is 21 %).
    """

    id: Code | None = None
    name: Name
    address: Annotated[str, Meta(min_length=1, max_length=500, extra={"multiline": True})]
    tax_id: Annotated[str, Meta(min_length=1, max_length=40)]
    country: Country
    timezone: Annotated[str, Meta(min_length=1, max_length=60)]
    currency: Currency
    tax_rate: Annotated[int, Meta(ge=0, le=MAX_RATE)]
    number_prefix: NumberPrefix


class DealershipForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dealership and its seller. `models` None (or left out): it sells them all."""

    id: Code
    name: Name
    email: str
    delivery_line: Code
    seller: SellerForm
    models: tuple[Code, ...] | None = None
    terms: tuple[Term, ...] = DEFAULT_TERMS
    language: Language = "en"
    active: bool = True


class PlantForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plant; `vin_code` is the maker's code with which its VINs begin (ISO 3780)."""

    id: Code
    name: Name
    vin_code: MakerCode


class LineForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An assembly line. `models` None (or left out): it builds them all."""

    id: LineId
    name: Name
    places: Annotated[int, Meta(ge=1, le=10_000)]
    plant: Code = STANDARD_PLANT.id
    models: tuple[Code, ...] | None = None


class MembershipForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role, in a dealership, plant or line as the role has it; `scope` None (or left out): everywhere."""

    role: str
    scope: str | None = None


class AccountForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person who may log in. Without a password nobody can, until one is set."""

    email: str
    name: Name
    memberships: Annotated[tuple[MembershipForm, ...], Meta(min_length=1, max_length=100)]
    language: Language = "en"
    active: bool = True
    password: Annotated[str, Meta(max_length=MOST_PASSWORD)] | None = None


DEALERSHIP_COLUMNS: dict[str, Cell] = {
    "id": text,
    "name": text,
    "email": text,
    "delivery_line": text,
    "models": listed,
    "terms": pairs("before", "percent", whole),
    "language": text,
    "active": yes_no,
    "seller.id": text,
    "seller.name": text,
    "seller.address": text,
    "seller.tax_id": text,
    "seller.country": text,
    "seller.timezone": text,
    "seller.currency": text,
    "seller.tax_rate": whole,
    "seller.number_prefix": text,
}
PLANT_COLUMNS: dict[str, Cell] = {"id": text, "name": text, "vin_code": text}
LINE_COLUMNS: dict[str, Cell] = {"id": text, "name": text, "plant": text, "places": whole, "models": listed}
ACCOUNT_COLUMNS: dict[str, Cell] = {
    "email": text,
    "name": text,
    "memberships": pairs("role", "scope"),
    "language": text,
    "active": yes_no,
    "password": text,
}
DEFECT_COLUMNS: dict[str, Cell] = {"code": text, "title.en": text, "title.es": text}


# --- the catalogue
# -------------------------------------------------------------------------------------------------------


def put_catalogue(work: UnitOfWork, raw: bytes) -> int:
    """Make the catalogue in this JSON the one that is sold from now on; its version.

    Raises TooLarge, Malformed or Invalid, also where a dealership sells in a currency without prices.
    """
    catalogue = read_catalogue(raw)
    used = {seller.currency: seller.name for seller in work.reference.sellers()}
    missing = [
        Fault("/currencies", f"{seller} sells in {currency}, in which this catalogue has no prices")
        for currency, seller in sorted(used.items())
        if currency not in catalogue.currencies
    ]
    if missing:
        raise Invalid(missing)
    version = work.reference.add_catalogue(catalogue, work.clock.now())
    work.reference.raise_snapshot_number()
    return version


def _known_models(work: UnitOfWork) -> Collection[str] | None:
    catalogue = work.reference.catalogue()
    return catalogue.model_index if catalogue else None


def _model_faults(
    models: Sequence[str] | None, known: Collection[str] | None, pointer: str
) -> Iterator[Fault]:
    for place, model in enumerate(models or ()):
        if known is not None and model not in known:
            yield Fault(
                f"{pointer}/{place}", f'the catalogue has no model "{model}"; it has: {", ".join(known)}'
            )


# --- dealerships
# ---------------------------------------------------------------------------------------------------------


def put_dealerships(work: UnitOfWork, rows: Rows) -> int:
    """Dealerships and their sellers. What a seller has begun to issue documents with (currency, prefix)
    stays.
    """
    forms = converted(rows, DealershipForm)
    if faults := list(_dealership_faults(work, forms)):
        raise rows.refused(faults)
    for form in forms:
        seller = _seller(form)
        work.reference.put_seller(seller)
        fields = {name: value for name, value in asdict(form).items() if name != "seller"}
        work.reference.put_dealership(Dealership(**fields, seller=seller.id))
    work.reference.raise_snapshot_number()
    return len(forms)


def _seller(form: DealershipForm) -> Seller:
    return Seller(**{**asdict(form.seller), "id": form.seller.id or form.id})


def _dealership_faults(work: UnitOfWork, forms: Sequence[DealershipForm]) -> Iterator[Fault]:
    models = _known_models(work)
    yield from doubled([form.id for form in forms], "id")
    for row, form in enumerate(forms):
        if said := email_problem(form.email):
            yield Fault(f"/{row}/email", said)
        yield from terms_faults(form.terms, f"/{row}/terms")
        yield from _model_faults(form.models, models, f"/{row}/models")
        if not _is_timezone(form.seller.timezone):
            detail = f'there is no time zone "{form.seller.timezone}"; write it like Europe/Dublin'
            yield Fault(f"/{row}/seller/timezone", detail)
    yield from _seller_faults(work, [_seller(form) for form in forms])


def _seller_faults(work: UnitOfWork, sellers: Sequence[Seller]) -> Iterator[Fault]:
    """Two dealerships may share a seller, but not disagree about it; two sellers may not share a prefix."""
    known = {seller.id: seller for seller in work.reference.sellers()}
    catalogue = work.reference.catalogue()
    seen: dict[str, Seller] = {}
    owners: dict[str, str] = {}
    for seller in {**known, **{seller.id: seller for seller in sellers}}.values():
        owners.setdefault(seller.number_prefix, seller.id)
    for row, seller in enumerate(sellers):
        if seen.setdefault(seller.id, seller) != seller:
            yield Fault(
                f"/{row}/seller", f'"{seller.id}" is told otherwise further up; tell the same in each row'
            )
        if (owner := owners.get(seller.number_prefix, seller.id)) != seller.id:
            detail = f"{seller.number_prefix} is the prefix of {owner}; choose another"
            yield Fault(f"/{row}/seller/number_prefix", detail)
        if catalogue and seller.currency not in catalogue.currencies:
            detail = (
                f"the catalogue has no prices in {seller.currency}; it has: {', '.join(catalogue.currencies)}"
            )
            yield Fault(f"/{row}/seller/currency", detail)
        if seller.id in known and work.reference.has_numbers(seller.id):
            yield from _lasting_faults(known[seller.id], seller, row)


def _lasting_faults(now: Seller, new: Seller, row: int) -> Iterator[Fault]:
    for field in ("currency", "number_prefix"):
        if getattr(new, field) != getattr(now, field):
            detail = (
                f"stays {getattr(now, field)}: documents were issued with it; a new seller needs a new id"
            )
            yield Fault(f"/{row}/seller/{field}", detail)


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


# --- the factory
# ---------------------------------------------------------------------------------------------------------


def put_plants(work: UnitOfWork, rows: Rows) -> int:
    """Plants. The serial numbers of their VINs go on."""
    forms = converted(rows, PlantForm)
    faults = list(doubled([form.id for form in forms], "id"))
    for row, form in enumerate(forms):
        if form.id[0] in "ioq":  # it stands for the plant in position 11 of a VIN
            faults.append(Fault(f"/{row}/id", "must not begin with i, o or q, which no VIN has"))
    if faults:
        raise rows.refused(faults)
    for form in forms:
        work.reference.put_plant(Plant(**asdict(form)))
    return len(forms)


def put_lines(work: UnitOfWork, rows: Rows) -> int:
    """Assembly lines. Cars that hold a place keep it, also where a line gets fewer places than it has cars."""
    forms = converted(rows, LineForm)
    models, plants = _known_models(work), [plant.id for plant in work.reference.plants()]
    faults = list(doubled([form.id for form in forms], "id"))
    for row, form in enumerate(forms):
        faults += _model_faults(form.models, models, f"/{row}/models")
        if form.plant not in plants:
            faults.append(
                Fault(f"/{row}/plant", f'there is no plant "{form.plant}"; there are: {", ".join(plants)}')
            )
    if faults:
        raise rows.refused(faults)
    for form in forms:
        work.reference.put_line(Line(**asdict(form)))
    return len(forms)


def put_defect_codes(work: UnitOfWork, rows: Rows) -> int:
    """The whole list of defect codes, in the order of the file."""
    codes = converted(rows, DefectCode)
    if faults := defect_code_faults(codes):
        raise rows.refused(faults)
    work.reference.put_defect_codes(codes)
    return len(codes)


# --- people
# --------------------------------------------------------------------------------------------------------------


def put_accounts(
    work: UnitOfWork, rows: Rows, hash_password: Callable[[str], str], *, least_password: int = LEAST_PASSWORD
) -> int:
    """Accounts, by e-mail address. A new password makes every token and session of the account void."""
    forms = converted(rows, AccountForm)
    if faults := list(_account_faults(work, forms, least_password)):
        raise rows.refused(faults)
    known = {account.email: account for account in work.reference.accounts()}
    for form in forms:
        email = form.email.lower()
        account = known.get(email) or Account(id=work.ids.new("acc"), email=email, name=form.name)
        changed = replace(
            account,
            name=form.name,
            language=form.language,
            active=form.active,
            epoch=account.epoch + bool(form.password and email in known),
            memberships=tuple(
                Membership(role=held.role, scope=held.scope or "") for held in form.memberships
            ),
        )
        work.reference.put_account(changed, hash_password(form.password) if form.password else None)
    return len(forms)


def _account_faults(work: UnitOfWork, forms: Sequence[AccountForm], least_password: int) -> Iterator[Fault]:
    scopes = {
        "dealership": [dealership.id for dealership in work.reference.dealerships()],
        "line": [line.id for line in work.factory.lines()],
        "plant": [plant.id for plant in work.reference.plants()],
    }
    yield from doubled([form.email.lower() for form in forms], "email")
    for row, form in enumerate(forms):
        if said := email_problem(form.email):
            yield Fault(f"/{row}/email", said)
        if form.password is not None and (said := password_problem(form.password, least_password)):
            yield Fault(f"/{row}/password", said)
        for place, membership in enumerate(form.memberships):
            yield from _membership_faults(membership, scopes, f"/{row}/memberships/{place}")


def password_problem(password: str, least: int = LEAST_PASSWORD) -> str | None:
    """What is wrong with a password, or None."""
    if least <= len(password) <= MOST_PASSWORD:
        return None
    return f"must have {least} to {MOST_PASSWORD} characters"


def _membership_faults(
    membership: MembershipForm, scopes: dict[str, list[str]], pointer: str
) -> Iterator[Fault]:
    kind = SCOPE_OF.get(membership.role)
    if membership.role not in ROLES:
        yield Fault(
            f"{pointer}/role", f'there is no role "{membership.role}"; choose from: {", ".join(ROLES)}'
        )
    elif membership.scope and kind is None:
        yield Fault(f"{pointer}/scope", f"{membership.role} holds everywhere; leave the scope out")
    elif membership.scope and kind and membership.scope not in scopes[kind]:
        known = ", ".join(scopes[kind]) or "none yet"
        yield Fault(f"{pointer}/scope", f'there is no {kind} "{membership.scope}"; there are: {known}')


# --- topics
# --------------------------------------------------------------------------------------------------------------

_TOPIC = re.compile(r"[a-z][a-z0-9-]{0,59}")


def put_subscription(
    work: UnitOfWork, topic: str, kind: str, target: str, *, secret: str | None = None
) -> bool:
    """Subscribe a role, address, URL or queue to a topic; whether `secret`, which signs what a URL gets, came into use.

    Raises Invalid.
    """
    faults = [] if _TOPIC.fullmatch(topic) else [Fault("/topic", "must be small letters, digits and hyphens")]
    if kind not in SUBSCRIBER_KINDS:
        faults.append(Fault("/kind", f"must be one of: {', '.join(SUBSCRIBER_KINDS)}"))
    elif said := _target_problem(kind, target):
        faults.append(Fault("/target", said))
    if kind == "url" and not secret:
        faults.append(Fault("/kind", "a URL needs a secret with which what it gets is signed"))
    if faults:
        raise Invalid(faults)
    new = kind == "url" and subscribe_to_topic(work, topic, target, secret or "")
    work.reference.subscribe(msgspec.convert({"topic": topic, "kind": kind, "target": target}, Subscription))
    return new


def remove_subscription(work: UnitOfWork, topic: str, kind: str, target: str) -> None:
    """End a subscription. Raises NotFound."""
    known = [
        held
        for held in work.reference.subscriptions()
        if (held.topic, held.kind, held.target) == (topic, kind, target)
    ]
    if not known:
        raise NotFound(f"nothing of {topic} goes to the {kind} {target}")
    work.reference.unsubscribe(known[0])
    if kind == "url" and (webhook := webhook_of_topic(work, topic, target)):
        work.happenings.end_webhook(webhook.id)


def _target_problem(kind: str, target: str) -> str | None:
    if kind == "role":
        return None if target in ROLES else f"must be one of: {', '.join(ROLES)}"
    if kind == "address":
        return email_problem(target)
    if kind == "url":
        return None if re.fullmatch(r"https?://[^\s]+", target) else "must begin with https:// or http://"
    return None if _TOPIC.fullmatch(target) else "must be small letters, digits and hyphens"
