"""Open orders from another system: all of a file, or nothing of it, and without a mail to anybody.

rows ──converted──> forms ──checked──> each order started at its state, silently, with its car, its place,
its payment

An order's own number in the other system makes its id here, so a file that is imported twice is refused the
second time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from dealerflow.application.effects import states_with_a_car
from dealerflow.application.import_files import Cell, Rows, converted, doubled, listed, text, whole
from dealerflow.application.intake import new_order
from dealerflow.application.orders import start
from dealerflow.application.records import Line, Payment, Vehicle
from dealerflow.application.reference import snapshot
from dealerflow.application.work import UnitOfWork
from dealerflow.domain import events
from dealerflow.domain.billing import IMPORTED, due
from dealerflow.domain.errors import Conflict, Fault, Invalid, NotFound
from dealerflow.domain.ids import DIGITS, TIME_DIGITS
from dealerflow.domain.intake import AcceptedForm, CustomerForm, Snapshot, VehicleForm, check
from dealerflow.domain.vehicles import normalised_vin, vin_faults, vin_warnings
from dealerflow.pipeline.definition import State

_CHANCE_DIGITS = 16


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order as another system knew it.

    `reference` is its number there. `paid` in minor units of the dealership's currency. `line` is the line
    on which its car holds a place; `vin` its car's, in states in which it has one. `placed_at` is a day or a
    time in ISO 8601 (now, if left out).
    """

    reference: Annotated[str, Meta(pattern=r"\S", max_length=100, extra={"say": "must not be blank"})]
    dealership: str
    state: str
    customer: CustomerForm
    vehicle: VehicleForm
    vin: Annotated[str, Meta(max_length=40)] | None = None
    line: str | None = None
    paid: Annotated[int, Meta(ge=0)] = 0
    placed_at: str | None = None
    note: str | None = None


COLUMNS: dict[str, Cell] = {
    "reference": text,
    "dealership": text,
    "state": text,
    "placed_at": text,
    "customer.name": text,
    "customer.email": text,
    "customer.phone": text,
    "customer.language": text,
    "customer.company": text,
    "customer.address": text,
    "customer.tax_id": text,
    "vehicle.model": text,
    "vehicle.trim": text,
    "vehicle.colour": text,
    "vehicle.options": listed,
    "vin": text,
    "line": text,
    "paid": whole,
    "note": text,
}


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import came to: the orders' ids by their references, and what may be wrong but need not be."""

    orders: dict[str, str]
    warnings: tuple[str, ...]


