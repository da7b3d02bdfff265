"""AWS in small: the calls that Dealerflow makes, answered in this process on a clock that stands still.

It holds queues, topics, a bus, state machines and intake's stores, and works functions one call at a time when told to.
Every call passes a `Gate`, where a test can let the caller die before or after it. The functions are the real ones: only
what stands behind boto3's clients is ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from botocore.exceptions import EndpointConnectionError

from dealerflow.adapters.aws.names import Names
from dealerflow.composition.testing import StillClock
from tests.aws.small_clients import clients_of

Json = dict[str, Any]

WEB = "web"  # where a call is, unless a function says otherwise
MOST_RECEIVES = 1_000
VISIBILITY_MS = 360_000
RETENTION_MS = 14 * 24 * 3600 * 1000
LATE_MS = 600_000  # so much later, at most, comes what is delivered twice by chance


class Died(BaseException):
    """The process is gone: nothing catches it, and nothing more of it happens."""


class Gate:
    """Every call and commit passes here, twice. A test may stop the process at one of them, once."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.dies_at: str | None = None
        self.deaths: list[str] = []
        self.spares = 0  # so often who comes by there lives
        self.away: set[str] = set()
        self.missed: list[str] = []  # what was asked for while it was away
        self.where = WEB

    def kill_at(self, point: str, *, time: int = 1) -> None:
        """Let the one die who comes by this point for the so-and-so-many-th time."""
        self.dies_at, self.spares = point, time - 1

    def pass_(self, point: str) -> None:
        """Note that somebody comes by; who dies here does not return. Only one dies."""
        here = f"{self.where}: {point}"
        self.passed.append(here)
        if here != self.dies_at:
            return
        if self.spares:
            self.spares -= 1
            return
        self.dies_at = None
        self.deaths.append(here)
        raise Died(here)

    def reach(self, what: str) -> None:
        """Fails while the service, its first word, is away."""
        if what.split(maxsplit=1)[0] in self.away:
            self.missed.append(what)
            raise EndpointConnectionError(endpoint_url=what)

    @contextmanager
    def around(self, what: str) -> Iterator[None]:
        """Both sides of a call."""
        self.reach(what)
        self.pass_(f"before {what}")
        yield
        self.pass_(f"after {what}")


@dataclass
class Delivering:
    """How SQS may deliver: at least once, and in any order.

    `twice`: everything comes twice. `newest_first`: the newest comes first. `chance`: three in ten come twice, the second
    some minutes later, and all in any order.
    """

    twice: bool = False
    newest_first: bool = False
    chance: Random | None = None

    def times(self, now: int) -> list[int]:
        """At which times a message that is sent now can be received."""
        if self.twice:
            return [now, now]
        if self.chance is not None and self.chance.random() < 0.3:
            return [now, now + self.chance.randrange(LATE_MS)]
        return [now]

    def ordered(self, visible: list[Sent]) -> list[Sent]:
        """In the order in which these are given."""
        if self.chance is not None:
            return self.chance.sample(visible, len(visible))
        return visible[::-1] if self.newest_first else visible


@dataclass
class Sent:
    """A message in a queue."""

    id: str
    body: str
    group: str = ""
    visible_at: int = 0
    received: int = 0
    receipt: str = ""
    sent_at: int = 0
    attributes: Json = field(default_factory=dict)


@dataclass
class Running:
    """An execution: where it stands, what it carries, and the token it waits with."""

    arn: str
    machine: Json
    data: Json
    started: str
    at: str = ""
    entered: str = ""
    token: str | None = None
    invoke_at: int | None = None
    tries: int = 0
    status: str = "RUNNING"


