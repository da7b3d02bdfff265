"""Counts what one order calls on AWS, in a run against the emulator: the first half of what `dealerflow cost` multiplies.

    python -m benchmarks.aws_calls            tells the counts
    python -m benchmarks.aws_calls --write    and writes them into src/dealerflow/composition/aws_cost/calls.json

The real template is deployed, its functions are led through a proxy that counts their calls, and one order is taken from
its form to the handed-over keys. What the emulator does by itself (polling queues) is taken from the invocations of the
functions, and from the history of the execution. How long functions run on AWS cannot be counted here: it is assumed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from dealerflow.adapters.aws.names import FUNCTIONS, Names
from dealerflow.composition.aws_cost import HERE
from dealerflow.composition.aws_cost.calculation import Calls
from tests.aws.building import built
from tests.aws.emulator import ACCOUNT, REGION, Emulator
from tests.postgres import PostgresServer
from tests.stories import in_process
from tests.stories.driver import People
from tests.stories.on_aws import STACK, OnAws, post_office
from tests.stories.usual_way import take

NOT_OF_AN_ORDER = {"relay", "audit", "prepare"}
AT_THE_DOOR = {"intake", "web", "update-status"}  # not called by a queue
MS_OF_A_CALL, MS_OF_A_COLD_START, ONE_IN = 100, 1500, 10  # assumed
BYTES_OF_AN_EVENT = 26  # CloudWatch charges for them beside the text
MEMORY_GB = {"web": Decimal(1)}
OTHERS_GB = Decimal("0.5")

Counts = Counter[tuple[str, str]]


class Proxy:
    """Passes every request on to the emulator, and counts calls and entries by service and action."""

    def __init__(self, target: str) -> None:
        self.calls: Counts = Counter()
        self.entries: Counts = Counter()
        self._lock = threading.Lock()
        self._target = urlsplit(target)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        """As long as the block lasts."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def count(self, headers: Any, method: str, path: str, body: bytes) -> None:
        """Note one request."""
        what, entries = _what(headers, method, path, body)
        with self._lock:
            self.calls[what] += 1
            self.entries[what] += entries

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                proxy.count(self.headers, self.command, self.path, body)
                there = http.client.HTTPConnection(str(proxy._target.hostname), proxy._target.port or 80)
                there.request(self.command, self.path, body, dict(self.headers))
                answer = there.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)
                there.close()

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _pass_on  # noqa: N815 - the names that the server looks for

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        return Handler


def _what(headers: Any, method: str, path: str, body: bytes) -> tuple[tuple[str, str], int]:
    """(service, action), and how many entries the call carries."""
    scope = re.search(r"/([a-z0-9-]+)/aws4_request", headers.get("Authorization", ""))
    service = scope[1] if scope else "unknown"
    if target := headers.get("X-Amz-Target"):
        return (service, target.rpartition(".")[2]), max(1, len(json.loads(body or b"{}").get("Entries", ())))
    form = dict(parse_qsl(body.decode("utf-8", "replace"))) if b"Action=" in body else {}
    if action := form.get("Action"):
        return (service, action), max(1, sum(name.endswith(".Id") for name in form))
    return (service, f"{method} {path.partition('?')[0]}" if service != "s3" else method), 1


def lead_through(emulator: Emulator, proxy: Proxy) -> None:
    """Let every function call the proxy instead of the emulator."""
    client, names = emulator.client("lambda"), Names(stack=STACK, region=REGION, account=ACCOUNT)
    for function in map(names.function_name, FUNCTIONS):
        variables = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        client.update_function_configuration(
            FunctionName=function,
            Environment={"Variables": {**variables, "AWS_ENDPOINT_URL": proxy.url}},
            LoggingConfig={"LogGroup": _log_of(function)},
        )


def _log_of(function: str) -> str:
    """A group for each function instead of one for all: so it can be told whose lines they are."""
    return f"/aws/lambda/{function}"


