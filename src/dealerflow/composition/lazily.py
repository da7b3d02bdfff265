"""Parts that are made when they are first used, because the libraries that they bring cost memory that most
processes never need.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class _OnDemand:
    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make
        self._made: object = None
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self._make()
        return getattr(self._made, name)


def on_demand(make: Callable[[], T]) -> T:
    """Stands for what `make` gives, which is called at the first use of a method. Threads may share it."""
    return cast("T", _OnDemand(make))
