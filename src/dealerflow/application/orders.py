"""The life of an order: it is placed, people decide, it moves. Which moves there are is the pipeline's business.

place  ->  enter(start)  ...  decide  ->  MoveOrder  ->  enter(next)  ...
                                |                          |
                        claims the step            row, history, effects, actions
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from dealerflow.application import queues
from dealerflow.application.actions import send_actions
from dealerflow.application.effects import EFFECTS, Move, make_vehicle, mark_built, states_with_a_car
from dealerflow.application.guards import GUARDS, Surroundings
from dealerflow.application.work import UnitOfWork
from dealerflow.domain import events
from dealerflow.domain.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from dealerflow.domain.events import Event
from dealerflow.domain.messages import Envelope, MoveOrder, PlaceOrder, message_of
from dealerflow.domain.orders import NewOrder, Order
from dealerflow.domain.people import Caller
from dealerflow.pipeline.definition import Outcome, Pipeline, details_faults

SYSTEM = "dealerflow"  # who did it, when nobody did


class DecisionForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person decides: an outcome of the step at which the order stands."""

    outcome: str
    step: str
    details: dict[str, Any] = {}


# --- placing -----------------------------------------------------------------------------------------------------------


def place_order(work: UnitOfWork, envelope: Envelope) -> None:
    """Store an accepted order and start its state machine in the pipeline's first state."""
    start(work, message_of(envelope, PlaceOrder).new, work.pipelines.current)


def place_order_once(work: UnitOfWork, envelope: Envelope) -> None:
    """The same where the message may come again: an order that is stored already changes nothing."""
    try:
        work.orders.get(message_of(envelope, PlaceOrder).new.id)
    except NotFound:
        place_order(work, envelope)


def start(
    work: UnitOfWork,
    new: NewOrder,
    pipeline: Pipeline,
    *,
    state: str | None = None,
    by: str = "customer",
    event: str = events.ORDER_PLACED,
    silent: bool = False,
    **known: Any,
) -> Order:
    """Enter a new order into `state` (the pipeline's start by default). `known` sets more of its fields (an import's)."""
    now = work.clock.now()
    order = Order(
        id=new.id,
        dealership=new.dealership,
        state=state or pipeline.start,
        step=work.ids.new("stp"),
        entered_at=now,
        placed_at=new.at,
        pipeline=pipeline.id,
        price=new.revision.price,
        currency=new.revision.currency,
        terms=new.terms,
        language=new.customer.language,
        model=new.revision.model,
        **known,
    )
    work.orders.add(new, order, silent=silent)
    record(work, order, event, by=by, state=order.state)
    if not silent:
        send_actions(work, order, pipeline.state(order.state), first=True)
    work.executions.begin(order)
    return order


# --- deciding ----------------------------------------------------------------------------------------------------------


def visible(work: UnitOfWork, caller: Caller, order_id: str, *, lock: bool = False) -> Order:
    """The order, if it exists for this caller. Raises NotFound."""
    order = work.orders.get(order_id, lock=lock)
    void = caller.customer_of == order.id and caller.link_number != order.link_number
    if void or not caller.sees(order.id, order.dealership, order.link_number):
        raise NotFound(f"there is no order {order_id}")
    return order


def roles_towards(work: Surroundings, caller: Caller, order: Order) -> frozenset[str]:
    """The roles that the caller holds towards this order, by dealership, line and plant."""
    line = work.factory.line(order.line) if order.line else None
    return caller.roles_for(order.id, order.dealership, order.line, line.plant if line else None)


def choices(work: Surroundings, order: Order) -> dict[str, list[str]]:
    """What the installation offers now for details whose choices are not in the pipeline file."""
    return {
        "lines": [line.id for line in work.factory.lines() if line.builds(order.model)],
        "defects": [code.code for code in work.factory.defect_codes()],
    }


