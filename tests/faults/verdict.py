"""Nothing lost and nothing doubled: what callers were promised, what is in the database, and what left as mail."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from tests.faults.crowd import API, Crowd
from tests.faults.served import Served, as_one_line

STANDS_STILL_S = 90.0  # longer than a lease
LOOK_EVERY_S = 0.1
ENDS = ("ended", "declined", "cancelled")

Json = dict[str, Any]


def settles(served: Served, token: str, *, leaving_out: str = "") -> None:
    """Wait until every queue is empty (but the one that is left out), and nothing died.

    A busy machine may take its time; it fails when for a while nothing moves.
    """
    moved_at, before = time.monotonic(), ""
    while busy := [
        queue for queue in queues(served, token) if queue["name"] != leaving_out and _at_work(queue)
    ]:
        now, seen = time.monotonic(), as_one_line([_at_work(queue) for queue in busy])
        if seen != before:
            moved_at, before = now, seen
        assert now - moved_at < STANDS_STILL_S, f"the queues stand still: {seen}\n{served.said()}"
        time.sleep(LOOK_EVERY_S)
    assert [queue for queue in queues(served, token) if queue["dead"]] == [], served.said()


def queues(served: Served, token: str) -> list[Json]:
    """Every queue's figures."""
    answer = httpx.get(f"{served.url}{API}/queues", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["items"]
    return found


def _at_work(queue: Json) -> Json:
    counts = {count: queue[count] for count in ("waiting", "in_flight", "delayed") if queue[count]}
    return {"name": queue["name"], **counts} if counts else {}


def audit_is_clean(served: Served) -> Json:
    """The auditor finds nothing wrong, and nothing that still waits: what it looked at."""
    done = served.command("audit", "--json")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    report = json.loads(done.stdout)
    assert report["faults"] == []
    assert {check: count for check, count in report["pending"].items() if count} == {}
    checked: Json = report["checked"]
    return checked


class Ledger:
    """What the database says."""

    def __init__(self, served: Served) -> None:
        with served.system() as system, system.engine.connect() as connection:
            self._connection = connection
            self.orders = self._all(t.orders)
            self.entries = self._all(t.entries)
            self.payments = self._all(t.payments)
            self.documents = self._all(t.documents)
            self.notes = self._all(t.delivery_notes)
            self.departures = self._all(t.departures)
            self.mails = self._all(t.mails)
            self.vehicles = self._all(t.vehicles)
            self.lines = self._all(t.lines)

    def _all(self, table: sa.Table) -> list[Json]:
        return [dict(row._mapping) for row in self._connection.execute(sa.select(table))]


def holds_what_was_promised(crowd: Crowd, ledger: Ledger) -> None:
    """Every 2xx is in the database, once; and nothing else is."""
    taken = sorted(one["id"] for one in crowd.taken.values())
    assert len(taken) == crowd.number
    assert sorted(order["id"] for order in ledger.orders) == taken, "every 202 has its one order"
    assert len(taken) == len(set(taken))

    now = Counter(
        entry["order_id"] for entry in ledger.entries if entry["left_at"] is None or entry["state"] in ENDS
    )
    assert now == dict.fromkeys(taken, 1), "every order has its one state machine, in one state"
    states = {order["id"]: order["state"] for order in ledger.orders}
    assert Counter(states.values()) == crowd.last_seen

    left = {
        entry["step"]: entry["outcome"] for entry in ledger.entries if entry["outcome"] not in (None, "load")
    }
    assert left == crowd.decided, "every decision was carried out, and no other"

    assert {pay["id"]: pay["order_id"] for pay in ledger.payments} == crowd.paid
    departed = defaultdict(list)
    for car in ledger.departures:
        departed[car["load"]].append(car["order_id"])
    assert {load: sorted(cars) for load, cars in departed.items()} == {
        load: sorted(cars) for load, cars in crowd.departed.items()
    }


def nothing_is_doubled(ledger: Ledger, *, in_production: int = 0) -> None:
    """One invoice for each payment, one note for each dealership of a load, one mail for each reason, no gaps."""
    invoices = [document for document in ledger.documents if document["kind"] == "invoice"]
    assert Counter(document["payment_id"] for document in invoices) == dict.fromkeys(
        [payment["id"] for payment in ledger.payments], 1
    )
    expected = {(car["load"], car["dealership"]) for car in ledger.departures}
    assert Counter((note["load"], note["dealership"]) for note in ledger.notes) == dict.fromkeys(expected, 1)

    series = defaultdict(list)
    for document in ledger.documents:
        series[document["seller_id"], document["kind"], document["year"]].append(document["running"])
    for name, numbers in series.items():
        assert sorted(numbers) == list(range(1, len(numbers) + 1)), f"the series {name} has a gap"

    assert Counter(mail["key"] for mail in ledger.mails) == dict.fromkeys(
        [mail["key"] for mail in ledger.mails], 1
    )
    assert {mail["status"] for mail in ledger.mails} <= {"sent"}
    vins = [vehicle["vin"] for vehicle in ledger.vehicles]
    assert len(vins) == len(set(vins))
    assert sum(line["taken"] for line in ledger.lines) == in_production, (
        "the places of cars that left are free"
    )


def maildir(served: Served) -> list[Message]:
    """Every mail in the Maildir."""
    return [message_from_bytes(file.read_bytes()) for file in (served.data / "mail" / "new").iterdir()]


def message_ids(mails: list[Message]) -> Counter[str]:
    """How often each Message-ID occurs."""
    return Counter(str(mail["Message-ID"]) for mail in mails)


def expected_ids(ledger: Ledger, ids: Counter[str]) -> None:
    """Every mail of the log left, and nothing else did."""
    assert {id_.strip("<>").partition("@")[0] for id_ in ids} == {mail["id"] for mail in ledger.mails}


def no_unexpected_error(log: Path) -> None:
    """The deaths that were inflicted are logged; nothing else went wrong."""
    lines = log.read_text(errors="replace").splitlines()
    wrong = [
        line for line in lines if ("level=error" in line and " died (" not in line) or "Traceback" in line
    ]
    assert wrong == []
