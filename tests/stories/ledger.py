"""The ledger of an order: its moves, and between two moves whatever else happened in any order, without ids and times.

A story gives the same ledgers wherever it runs. So each story's are kept in `ledgers/`, and every database and every
way to run is compared with them. `DEALERFLOW_KEEP_LEDGERS=1` writes them anew.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

from tests.stories.driver import Json, People

KEPT = Path(__file__).parent / "ledgers"
KEEP = "DEALERFLOW_KEEP_LEDGERS"

_ID = re.compile(r"\b([a-z]{3})_[0-9a-z]{8,}\b")
_VIN = re.compile(r"\b[A-HJ-NPR-Z0-9]{17}\b")
_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_LOGIN = re.compile(r"^command line \(.*\)$")
_NUMBER = re.compile(r"\b([A-Z]+(?:-[A-Z]+)?)-\d{4}-\d{6}\b")


def ledger(events: list[Json], names: dict[str, str]) -> str:
    """The ledger of one order, from its events in the order of their positions; `names` of accounts, by id."""
    stays: list[tuple[str, list[str]]] = []
    for event in events:
        if event["state"] is not None:
            stays.append((f"{event['state']}: {_line(event, names)}", []))
        else:
            assert stays, f"{event} comes before the order's first state"
            stays[-1][1].append(f"    {_line(event, names)}")
    return "\n".join(line for move, others in stays for line in (move, *sorted(others)))


def ledgers(dealerflow: People) -> str:
    """The ledgers of all orders. Those that are alike are shown once, with how many there are."""
    of_order: dict[str, list[Json]] = {}
    for event in dealerflow.events():
        if event["order"] is not None:
            of_order.setdefault(event["order"], []).append(event)
    names = dealerflow.names()
    alike = Counter(ledger(events, names) for events in of_order.values())
    return "".join(f"{_how_many(n)}\n{text}\n\n" for text, n in sorted(alike.items()))


def check_ledgers(dealerflow: People, story: str) -> None:
    """Compare the story's ledgers with those that are kept."""
    file = KEPT / f"{story}.txt"
    found = ledgers(dealerflow)
    if os.environ.get(KEEP):
        KEPT.mkdir(exist_ok=True)
        file.write_text(found, "utf-8")
    assert file.exists(), f"this story's ledgers are not kept yet; look at them and keep them with {KEEP}=1"
    assert found == file.read_text("utf-8")


def _how_many(orders: int) -> str:
    return "1 order" if orders == 1 else f"{orders} orders alike"


def _line(event: Json, names: dict[str, str]) -> str:
    by = names.get(event["by"], _LOGIN.sub("command line", event["by"] or "nobody"))
    details = {name: value for name, value in event["details"].items() if value not in (None, [], {})}
    told = json.dumps(_masked(details), ensure_ascii=False, sort_keys=True) if details else ""
    return " ".join(filter(None, (event["type"], event["outcome"], "by", by, told)))


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    if not isinstance(value, str):
        return value
    for pattern, name in ((_ID, r"\1_…"), (_NUMBER, r"\1-…"), (_DAY, "day"), (_VIN, "VIN")):
        value = pattern.sub(name, value)
    return value