class Log:
    """What the functions have logged so far: one REPORT for each invocation."""

    def __init__(self, emulator: Emulator) -> None:
        client, names = emulator.client("logs"), Names(stack=STACK, region=REGION, account=ACCOUNT)
        self.invocations: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        for function in FUNCTIONS:
            try:
                pages = client.get_paginator("filter_log_events").paginate(
                    logGroupName=_log_of(names.function_name(function))
                )
                lines = [event["message"] for page in pages for event in page["events"]]
            except client.exceptions.ResourceNotFoundException:
                continue  # it was not called yet
            self.invocations[function] = sum(line.startswith("REPORT ") for line in lines)
            self.bytes[function] = sum(len(line.encode()) + BYTES_OF_AN_EVENT for line in lines)


def transitions(emulator: Emulator, machine: str, order: str) -> int:
    """How many states the executions of this order entered."""
    client = emulator.client("stepfunctions")
    entered = 0
    for execution in client.list_executions(stateMachineArn=machine)["executions"]:
        if execution["name"].startswith(order):
            history = client.get_execution_history(executionArn=execution["executionArn"], maxResults=1000)
            entered += sum(event["type"].endswith("StateEntered") for event in history["events"])
    return entered


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What one order came to."""

    proxy: Proxy
    requests: int
    called: Counter[str]
    entered: int
    mails: int
    attached: int
    logged: int

    def rows(self) -> list[dict[str, str]]:
        """As they stand in calls.json."""
        lambdas = sum(self.called.values())
        batches = sum(n for name, n in self.called.items() if name not in AT_THE_DOOR)
        published = self._entries("sns")
        sent = (
            self._calls("sqs") - self.proxy.calls["sqs", "GetQueueAttributes"]
        )  # those are who waits here, too
        by_function = ", ".join(f"{name} {n}" for name, n in sorted(self.called.items()) if n)
        return [
            _row("API Gateway", "requests", "api.request", self.requests, "order, decisions, payment, load, departure"),
            _row("Lambda", "invocations", "lambda.request", lambdas, by_function),
            _row("Lambda", "work", "lambda.arm.gb-second", self._gb_seconds(MS_OF_A_CALL),
                 f"{MS_OF_A_CALL} ms each; only AWS can tell how long they take there", "assumed"),
            _row("Lambda", "cold starts", "lambda.arm.gb-second", self._gb_seconds(MS_OF_A_COLD_START) / ONE_IN,
                 f"one call in {ONE_IN} takes {MS_OF_A_COLD_START} ms longer in a new environment", "assumed"),
            _row("SQS", "requests", "sqs.fair-request", sent + published + 2 * batches,
                 f"{sent} calls by functions, {published} deliveries by SNS; each of the {batches} batches is received "
                 "and deleted; all as if in a message group"),
            _row("SNS", "publishes", "sns.publish", published, "messages to the topic of notifications"),
            _row("Step Functions", "state transitions", "states.transition", self.entered, "states that the execution entered"),
            _row("EventBridge", "events", "events.custom", self._entries("events"), "everything that happened"),
            _row("EventBridge", "archive", "events.archive-gb", Decimal(self._entries("events")) / 1_000_000,
                 "1 KB for each event", "assumed"),
            _row("SES", "mails", "ses.mail", self.mails, "to customer and dealership"),
            _row("SES", "attachments", "ses.attachment-gb", Decimal(self.attached) / 10**9,
                 "invoice and delivery note, as they were sent"),
            _row("DynamoDB", "writes", "dynamodb.write", 2, "an Idempotency-Key of intake: claimed, answered", "derived"),
            _row("S3", "reads", "s3.get", self._calls("s3"), "the snapshot"),
            _row("CloudWatch", "logs", "logs.gb", Decimal(self.logged) / 10**9, "what functions wrote, at level info"),
            _row("X-Ray", "traces", "xray.trace", lambdas,
                 "as if every invocation were traced; beyond one a second AWS traces about one in twenty", "assumed"),
            _row("VPC", "through the NAT gateway", "nat.gb", Decimal(sum(self.proxy.calls.values()) * 5000) / 10**9,
                 "5 KB for each call", "assumed"),
        ]  # fmt: skip

    def _calls(self, service: str) -> int:
        return sum(n for (name, _), n in self.proxy.calls.items() if name == service)

    def _entries(self, service: str) -> int:
        return sum(n for (name, _), n in self.proxy.entries.items() if name == service)

    def _gb_seconds(self, ms: int) -> Decimal:
        return sum(
            (n * MEMORY_GB.get(name, OTHERS_GB) * ms / 1000 for name, n in self.called.items()), Decimal()
        )


def _row(  # noqa: PLR0917 - a line of a table
    service: str, what: str, price: str, count: int | Decimal, why: str, source: str = "counted"
) -> dict[str, str]:
    plain = f"{Decimal(count).normalize():f}"
    return {"service": service, "what": what, "price": price, "count": plain, "source": source, "why": why}


def count_one_order() -> Counted:
    """Deploy, take one order to its end, and count."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as closing:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL runs as another user
        (directory / "postgres").mkdir()
        server = PostgresServer(directory / "postgres")
        server.create()
        server.start()
        closing.callback(server.stop)
        url = server.url(server.create_database())
        in_process.prepared(directory / "data", url)
        emulator = Emulator(directory / "log")
        closing.callback(emulator.stop)
        outputs = emulator.deploy(STACK, built(), {"DatabaseUrl": url})
        proxy = closing.enter_context(Proxy(emulator.url).running())
        catcher = post_office(emulator)
        closing.callback(catcher.stop)
        lead_through(emulator, proxy)
        on_aws = OnAws(emulator, outputs, catcher, url, nullcontext)
        installation = closing.enter_context(on_aws.running())
        _one_order(installation)  # the first finds everything cold; the second is counted
        return _count(emulator, outputs, installation, proxy)


