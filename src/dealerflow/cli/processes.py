"""What the processes that serve have in common: they prepare the database as soon as it is there, and end
when they are told to.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

from dealerflow.adapters.embedded import lifeline
from dealerflow.adapters.embedded.supervisor import EXIT_HOPELESS, LIFELINE
from dealerflow.composition.embedded import System, prepare
from dealerflow.domain.errors import DealerflowError, Outage

log = logging.getLogger(__name__)

TRY_AGAIN_S = 1.0


def tie_to_parent() -> None:
    """Under `serve`: end when the supervisor does, and leave Ctrl-C (which reaches the whole group) to it."""
    pipe = os.environ.pop(LIFELINE, "")
    if pipe:
        lifeline.hold(int(pipe))
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def prepare_when_possible(
    system: System, stopping: threading.Event, *, demo: bool = False, away: threading.Event | None = None
) -> bool:
    """Prepare the database, however long it is away; False if it is time to stop first. Raises other errors.

    `away` is set when it has to be waited for.
    """
    while not stopping.is_set():
        try:
            prepare(system, demo=demo)
            return True
        except Outage as outage:
            log.warning("waiting: %s", outage)
            if away is not None:
                away.set()
        stopping.wait(TRY_AGAIN_S)
    return False


def run_to_the_end(work: Callable[[], None]) -> None:
    """Run a process; what no restart would mend ends it with a status that says so."""
    try:
        work()
    except DealerflowError as error:
        if os.environ.get("DEALERFLOW_DEBUG"):
            raise
        sys.stderr.write(f"{error.detail}\n")
        sys.exit(1 if isinstance(error, Outage) else EXIT_HOPELESS)