def decide(work: UnitOfWork, caller: Caller, order_id: str, form: DecisionForm) -> Order:
    """Claim the step for this outcome and queue the move. Checks in the order that the interface promises.

    Raises NotFound (not visible), Conflict (step over, decided, or a guard), Forbidden (not the caller's), Invalid.
    """
    order = visible(work, caller, order_id, lock=True)
    if order.step != form.step or order.decision is not None:
        raise _stale(work, order, form.step)
    pipeline = work.pipelines.get(order.pipeline)
    outcome = _permitted(pipeline, order, form.outcome, roles_towards(work, caller, order))
    faults = details_faults(outcome, form.details, choices(work, order))
    if faults:
        raise Invalid(faults)
    if outcome.via == "departure":
        raise Conflict(
            f"“{outcome.name}” is decided by the departure of a load; put the order on a load and let it depart"
        )
    return claim(work, order, outcome, caller.name, form.details)


def claim(work: UnitOfWork, order: Order, outcome: Outcome, by: str, details: dict[str, Any]) -> Order:
    """Check the guards, claim the step and what the guards count, and queue the move. Raises Conflict."""
    for guard in outcome.guards:
        reason = GUARDS[guard.name].blocks(work, order, guard.argument, details)
        if reason:
            raise Conflict(reason, order=order.id, outcome=outcome.name)
    for guard in outcome.guards:
        order = GUARDS[guard.name].take(work, order, details)
    if not work.orders.claim_step(order, outcome.name, by):
        raise _stale(work, order, order.step)
    move = MoveOrder(order=order.id, step=order.step, outcome=outcome.name, by=by, details=details)
    work.send(queues.DECISIONS, move, group=order.dealership, order=order.id)
    return replace(order, decision=outcome.name, decided_by=by)


def _permitted(pipeline: Pipeline, order: Order, name: str, roles: frozenset[str]) -> Outcome:
    outcomes = pipeline.state(order.state).outcomes
    outcome = outcomes.get(name)
    deciders = set(outcome.by) if outcome else set(pipeline.roles_deciding(order.state))
    if not roles & deciders:
        raise Forbidden(f"in “{order.state}” this is decided by: {', '.join(sorted(deciders)) or 'nobody'}")
    return outcome or pipeline.outcome(order.state, name)


def _stale(work: UnitOfWork, order: Order, step: str) -> Conflict:
    if order.step == step:
        now = work.orders.get(order.id)
        what = f"“{now.decision}” was decided already" if now.decision else "the order has moved on"
        return Conflict(f"{what}; load the order again to see where it stands", state=now.state)
    return Conflict(
        f"this step is over, the order is now in “{order.state}”; load it again and decide for its present step",
        state=order.state,
    )


# --- moving ------------------------------------------------------------------------------------------------------------


def move_order(work: UnitOfWork, envelope: Envelope) -> None:
    """Carry out a claimed decision. One that was carried out already (or was overridden) changes nothing."""
    message = message_of(envelope, MoveOrder)
    order = work.orders.get(message.order, lock=True)
    if order.step != message.step:
        return
    pipeline = work.pipelines.get(order.pipeline)
    outcome = pipeline.outcome(order.state, message.outcome)
    enter(work, order, pipeline, outcome.to, by=message.by, outcome=outcome, details=message.details)


def enter(
    work: UnitOfWork,
    order: Order,
    pipeline: Pipeline,
    to: str,
    *,
    by: str,
    outcome: Outcome | None = None,
    details: dict[str, Any] | None = None,
    event: str = events.ORDER_MOVED,
    silent: bool = False,
) -> Order:
    """Take the order out of its step into `to`: effects, row, history and actions, in this transaction.

    `outcome` None is the administrator's override. `silent` leaves the actions out.
    """
    details = details or {}
    state = pipeline.state(to)
    move = Move(order=order, by=by, at=work.clock.now(), details=details, outcome=outcome)
    moved = order
    for effect in (*(outcome.effects if outcome else ()), *state.effects):
        moved = EFFECTS[effect](work, moved, move)
    moved = _let_go(work, moved, pipeline, to, outcome)
    moved = replace(
        moved, state=to, step=work.ids.new("stp"), entered_at=move.at, decision=None, decided_by=None
    )
    first = work.orders.times_in(order.id, to) == 0
    if not work.orders.enter(
        moved, order.step, outcome=outcome.name if outcome else None, by=by, closes=state.final, silent=silent
    ):
        raise Conflict("the order moved at the same time; it is tried again")
    record(work, moved, event, by=by, state=to, outcome=outcome.name if outcome else None, details=details)
    if not silent:
        send_actions(work, moved, state, first=first)
    return moved


