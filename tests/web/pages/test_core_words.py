"""What the core says reaches a page in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dealerflow.application.accounts import new_password_faults
from dealerflow.application.guards import GUARDS
from dealerflow.application.records import Line
from dealerflow.domain.billing import Term
from dealerflow.domain.orders import Order
from dealerflow.domain.quality import DefectCode
from dealerflow.pipeline.definition import details_faults
from dealerflow.pipeline.loader import standard
from dealerflow.web.pages.core_words import in_words
from dealerflow.web.pages.texts import texts_in

ORDER = Order(
    id="ord_1", dealership="northside", state="order_arrived", step="stp_1", entered_at=0, placed_at=0, pipeline="p",
    price=100, currency="EUR", terms=(), model="meridian", vehicle="veh_1",
)  # fmt: skip
FULL = Line(id="A", plant="main", name="Line A", models=None, places=1, taken=1)
FOR_VANS = Line(id="B", plant="main", name="Line B", models=("van",), places=1)


class Factory:
    """A factory with these lines. Is its own surroundings."""

    def __init__(self, *lines: Line) -> None:
        self._lines = lines

    @property
    def factory(self) -> Factory:
        return self

    def line(self, line_id: str) -> Line | None:
        return next((line for line in self._lines if line.id == line_id), None)

    def lines(self) -> list[Line]:
        return list(self._lines)

    def defect_codes(self) -> list[DefectCode]:
        return []


def refusals() -> Iterator[str | None]:
    """Every reason for which a guard of ours stands in the way."""
    for before in ("production", "delivery", "handover"):
        unpaid = Order(**{**asdict(ORDER), "terms": (Term(before=before, percent=100),)})
        yield GUARDS["paid"].blocks(Factory(), unpaid, before, {})
    yield GUARDS["no_vehicle"].blocks(Factory(), ORDER, None, {})
    for details in (None, {"line": "B"}):
        yield GUARDS["line_builds_model"].blocks(Factory(FOR_VANS), ORDER, None, details)
    for details in (None, {"line": "A"}):
        yield GUARDS["place_on_line"].blocks(Factory(FULL), ORDER, None, details)


def asdict(order: Order) -> dict[str, Any]:
    return {name: getattr(order, name) for name in order.__struct_fields__}


def faults() -> Iterator[str]:
    """What can be wrong with a form of a decision, as far as a browser can send it."""
    pipeline = standard()
    decline = pipeline.states["order_placed"].outcomes["decline"]
    fail = pipeline.states["quality_check"].outcomes["fail"]
    receive = pipeline.states["on_delivery"].outcomes["receive"]
    for outcome, details in (
        (decline, {}),
        (decline, {"reason": " "}),
        (decline, {"reason": "x" * 100_000}),
        (decline, {"reason": "\x07"}),
        (fail, {"defects": []}),
        (fail, {"defects": ["rust"]}),
        (receive, {"condition": "sunk"}),
    ):
        found = details_faults(outcome, details, {})
        assert found
        yield from (fault.detail for fault in found)
    yield from (fault.detail for fault in new_password_faults("a good long one", "another"))


@pytest.mark.parametrize("said", [*refusals(), *faults()])
def test_a_refusal_of_the_core_is_told_in_spanish(said: str | None) -> None:
    assert said is not None
    spanish, english = in_words(texts_in("es"), said), in_words(texts_in("en"), said)
    assert said not in (spanish, english)
    assert spanish != english


def test_what_varies_in_a_sentence_is_kept() -> None:
    said = GUARDS["place_on_line"].blocks(Factory(FULL), ORDER, None, {"line": "A"})
    assert said is not None
    assert in_words(texts_in("es"), said).startswith("La línea A está completa.")


def test_a_sentence_that_is_not_known_is_told_as_it_is() -> None:
    assert in_words(texts_in("es"), "the moon is in the way") == "the moon is in the way"
