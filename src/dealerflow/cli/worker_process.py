"""`python -m dealerflow.cli.worker_process PLAN`: a worker under `dealerflow serve`. `dealerflow work` runs
the same.
"""

from __future__ import annotations

import fnmatch
import logging
import os
import signal
import threading
from collections.abc import Collection

from dealerflow.application.queues import ORDERS
from dealerflow.cli.plan import given_plan
from dealerflow.cli.processes import prepare_when_possible, run_to_the_end, tie_to_parent
from dealerflow.composition.embedded import System
from dealerflow.composition.logs import configure
from dealerflow.composition.settings import Settings, settings_of
from dealerflow.composition.tracing import tracing_of
from dealerflow.composition.worker import WorkerProcess

log = logging.getLogger(__name__)


def work(settings: Settings, *, only: Collection[str] | None, without: Collection[str]) -> None:
    """Work these queues until SIGTERM (or, in a terminal, Ctrl-C), then finish what is in hand."""
    stopping = threading.Event()
    tracing = tracing_of(settings, "worker")
    configure(settings.log_level, "worker", tracing.trace)
    system = System(settings, tracing)
    worker = WorkerProcess(system, only=only, without=without)

    def stop(_number: int, _frame: object) -> None:
        stopping.set()
        # Not here: a handler runs between two steps of the main thread, which may hold what `stop` waits for.
        threading.Thread(target=worker.stop, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        if prepare_when_possible(system, stopping):
            tell_of_unknown_queues(system, (*(only or ()), *without))
            worker.run()
    finally:
        system.close()


def tell_of_unknown_queues(system: System, named: Collection[str]) -> None:
    """Log the names and patterns that are no queue's. One may come later, with a delivery line: so it is no error."""
    known = {*system.store.queues(), ORDERS}
    for name in named:
        if not fnmatch.filter(known, name):
            log.warning("there is no queue %s yet; there are: %s", name, ", ".join(sorted(known)))


def main() -> None:
    plan = given_plan()
    tie_to_parent()
    settings = settings_of(plan.directory, os.environ)
    work(settings, only=plan.only, without=plan.without)


if __name__ == "__main__":
    run_to_the_end(main)
