"""Finds the code that a `function` action names: of this machine, or a Lambda by its ARN."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from importlib.metadata import entry_points

from dealerflow.domain.errors import DealerflowError

GROUP = "dealerflow.functions"
"""The group of entry points under which an installed package may offer functions by name."""


# arn:partition:lambda:region:account:function:name, with an alias or version if wanted.
# The form is that of FunctionName in https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.
LAMBDA = re.compile(
    r"arn:aws(-[a-z]+)*:lambda:[a-z]{2,4}(-[a-z]+)+-\d+:\d{12}:function:[A-Za-z0-9_-]{1,64}(:(\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)
"""Matches the ARN of a Lambda function, which only an installation on AWS can call."""


class FunctionMissing(DealerflowError):
    """A function that the pipeline names cannot be found."""


def find_function(target: str) -> Callable[..., object]:
    """The function named `module:attribute`, or by an entry point of the group `dealerflow.functions`.

    Importing a module runs its code. Raises `FunctionMissing`, which says why, if the function cannot be had;
    so it does for the ARN of a Lambda, which is no code of this machine.
    """
    if LAMBDA.fullmatch(target):
        raise FunctionMissing(
            f"the function {target!r} is a Lambda; only an installation on AWS can call it, one machine cannot"
        )
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
