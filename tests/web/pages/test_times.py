"""Times as the pages tell them."""

from __future__ import annotations

import pytest

from dealerflow.pipeline.loader import standard
from dealerflow.web.pages.cards import span, still_arrives
from dealerflow.web.pages.formats import Formats

AT = "2026-01-31T12:00:00.000Z"


def test_universal_time_says_that_it_is() -> None:
    assert "31 Jan 2026, 12:00 UTC</time>" in Formats("en").time(AT)
    assert "31 ene 2026, 13:00</time>" in Formats("es", "Europe/Madrid").time(AT)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(44, "44 seconds"), (83, "1 minute"), (119, "2 minutes"), (3 * 3600, "3 hours"), (86_400 * 3, "3 days")],
)
def test_a_span_is_told_roughly(seconds: float, said: str) -> None:
    assert span(seconds, "en") == said


@pytest.mark.parametrize(
    ("state", "arrives"),
    [
        ("quality_passed", True),
        ("on_delivery", True),
        ("at_dealership", False),
        ("ended", False),
        ("gone", False),
    ],
)
def test_a_car_is_expected_until_it_is_received(state: str, arrives: bool) -> None:
    assert still_arrives(standard(), state) is arrives
