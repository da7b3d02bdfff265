"""Compares what was promised with what was done: every hour. It fails where something is wrong, and its alarm is heard.

`{"repair": true}` puts right what can be put right safely.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dealerflow.composition.aws_queues import system_of
from dealerflow.composition.aws_upkeep import audit


def handler(event: dict[str, Any], _context: Any) -> Any:
    """One audit."""
    return msgspec.to_builtins(audit(system_of("audit"), repair=bool(event.get("repair"))))
