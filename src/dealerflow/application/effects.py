"""What a move does besides moving: the effects that a pipeline file may name. To add one: a function here, its name in the
vocabulary (`pipeline/vocabulary.py`); a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from dealerflow.application.records import QualityFailure, Vehicle
from dealerflow.application.reference import STANDARD_PLANT
from dealerflow.application.refunds import ask_for_refunds
from dealerflow.application.work import UnitOfWork
from dealerflow.domain import events
from dealerflow.domain.events import Event
from dealerflow.domain.orders import Order
from dealerflow.domain.vehicles import MAX_SERIAL, make_vin
from dealerflow.pipeline.definition import Outcome, Pipeline

MS_PER_YEAR = 31_556_952_000  # a mean Gregorian year


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """The move under way: `order` as it was, who decided what and when (ms). `outcome` None: the administrator's override."""

    order: Order
    by: str
    at: int
    details: dict[str, Any]
    outcome: Outcome | None


Effect = Callable[[UnitOfWork, Order, Move], Order]


def states_with_a_car(pipeline: Pipeline) -> frozenset[str]:
    """The states in which every order has a vehicle, whichever way it came."""
    having = set(pipeline.states) - {pipeline.start}
    while True:
        lost = {
            move.outcome.to
            for move in pipeline.moves()
            if move.outcome.to in having
            and "make_vehicle" not in (*move.outcome.effects, *pipeline.state(move.outcome.to).effects)
            and (move.source not in having or "scrap_vehicle" in move.outcome.effects)
        }
        if not lost:
            return frozenset(having)
        having -= lost


def make_vehicle(work: UnitOfWork, order: Order, move: Move) -> Order:
    """Begin a car with its VIN, if the order has none."""
    if order.vehicle:
        return order
    line = work.factory.line(order.line) if order.line else None
    plant = line.plant if line else STANDARD_PLANT.id
    vehicle = Vehicle(
        id=work.ids.new("veh"),
        vin=_next_vin(work, plant, order, move.at),
        plant=plant,
        status="building",
        order_id=order.id,
        at=move.at,
    )
    work.factory.add_vehicle(vehicle)
    _note(work, order, events.VEHICLE_STARTED, move, {"vehicle": vehicle.id, "vin": vehicle.vin})
    return replace(order, vehicle=vehicle.id)


def _next_vin(work: UnitOfWork, plant: str, order: Order, at: int) -> str:
    """The plant's next VIN; one that an imported car has already is passed over."""
    model_code = work.orders.revision(order.id).vin_code or _letters_of(order.model)
    year = 1970 + at // MS_PER_YEAR
    while True:
        wmi, serial = work.factory.next_serial(plant)
        vin = make_vin(wmi, model_code, year, plant[:1].upper(), (serial - 1) % MAX_SERIAL + 1)
        if not work.factory.vin_is_used(vin):
            return vin


def _letters_of(model: str) -> str:
    """Five characters that a VIN may have, from the model's name: for an order whose catalogue gave it none."""
    allowed = "".join(letter for letter in model.upper() if letter in "ABCDEFGHJKLMNPRSTUVWXYZ0123456789")
    return f"{allowed}00000"[:5]


def scrap_vehicle(work: UnitOfWork, order: Order, move: Move) -> Order:
    """The car is given up; the order will get another, on a line that is still to be chosen."""
    if not order.vehicle:
        return order
    work.factory.set_vehicle_status(order.vehicle, "scrapped")
    _note(work, order, events.VEHICLE_SCRAPPED, move, {"vehicle": order.vehicle})
    return replace(order, vehicle=None, line=None)


def mark_built(work: UnitOfWork, order: Order, move: Move) -> Order:
    """The car has passed: it is built."""
    if order.vehicle:
        work.factory.set_vehicle_status(order.vehicle, "built")
    return order


def mark_delivered(work: UnitOfWork, order: Order, move: Move) -> Order:
    """The keys are handed over."""
    if order.vehicle:
        work.factory.set_vehicle_status(order.vehicle, "delivered")
    return order


def record_failure(work: UnitOfWork, order: Order, move: Move) -> Order:
    """Keep the failed check with its defects, and count it."""
    failure = QualityFailure(
        id=work.ids.new("flr"),
        order_id=order.id,
        vehicle=order.vehicle,
        step=move.order.step,
        at=move.at,
        by=move.by,
        note=move.details.get("note"),
        defects=tuple(move.details.get("defects", ())),
    )
    work.factory.add_failure(failure)
    failed = replace(order, failures=order.failures + 1)
    _note(
        work,
        failed,
        events.VEHICLE_FAILED_QUALITY,
        move,
        {"defects": list(failure.defects), "failures": failed.failures},
    )
    return failed


def record_receipt(work: UnitOfWork, order: Order, move: Move) -> Order:
    """Keep the condition in which the dealership received the car."""
    condition = str(move.details.get("condition", "ok"))
    note = move.details.get("note")
    work.factory.add_receipt(
        step=move.order.step, order_id=order.id, condition=condition, note=note, at=move.at, by=move.by
    )
    return order


def set_line(work: UnitOfWork, order: Order, move: Move) -> Order:
    """The line that was chosen builds this car."""
    return replace(order, line=str(move.details["line"])) if "line" in move.details else order


def ask_refund(work: UnitOfWork, order: Order, move: Move) -> Order:
    """Ask for what was paid to be given back."""
    ask_for_refunds(work, order, by=move.by)
    return order


def _note(work: UnitOfWork, order: Order, type_: str, move: Move, details: dict[str, Any]) -> None:
    work.happenings.record(
        Event(
            id=work.ids.new("evt"),
            type=type_,
            at=move.at,
            dealership=order.dealership,
            order=order.id,
            by=move.by,
            details=details,
        )
    )


EFFECTS: dict[str, Effect] = {
    "make_vehicle": make_vehicle,
    "scrap_vehicle": scrap_vehicle,
    "mark_built": mark_built,
    "mark_delivered": mark_delivered,
    "record_failure": record_failure,
    "record_receipt": record_receipt,
    "set_line": set_line,
    "ask_refund": ask_refund,
}
