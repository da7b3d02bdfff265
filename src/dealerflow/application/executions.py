"""Orders whose life is followed by a state machine outside (AWS Step Functions), one execution for each order.

    PlaceOrder ─> the order stands in its first state ─> StartExecution ─> an execution that begins there
    a person decides ─> MoveOrder ─> the execution is told (its token) ─> it goes on to the next state
                                                       ─> update_status: row, history, actions and the new token, at once

The order's row is the truth, an execution follows it. One that is lost, too old, or stands where the order no longer is, is
replaced by another that begins where the order stands. `MoveOrder` stays in the message store until the move is made, in
the move's own transaction; until then the execution is told again.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from dealerflow.application.orders import enter
from dealerflow.application.records import Execution
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.errors import Conflict, DealerflowError, Outage
from dealerflow.domain.messages import Envelope, MoveOrder, StartExecution, message_of
from dealerflow.domain.orders import Order


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution is told. `outcome` None: nothing was decided, it begins where the order stands.

    `step` is the step that was decided, or at which the order stands; `message` is the MoveOrder that is hereby carried out.
    """

    step: str
    outcome: str | None = None
    message: str | None = None
    by: str = ""
    details: dict[str, Any] = {}


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """An execution to start. `name` is unique in a year; `replaces` is the execution before it. No state: none is needed."""

    name: str
    pipeline: str
    order: str
    step: str
    state: str | None
    restarts: int
    replaces: str | None


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """An execution reports that it entered a state. `entered` and `started` are its own times, RFC 3339.

    A final state waits for nothing and has no token.
    """

    order: str
    state: str
    decision: Decision
    execution: str
    entered: str
    started: str = ""
    token: str | None = None


class Superseded(DealerflowError):
    """The order does not stand where this execution believes; another one follows it, or will."""


class NotYet(Outage):
    """The execution does not wait at this step yet, or no longer; it is told again in a moment."""


class StateMachines(Protocol):
    """The service that runs the executions. Raises Outage while it cannot be reached."""

    def start(self, beginning: Beginning) -> str:
        """Start it; its id. One that was started already under this name is that one."""

    def tell(self, token: str, order: str, decision: Decision) -> bool:
        """Let the execution that waits with this token go on; False if none does."""

    def stop(self, execution: str, reason: str) -> None:
        """End it. One that has ended, or is not known, is left alone."""


class StartExecutions:
    """Works `StartExecution`: a state machine begins where the order stands."""

    def __init__(self, machines: StateMachines) -> None:
        self._machines = machines

    def prepare(self, work: UnitOfWork, envelope: Envelope) -> Beginning | None:
        """What to start; nothing if the order has moved on, for then another message says so."""
        message = message_of(envelope, StartExecution)
        order, before = work.orders.get(message.order), work.executions.of(message.order)
        if order.step != message.step:
            return None
        # By its name too: one that was started, and reported before anybody noted it, must not be stopped to be started again.
        restarts = max(before.restarts, _number(before.arn)) + 1 if before else 0
        final = work.pipelines.get(order.pipeline).state(order.state).final
        return Beginning(
            name=_name(order, restarts),
            pipeline=order.pipeline,
            order=order.id,
            step=order.step,
            state=None if final else order.state,
            restarts=restarts,
            replaces=before.arn if before else None,
        )

    def perform(self, request: Beginning, envelope: Envelope) -> Execution | None:
        """The calls: first the old one ends, so that never two follow one order. None: no state machine is needed."""
        if request.replaces:
            self._machines.stop(
                request.replaces, "replaced by an execution that begins where the order stands"
            )
        if request.state is None:
            return None
        return Execution(
            order_id=request.order,
            arn=self._machines.start(request),
            step=request.step,
            started_at=0,
            restarts=request.restarts,
        )

    def record(self, work: UnitOfWork, envelope: Envelope, answer: Execution | None) -> None:
        """Keep which execution follows the order."""
        if answer is not None:
            work.executions.begun(replace(answer, started_at=work.clock.now()))


def _name(order: Order, number: int) -> str:
    return f"{order.id}-{order.step}-{number}"


def _number(execution: str) -> int:
    """How many executions of the order there were before it: the end of its name."""
    number = execution.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


class TellDecisions:
    """Works `MoveOrder` by telling the execution. The message stays until `update_status` has made the move."""

    def __init__(self, machines: StateMachines) -> None:
        self._machines = machines

    def prepare(self, work: UnitOfWork, envelope: Envelope) -> tuple[str, Decision] | None:
        """The token that the execution waits with now. Raises NotYet where it has none for this step."""
        message = message_of(envelope, MoveOrder)
        order, execution = work.orders.get(message.order), work.executions.of(message.order)
        if order.step != message.step:
            return None
        if execution is None or execution.token is None or execution.step != order.step:
            raise NotYet(f"the state machine of {order.id} does not wait at {order.step} yet")
        decision = Decision(
            step=message.step,
            outcome=message.outcome,
            message=envelope.id,
            by=message.by,
            details=message.details,
        )
        return execution.token, decision

    def perform(self, request: tuple[str, Decision], envelope: Envelope) -> None:
        """The one call. Raises NotYet where the token is not waited for: a new one will be."""
        token, decision = request
        order = message_of(envelope, MoveOrder).order
        if not self._machines.tell(token, order, decision):
            raise NotYet(f"the state machine of {order} does not wait with this token")


def update_status(work: UnitOfWork, arrival: Arrival) -> str | None:
    """The one function that every state shares: an execution entered a state, so the order stands there now.

    Row, history, the messages of the state's actions and the execution's token are one transaction. A repeated report of the
    same entry only brings its new token. Returns the message that is carried out hereby. Raises Superseded.
    """
    order = work.orders.get(arrival.order, lock=True)
    here = work.executions.of(order.id)
    is_repeated = here is not None and (here.arn, here.entered) == (arrival.execution, arrival.entered)
    if not is_repeated:
        if order.step != arrival.decision.step:
            raise Superseded(f"{order.id} is at another step than {arrival.decision.step}")
        if here is not None and _number(here.arn) > _number(arrival.execution):
            raise Superseded(f"a newer execution than {arrival.execution} follows {order.id}")
        order = _moved(work, order, arrival)
    elif here is not None and here.step != order.step:
        raise Superseded(f"{order.id} was taken elsewhere since this execution entered {arrival.state}")
    same = here is not None and here.arn == arrival.execution
    work.executions.arrived(
        Execution(
            order_id=order.id,
            arn=arrival.execution,
            step=order.step,
            started_at=here.started_at if here is not None and same else work.clock.now(),
            restarts=here.restarts if here is not None else 0,
            entered=arrival.entered,
            token=arrival.token,
        )
    )
    return arrival.decision.message


def _moved(work: UnitOfWork, order: Order, arrival: Arrival) -> Order:
    decision = arrival.decision
    if decision.outcome is None:  # the execution's first state: the order was there before it
        if order.state != arrival.state:
            raise Superseded(f"{order.id} is in {order.state}, not in {arrival.state}")
        return order
    pipeline = work.pipelines.get(order.pipeline)
    outcome = pipeline.outcome(order.state, decision.outcome)
    if outcome.to != arrival.state:
        raise Conflict(
            f"the state machine goes from {order.state} by {decision.outcome} to {arrival.state}, the pipeline to {outcome.to}: "
            "its definition was made from another pipeline"
        )
    return enter(work, order, pipeline, outcome.to, by=decision.by, outcome=outcome, details=decision.details)