def _let_go(work: UnitOfWork, order: Order, pipeline: Pipeline, to: str, outcome: Outcome | None) -> Order:
    """Give up the place on the line, and the load, where the new state has no use for them."""
    if order.line_place and not pipeline.state(to).holds_place:
        work.factory.release_place(order.line_place)
        order = replace(order, line_place=None)
    waits_for_load = any(o.via == "departure" for o in pipeline.state(order.state).outcomes.values())
    if order.load and (outcome is None or (waits_for_load and outcome.via != "departure")):
        order = replace(order, load=None)
    return order


def record(
    work: UnitOfWork,
    order: Order,
    type_: str,
    *,
    by: str | None = None,
    state: str | None = None,
    outcome: str | None = None,
    details: dict[str, Any] | None = None,
) -> Event:
    """Note in the order's history what happened, and tell whoever subscribed."""
    event = Event(
        id=work.ids.new("evt"),
        type=type_,
        at=work.clock.now(),
        dealership=order.dealership,
        order=order.id,
        state=state,
        step=order.step if state else None,
        outcome=outcome,
        by=by,
        details=details or {},
    )
    work.happenings.record(event)
    return event


# --- the administrator's override ----------------------------------------------------------------------------------------


def put_order(
    work: UnitOfWork,
    order_id: str,
    to: str,
    *,
    by: str,
    reason: str,
    silent: bool = False,
    force: bool = False,
    line: str | None = None,
) -> Order:
    """Put an order in a state by hand, on record. `line` gives it a place where the state needs one.

    Raises Invalid (no such state, no reason), Conflict (a decision is on its way and not `force`; no place on the line).
    """
    order = work.orders.get(order_id, lock=True)
    pipeline = work.pipelines.get(order.pipeline)
    state = pipeline.state(to)
    if not reason.strip():
        raise Invalid([Fault("/reason", "say why; it is kept in the order's history")])
    if order.decision and not force:
        raise Conflict(
            f"“{order.decision}” was decided and is on its way; wait for it, or override it with --force"
        )
    if state.holds_place and order.line_place and line in (None, order.line_place):
        order = replace(order, line=order.line_place)  # a decision that is overridden may have taken it
    elif state.holds_place:
        order = _give_place(work, order, line)
    if not order.vehicle and to in states_with_a_car(pipeline):
        order = _make_car(work, order, by, built=not state.holds_place)
    details = {"reason": reason, "from": order.state, "silent": silent}
    if order.decision:
        details["overridden"] = order.decision
    put = enter(work, order, pipeline, to, by=by, details=details, event=events.ORDER_PUT, silent=silent)
    work.executions.begin(put)
    return put


def _give_place(work: UnitOfWork, order: Order, line_id: str | None) -> Order:
    line = work.factory.line(line_id or order.line or "")
    able = [known for known in work.factory.lines() if known.builds(order.model)]
    if line is None and line_id is None and len(able) == 1:
        line = able[0]
    if line is None or not line.builds(order.model):
        names = ", ".join(known.id for known in able)
        raise Invalid(
            [
                Fault(
                    "/line",
                    f"a car in this state holds a place on an assembly line; name one with --line (of: {names})",
                )
            ]
        )
    if order.line_place:
        work.factory.release_place(order.line_place)
    if not work.factory.take_place(line.id):
        raise Conflict(f"line {line.id} is full; choose another, or wait for a place")
    return replace(order, line=line.id, line_place=line.id)


def _make_car(work: UnitOfWork, order: Order, by: str, *, built: bool) -> Order:
    """Give the order the car that it would have, had it come the usual way."""
    move = Move(order=order, by=by, at=work.clock.now(), details={}, outcome=None)
    order = make_vehicle(work, order, move)
    return mark_built(work, order, move) if built else order
