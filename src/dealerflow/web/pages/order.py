"""The order page: choose a dealership and a car, see the price, order it.

    GET /order?…         the form, with what the address chooses already (a dealership links to it so)
    POST /order/price    the form again, with the price of what is chosen now; the page's script asks for it at each change
    POST /order          takes the order through intake, like the API: without the main database

The form carries a key of its own, so that sending it twice orders one car, and the price that was shown, so that another price is
never agreed to unseen.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec

from dealerflow.application.calls import KeyReused, checked_key
from dealerflow.application.intake import Receipt
from dealerflow.domain.errors import Fault, Invalid, TooLarge, Unavailable
from dealerflow.domain.intake import PriceChanged, Snapshot, check
from dealerflow.domain.languages import LANGUAGES
from dealerflow.domain.money import Money
from dealerflow.web.auth import KEY
from dealerflow.web.pages.configurator import Configuration, configure
from dealerflow.web.pages.core_words import in_words
from dealerflow.web.pages.fields import Errors, Fields, errors_by_field
from dealerflow.web.pages.frame import HtmlResponse, Visit, get, post_by_anybody
from dealerflow.web.pages.texts import Texts

FEW_DEALERSHIPS = 12  # more are a list to choose from, not cards
CONTACT = ("name", "email", "phone", "company", "address", "tax_id")
POINTERS = {f"/customer/{name}": name for name in (*CONTACT, "language")} | {
    "/note": "note",
    "/dealership": "dealership",
    "/vehicle": "vehicle",
}
LONGEST = {"name": 200, "email": 254, "phone": 40, "company": 200, "address": 500, "tax_id": 40, "note": 2000}


class OrderPage(msgspec.Struct, frozen=True, kw_only=True):
    """The order page. `shown` is the price that the form sends back as the one that was seen; `said` is told above the form."""

    car: Configuration
    values: dict[str, str]
    errors: Errors
    key: str
    shown: Money | None
    as_cards: bool
    said: str | None = None
    languages: tuple[tuple[str, str], ...]
    longest: dict[str, int]


@get("/order")
def order_page(visit: Visit) -> HtmlResponse:
    """The form; the address may choose a dealership and a car."""
    return _show(visit, Fields(visit.request.query_params.multi_items()))


@post_by_anybody("/order/price")
def order_price(visit: Visit) -> HtmlResponse:
    """The form as it was sent, with the price of what is chosen now."""
    return _show(visit, visit.fields)


@post_by_anybody("/order")
def place(visit: Visit) -> HtmlResponse:
    """Take the order, or say what is wrong with it."""
    fields, t = visit.fields, visit.texts
    snapshot = _snapshot(visit)
    car = configure(snapshot, fields, t)
    if fields.text("shown_model") != car.choice.model:  # what stood below was of another model
        return _show(visit, fields, said=t("order.model_changed"))
    if errors := _missing(car, fields, t):
        return _show(visit, fields, errors=errors | _further(car, fields, t, snapshot))
    try:
        receipt = _take(visit, car)
    except (PriceChanged, KeyReused, Invalid, TooLarge, Unavailable) as error:
        return _refused(visit, error)
    url = f"/orders/{receipt.id}?{KEY}={visit.system.links.make(receipt.id)}"
    return visit.go(url, say="order_taken")


def _refused(
    visit: Visit, error: PriceChanged | KeyReused | Invalid | TooLarge | Unavailable
) -> HtmlResponse:
    """The form as it was sent, and why it was not taken."""
    fields, t = visit.fields, visit.texts
    if isinstance(error, PriceChanged):
        return _show(visit, fields, said=_price_changed(visit, error), status=409)
    if isinstance(error, KeyReused):  # a second car, from the form of the first
        return _show(visit, fields, said=t("order.key_reused"), status=409, fresh=True)
    if isinstance(error, Unavailable):  # the disk is full, say
        answer = _show(visit, fields, said=t("order.not_taken"), status=503)
        answer.headers["Retry-After"] = str(error.retry_after_s)
        return answer
    return _show(visit, fields, errors=_said(error, fields, t))


def _take(visit: Visit, car: Configuration) -> Receipt:
    key = checked_key(visit.fields.text("order_key"))
    raw = msgspec.json.encode(_form(visit.fields, car))
    taken = visit.wait_for(visit.system.intake.take(raw, key=key, caller=f"page {visit.visitor}"))
    return msgspec.json.decode(taken.answer, type=Receipt)


def _form(fields: Fields, car: Configuration) -> dict[str, Any]:
    """The body of `POST /api/v1/orders`."""
    choice = car.choice
    form: dict[str, Any] = {
        "dealership": car.dealership.id if car.dealership else "",
        "customer": {
            "name": fields.text("name"),
            "email": fields.text("email"),
            "language": fields.text("language"),
        }
        | {name: value for name in CONTACT[2:] if (value := fields.optional(name))},
        "vehicle": {
            "model": choice.model,
            "trim": choice.trim,
            "colour": choice.colour,
            "options": list(choice.options),
        },
    }
    if note := fields.optional("note"):
        form["note"] = note
    if (seen := fields.money("shown_price")) is not None:
        form["expected_price"] = {"amount": seen.amount, "currency": seen.currency}
    return form


def _snapshot(visit: Visit) -> Snapshot:
    snapshot = visit.system.intake.snapshot
    if snapshot is None:
        raise Unavailable(visit.texts("order.no_catalogue"))
    return snapshot


def _show(
    visit: Visit,
    fields: Fields,
    *,
    errors: Errors | None = None,
    said: str | None = None,
    status: int = 200,
    fresh: bool = False,
) -> HtmlResponse:
    car = configure(_snapshot(visit), fields, visit.texts)
    key = "" if fresh else fields.text("order_key")
    values = {name: fields.text(name) for name in (*CONTACT, "note")}
    view = OrderPage(
        car=car,
        values=values | {"language": fields.text("language") or visit.language},
        errors=errors or {},
        key=key or visit.system.ids.new("key"),
        shown=car.total,
        as_cards=len(car.dealerships) <= FEW_DEALERSHIPS,
        said=said,
        languages=tuple((code, visit.texts(f"language.{code}")) for code in LANGUAGES),
        longest=LONGEST,
    )
    return visit.show("order.html", view, status=422 if errors else status, address=_address(car))


def _address(car: Configuration) -> str:
    """Where this car is shown again."""
    choice, own = car.choice, [("dealership", car.dealership.id)] if car.dealership else []
    chosen = [("model", choice.model), ("trim", choice.trim), ("colour", choice.colour)]
    return f"/order?{urlencode([*own, *chosen, *(('options', code) for code in choice.options)])}"


def _missing(car: Configuration, fields: Fields, t: Texts) -> Errors:
    """What only the page can say well: what was left out, and the catalogue's rules by their names."""
    found: Errors = {name: [t("fault.missing")] for name in ("name", "email") if not fields.text(name)}
    if car.dealership is None:
        found["dealership"] = [t("fault.choose_dealership")]
    if car.faults:
        found["vehicle"] = list(car.faults)
    return found


