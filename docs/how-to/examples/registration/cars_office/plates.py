"""Reserves number plates. Dealerflow calls `reserve_plate` when a car enters the state `registration`."""

from __future__ import annotations

import hashlib

from dealerflow.application.functions import FunctionCall


def reserve_plate(call: FunctionCall) -> dict[str, str]:
    """The plate that is reserved for this car, kept with the order as `plate`.

    A call may be repeated (after a crash, say). `call.key` is then the same, so the same plate is given. A real
    office would be asked here, with the key as its idempotency key; an exception means that it is tried again.
    """
    digits = int(hashlib.sha256(call.key.encode()).hexdigest(), 16) % 100_000
    return {"plate": f"26-D-{digits:05d}"}
