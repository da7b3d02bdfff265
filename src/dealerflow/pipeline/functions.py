"""Finds the code that a `function` action names."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import entry_points

from dealerflow.domain.errors import DealerflowError

GROUP = "dealerflow.functions"
"""The group of entry points under which an installed package may offer functions by name."""


class FunctionMissing(DealerflowError):
    """A function that the pipeline names cannot be found."""


def find_function(target: str) -> Callable[..., object]:
    """The function named `module:attribute`, or by an entry point of the group `dealerflow.functions`.

    Importing a module runs its code. Raises `FunctionMissing`, which says why, if the function cannot be had.
    """
    try:
        found = _attribute(target) if ":" in target else _entry_point(target)
    except FunctionMissing:
        raise
    except Exception as error:  # somebody else's module may raise anything
        reason = f"{type(error).__name__}: {error}"
        raise FunctionMissing(
            f"the function {target!r} cannot be imported ({reason}); is it installed?"
        ) from error
    if not callable(found):
        raise FunctionMissing(f"{target!r} can be imported, but is no function")
    return found


def _attribute(target: str) -> object:
    module, _, path = target.partition(":")
    found: object = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _entry_point(name: str) -> object:
    offered = entry_points(group=GROUP)
    if name not in offered.names:
        advice = "install the package that offers it, or write `module:attribute`"
        raise FunctionMissing(f"no installed package offers the function {name!r}; {advice}")
    return offered[name].load()
