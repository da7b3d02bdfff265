"""What a person has done wrong is said without a traceback: exit status 2 for wrong usage and settings, 1
for everything else.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from dealerflow.domain.errors import DealerflowError, Invalid


class Commands(TyperGroup):
    """All commands, with errors of the core and of the system turned into messages. `DEALERFLOW_DEBUG=1` shows tracebacks."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except DealerflowError as error:
            if os.environ.get("DEALERFLOW_DEBUG"):
                raise
            say(error)
            raise typer.Exit(status_of(error)) from None
        except OSError as error:  # a file that cannot be written, a disk that is full
            if os.environ.get("DEALERFLOW_DEBUG") or error.strerror is None or error.errno == errno.EPIPE:
                raise  # (who reads no more of a pipe needs no message)
            sys.stderr.write(": ".join(str(one) for one in (error.filename, error.strerror) if one) + "\n")
            raise typer.Exit(1) from None


def say(error: DealerflowError) -> None:
    """Tell on stderr what is wrong; every fault of an input on a line of its own."""
    text = error.detail
    # One that names lines of a file has its own text; pointers would only be in the way.
    if isinstance(error, Invalid) and not hasattr(error, "origin"):
        text = (
            "\n".join(f"{fault.pointer}: {fault.detail}".removeprefix(": ") for fault in error.faults) or text
        )
    sys.stderr.write(f"{text}\n")


def status_of(error: DealerflowError) -> int:
    """The exit status for this error."""
    from dealerflow.composition.settings import WrongSetting

    return 2 if isinstance(error, WrongSetting | WrongUsage) else 1


class WrongUsage(DealerflowError):
    """The command cannot be used like this."""
