"""Loads and delivery notes. A departure is one transaction: every car on it moves, or none does and each reason is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from dealerflow.application import queues
from dealerflow.application.guards import GUARDS, Surroundings
from dealerflow.application.mails import ask_for_mail, office_of
from dealerflow.application.orders import claim
from dealerflow.application.records import Load
from dealerflow.application.reference import STANDARD_PLANT
from dealerflow.application.work import UnitOfWork
from dealerflow.domain import events
from dealerflow.domain.errors import Conflict, Fault, Invalid, NotFound
from dealerflow.domain.events import Event
from dealerflow.domain.messages import Envelope, IssueDeliveryNote, message_of
from dealerflow.domain.orders import Order
from dealerflow.domain.people import Caller
from dealerflow.domain.shipping import DeliveryNote, NoteCar
from dealerflow.pipeline.definition import Outcome, Pipeline

MAX_CARS = 500


class LoadForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The orders whose cars leave together, and who carries them."""

    orders: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=64)], ...], msgspec.Meta(max_length=MAX_CARS)
    ]
    carrier: Annotated[str, msgspec.Meta(max_length=200)] | None = None


def departure_outcome(pipeline: Pipeline, state: str) -> Outcome | None:
    """The outcome that the departure of a load decides in this state, if there is one."""
    return next(
        (outcome for outcome in pipeline.state(state).outcomes.values() if outcome.via == "departure"), None
    )


def _loading_states(pipeline: Pipeline) -> set[str]:
    return {move.source for move in pipeline.moves() if move.outcome.via == "departure"}


def make_load(work: UnitOfWork, caller: Caller, form: LoadForm) -> Load:
    """Put cars on a new load. Raises Invalid (no such order, twice), Conflict (not waiting for a load, or on another)."""
    plants = caller.scopes("delivery_lead") - {""}
    load = Load(
        id=work.ids.new("lod"),
        plant=next(iter(sorted(plants)), STANDARD_PLANT.id),
        carrier=form.carrier,
        status="open",
        created_by=caller.name,
        created_at=work.clock.now(),
    )
    work.shipping.add_load(load)
    _put_on(work, load.id, form.orders)
    return load


def change_load(work: UnitOfWork, caller: Caller, load_id: str, form: LoadForm) -> Load:
    """Put exactly these cars on an open load. Raises NotFound, Conflict (departed, or a car that cannot go on it), Invalid."""
    load = _open_load(work, caller, load_id)
    already = {order.id for order in work.orders.on_load(load_id)}
    work.orders.take_off_load(load_id, keep=form.orders)
    _put_on(work, load_id, [order for order in form.orders if order not in already], listed=form.orders)
    work.shipping.change_carrier(load_id, form.carrier)
    return msgspec.structs.replace(load, carrier=form.carrier)


def _open_load(work: UnitOfWork, caller: Caller, load_id: str) -> Load:
    load = work.shipping.load(load_id, lock=True)
    if not caller.holds("delivery_lead", load.plant):
        raise NotFound(f"there is no load {load_id}")
    if load.status != "open":
        raise Conflict(f"load {load_id} has departed", status=load.status)
    return load


def _put_on(
    work: UnitOfWork, load_id: str, order_ids: Sequence[str], listed: Sequence[str] | None = None
) -> None:
    wanted = list(order_ids if listed is None else listed)
    faults = [
        Fault(f"/orders/{i}", f"{id_} is named twice") for i, id_ in enumerate(wanted) if id_ in wanted[:i]
    ]
    faults += [
        Fault(f"/orders/{wanted.index(id_)}", f"there is no order {id_}")
        for id_ in order_ids
        if not _exists(work, id_)
    ]
    if faults:
        raise Invalid(faults)
    refused = []
    for order_id in order_ids:
        order = work.orders.get(order_id, lock=True)
        states = _loading_states(work.pipelines.get(order.pipeline))
        if not work.orders.put_on_load(order_id, load_id, states):
            refused.append({"order": order_id, "reason": _why_not(order, states)})
    if refused:
        reasons = "; ".join(f"{car['order']}: {car['reason']}" for car in refused)
        raise Conflict(f"these cars cannot go on the load: {reasons}", blocked=refused)


def _exists(work: UnitOfWork, order_id: str) -> bool:
    try:
        work.orders.get(order_id)
    except NotFound:
        return False
    return True


def _why_not(order: Order, states: set[str]) -> str:
    if order.load:
        return f"it is on load {order.load}"
    return f"it is in “{order.state}”, only cars in {', '.join(sorted(states))} wait for a load"


