"""What an installation on AWS costs: `calls.json` (what is used) times `prices.json` (what it costs)."""

from __future__ import annotations

from pathlib import Path

import msgspec

from dealerflow.composition.aws_cost.calculation import Calls, Prices

HERE = Path(__file__).parent


def committed_prices() -> Prices:
    """The committed price table."""
    return msgspec.json.decode((HERE / "prices.json").read_bytes(), type=Prices)


def committed_calls() -> Calls:
    """The committed calls of one order."""
    return msgspec.json.decode((HERE / "calls.json").read_bytes(), type=Calls)