def _count(emulator: Emulator, outputs: dict[str, str], installation: OnAws, proxy: Proxy) -> Counted:
    before, mails = Log(emulator), len(installation.mailbox())
    proxy.calls.clear()
    proxy.entries.clear()
    requests: list[str] = []
    installation.http.event_hooks["request"] = [lambda request: requests.append(request.method)]
    order = _one_order(installation)
    writing = sum(method in {"POST", "PUT"} for method in requests)
    after = Log(emulator)
    called = after.invocations - before.invocations
    for function in NOT_OF_AN_ORDER:
        del called[function]
    logged = sum((after.bytes - before.bytes)[function] for function in called)
    logged = (
        logged * (writing - called["intake"] + sum(called.values()) - called["web"]) // sum(called.values())
    )
    called["web"] = writing - called["intake"]  # not the looks of the one who waits here
    letters = installation.mailbox()[mails:]
    attached = sum(
        len(str(part.get_payload()).encode()) for letter in letters for part in letter.iter_attachments()
    )
    entered = transitions(emulator, outputs["StateMachineArn"], order)
    return Counted(
        proxy=proxy,
        requests=writing,
        called=called,
        entered=entered,
        mails=len(letters),
        attached=attached,
        logged=logged,
    )


def _one_order(installation: OnAws) -> str:
    dealerflow = People(installation)
    order = dealerflow.customer.orders("northside", trim="touring", colour="pearl-white", options=["tow-bar"])
    take(dealerflow, "ended", order)
    dealerflow.settles()
    return order.id


def write(counted: Counted, file: Path = HERE / "calls.json") -> None:
    """Replace the calls of the order in the committed file."""
    known = json.loads(file.read_text("utf-8"))
    today = datetime.now(UTC).date().isoformat()
    about = (
        "One order of the standard pipeline from its form to the handed-over keys, without a quality failure: paid once, "
        "on a load of its own. Counted by benchmarks/aws_calls.py with one order alone, so batches only make it cheaper."
    )
    known |= {"source": "counted", "date": today, "about": about, "order": counted.rows()}
    msgspec.convert(known, Calls, strict=False)
    parts = (f"  {json.dumps(key)}: {_block(value)}" for key, value in known.items())
    file.write_text("{\n" + ",\n".join(parts) + "\n}\n", "utf-8")


def _block(value: Any) -> str:
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return "[\n" + ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in value) + "\n  ]"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the counts into the program's own table")
    arguments = parser.parse_args()
    counted = count_one_order()
    for (service, action), calls in sorted(counted.proxy.calls.items()):
        sys.stdout.write(
            f"{service:16}{action:40}{calls:6} calls{counted.proxy.entries[service, action]:6} entries\n"
        )
    for row in counted.rows():
        sys.stdout.write(
            f"{row['service']:16}{row['what']:26}{row['count']:>14}  {row['source']}: {row['why']}\n"
        )
    if arguments.write:
        write(counted)


if __name__ == "__main__":
    main()
