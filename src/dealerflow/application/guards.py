"""What can stand in an outcome's way: the guards that a pipeline file may name. To add one: a class here, its name in the
vocabulary (`pipeline/vocabulary.py`); a test compares the two.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec.structs import replace

from dealerflow.application.records import Line
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.billing import gate_missing
from dealerflow.domain.errors import Conflict
from dealerflow.domain.money import shown
from dealerflow.domain.orders import Order
from dealerflow.domain.quality import DefectCode


class FactoryNow(Protocol):
    """What may be asked about the factory before anything is decided."""

    def line(self, line_id: str) -> Line | None: ...

    def lines(self) -> list[Line]: ...

    def defect_codes(self) -> list[DefectCode]: ...


class Surroundings(Protocol):
    """What a guard may look at: a unit of work, or what was read once for a whole page of orders."""

    @property
    def factory(self) -> FactoryNow: ...


class Guard(Protocol):
    """A condition on an outcome, and what it counts."""

    def blocks(
        self, work: Surroundings, order: Order, argument: str | None, details: dict[str, Any] | None
    ) -> str | None:
        """Why the outcome is refused now, in words for the person who decides; None if it isn't.

        `details` None: nothing has been chosen yet; only what stands in the way of every choice is told.
        """

    def take(self, work: UnitOfWork, order: Order, details: dict[str, Any]) -> Order:
        """Claim, with the decision, what the guard counts. Raises Conflict when another was quicker."""


class _Condition:
    """A guard that counts nothing."""

    def take(self, work: UnitOfWork, order: Order, details: dict[str, Any]) -> Order:
        return order


class Paid(_Condition):
    """What the order's terms ask for before this stage (production, delivery, handover) has arrived."""

    def blocks(
        self, work: Surroundings, order: Order, argument: str | None, details: dict[str, Any] | None
    ) -> str | None:
        missing = gate_missing(order.terms, order.price, order.paid, argument)  # type: ignore[arg-type]
        if missing <= 0:
            return None
        return f"payment is missing: {shown(missing, order.currency)} is due before {argument}"


class NoVehicle(_Condition):
    """The order has no car yet."""

    def blocks(
        self, work: Surroundings, order: Order, argument: str | None, details: dict[str, Any] | None
    ) -> str | None:
        return "a car exists for this order, it can no longer be cancelled" if order.vehicle else None


class LineBuildsModel(_Condition):
    """The chosen line can build the ordered model."""

    def blocks(
        self, work: Surroundings, order: Order, argument: str | None, details: dict[str, Any] | None
    ) -> str | None:
        if details is None:
            able = any(line.builds(order.model) for line in work.factory.lines())
            return None if able else f"no assembly line builds the model {order.model}"
        line = work.factory.line(str(details.get("line", "")))
        if line is None or not line.builds(order.model):
            return f"line {details.get('line')} does not build the model {order.model}; choose another line"
        return None


class PlaceOnLine:
    """The chosen line has a free place, which is held from the decision on."""

    def blocks(
        self, work: Surroundings, order: Order, argument: str | None, details: dict[str, Any] | None
    ) -> str | None:
        if order.line_place:
            return None
        if details is None:
            able = [line for line in work.factory.lines() if line.builds(order.model)]
            full = able and all(line.taken >= line.places for line in able)
            return "every line that builds this model is full" if full else None
        line = work.factory.line(str(details.get("line", "")))
        return self._full(line.id, line.places) if line and line.taken >= line.places else None

    def take(self, work: UnitOfWork, order: Order, details: dict[str, Any]) -> Order:
        line_id = str(details["line"])
        if order.line_place == line_id:
            return order
        if order.line_place:
            work.factory.release_place(order.line_place)
        if not work.factory.take_place(line_id):
            raise Conflict(f"line {line_id} is full; choose another line, or wait until a car leaves it")
        return replace(order, line_place=line_id)

    @staticmethod
    def _full(line: str, places: int) -> str:
        return f"line {line} is full: all of its {places} places are taken; choose another line, or wait until a car leaves it"


GUARDS: dict[str, Guard] = {
    "paid": Paid(),
    "no_vehicle": NoVehicle(),
    "line_builds_model": LineBuildsModel(),
    "place_on_line": PlaceOnLine(),
}