def _price_changed(visit: Visit, changed: PriceChanged) -> str:
    f = visit.formats
    before = visit.fields.money("shown_price") or changed.price
    return visit.texts("order.price_changed", before=f.money(before), now=f.money(changed.price))


def _further(car: Configuration, fields: Fields, t: Texts, snapshot: Snapshot) -> Errors:
    """What is wrong besides with an order that is not whole."""
    try:
        check(msgspec.json.encode(_form(fields, car)), snapshot)
    except (Invalid, TooLarge) as error:
        return {name: said for name, said in _said(error, fields, t).items() if name in LONGEST}
    except PriceChanged:
        pass  # it is shown anew anyway
    return {}


def _said(error: Invalid | TooLarge, fields: Fields, t: Texts) -> Errors:
    """The faults under their fields, in the page's language."""
    faults = error.faults if isinstance(error, Invalid) else (Fault("/note", error.detail),)
    found = errors_by_field(faults, POINTERS)
    return {name: [_worded(name, detail, fields, t) for detail in details] for name, details in found.items()}


def _worded(name: str, detail: str, fields: Fields, t: Texts) -> str:
    """What is wrong with a field of the customer; the core says it in English."""
    value = fields.text(name)
    if not value:
        return t("fault.missing")
    if len(value) > LONGEST.get(name, len(value)):
        return t("fault.too_long", most=LONGEST[name])
    if any(not (sign.isprintable() or sign in "\n\t") for sign in value):
        return t("fault.signs")
    return t.find(f"fault.{name}") or in_words(t, detail)


ROUTES = (order_page, order_price, place)
