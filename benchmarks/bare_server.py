"""The barest server that keeps the same promise: an order is on disk before its 202. No validation beyond its JSON form.

python -m benchmarks.bare_server FILE      prints its address
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import msgspec
import uvicorn
from pysqlite3 import dbapi2 as sqlite


class Order(msgspec.Struct):
    """The form of an order, as far as JSON goes."""

    dealership: str
    customer: dict[str, str]
    vehicle: dict[str, Any]


class Bare:
    """Requests that wait together are committed together."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self.committing: asyncio.Task[None] | None = None
        self.connection: Any = None

    def _commit(self, bodies: list[tuple[bytes]]) -> None:
        self.connection.execute("BEGIN")
        self.connection.executemany("INSERT INTO orders VALUES (?)", bodies)
        self.connection.execute("COMMIT")

    async def _commit_all(self) -> None:
        while self.waiting:
            group, self.waiting = self.waiting, []
            await asyncio.to_thread(self._commit, [(body,) for body, _ in group])
            for _, done in group:
                done.set_result(None)
        self.committing = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = (await receive())["body"]
        msgspec.json.decode(body, type=Order)
        done = asyncio.get_running_loop().create_future()
        self.waiting.append((body, done))
        if self.committing is None:
            self.committing = asyncio.create_task(self._commit_all())
        await done
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        self.connection = sqlite.connect(self.path, isolation_level=None, check_same_thread=False)
        for statement in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "CREATE TABLE orders (body BLOB)",
        ):
            self.connection.execute(statement)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


def main(path: str) -> None:
    """Serve until SIGTERM."""
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        Bare(path), loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )
    uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    main(sys.argv[1])
