"""Runs inside a deployed function, from a layer, in front of its handler: what a test ordered goes wrong there.

The function's own code stays as it was deployed. An order is a file in the folder of the function; the first one (by name)
counts, and whoever renames it away has it carried out. With no orders this does nothing but call the handler.
"""

from __future__ import annotations

import importlib
import json
import os
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from botocore import handlers

PLACE = Path(os.environ["FAULTS_PLACE"])
FUNCTION = os.environ["FAULTS_FUNCTION"]
ORDERS, DEATHS, DOUBLED = PLACE / FUNCTION, PLACE / "deaths", PLACE / "doubled"
LONGEST_WAIT_SECONDS = 30
COPY = "copy"  # marks what this module sent a second time

passed: Counter[str] = Counter()  # points, in this call
now: dict[str, Any] = {}  # the event of this call


def handler(event: Any, context: Any) -> Any:
    """Calls the function's handler: twice, if each message is to come twice."""
    passed.clear()
    now["event"] = event
    answer = _real(event, context)
    if DOUBLED.exists():
        if isinstance(event, dict) and "Records" in event:
            _send_again(event["Records"])
        elif FUNCTION == "update-status":
            answer = _real(event, context)
    return answer


def come_by(point: str, **seen: Any) -> None:
    """The call comes by this point: carry out what was ordered for it."""
    passed[point] += 1
    order = next(iter(sorted(ORDERS.glob("order-*.json"))), None)
    if order is None:
        return
    try:
        wanted = json.loads(order.read_text())
        if (wanted["point"], wanted["time"]) != (point, passed[point]):
            return
        order.rename(order.with_name(order.name.replace("order", "taken")))
    except FileNotFoundError:  # another process of this function has it
        return
    if wanted["does"] == "die":
        _note(
            DEATHS / f"{uuid.uuid4().hex}.json", {"function": FUNCTION, "point": point, "event": now["event"]}
        )
        os._exit(1)
    _note(ORDERS / order.name.replace("order", "seen"), seen)
    if wanted["does"] == "wait":
        _wait(ORDERS / order.name.replace("order", "over"))


def _wait(over: Path) -> None:
    until = time.monotonic() + LONGEST_WAIT_SECONDS
    while not over.exists() and time.monotonic() < until:
        time.sleep(0.02)


def _note(place: Path, what: Any) -> None:
    place.parent.mkdir(exist_ok=True)
    half_done = place.with_suffix(".new")
    half_done.write_text(json.dumps(what))
    half_done.rename(place)


def _send_again(records: list[dict[str, Any]]) -> None:
    import boto3  # only here: each cold start would pay for it

    sqs = boto3.client("sqs")
    for record in records:
        if COPY not in record["messageAttributes"]:
            name = record["eventSourceARN"].rpartition(":")[2]
            sqs.send_message(
                QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"],
                MessageBody=record["body"],
                MessageAttributes={COPY: {"DataType": "String", "StringValue": "1"}},
            )
            (PLACE / f"copy-{name}").touch()


# --- where calls come by ---


def _before_call(model: Any, **_: Any) -> None:
    come_by(f"before {model.service_model.service_name} {model.name}")


def _after_call(http_response: Any, model: Any, **_: Any) -> None:
    come_by(f"after {model.service_model.service_name} {model.name}", status=http_response.status_code)


def _watch_commits() -> None:
    try:
        from sqlalchemy.engine.default import DefaultDialect
    except ImportError:  # a function without a database
        return
    commit: Any = DefaultDialect.do_commit

    def watched(self: Any, connection: Any) -> None:
        if _has_written(connection):
            come_by("before commit")
            commit(self, connection)
            come_by("after commit")
        else:
            commit(self, connection)

    DefaultDialect.do_commit = watched  # type: ignore[method-assign]


def _has_written(connection: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
        return bool(cursor.fetchone()[0])


handlers.BUILTIN_HANDLERS.extend([("before-call", _before_call), ("after-call", _after_call)])
_watch_commits()
_module, _, _name = os.environ["FAULTS_HANDLER"].rpartition(".")
_real = getattr(importlib.import_module(_module), _name)