class _Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A row without faults."""

    form: OpenOrder
    accepted: AcceptedForm
    id: str
    vin: str | None
    placed_at: int
    has_place: bool


def import_orders(work: UnitOfWork, rows: Rows, *, by: str) -> Imported:
    """Bring in every order of the file. Raises Invalid with every fault by row, Conflict while there is no
    catalogue.
    """
    forms = converted(rows, OpenOrder)
    known = snapshot(work)
    if known is None:
        raise Conflict("there is no catalogue yet; import it first")
    checking = _Checking(work, known)
    checked = [checking.row(number, form) for number, form in enumerate(forms)]
    checking.faults += _of_the_whole(work, forms)
    if checking.faults:
        raise rows.refused(checking.faults)
    warnings = [
        f"{rows.place(f'/{number}/vin')}: {warning.detail}"
        for number, one in enumerate(checked)
        if one and one.vin
        for warning in vin_warnings(one.vin)
    ]
    for one in checked:
        if one is not None:
            _bring_in(work, one, known.catalogue.version, by)
    return Imported(orders={one.form.reference: one.id for one in checked if one}, warnings=tuple(warnings))


def imported_id(reference: str) -> str:
    """The id of the order with this number in the other system: always the same."""
    number = int.from_bytes(hashlib.sha256(reference.strip().encode()).digest()[:10], "big")
    digits = "".join(DIGITS[number >> 5 * place & 31] for place in reversed(range(_CHANCE_DIGITS)))
    return f"ord_{'0' * TIME_DIGITS}{digits}"


# --- checking
# ------------------------------------------------------------------------------------------------------------


class _Checking:
    """Checks one row after the other, and gathers what is wrong."""

    def __init__(self, work: UnitOfWork, known: Snapshot) -> None:
        self.faults: list[Fault] = []
        self._work = work
        self._snapshot = known
        self._pipeline = work.pipelines.current
        self._with_car = states_with_a_car(self._pipeline)
        self._lines = {line.id: line for line in work.factory.lines()}

    def row(self, number: int, form: OpenOrder) -> _Checked | None:
        """The row as it can be brought in; None if something is wrong with it."""
        found = list(self._faults(form))
        accepted = None
        try:
            accepted = check(_as_order(form), self._snapshot)
        except Invalid as invalid:
            found += [fault for fault in invalid.faults if fault not in found]
        if accepted and form.paid > accepted.quote.total.amount:
            found.append(Fault("/paid", f"is more than the price, {accepted.quote.total.amount}"))
        self.faults += [Fault(f"/{number}{fault.pointer}", fault.detail) for fault in found]
        if accepted is None or found:
            return None
        return _Checked(
            form=form,
            accepted=accepted,
            id=imported_id(form.reference),
            vin=normalised_vin(form.vin) if form.vin else None,
            placed_at=_moment(form.placed_at) or self._work.clock.now(),
            has_place=self._pipeline.state(form.state).holds_place,
        )

    def _faults(self, form: OpenOrder) -> Iterator[Fault]:
        state = self._pipeline.states.get(form.state)
        if state is None or state.final:
            names = ", ".join(name for name, one in self._pipeline.states.items() if not one.final)
            what = "is over: only open orders are brought in" if state else "is no state"
            yield Fault("/state", f'"{form.state}" {what}; choose one of {names}')
        else:
            yield from self._car_faults(form, state)
            yield from self._line_faults(form, state)
            if form.paid and state.payments == "closed":
                yield Fault("/paid", f"nothing can be paid in {state.name}")
        if form.placed_at is not None and _moment(form.placed_at) is None:
            yield Fault(
                "/placed_at", "must be a day or a time of ISO 8601, like 2026-01-31 or 2026-01-31T12:00:00Z"
            )

    def _car_faults(self, form: OpenOrder, state: State) -> Iterator[Fault]:
        if state.name not in self._with_car:
            if form.vin:
                yield Fault("/vin", f"an order in {state.name} has no car yet; leave the VIN out")
            return
        if not form.vin:
            yield Fault("/vin", f"is missing: a car in {state.name} has its VIN")
            return
        vin = normalised_vin(form.vin)
        yield from vin_faults(vin)
        if self._work.factory.vin_is_used(vin):
            yield Fault("/vin", f"{vin} is in use; a VIN is given to one car for ever")

    def _line_faults(self, form: OpenOrder, state: State) -> Iterator[Fault]:
        line = self._lines.get(form.line or "")
        if form.line is None:
            if state.holds_place:
                yield Fault(
                    "/line",
                    f"is missing: a car in {state.name} holds a place on a line: {', '.join(self._lines)}",
                )
        elif line is None:
            yield Fault("/line", f'there is no line "{form.line}"; there are: {", ".join(self._lines)}')
        elif not line.builds(form.vehicle.model):
            yield Fault("/line", f"line {line.id} does not build the model {form.vehicle.model}")


def _of_the_whole(work: UnitOfWork, forms: Sequence[OpenOrder]) -> Iterator[Fault]:
    """What is wrong between the rows, or with what was brought in before."""
    yield from doubled([form.reference.strip() for form in forms], "reference")
    seen: set[str] = set()
    for number, form in enumerate(forms):
        vin = normalised_vin(form.vin) if form.vin else None
        if vin in seen:
            yield Fault(f"/{number}/vin", f"{vin} is given twice; a VIN belongs to one car")
        if vin:
            seen.add(vin)
        if _is_stored(work, imported_id(form.reference)):
            yield Fault(f"/{number}/reference", f'"{form.reference}" was brought in before')
    yield from _full_lines(work, forms)


def _is_stored(work: UnitOfWork, order_id: str) -> bool:
    try:
        work.orders.get(order_id)
    except NotFound:
        return False
    return True


def _full_lines(work: UnitOfWork, forms: Sequence[OpenOrder]) -> Iterator[Fault]:
    states = work.pipelines.current.states
    taken: Counter[str] = Counter()
    lines: dict[str, Line] = {line.id: line for line in work.factory.lines()}
    for number, form in enumerate(forms):
        state, line = states.get(form.state), lines.get(form.line or "")
        if state is None or line is None or not state.holds_place:
            continue
        taken[line.id] += 1
        if line.taken + taken[line.id] > line.places:
            free = line.places - line.taken
            yield Fault(
                f"/{number}/line",
                f"line {line.id} has {max(0, free)} free places, and this is car {taken[line.id]}",
            )


def _as_order(form: OpenOrder) -> bytes:
    """What a customer would have sent, to be checked and priced likewise."""
    fields = {"dealership": form.dealership, "customer": form.customer, "vehicle": form.vehicle}
    return msgspec.json.encode({**fields, "note": form.note} if form.note else fields)


def _moment(entered: str | None) -> int | None:
    if entered is None:
        return None
    try:
        at = datetime.fromisoformat(entered.strip())
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


# --- bringing in
# ---------------------------------------------------------------------------------------------------------


def _bring_in(work: UnitOfWork, one: _Checked, catalogue_version: int, by: str) -> None:
    form, now = one.form, work.clock.now()
    new = new_order(one.accepted, catalogue_version=catalogue_version, order_id=one.id, at=one.placed_at)
    line = form.line if one.has_place else None
    if line and not work.factory.take_place(line):
        raise Conflict(f"line {line} became full meanwhile; try again")
    vehicle = _add_vehicle(work, one, now) if one.vin else None
    start(
        work,
        new,
        work.pipelines.current,
        state=form.state,
        by=by,
        event=events.ORDER_IMPORTED,
        silent=True,
        paid=form.paid,
        vehicle=vehicle,
        line=form.line,
        line_place=line,
        facts={"reference": form.reference.strip()},
    )
    if form.paid:
        _add_payment(work, one, now)


def _add_vehicle(work: UnitOfWork, one: _Checked, now: int) -> str:
    line = work.factory.line(one.form.line) if one.form.line else None
    vehicle = Vehicle(
        id=work.ids.new("veh"),
        vin=one.vin or "",
        plant=line.plant if line else work.reference.plants()[0].id,
        status="building" if one.has_place else "built",
        order_id=one.id,
        at=now,
    )
    work.factory.add_vehicle(vehicle)
    return vehicle.id


def _add_payment(work: UnitOfWork, one: _Checked, now: int) -> None:
    quote, terms = one.accepted.quote, one.accepted.dealership.terms
    next_due = due(terms, quote.total.amount, 0)
    work.billing.add_payment(
        Payment(
            id=work.ids.new("pay"),
            order_id=one.id,
            amount=one.form.paid,
            currency=quote.total.currency,
            before=next_due[1] if next_due else terms[-1].before,
            method=IMPORTED,
            status="paid",
            received_at=now,
            settled_at=now,
            reference=one.form.reference.strip(),
        )
    )
