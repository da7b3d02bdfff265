"""A bounded load of orders over HTTP: each client has one connection and sends its next order when the one before is answered."""

from __future__ import annotations

import asyncio
import json
import os
import time
from urllib.parse import urlsplit

MOST_SECONDS = 60.0
MOST_CLIENTS = 256

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
    """What the clients of one run have seen. `times` are the seconds from sending an order to its 202."""

    def __init__(self, host: str, seconds: float, *, keys: bool, most: int) -> None:
        self.host = host
        self.ends = time.perf_counter() + seconds
        self.keys = keys
        self.most = most
        self.sent = 0
        self.body = json.dumps(ORDER).encode()
        self.times: list[float] = []
        self.refused: dict[str, int] = {}

    def request(self) -> bytes | None:
        """The next order as it goes over the wire; None when it is time to stop."""
        if self.sent >= self.most or time.perf_counter() >= self.ends:
            return None
        self.sent += 1
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
        status = head[9:12].decode()
        if status == "202":
            self.load.times.append(time.perf_counter() - self.sent_at)
        else:
            self.load.refused[status] = self.load.refused.get(status, 0) + 1
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        request = self.load.request()
        if request is None:
            self.transport.close()
            return
        self.sent_at = time.perf_counter()
        self.transport.write(request)


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


async def _drive(url: str, load: Load, clients: int) -> None:
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    protocols = [(await loop.create_connection(lambda: Client(load), host, port))[1] for _ in range(clients)]
    await asyncio.gather(*(client.done for client in protocols))


def take_orders(
    url: str, *, seconds: float = MOST_SECONDS, clients: int = 32, keys: bool = False, most: int = 10**9
) -> dict[str, float]:
    """Send orders to `url` for some seconds (or `most` orders) and give the figures."""
    load = Load(urlsplit(url).netloc, min(seconds, MOST_SECONDS), keys=keys, most=most)
    began = time.perf_counter()
    asyncio.run(_drive(url, load, min(clients, MOST_CLIENTS)))
    took = time.perf_counter() - began
    times = sorted(load.times)
    if not times:
        raise SystemExit(f"no order was taken: {load.refused}")
    return {
        "orders": len(times),
        "orders_per_second": round(len(times) / took),
        "p50_ms": round(times[len(times) // 2] * 1000, 2),
        "p99_ms": round(times[int(len(times) * 0.99)] * 1000, 2),
        "refused": sum(load.refused.values()),
    }
