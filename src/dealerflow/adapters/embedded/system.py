"""Moved to `adapters.clock`."""

from dealerflow.adapters.clock import SystemClock, TimeIds

__all__ = ["SystemClock", "TimeIds"]
