"""Between functions and the emulator: passes every call to AWS on, and counts it by service and action."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dealerflow.adapters.aws.names import FUNCTIONS, Names
from tests.aws.emulator import ACCOUNT, REGION, Emulator
from tests.stories.on_aws import STACK

NAMES = Names(stack=STACK, region=REGION, account=ACCOUNT)
ON_A_SCHEDULE = ("relay", "audit")
BESIDE = (*ON_A_SCHEDULE, "prepare")  # what they call belongs to no order

What = tuple[str, str]  # service, action


class Tally:
    """Calls, entries (of calls that carry several) and bytes (requests and answers, without TLS), by what was called."""

    def __init__(self) -> None:
        self.calls: Counter[What] = Counter()
        self.entries: Counter[What] = Counter()
        self.bytes: Counter[What] = Counter()

    def add(self, what: What, entries: int, size: int) -> None:
        """One more call."""
        self.calls[what] += 1
        self.entries[what] += entries
        self.bytes[what] += size

    def calls_of(self, service: str, *but: str) -> int:
        """To this service, except of these actions."""
        return sum(n for (name, action), n in self.calls.items() if name == service and action not in but)

    def entries_of(self, service: str) -> int:
        """Carried to this service."""
        return sum(n for (name, _), n in self.entries.items() if name == service)

    def bytes_of(self, *services: str) -> int:
        """To these services and back."""
        return sum(n for (name, _), n in self.bytes.items() if name in services)

    def services(self) -> set[str]:
        """That were called."""
        return {service for service, _ in self.calls}


class Proxy:
    """Counts into `tally`, which may be replaced while it runs."""

    def __init__(self, target: str) -> None:
        self.tally = Tally()
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

    def _count(self, headers: Any, method: str, path: str, body: bytes, answered: int) -> None:
        what, entries = _what(headers, method, path, body)
        size = len(str(headers)) + len(path) + len(body) + answered
        with self._lock:
            self.tally.add(what, entries, size)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1  # one packet an answer

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                there = http.client.HTTPConnection(str(proxy._target.hostname), proxy._target.port or 80)
                there.request(self.command, self.path, body, dict(self.headers))
                answer = there.getresponse()
                content = answer.read()
                proxy._count(
                    self.headers,
                    self.command,
                    self.path,
                    body,
                    len(content) + len(str(answer.headers)),
                )
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


def _what(headers: Any, method: str, path: str, body: bytes) -> tuple[What, int]:
    """(service, action), and how many entries the call carries."""
    scope = re.search(r"/([a-z0-9-]+)/aws4_request", headers.get("Authorization", ""))
    service = scope[1] if scope else "unknown"
    if target := headers.get("X-Amz-Target"):
        return (service, target.rpartition(".")[2]), max(1, len(json.loads(body or b"{}").get("Entries", ())))
    form = dict(parse_qsl(body.decode("utf-8", "replace"))) if b"Action=" in body else {}
    if action := form.get("Action"):
        return (service, action), max(1, sum(name.endswith(".Id") for name in form))
    return (service, f"{method} {path.partition('?')[0]}" if service != "s3" else method), 1


def lead_through(emulator: Emulator, orders: Proxy, beside: Proxy) -> None:
    """Let every function call a proxy instead of the emulator: `beside` those that belong to no order."""
    client = emulator.client("lambda")
    for name in FUNCTIONS:
        function = NAMES.function_name(name)
        variables = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        proxy = beside if name in BESIDE else orders
        client.update_function_configuration(
            FunctionName=function,
            Environment={"Variables": {**variables, "AWS_ENDPOINT_URL": proxy.url}},
            LoggingConfig={"LogGroup": log_of(name)},
        )


def log_of(function: str) -> str:
    """A group for each function instead of one for all: so it can be told whose lines they are."""
    return f"/aws/lambda/{NAMES.function_name(function)}"
