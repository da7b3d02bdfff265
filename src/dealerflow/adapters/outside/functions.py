"""Functions as Python code on this machine: of an installed package, or named `module:attribute`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dealerflow.application.functions import FunctionCall
from dealerflow.domain.errors import DealerflowError
from dealerflow.pipeline.functions import find_function


class WrongAnswer(DealerflowError):
    """A function returned something else than facts or None."""


class InstalledFunctions:
    """Implements `application.functions.Functions`. Each function is looked for once."""

    def __init__(self) -> None:
        self._found: dict[str, Callable[..., object]] = {}

    def call(self, call: FunctionCall) -> dict[str, Any] | None:
        """Raises FunctionMissing, WrongAnswer, and whatever the function raises."""
        if call.function not in self._found:
            self._found[call.function] = find_function(call.function)
        answer = self._found[call.function](call)
        if answer is None or (isinstance(answer, dict) and all(isinstance(name, str) for name in answer)):
            return answer
        raise WrongAnswer(f"the function {call.function} must return a dict with texts as keys, or None")
