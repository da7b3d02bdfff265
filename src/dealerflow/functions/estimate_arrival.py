"""When a car that has passed its quality check will probably be at its dealership."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from dealerflow.application.functions import FunctionCall

WORKING_DAYS = {"coast": 4}  # on the way, by delivery line
USUAL_WORKING_DAYS = 3
SATURDAY = 5


def estimate_arrival(call: FunctionCall) -> dict[str, str]:
    """`{"estimated_arrival": "2026-02-03"}`: kept with the order, and shown in its mails and pages.

    A car leaves on the working day after it passed; weekends do not count.
    """
    day = datetime.fromtimestamp(call.entered_at / 1000, UTC).date()
    for _ in range(1 + WORKING_DAYS.get(call.delivery_line, USUAL_WORKING_DAYS)):
        day = _next_working_day(day)
    return {"estimated_arrival": day.isoformat()}


def _next_working_day(day: date) -> date:
    day += timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return day