def depart(work: UnitOfWork, caller: Caller, load_id: str) -> Load:
    """Let a load depart. Raises NotFound, Conflict (departed, empty, or blocked cars, each of them named: none moves)."""
    load = _open_load(work, caller, load_id)
    orders = work.orders.on_load(load_id)
    if not orders:
        raise Conflict(f"load {load_id} is empty; put cars on it first")
    leaving, blocked = [], []
    for order in orders:
        outcome = departure_outcome(work.pipelines.get(order.pipeline), order.state)
        reason = stays_because(work, order, outcome)
        if outcome is None or reason:
            blocked.append({"order": order.id, "reason": reason})
        else:
            leaving.append((order, outcome))
    if blocked:
        reasons = "; ".join(f"{car['order']}: {car['reason']}" for car in blocked)
        raise Conflict(f"the load stays: {reasons}", blocked=blocked)
    for order, outcome in leaving:
        claim(work, order, outcome, caller.name, {"load": load_id})
    return _left(work, caller, load, orders)


def stays_because(work: Surroundings, order: Order, outcome: Outcome | None) -> str | None:
    """Why a load could not depart with this car now; `outcome` is what its departure would decide for it."""
    if outcome is None:
        return f"it is in “{order.state}”, where no load departs"
    if order.decision:
        return f"“{order.decision}” was decided for it already"
    reasons = (GUARDS[guard.name].blocks(work, order, guard.argument, {}) for guard in outcome.guards)
    return next((reason for reason in reasons if reason), None)


def _left(work: UnitOfWork, caller: Caller, load: Load, orders: Sequence[Order]) -> Load:
    now = work.clock.now()
    if not work.shipping.depart(load.id, now, [(order.id, order.dealership) for order in orders]):
        raise Conflict(f"load {load.id} has departed")
    for dealership_id in sorted({order.dealership for order in orders}):
        dealership = work.people.dealership(dealership_id)
        details = {
            "load": load.id,
            "orders": [order.id for order in orders if order.dealership == dealership_id],
        }
        work.happenings.record(
            Event(
                id=work.ids.new("evt"),
                type=events.LOAD_DEPARTED,
                at=now,
                dealership=dealership_id,
                by=caller.name,
                details=details,
            )
        )
        message = IssueDeliveryNote(load=load.id, dealership=dealership_id)
        work.send(queues.deliveries(dealership.delivery_line), message, group=dealership_id)
    return msgspec.structs.replace(load, status="departed", departed_at=now)


def issue_delivery_note(work: UnitOfWork, envelope: Envelope) -> None:
    """Write the dealership's one note for this load, and mail it. A note that exists is left as it is."""
    message = message_of(envelope, IssueDeliveryNote)
    if work.shipping.note_for(message.load, message.dealership):
        return
    dealership = work.people.dealership(message.dealership)
    load = work.shipping.load(message.load)
    note = DeliveryNote(
        id=work.ids.new("dln"),
        load=load.id,
        dealership=dealership.id,
        dealership_name=dealership.name,
        at=load.departed_at or work.clock.now(),
        timezone=work.people.seller(dealership.seller).timezone,
        language=dealership.language,
        carrier=load.carrier,
        cars=tuple(
            _car(work, order_id, dealership.language)
            for order_id in work.shipping.departed(load.id, dealership.id)
        ),
    )
    work.shipping.add_note(note)
    work.happenings.record(
        Event(
            id=work.ids.new("evt"),
            type=events.DELIVERY_NOTE_ISSUED,
            at=work.clock.now(),
            dealership=dealership.id,
            by="dealerflow",
            details={"note": note.id, "load": load.id},
        )
    )
    ask_for_mail(work, "delivery_note", office_of(dealership), cause=note.id, attachment=note.id)


def _car(work: UnitOfWork, order_id: str, language: str) -> NoteCar:
    order, revision = work.orders.get(order_id), work.orders.revision(order_id)
    vin = work.factory.vehicle(order.vehicle).vin if order.vehicle else ""
    return NoteCar(
        order=order_id,
        model=label(revision.labels, "model", language) or revision.model,
        colour=label(revision.labels, "colour", language) or revision.colour,
        vin=vin,
        customer=work.orders.customer(order_id).name,
    )


def label(labels: dict[str, dict[str, str]], name: str, language: str) -> str | None:
    """A label that was copied into the order, in this language or else in English."""
    texts = labels.get(name, {})
    return texts.get(language) or texts.get("en")
