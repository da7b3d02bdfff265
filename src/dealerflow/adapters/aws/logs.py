"""Logs of functions: one JSON object a line, which CloudWatch Logs Insights reads by its fields.

`about` adds what the work at hand is about (message, order, queue). What customers entered is never in a log, ids are.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

import msgspec

_about: ContextVar[dict[str, str]] = ContextVar("about", default={})  # noqa: B039 - it is never changed, only replaced
_encode = msgspec.json.Encoder(enc_hook=str).encode
TRACE = "_X_AMZN_TRACE_ID"  # set by Lambda for each call


@contextmanager
def about(**facts: str | None) -> Iterator[None]:
    """Whatever is logged within the block says these facts too."""
    token = _about.set({**_about.get(), **{name: fact for name, fact in facts.items() if fact}})
    try:
        yield
    finally:
        _about.reset(token)


class JsonLines(logging.Formatter):
    """`{"timestamp": …, "level": …, "function": …, "event": …, "order": …, …}`."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self._function = function

    def format(self, record: logging.LogRecord) -> str:
        """See the class."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "timestamp": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "function": self._function,
            "event": record.getMessage(),
            "logger": record.name,
            **_about.get(),
        }
        if trace := os.environ.get(TRACE):
            line["trace"] = trace
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line).decode()


def configure(level: str, function: str) -> None:
    """Let everything that this function logs go to stderr, which Lambda keeps."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(function))
    root = logging.getLogger()
    root.handlers[:] = [handler]  # Lambda puts one of its own there, which would write each line twice
    root.setLevel(level.upper())
    for noisy in ("botocore", "boto3", "urllib3", "fontTools"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
