"""Migrates the database and makes the first administrator: called by hand, at each deployment."""

from __future__ import annotations

from typing import Any

import msgspec

from dealerflow.composition.aws_queues import system_of
from dealerflow.composition.aws_upkeep import Prepare, prepare


def handler(event: dict[str, Any], _context: Any) -> Any:
    """See `Prepare` for what may be asked."""
    return msgspec.to_builtins(prepare(system_of("prepare"), msgspec.convert(event, Prepare)))
