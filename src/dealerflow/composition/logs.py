"""Logs: one line for each event, as key=value pairs, to stderr. What customers entered is never in them, ids
are.

Of the standard library alone: every process logs, and a logging library costs each of them more memory than
its work is worth.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from dealerflow.application.tracing import UNTRACED

NOISY = ("alembic", "fontTools", "httpcore", "httpx", "urllib3", "uvicorn")
_QUOTED = str.maketrans({'"': r"\"", "\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"})


class OneLine(logging.Formatter):
    """`timestamp=… level=… part=… event="…" logger=… trace=… exception="…"`; line breaks are written as
    backslash and n. `trace` is the id of the trace that the line belongs to, if there is one.
    """

    def __init__(self, part: str, trace: Callable[[], str | None] = UNTRACED.trace) -> None:
        super().__init__()
        self._part = part
        self._trace = trace

    def format(self, record: logging.LogRecord) -> str:
        """See the class."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        pairs = {
            "timestamp": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "part": self._part,
            "event": record.getMessage(),
            "logger": record.name,
        }
        if trace := _trace_of(record) or self._trace():
            pairs["trace"] = trace
        if record.exc_info:
            pairs["exception"] = self.formatException(record.exc_info)
        return " ".join(f"{key}={_value(text)}" for key, text in pairs.items())


def configure(level: str, part: str, trace: Callable[[], str | None] = UNTRACED.trace) -> None:
    """Let everything that this process logs go to stderr. `part` is who writes: web, worker, supervisor …
    `trace` gives the id of the trace that goes on.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(part, trace))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _trace_of(record: logging.LogRecord) -> str | None:
    """Of what is said about a message when its work is over already: `extra={"traceparent": …}`."""
    _, trace, *_ = f"{getattr(record, 'traceparent', None) or ''}-".split("-")
    return trace or None


def _value(text: str) -> str:
    plain = text.isprintable() and text and not set(text) & set(' "\\=')
    return text if plain else f'"{text.translate(_QUOTED)}"'
