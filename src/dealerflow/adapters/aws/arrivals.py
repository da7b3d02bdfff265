"""What an execution reports of itself is carried out here; what goes wrong is told to it, so that it tries again or ends.

The execution's own retries outlast a day: they are for outages. A failure of the work itself is counted with its decision,
as on one machine. When there were too many the decision is dead, an operator can redrive it, and the execution is replaced
by one that waits where the order stands.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from dealerflow.adapters.aws.logs import about
from dealerflow.adapters.aws.machines import StepFunctions
from dealerflow.adapters.aws.receiver import LONGEST_ERROR, InFlight
from dealerflow.adapters.database import outbox as rows
from dealerflow.adapters.database.outbox import Outbox
from dealerflow.adapters.database.unit_of_work import SqlDatabase
from dealerflow.application import queues, retry
from dealerflow.application.executions import Arrival, Superseded, update_status
from dealerflow.application.message_events import to_cloud_event
from dealerflow.application.ports import Clock
from dealerflow.domain.errors import Outage

log = logging.getLogger(__name__)

SUPERSEDED = Superseded.__name__  # the state machine's definition catches it by this name


class Arrivals:
    """Carries out what executions report."""

    def __init__(
        self,
        *,
        database: SqlDatabase,
        outbox: Outbox,
        machines: StepFunctions,
        dead_letters: InFlight,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._machines = machines
        self._dead_letters = dead_letters
        self._clock = clock
        self._random = random

    def report(self, arrival: Arrival) -> None:
        """Carry it out. Raises what goes wrong where the execution waits with no token to be told with."""
        with about(order=arrival.order, message=arrival.decision.message, execution=arrival.execution):
            try:
                self._carry_out(arrival)
            except Superseded as superseded:
                log.info("%s", superseded)
                if arrival.token is not None:  # a final state ends anyway
                    self._machines.refuse(arrival.token, SUPERSEDED, str(superseded))
            except Outage as outage:
                log.warning("it is tried again: %s", outage)
                self._again(arrival, outage)
            except Exception as error:
                log.exception("it failed")
                self._failed(arrival, error)

    def _carry_out(self, arrival: Arrival) -> None:
        with self._database.begin() as work:
            carried_out = update_status(work, arrival)
            if carried_out is not None:
                rows.done(work.connection, [carried_out])
            elif (
                arrival.decision.outcome is None
            ):  # a decision may have been told to the execution before this one
                rows.tell_again(work.connection, arrival.order, self._clock.now())

    def _again(self, arrival: Arrival, error: Exception) -> None:
        if arrival.token is None:
            raise error
        self._machines.refuse(arrival.token, type(error).__name__, str(error))

    def _failed(self, arrival: Arrival, error: Exception) -> None:
        words = f"{type(error).__name__}: {error}".replace("\0", "�")[:LONGEST_ERROR]
        decision = self._outbox.find(arrival.decision.message) if arrival.decision.message else None
        if decision is None:
            self._again(arrival, error)
            return
        attempts = self._outbox.failed(decision, now=self._clock.now(), error=words)
        plan = retry.plan(attempts, queues.policy(queues.DECISIONS), False, self._random)
        if attempts and plan.action == "retry":
            self._again(arrival, error)
            return
        if attempts:  # else it died before, and whoever buried it did not get to what follows
            self._dead_letters.bury(to_cloud_event(decision).decode(), words)
            self._outbox.bury(decision.id, now=self._clock.now(), error=words)
        with self._database.begin() as work:
            work.executions.begin(work.orders.get(arrival.order))
        if arrival.token is not None:
            self._machines.refuse(arrival.token, SUPERSEDED, words)
