"""Payment terms, payments and the documents (invoice, credit note) that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from dealerflow.domain.errors import Fault
from dealerflow.domain.languages import Text, in_language

if TYPE_CHECKING:  # an order names its terms, so at run time orders import billing
    from dealerflow.domain.orders import PricedLine

Before = Literal["production", "delivery", "handover"]
DocumentKind = Literal["invoice", "credit_note"]


class Term(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`percent` of the price is due before this part of the car's way may begin."""

    before: Before
    percent: int


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """The legal seller or the buyer, as an invoice names them. `address` may have several lines."""

    name: str
    address: str = ""
    tax_id: str = ""
    country: str = ""
    company: str = ""


class DocumentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line: `net` and `tax` in minor units, `rate` in basis points (1900 = 19 %)."""

    text: str
    net: int
    rate: int
    tax: int


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """An issued invoice or credit note. It never changes.

    Amounts in minor units; `issued_at` in ms since epoch, shown in `timezone`.
    """

    id: str
    kind: DocumentKind
    number: str
    issued_at: int
    timezone: str
    language: str
    currency: str
    seller: Party
    buyer: Party
    order_id: str
    payment_id: str
    lines: tuple[DocumentLine, ...]
    net: int
    tax: int
    gross: int
    vin: str | None = None
    refers_to: str | None = None  # a credit note names the invoice that it corrects


DEFAULT_TERMS: tuple[Term, ...] = (Term(before="production", percent=100),)

IMPORTED = "imported"  # the method of a payment that was made, and invoiced, elsewhere

STAGES: tuple[Before, ...] = get_args(Before)  # in the order in which a car passes them
MAX_RATE = 10_000  # basis points: 100 %

_PART_PAYMENT: dict[Before, Text] = {
    "production": {"en": "Payment before production", "es": "Pago antes de la producción"},
    "delivery": {"en": "Payment before delivery", "es": "Pago antes del envío"},
    "handover": {"en": "Payment before handover", "es": "Pago antes de la entrega"},
}
_SHARE: Text = {"en": "{percent} % of the price", "es": "{percent} % del precio"}


def terms_faults(terms: Sequence[Term], pointer: str = "/terms") -> list[Fault]:
    """What is wrong with payment terms: rows in the car's order, each stage once, percents that make 100."""
    found = [
        Fault(f"{pointer}/{row}/percent", f"must be from 1 to 100, this is {term.percent}")
        for row, term in enumerate(terms)
        if not 1 <= term.percent <= 100
    ]
    for row, (earlier, later) in enumerate(pairwise(terms), start=1):
        if STAGES.index(earlier.before) >= STAGES.index(later.before):
            detail = (
                f"{later.before} must come before {earlier.before}, and only once: sort the rows by stage"
            )
            found.append(Fault(f"{pointer}/{row}/before", detail))
    if (total := sum(term.percent for term in terms)) != 100:
        found.append(Fault(pointer, f"the percents must sum up to 100, these make {total}"))
    return found


def amounts(terms: Sequence[Term], price: int) -> list[tuple[Before, int]]:
    """What each row of the terms asks for, in minor units: rounded half up, the last takes what is left."""
    shares = [(term.before, _rounded(price * term.percent, 100)) for term in terms[:-1]]
    return [*shares, (terms[-1].before, price - sum(share for _, share in shares))]


def due(terms: Sequence[Term], price: int, paid: int) -> tuple[int, Before] | None:
    """What is to be paid next, and before which stage; None when the whole price has arrived."""
    asked = 0
    for before, amount in amounts(terms, price):
        asked += amount
        if paid < asked:
            return asked - paid, before
    return None


def gate_missing(terms: Sequence[Term], price: int, paid: int, stage: Before) -> int:
    """What must still arrive before this stage may begin: all that is due until then, less `paid`."""
    passed = STAGES[: STAGES.index(stage) + 1]
    return max(0, sum(amount for before, amount in amounts(terms, price) if before in passed) - paid)


def invoice_lines(
    price_lines: Sequence[PricedLine],
    amount: int,
    rate: int,
    *,
    before: Before,
    percent: int | None = None,
    language: str = "en",
) -> tuple[DocumentLine, ...]:
    """The lines of the invoice for one payment of `amount`; their net and tax sum up to exactly that.

    A payment of the whole price has a line for each price line; a part payment has one line that says what it
    is for, with `percent` where the amount is a row of the terms. `rate` in basis points.
    """
    if amount == sum(line.amount for line in price_lines):
        texts = [in_language(line.title, language) for line in price_lines]
        return _taxed(texts, [line.amount for line in price_lines], rate)
    return _taxed([_part_payment_text(price_lines, before, percent, language)], [amount], rate)


def credit_lines(lines: Sequence[DocumentLine]) -> tuple[DocumentLine, ...]:
    """The mirror of an invoice: the same lines with the opposite sign; both together come to nothing."""
    return tuple(msgspec.structs.replace(line, net=-line.net, tax=-line.tax) for line in lines)


def totals(lines: Sequence[DocumentLine]) -> tuple[int, int, int]:
    """Net, tax and gross of a document, in minor units."""
    net, tax = sum(line.net for line in lines), sum(line.tax for line in lines)
    return net, tax, net + tax


def document_number(prefix: str, kind: DocumentKind, year: int, running: int, restored: int = 0) -> str:
    """`NORTHSIDE-2026-000001`; credit notes have their own series, `NORTHSIDE-CN-2026-000001`.

    Each restore of a backup opens new series (`NORTHSIDE-2026-R1-000001`), because numbers that were given
    after the backup may have left the house. The running number comes last, always.
    """
    series = [prefix, "CN"] if kind == "credit_note" else [prefix]
    again = [f"R{restored}"] if restored else []
    return "-".join([*series, str(year), *again, f"{running:06d}"])


def _taxed(texts: Sequence[str], gross: Sequence[int], rate: int) -> tuple[DocumentLine, ...]:
    """Lines from prices that include tax.

    The net of the whole is rounded once; each line gets its part of it, whole units down, and those with the
    largest remainders one more until the sum is reached.
    """
    divisor = 10_000 + rate
    nets = [amount * 10_000 // divisor for amount in gross]
    missing = _rounded(sum(gross) * 10_000, divisor) - sum(nets)
    by_remainder = sorted(range(len(gross)), key=lambda place: -(gross[place] * 10_000 % divisor))
    for place in by_remainder[:missing]:
        nets[place] += 1
    return tuple(
        DocumentLine(text=text, net=net, rate=rate, tax=amount - net)
        for text, amount, net in zip(texts, gross, nets, strict=True)
    )


def _part_payment_text(
    price_lines: Sequence[PricedLine], before: Before, percent: int | None, language: str
) -> str:
    parts = [in_language(_PART_PAYMENT[before], language)]
    if percent is not None:
        parts.append(in_language(_SHARE, language).format(percent=percent))
    car = " ".join(
        in_language(line.title, language) for line in price_lines if line.kind in {"model", "trim"}
    )
    return ", ".join(parts) + (f": {car}" if car else "")


def _rounded(dividend: int, divisor: int) -> int:
    """Divided and rounded half up; neither may be negative."""
    return (2 * dividend + divisor) // (2 * divisor)
