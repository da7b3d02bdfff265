"""How many orders intake takes in a second, each validated, priced and on disk before its 202.

    python -m benchmarks.intake [--seconds 5] [--clients 32] [--keys] [--url http://127.0.0.1:8000]

Without `--url` it starts the web application itself, on one core, with the demo's catalogue in a temporary
directory. Each client has one connection, and sends its next order when it has the answer to the one before, so
the load is bounded.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlsplit

import httpx

MOST_SECONDS = 60
MOST_CLIENTS = 256
START_SECONDS = 15.0

ORDER = {
    "dealership": "northside",
    "customer": {
        "name": "Ana Núñez",
        "email": "ana@example.com",
        "phone": "+353 1 234 5678",
        "language": "es",
    },
    "vehicle": {
        "model": "meridian",
        "trim": "touring",
        "colour": "deep-blue",
        "options": ["tow-bar", "winter-pack"],
    },
    "note": "Please call before the delivery.",
}


class Load:
    """What the clients of one run have seen."""

    def __init__(self, host: str, seconds: float, *, keys: bool) -> None:
        self.host = host
        self.ends = time.perf_counter() + seconds
        self.keys = keys
        self.body = json.dumps(ORDER).encode()
        self.times: list[float] = []
        self.refused: dict[bytes, int] = {}

    def request(self) -> bytes:
        """The next order as it goes over the wire."""
        key = f"Idempotency-Key: {os.urandom(12).hex()}\r\n" if self.keys else ""
        head = (
            f"POST /api/v1/orders HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n{key}"
            f"Content-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


class Client(asyncio.Protocol):
    """One connection: sends an order, waits for its answer, sends the next."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = b""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, blank, body = self.received.partition(b"\r\n\r\n")
        if not blank or len(body) < _content_length(head):
            return
        self.received = b""
        status = head[9:12]
        if status == b"202":
            self.load.times.append(time.perf_counter() - self.sent_at)
        else:
            self.load.refused[status] = self.load.refused.get(status, 0) + 1
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        self.sent_at = time.perf_counter()
        if self.sent_at >= self.load.ends:
            self.transport.close()
            return
        self.transport.write(self.load.request())


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


async def _drive(url: str, seconds: float, clients: int, *, keys: bool) -> Load:
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    load = Load(f"{host}:{port}", seconds, keys=keys)
    loop = asyncio.get_running_loop()
    protocols = [(await loop.create_connection(lambda: Client(load), host, port))[1] for _ in range(clients)]
    await asyncio.gather(*(client.done for client in protocols))
    return load


def _figures(load: Load, seconds: float, clients: int) -> dict[str, object]:
    times = sorted(load.times)
    at = {
        name: times[min(len(times) - 1, int(len(times) * part))]
        for name, part in (("p50", 0.5), ("p99", 0.99))
    }
    return {
        "orders_per_second": round(len(times) / seconds),
        "clients": clients,
        "with_keys": load.keys,
        **{f"{name}_ms": round(value * 1000, 2) for name, value in at.items()},
        "refused": {status.decode(): count for status, count in load.refused.items()},
    }


def _await_ready(port: int) -> None:
    ends = time.perf_counter() + START_SECONDS
    while time.perf_counter() < ends:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise SystemExit("the server does not start")


def main() -> None:
    """Run the load once and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--keys", action="store_true", help="send an Idempotency-Key with each order")
    parser.add_argument("--url", help="a running server; by default one is started")
    parser.add_argument("--port", type=int, default=18731)
    given = parser.parse_args()
    seconds, clients = min(given.seconds, MOST_SECONDS), min(given.clients, MOST_CLIENTS)
    with tempfile.TemporaryDirectory() as data:
        server = None
        if given.url is None:
            command = [sys.executable, "-m", "benchmarks.intake_server", data, str(given.port)]
            server = subprocess.Popen(command)
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(server.pid, cores[:1])
            _await_ready(given.port)
        try:
            url = given.url or f"http://127.0.0.1:{given.port}"
            load = asyncio.run(_drive(url, seconds, clients, keys=given.keys))
        finally:
            if server is not None:
                server.terminate()
                server.wait()
    print(json.dumps(_figures(load, seconds, clients), indent=2))


if __name__ == "__main__":
    main()
