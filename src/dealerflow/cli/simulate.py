"""`simulate`."""

from __future__ import annotations


def simulate() -> None:
    """Drive a running Dealerflow with dealerships, orders and people."""
