"""Whoever is told by webhook: a server on this machine that keeps what is posted to it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Subscriber:
    """A server on 127.0.0.1. `told`: (path, body) of every POST."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        subscriber = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                subscriber.told.append((self.path, body.decode()))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def heard(self, path: str, words: str) -> bool:
        """Whether something with these words was posted there."""
        return any(at == path and words in body for at, body in list(self.told))

    def stop(self) -> None:
        """Hear no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
