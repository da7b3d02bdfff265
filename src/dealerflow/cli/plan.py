"""What `serve` tells the processes that it starts, as one argument."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to serve. `only` and `without` name queues (None: all). `announce`: tell on stdout where, once it
    is ready.
    """

    data: str
    host: str
    port: int
    workers: int = 1
    demo: bool = False
    announce: bool = False
    log_level: str = "info"
    only: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    socket: int = -1

    @property
    def directory(self) -> Path:
        return Path(self.data)

    def command(self, module: str) -> list[str]:
        """The command line of a process that is given this plan."""
        return [sys.executable, "-m", module, msgspec.json.encode(self).decode()]


def given_plan() -> Plan:
    """The plan on this process's command line."""
    return msgspec.json.decode(sys.argv[1], type=Plan)