@dataclass
class SmallAws:
    """All services at once, by the names of one stack."""

    names: Names
    clock: StillClock
    machines: dict[str, Json]  # by ARN
    delivering: Delivering = field(default_factory=Delivering)
    refuses: Callable[[str], bool] = lambda _body: (
        False
    )  # which messages SQS will not take, though it takes others
    chokes_on: Callable[[str], bool] = lambda _body: False  # at these messages SQS refuses the whole call
    switched_off: set[str] = field(default_factory=set)  # queues that no function reads now
    groups: list[tuple[str, str]] = field(default_factory=list)  # of all that was sent, with its body
    gate: Gate = field(default_factory=Gate)
    queues: dict[str, list[Sent]] = field(default_factory=lambda: defaultdict(list))
    bus: list[Json] = field(default_factory=list)
    published: list[tuple[str, str]] = field(default_factory=list)
    executions: dict[str, Running] = field(default_factory=dict)
    objects: dict[str, Json] = field(default_factory=dict)
    items: dict[str, Json] = field(default_factory=dict)
    mails: list[bytes] = field(default_factory=list)
    lambdas: dict[str, Callable[[Json], Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self.clients: Any = clients_of(self)

    def number(self) -> int:
        """The next one."""
        return next(self._numbers)

    def put(self, url: str, body: str, group: str = "", attributes: Json | None = None) -> None:
        """Into the queue with this URL."""
        now = self.clock.now()
        for at in self.delivering.times(now):
            sent = Sent(
                id=f"m{self.number()}",
                body=body,
                group=group,
                visible_at=at,
                sent_at=now,
                attributes=attributes or {},
            )
            self.queues[url].append(sent)

    def receive(self, queue: str, most: int = 10) -> list[Json]:
        """What a function of this queue is given now, as an event's records."""
        url = self.names.queue_url(queue)
        now, given = self.clock.now(), []
        self.queues[url] = [one for one in self.queues[url] if one.sent_at > now - RETENTION_MS]
        if queue in self.switched_off:
            return []
        visible = [one for one in self.queues[url] if one.visible_at <= now]
        for sent in self.delivering.ordered(visible)[:most]:
            if sent.received >= MOST_RECEIVES:
                self.queues[url].remove(sent)
                self.queues[self.names.dead_queue_url(queue)].append(sent)
                continue
            sent.received += 1
            sent.receipt = f"r{self.number()}"
            sent.visible_at = now + VISIBILITY_MS
            given.append(
                {
                    "messageId": sent.id,
                    "receiptHandle": sent.receipt,
                    "body": sent.body,
                    "attributes": {"ApproximateReceiveCount": str(sent.received)},
                }
            )
        return given

    def delete(self, queue: str, ids: set[str]) -> None:
        """A function is done with these."""
        url = self.names.queue_url(queue)
        self.queues[url] = [sent for sent in self.queues[url] if sent.id not in ids]

    def waiting(self) -> list[str]:
        """What still lies in a queue that is no dead-letter queue."""
        return [url for url, sent in self.queues.items() if sent and not url.endswith("-dead")]

    # --- the state machine ---

    def start(self, arn: str, machine: Json, data: Json) -> None:
        """Start an execution."""
        run = self.executions[arn] = Running(
            arn=arn, machine=machine, data=data, started=str(self.clock.now())
        )
        self.enter(run, machine["StartAt"])

    def enter(self, run: Running, state: str) -> None:
        """Go on from this state as far as it goes by itself."""
        definition = run.machine["States"][state]
        run.at = state
        if definition["Type"] == "Choice":
            self.enter(run, _chosen(definition, run.data))
        elif definition["Type"] == "Task":
            run.entered = f"entered {self.number()}"
            run.tries = 0
            self._invoke(run, self.clock.now())
        else:
            run.status = {"Succeed": "SUCCEEDED", "Fail": "FAILED"}[definition["Type"]]

    def _invoke(self, run: Running, at: int) -> None:
        waits = run.machine["States"][run.at]["Resource"].endswith("waitForTaskToken")
        run.token = f"token {self.number()}" if waits else None
        run.invoke_at = at

    def due(self) -> list[Running]:
        """Executions whose task is to be called now."""
        now = self.clock.now()
        return [
            run
            for run in self.executions.values()
            if run.status == "RUNNING" and run.invoke_at is not None and run.invoke_at <= now
        ]

    def payload(self, run: Running) -> Json:
        """What the task's function is told."""
        context = {
            "Execution": {"Id": run.arn, "StartTime": run.started},
            "State": {"EnteredTime": run.entered},
            "Task": {"Token": run.token},
        }
        return {
            name.removesuffix(".$"): _looked_up(value, run.data, context) if name.endswith(".$") else value
            for name, value in run.machine["States"][run.at]["Parameters"]["Payload"].items()
        }

    def returned(self, run: Running) -> None:
        """The task's function ended well."""
        run.invoke_at = None
        if run.token is None and run.status == "RUNNING":
            run.status = "SUCCEEDED"

    def failed(self, run: Running, error: str) -> None:
        """The task failed: caught, or tried again with a new token."""
        definition = run.machine["States"][run.at]
        for catcher in definition.get("Catch", ()):
            if error in catcher["ErrorEquals"]:
                run.token = run.invoke_at = None
                self.enter(run, catcher["Next"])
                return
        again = definition["Retry"][-1]
        if run.tries >= again["MaxAttempts"]:
            run.status, run.token, run.invoke_at = "FAILED", None, None
            return
        wait = min(again["IntervalSeconds"] * again["BackoffRate"] ** run.tries, again["MaxDelaySeconds"])
        run.tries += 1
        self._invoke(run, self.clock.now() + round(wait * 1000))

    def next_due(self, unworked: Collection[str] = ()) -> int | None:
        """When a function has something to do next, however late that is; but for queues that nobody works."""
        off = {self.names.queue_url(queue) for queue in (*self.switched_off, *unworked)}
        messages = [sent.visible_at for url in self.waiting() if url not in off for sent in self.queues[url]]
        runs = [
            run.invoke_at for run in self.executions.values() if run.status == "RUNNING" and run.invoke_at
        ]
        return min([*messages, *runs], default=None)


def _chosen(definition: Json, data: Json) -> str:
    for choice in definition["Choices"]:
        if _looked_up(choice["Variable"], data, {}) == choice["StringEquals"]:
            return str(choice["Next"])
    return str(definition["Default"])


def _looked_up(path: str, data: Json, context: Json) -> Any:
    found: Any = context if path.startswith("$$.") else data
    for name in path.lstrip("$").lstrip(".").split("."):
        found = found[name] if name else found
    return found
