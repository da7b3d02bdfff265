"""The operator's console on AWS. The database knows what is asked for, paused and dead; SQS what is in flight now."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from botocore.exceptions import ClientError
from msgspec.structs import replace

from dealerflow.adapters.aws.dead_letters import DeadLetterQueues
from dealerflow.adapters.aws.errors import aws_calls, code_of
from dealerflow.adapters.aws.names import Names
from dealerflow.adapters.database.engine import transaction
from dealerflow.adapters.database.outbox import OUTSIDE, Outbox
from dealerflow.adapters.database.queue_console import DEAD, SqlQueues
from dealerflow.adapters.database.tables import messages, queues
from dealerflow.application.ports import QueueFigures
from dealerflow.application.queues import BUS, ORDERS
from dealerflow.domain.errors import Conflict, Outage

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_sqs import SQSClient

log = logging.getLogger(__name__)

_m = messages.c
_DELAYED = sa.text("messages.state = 'delayed'")
_HELD = sa.text("messages.state = 'held'")


class Depth(NamedTuple):
    """How many messages an SQS queue holds, about: to be had now, in a function's hands, and delayed."""

    visible: int = 0
    hidden: int = 0
    delayed: int = 0


class AwsQueues(SqlQueues):
    """Implements `QueueConsole`. Raises Outage when the database or AWS is away.

    `forward` forwards what is due in the outbox. `consumers`: the queue on AWS → the id of the event source mapping through
    which its function reads it; one that is not given is looked up, for which only a person's rights suffice.

    What a function failed at and SQS hides until the next try counts as in flight: SQS does not tell it apart.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        sqs: SQSClient,
        functions: LambdaClient,
        names: Names,
        forward: Callable[[], object],
        consumers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(engine)
        self._sqs = sqs
        self._functions = functions
        self._names = names
        self._forward = forward
        self._consumers = dict(consumers or {})
        self._outbox = Outbox(engine)
        self._dead = DeadLetterQueues(sqs, names)

    def queues(self) -> list[str]:
        known = sa.select(queues.c.name).union(sa.select(_m.queue))
        with transaction(self._engine, "read") as connection:
            return sorted(connection.execute(known).scalars())

    # --- pause ---

    def pause(self, queue: str) -> None:
        # The flag first: it is what people see, and from then on nothing is forwarded. A second try does the rest.
        super().pause(queue)
        self._let_consume(queue, False)

    def resume(self, queue: str) -> None:
        super().resume(queue)
        self._let_consume(queue, True)
        self._forward_now()

    def _let_consume(self, queue: str, enabled: bool) -> None:
        """Switch the function's reading on or off, where that is how it is paused."""
        if not self._names.is_switched(queue):
            return
        for mapping in self._mappings(queue):
            with aws_calls("Lambda"):
                try:
                    self._functions.update_event_source_mapping(UUID=mapping, Enabled=enabled)
                except ClientError as error:
                    if code_of(error) != "ResourceInUseException":
                        raise
                    raise Conflict(f"{queue} is being switched just now; try again in a minute") from error

    def _mappings(self, queue: str) -> list[str]:
        if queue in self._consumers:
            return [self._consumers[queue]]
        with aws_calls("Lambda"):
            answer = self._functions.list_event_source_mappings(
                FunctionName=self._names.function_name(queue), EventSourceArn=self._names.queue_arn(queue)
            )
        return [one["UUID"] for one in answer["EventSourceMappings"]]

    def _is_ours(self, queue: str) -> bool:
        """Whether a function of ours works it: not the bus, nor a queue of one's own."""
        return queue != BUS and queue not in self._names.own_queues

    # --- figures ---

    def figures(self, *, now: int) -> list[QueueFigures]:
        with transaction(self._engine, "read") as connection:
            paused = dict(connection.execute(sa.select(queues.c.name, queues.c.paused)).all())
            rows = _rows(connection, now)
        depths = self._depths({*rows.live, *({ORDERS} & set(paused))})
        figures = []
        for name in sorted({*paused, *rows.live, *rows.delayed, *rows.dead}):
            physical = self._names.physical(name)
            depth = depths.get(physical, Depth()) if self._is_ours(name) else Depth()
            one = _figures_of(name, rows, depth, now)
            depths[physical] = depth._replace(hidden=depth.hidden - one.in_flight)  # others may share it
            figures.append(replace(one, paused=bool(paused.get(name))))
        return figures

    def _depths(self, names: Collection[str]) -> dict[str, Depth]:
        return {
            physical: self._depth(physical)
            for physical in {self._names.physical(name) for name in names if self._is_ours(name)}
        }

    def _depth(self, physical: str) -> Depth:
        with aws_calls("SQS"):
            answer = self._sqs.get_queue_attributes(
                QueueUrl=self._names.queue_url(physical),
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesNotVisible",
                    "ApproximateNumberOfMessagesDelayed",
                ],
            )
        found: dict[Any, str] = dict(answer["Attributes"])
        return Depth(
            visible=int(found["ApproximateNumberOfMessages"]),
            hidden=int(found["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(found["ApproximateNumberOfMessagesDelayed"]),
        )

    # --- dead letters ---

    def redrive(self, queue: str, ids: Collection[str] | None, *, now: int) -> int:
        revived = self._outbox.revive(queue, ids, now=now)
        if revived:
            self._forward_now()
            self._remove_copies(queue, revived)
        return len(revived)

    def discard(self, queue: str, ids: Collection[str], *, now: int, by: str, reason: str) -> int:
        gone = self._give_up(queue, ids, now=now, by=by, reason=reason)
        if gone:
            self._remove_copies(queue, gone)
        return len(gone)

    def _forward_now(self) -> None:
        try:
            self._forward()
        except Outage as outage:
            log.warning("it is left to the schedule to forward this: %s", outage)

    def _remove_copies(self, queue: str, ids: Collection[str]) -> None:
        """The rows are what counts, and they are done; copies that stay are cleared away by the undertaker."""
        try:
            self._dead.remove(self._names.dead_with(queue), set(ids))
        except Outage as outage:
            log.warning("copies stay in the dead-letter queue of %s for now: %s", queue, outage)


_Counts = dict[str, tuple[int, int]]


class _Rows(NamedTuple):
    """Queue → how many rows, and when the oldest was sent. `live`: what is to be worked now, wherever it is."""

    live: _Counts
    delayed: _Counts
    dead: _Counts


def _rows(connection: sa.Connection, now: int) -> _Rows:
    # The orders that SQS has are counted there, where most of them have no row.
    counted_by_sqs = sa.and_(_m.queue == ORDERS, _m.owner == OUTSIDE)
    held = sa.and_(_HELD, sa.not_(sa.func.coalesce(counted_by_sqs, sa.false())))
    return _Rows(
        live=_counts(connection, sa.or_(held, sa.and_(_DELAYED, _m.available_at <= now))),
        delayed=_counts(connection, _DELAYED, _m.available_at > now),
        dead=_counts(connection, DEAD),
    )


def _counts(connection: sa.Connection, *where: sa.ColumnElement[bool] | sa.TextClause) -> _Counts:
    query = sa.select(_m.queue, sa.func.count(), sa.func.min(_m.sent_at)).where(*where).group_by(_m.queue)
    return {queue: (count, oldest) for queue, count, oldest in connection.execute(query)}


def _figures_of(name: str, rows: _Rows, depth: Depth, now: int) -> QueueFigures:
    live, oldest = rows.live.get(name, (0, now))
    delayed, dead = rows.delayed.get(name, (0, 0))[0], rows.dead.get(name, (0, 0))[0]
    in_flight = depth.hidden if name == ORDERS else min(live, depth.hidden)
    return QueueFigures(
        name=name,
        waiting=live + depth.visible if name == ORDERS else live - in_flight,
        in_flight=in_flight,
        delayed=delayed + (depth.delayed if name == ORDERS else 0),
        dead=dead,
        oldest_age_s=max(0, now - oldest) / 1000,
    )
