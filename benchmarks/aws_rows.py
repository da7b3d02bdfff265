"""What was counted on the emulator, as rows of `calls.json`: for one order, for one look at a page, for a month."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from benchmarks.aws_lives import Request
from benchmarks.aws_log import Log
from benchmarks.aws_proxy import BESIDE, ON_A_SCHEDULE, Tally
from dealerflow.adapters.aws.names import FUNCTIONS
from dealerflow.composition.aws_cost.calculation import HOURS_A_MONTH

AT_THE_DOOR = {"intake", "web", "update-status"}  # not called by a queue
TLS_BYTES = 1_000  # of a call beside its bytes: its records, and its part of connecting
LINE_OF_API_LOG = 330  # bytes, from its format in infra/template.yaml
# An environment that is not called is kept some minutes; AWS does not say how many.
KEPT_MINUTES = 10
COLD_SECONDS = Decimal("1.5")  # more than a warm call; here it took 0.4 to 2, on a busy machine
MOST_COLD = len(FUNCTIONS) * HOURS_A_MONTH * 60 / KEPT_MINUTES  # a month, if somebody always asks for each
BUSY_ONE_IN = 50  # so many calls come while all environments are busy
SECONDS_A_MONTH = HOURS_A_MONTH * 3600
RUNS_A_MONTH = {"relay": HOURS_A_MONTH * 60, "audit": HOURS_A_MONTH}

Row = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Lives:
    """What these orders came to. `requests`: what people sent, without what they looked at."""

    orders: int
    tally: Tally
    log: Log
    requests: list[Request]
    entered: int
    mails: int
    attached: int

    def rows(self) -> list[Row]:
        """Of one order, as they stand in calls.json."""
        requests, lambdas = self._each(len(self.requests)), self._each(sum(map(self._times, self.log)))
        return [
            _row("API Gateway", "requests", "api.request", requests, "order, decisions, payments, loads"),
            *self._functions(lambdas),
            *self._messages(),
            *self._mail(),
            *self._stores(),
            _row("CloudWatch", "logs of functions", "logs.gb", _gb(self._each(self._logged())), "at level info"),
            _row(
                "CloudWatch", "log of the API", "logs.gb", _gb(requests * LINE_OF_API_LOG),
                f"{LINE_OF_API_LOG} bytes a request", "derived",
            ),
            *_traces(lambdas, len(FUNCTIONS)),
        ]  # fmt: skip

    def _functions(self, lambdas: Decimal) -> list[Row]:
        work, there = self._each(self._gb_seconds()), self._each(self._gb_seconds_there())
        called = ", ".join(
            f"{name} {_plain(self._each(n))}" for name in sorted(self.log) if (n := self._times(name))
        )
        return [
            _row("Lambda", "invocations", "lambda.request", lambdas, called),
            _row(
                "Lambda", "work", "lambda.arm.gb-second", work,
                "median of each function as billed on the emulator, on a whole processor of x86-64",
            ),
            _row(
                "Lambda", "a smaller share of a processor", "lambda.arm.gb-second", there - work,
                "512 MB have 0.29 of an arm64 processor: as if all, waiting too, took that much longer", "assumed",
            ),
            *self._cold_starts(lambdas),
        ]  # fmt: skip

    def _messages(self) -> list[Row]:
        tally, per = self.tally, self._each
        batches = per(sum(self._times(name) for name in self.log if name not in AT_THE_DOOR))
        published = per(tally.entries_of("sns"))
        # To look into the queues is what those do who wait here, too.
        sent = per(tally.calls_of("sqs", "GetQueueAttributes"))
        return [
            _row(
                "SQS", "requests", "sqs.fair-request", sent + published + 2 * batches,
                f"{_plain(sent)} calls by functions, {_plain(published)} deliveries by SNS; each of {_plain(batches)} "
                "batches is received and deleted; all as if in a message group",
            ),
            _row("SNS", "publishes", "sns.publish", published, "messages to the topics"),
            _row("Step Functions", "state transitions", "states.transition", per(self.entered), "states entered"),
            _row("EventBridge", "events", "events.custom", per(tally.entries_of("events")), "all that happened"),
            _row("EventBridge", "archive", "events.archive-gb", _gb(per(tally.bytes_of("events"))), "their bytes"),
        ]  # fmt: skip

    def _mail(self) -> list[Row]:
        mails, attached = self._each(self.mails), _gb(self._each(self.attached))
        return [
            _row("SES", "mails", "ses.mail", mails, "to customer, dealership, heads of operations"),
            _row("SES", "attachments", "ses.attachment-gb", attached, "invoices and delivery notes, as sent"),
        ]

    def _stores(self) -> list[Row]:
        tally, per = self.tally, self._each
        through_nat = tally.services() - {"s3", "dynamodb"}
        calls = sum(map(tally.calls_of, through_nat))
        bytes_ = per(tally.bytes_of(*through_nat) + TLS_BYTES * calls + self.attached)
        written = per(tally.calls_of("dynamodb", "GetItem"))
        return [
            _row("DynamoDB", "writes", "dynamodb.write", written, "the form's key: claimed, answered"),
            _row("S3", "reads", "s3.get", per(tally.calls_of("s3")), "the snapshot, by functions that are new"),
            _row(
                "VPC", "through the NAT gateway", "nat.gb", _gb(bytes_),
                f"bytes of calls and mails, and {TLS_BYTES} more for each call", "derived",
            ),
        ]  # fmt: skip

    def _each(self, count: int | Decimal) -> Decimal:
        return Decimal(count) / self.orders

    def _times(self, function: str) -> int:
        """How often it was called for orders: who waits here looks at pages, too."""
        if function == "web":
            return len(self.requests) - self.log["intake"].times
        return 0 if function in BESIDE else self.log[function].times

    def _gb_seconds(self) -> Decimal:
        return sum((self._seconds(name) * ran.gb for name, ran in self.log.items()), Decimal())

    def _gb_seconds_there(self) -> Decimal:
        return sum((self._seconds(name) * ran.gb * ran.slower for name, ran in self.log.items()), Decimal())

    def _seconds(self, function: str) -> Decimal:
        if (
            function == "web"
        ):  # its reports do not tell acts from looks: as its callers timed it, a little longer
            acts = [Decimal(one.ms) for one in self.requests if one.path != "/api/v1/orders"]
            return self._times(function) * median(acts) / 1000
        return self._times(function) * self.log[function].median_ms / 1000

    def _logged(self) -> Decimal:
        return sum((self._times(name) * ran.mean_logged for name, ran in self.log.items()), Decimal())

    def _cold_starts(self, lambdas: Decimal) -> list[Row]:
        gb = self._each(sum((self._times(name) * ran.gb for name, ran in self.log.items()), Decimal()))
        seldom = _row(
            "Lambda", "cold starts of seldom called functions", "lambda.arm.gb-second", gb * COLD_SECONDS,
            f"every call {COLD_SECONDS} s longer, at most one of each function in {KEPT_MINUTES} minutes", "assumed",
        )  # fmt: skip
        busy = _row(
            "Lambda", "cold starts of busy ones", "lambda.arm.gb-second", gb * COLD_SECONDS / BUSY_ONE_IN,
            f"one call in {BUSY_ONE_IN} finds all environments busy", "assumed",
        )  # fmt: skip
        return [seldom | {"most_a_month": _plain(MOST_COLD * COLD_SECONDS * gb / lambdas)}, busy]


def _traces(lambdas: Decimal, functions: int) -> list[Row]:
    first = _row(
        "X-Ray", "traces", "xray.trace", lambdas * Decimal("0.95"),
        "every invocation, while there is at most one a second of each function", "derived",
    )  # fmt: skip
    rest = _row(
        "X-Ray", "traces beyond", "xray.trace", lambdas * Decimal("0.05"),
        "one in twenty of what is more, as X-Ray chooses by itself", "derived",
    )  # fmt: skip
    return [first | {"most_a_month": _plain(functions * SECONDS_A_MONTH)}, rest]


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What looking at pages came to."""

    requests: list[Request]
    tally: Tally
    log: Log

    def rows(self) -> list[Row]:
        """Of one request."""
        count, web = len(self.requests), self.log["web"]
        work = web.median_ms * web.gb / 1000
        bytes_ = sum(one.size for one in self.requests) / Decimal(count)
        read = Decimal(self.tally.calls_of("s3")) / count
        return [
            _row("API Gateway", "page requests", "api.request", 1, "for a page, or whether it has changed"),
            _row("Lambda", "page requests", "lambda.request", 1, "the function web answers all"),
            _row(
                "Lambda", "pages' work", "lambda.arm.gb-second", work,
                "median as billed on the emulator, of tracking pages, boards and orders",
            ),
            _row(
                "Lambda", "pages' smaller share of a processor", "lambda.arm.gb-second", work * (web.slower - 1),
                "1 GB has 0.58 of an arm64 processor", "assumed",
            ),
            _row("S3", "page requests' reads", "s3.get", read, "the snapshot"),
            _row("CloudWatch", "pages' logs", "logs.gb", _gb(web.mean_logged + LINE_OF_API_LOG), "function and API"),
            *_traces(Decimal(1), 1),
            _row("Data transfer", "pages", "transfer.out-gb", _gb(bytes_), "as they came: nothing is compressed"),
        ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """What the relay and the audit come to, each called so many times."""

    runs: int
    tally: Tally
    log: Log

    def rows(self) -> list[Row]:
        """Of a month."""
        runs, relays = sum(RUNS_A_MONTH.values(), Decimal()), RUNS_A_MONTH["relay"]
        # Both were called equally often, and nearly all of a month's runs are the relay's: as if all calls were its.
        calls = relays * sum(map(self.tally.calls_of, self.tally.services())) / self.runs
        asked = relays * self.tally.calls_of("sqs") / self.runs
        bytes_ = relays * self.tally.bytes_of(*self.tally.services()) / self.runs + calls * TLS_BYTES
        return [
            _row("Lambda", "the schedules", "lambda.request", runs, "relay each minute, audit each hour", "derived"),
            _row("EventBridge", "the schedules", "scheduler.call", runs, "the same", "derived"),
            _row(
                "Lambda", "the schedules' work", "lambda.arm.gb-second", self._gb_seconds(),
                "as billed on the emulator, longer by their share of a processor; the audit grows with open orders",
            ),
            _row("X-Ray", "the schedules' traces", "xray.trace", runs, "as if every run were traced", "assumed"),
            _row("CloudWatch", "the schedules' logs", "logs.gb", _gb(self._logged()), "what they wrote"),
            _row("SQS", "the schedules' calls", "sqs.request", asked, "the relay looks into the dead letters"),
            _row(
                "VPC", "the schedules' calls", "nat.gb", _gb(bytes_), f"and {TLS_BYTES} bytes more for each call",
                "derived",
            ),
        ]  # fmt: skip

    def _gb_seconds(self) -> Decimal:
        ran = {name: self.log[name] for name in ON_A_SCHEDULE}
        return sum(
            (RUNS_A_MONTH[name] * one.median_ms * one.gb * one.slower / 1000 for name, one in ran.items()),
            Decimal(),
        )

    def _logged(self) -> Decimal:
        return sum((RUNS_A_MONTH[name] * self.log[name].mean_logged for name in ON_A_SCHEDULE), Decimal())


def _row(  # noqa: PLR0917 - a line of a table
    service: str, what: str, price: str, count: int | Decimal, why: str, source: str = "counted"
) -> Row:
    return {
        "service": service,
        "what": what,
        "price": price,
        "count": _plain(Decimal(count)),
        "source": source,
        "why": why,
    }


def _plain(count: int | Decimal) -> str:
    """To four digits that say something."""
    return f"{Decimal(f'{count:.4g}'):f}"


def _gb(bytes_: int | Decimal) -> Decimal:
    return Decimal(bytes_) / 10**9
