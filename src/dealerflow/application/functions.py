"""Your own code on a state: a function that the pipeline names is called when a car enters, and what it returns is kept."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from dealerflow.application.orders import record
from dealerflow.application.work import UnitOfWork
from dealerflow.domain import events
from dealerflow.domain.messages import CallFunction, Envelope, message_of


class FunctionCall(msgspec.Struct, frozen=True, kw_only=True):
    """What a function is told. `key` is the same whenever this one call is repeated; times in ms since epoch."""

    key: str
    function: str
    order: str
    dealership: str
    delivery_line: str
    state: str
    step: str
    entered_at: int
    model: str
    trim: str
    colour: str
    options: tuple[str, ...]
    vin: str | None
    line: str | None
    failures: int
    facts: dict[str, Any]


class Functions(Protocol):
    """Finds and calls functions."""

    def call(self, call: FunctionCall) -> dict[str, Any] | None:
        """What the function returned: facts to keep with the order, or None. What it raises, but Outage, is a failed attempt."""


class CallFunctions:
    """Calls the function of a `CallFunction` and keeps what it returns with the order."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def prepare(self, work: UnitOfWork, envelope: Envelope) -> FunctionCall:
        """Gather what the function is told."""
        message = message_of(envelope, CallFunction)
        order, revision = work.orders.get(message.order), work.orders.revision(message.order)
        return FunctionCall(
            key=f"{message.step}:{message.number}",
            function=message.function,
            order=order.id,
            dealership=order.dealership,
            delivery_line=work.people.dealership(order.dealership).delivery_line,
            state=order.state,
            step=message.step,
            entered_at=order.entered_at,
            model=revision.model,
            trim=revision.trim,
            colour=revision.colour,
            options=revision.options,
            vin=work.factory.vehicle(order.vehicle).vin if order.vehicle else None,
            line=order.line,
            failures=order.failures,
            facts=order.facts,
        )

    def perform(self, request: FunctionCall, envelope: Envelope) -> dict[str, Any]:
        """The one call to code that is not ours."""
        facts = self._functions.call(request)
        return msgspec.to_builtins(facts or {}, str_keys=True)  # type: ignore[no-any-return]

    def record(self, work: UnitOfWork, envelope: Envelope, answer: dict[str, Any]) -> None:
        """Keep the facts with the order, and note the call in its history."""
        message = message_of(envelope, CallFunction)
        if answer:
            work.orders.set_facts(message.order, answer)
        order = work.orders.get(message.order)
        record(
            work,
            order,
            events.FUNCTION_RETURNED,
            by="dealerflow",
            details={"function": message.function, "facts": answer},
        )
