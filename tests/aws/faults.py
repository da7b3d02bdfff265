"""What goes wrong in the functions of a deployed stack, and the time that goes by until they are called again."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import sqlalchemy as sa

from dealerflow.adapters.aws.names import FUNCTIONS, Names
from tests.aws.emulator import ACCOUNT, REGION, Emulator

LAYER = Path(__file__).with_name("fault_layer.py")
PATIENCE_SECONDS = 60
DIES_OF_IT = "Lambda.Unknown"  # what Step Functions calls it when a function's process ends


class Faults:
    """Orders what goes wrong in the functions. `deaths`: (function, point) of each that died."""

    def __init__(self, emulator: Emulator, stack: str, place: Path) -> None:
        self._names = Names(stack=stack, region=REGION, account=ACCOUNT)
        self._lambda = emulator.client("lambda")
        self._sqs = emulator.client("sqs")
        self._states = emulator.client("stepfunctions")
        self._place = place
        self._numbers = count(1)
        self._mourned: set[Path] = set()
        self.deaths: Counter[tuple[str, str]] = Counter()

    # --- the layer ---

    @contextmanager
    def possible(self) -> Iterator[Faults]:
        """The layer stands before each function as long as the block lasts."""
        version = self._lambda.publish_layer_version(
            LayerName=f"{self._names.stack}-faults", Content={"ZipFile": _layer()}
        )["LayerVersionArn"]
        before = {name: self._configuration(name) for name in FUNCTIONS}
        for name, known in before.items():
            self._configure(
                name,
                "faults.handler",
                [version],
                {
                    **known["Environment"]["Variables"],
                    "FAULTS_PLACE": str(self._place),
                    "FAULTS_FUNCTION": name,
                    "FAULTS_HANDLER": known["Handler"],
                },
            )
        yield self
        for name, known in before.items():
            self._configure(name, known["Handler"], [], known["Environment"]["Variables"])

    def _configuration(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._lambda.get_function_configuration(
            FunctionName=self._names.function_name(name)
        )
        return found

    def _configure(self, name: str, handler: str, layers: list[str], variables: dict[str, str]) -> None:
        self._lambda.update_function_configuration(
            FunctionName=self._names.function_name(name),
            Handler=handler,
            Layers=layers,
            Environment={"Variables": variables},
        )

    # --- orders ---

    def die(self, function: str, point: str, *, time: int = 1) -> None:
        """The process of the function ends where a call comes by this point for the time-th time."""
        self._order(function, {"point": point, "time": time, "does": "die"})

    def look(self, function: str, point: str) -> Sight:
        """See what a call sees at this point."""
        return self._order(function, {"point": point, "time": 1, "does": "look"})

    def hold(self, function: str, point: str) -> Sight:
        """The function stops at this point, until it is let go."""
        return self._order(function, {"point": point, "time": 1, "does": "wait"})

    def _order(self, function: str, what: dict[str, Any]) -> Sight:
        folder = self._place / function
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{next(self._numbers):03}"
        half_done = folder / f"{name}.new"
        half_done.write_text(json.dumps(what))
        half_done.rename(folder / f"order-{name}.json")
        return Sight(folder, name)

    @contextmanager
    def everything_comes_twice(self) -> Iterator[None]:
        """Within the block a copy of each message of SQS follows it, and each report of an execution is made twice."""
        (self._place / "doubled").touch()
        yield
        (self._place / "doubled").unlink()

    @property
    def doubled(self) -> set[str]:
        """The queues whose messages were copied."""
        prefix = f"{self._names.stack}-"
        return {path.name.removeprefix(f"copy-{prefix}") for path in self._place.glob("copy-*")}

    def left(self) -> list[str]:
        """What was ordered and did not happen."""
        return [str(path.relative_to(self._place)) for path in sorted(self._place.glob("*/order-*.json"))]

    def forget(self) -> None:
        """Nothing more goes wrong."""
        shutil.rmtree(self._place, ignore_errors=True)
        self._place.mkdir()
        self._mourned.clear()
        self.deaths.clear()

    # --- what comes after a death ---

    def time_goes_by(self, engine: sa.Engine) -> None:
        """After each new death: as if it were so long ago that what the dead had in its hands is given to another."""
        new = [path for path in self._place.glob("deaths/*.json") if path not in self._mourned]
        for path in new:
            self._mourned.add(path)
            death = json.loads(path.read_text())
            self.deaths[death["function"], death["point"]] += 1
            self._hands_back(death["event"], engine)
        if new:  # as the schedule does every minute; it may die of it itself
            self._lambda.invoke(FunctionName=self._names.function_name("relay"), Payload=b"{}")

    def _hands_back(self, event: Any, engine: sa.Engine) -> None:
        records = event.get("Records", []) if isinstance(event, dict) else []
        ids = [json.loads(record["body"])["id"] for record in records]
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "UPDATE messages SET lease_until = 0 WHERE state = 'held' AND (owner = 'relay' OR id = ANY(:ids))"
                    " AND owner <> 'outside'"
                ),
                {"ids": ids},
            )
        for record in records:
            queue = record["eventSourceARN"].rpartition("-")[2]
            self._sqs.change_message_visibility(
                QueueUrl=self._names.queue_url(queue),
                ReceiptHandle=record["receiptHandle"],
                VisibilityTimeout=0,
            )
        if isinstance(event, dict) and event.get("token"):
            self.fail_task(event["token"])

    def fail_task(self, token: str) -> None:
        """As Step Functions does when its function ends without an answer: the emulator would wait for a year."""
        try:
            self._states.send_task_failure(taskToken=token, error=DIES_OF_IT)
        except self._states.exceptions.TaskDoesNotExist:
            return

    def is_waited_for(self, token: str) -> bool:
        """Whether a task waits with this token."""
        try:
            self._states.send_task_heartbeat(taskToken=token)
        except self._states.exceptions.TaskDoesNotExist:
            return False
        return True


class Sight:
    """What was ordered to be seen at one point, by its number."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name

    def what(self) -> dict[str, Any]:
        """What was seen there; waits for it."""
        found: dict[str, Any] = json.loads(_waited_for(self._folder / f"seen-{self._name}.json").read_text())
        return found

    def let_go(self) -> None:
        """What was held goes on."""
        (self._folder / f"over-{self._name}.json").touch()


def _waited_for(path: Path) -> Path:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"nobody came by: {path.name}"
        time.sleep(0.02)
    return path


def _layer() -> bytes:
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        archive.write(LAYER, "python/faults.py")
    return content.getvalue()
