"""Laws of the message store, tried with any sequence of actions: every adapter does what the one in memory does."""

from __future__ import annotations

from itertools import count
from typing import Any

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from pysqlite3 import dbapi2 as safe_sqlite
from sqlalchemy.pool import StaticPool

from dealerflow.adapters.database.engine import transaction
from dealerflow.adapters.database.message_store import SqlMessageStore, acknowledge, send_all
from dealerflow.adapters.database.tables import groups, messages, metadata, queues
from dealerflow.adapters.memory.message_store import MemoryMessageStore
from dealerflow.application.queues import QueuePolicy
from dealerflow.domain.errors import LeaseLost
from dealerflow.domain.messages import Claimed, Envelope, SendMail

QUEUES = ("free", "ordered")
OWNERS = ("w1", "w2")
Pair = tuple[Claimed, Claimed]


def of_policy(queue: str) -> QueuePolicy:
    return QueuePolicy(ordered=queue == "ordered", lease_ms=1_000)


def in_ram() -> sa.Engine:
    """SQLite without a disk: one connection, shared."""
    engine = sa.create_engine("sqlite://", module=safe_sqlite, poolclass=StaticPool)
    metadata.create_all(engine, tables=[queues, groups, messages])
    return engine


class SqlDoesWhatMemoryDoes(RuleBasedStateMachine):
    """Both stores get the same actions; claims, figures and dead letters must be the same all along."""

    given = Bundle("claimed")

    def __init__(self) -> None:
        super().__init__()
        self.engine = in_ram()
        self.sql = SqlMessageStore(self.engine, policies=of_policy)
        self.memory = MemoryMessageStore(policies=of_policy)
        self.now = 0
        self.numbers = count(1)

    def teardown(self) -> None:
        self.engine.dispose()

    @rule(
        queue=st.sampled_from(QUEUES),
        of_groups=st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=5),
        delay=st.sampled_from([0, 0, 0, 300]),
    )
    def send(self, queue: str, of_groups: list[str], delay: int) -> None:
        sent = []
        for group in of_groups:
            name = f"msg_{next(self.numbers):06d}"
            sent.append((Envelope(id=name, queue=queue, message=SendMail(mail=name), group=group), delay))
        with transaction(self.engine) as connection:
            send_all(connection, sent, self.now)
        self.memory.send_all(sent, self.now)

    @rule(target=given, queue=st.sampled_from(QUEUES), limit=st.integers(0, 4), owner=st.sampled_from(OWNERS))
    def claim(self, queue: str, limit: int, owner: str) -> Any:
        by_sql = self.sql.claim(queue, limit, owner=owner, now=self.now)
        by_memory = self.memory.claim(queue, limit, owner=owner, now=self.now)
        assert [(one.envelope, one.attempt) for one in by_sql] == [
            (one.envelope, one.attempt) for one in by_memory
        ]
        return multiple(*zip(by_sql, by_memory, strict=True))

    @rule(pair=consumes(given))
    def acknowledge(self, pair: Pair) -> None:
        assert self._loses(pair, sql=True) == self._loses(pair, sql=False)

    def _loses(self, pair: Pair, *, sql: bool) -> bool:
        try:
            if sql:
                with transaction(self.engine) as connection:
                    acknowledge(connection, pair[:1])
            else:
                self.memory.acknowledge(pair[1:])
        except LeaseLost:
            return True
        return False

    @rule(pair=consumes(given), wait=st.sampled_from([0, 200]), failed=st.booleans())
    def put_back(self, pair: Pair, wait: int, failed: bool) -> None:
        self.sql.put_back(pair[:1], at=self.now + wait, error="no", failed=failed)
        self.memory.put_back(pair[1:], at=self.now + wait, error="no", failed=failed)

    @rule(pair=consumes(given))
    def bury(self, pair: Pair) -> None:
        self.sql.bury(pair[:1], now=self.now, error="no")
        self.memory.bury(pair[1:], now=self.now, error="no")

    @rule(pair=given)
    def renew(self, pair: Pair) -> None:
        self.sql.renew(pair[:1], now=self.now)
        self.memory.renew(pair[1:], now=self.now)

    @rule(alive=st.sets(st.sampled_from(OWNERS)))
    def release(self, alive: set[str]) -> None:
        assert self.sql.release(alive, now=self.now) == self.memory.release(alive, now=self.now)

    @rule(queue=st.sampled_from(QUEUES), paused=st.booleans())
    def pause_or_resume(self, queue: str, paused: bool) -> None:
        for store in (self.sql, self.memory):
            (store.pause if paused else store.resume)(queue)

    @rule(queue=st.sampled_from(QUEUES))
    def close(self, queue: str) -> None:
        self.sql.close(queue, until=self.now + 200)
        self.memory.close(queue, until=self.now + 200)

    @rule(queue=st.sampled_from(QUEUES))
    def redrive(self, queue: str) -> None:
        assert self.sql.redrive(queue, None, now=self.now) == self.memory.redrive(queue, None, now=self.now)

    @rule(passed=st.sampled_from([1, 150, 1_000, 60_000]))
    def time_passes(self, passed: int) -> None:
        self.now += passed

    @invariant()
    def both_say_the_same(self) -> None:
        assert self.sql.figures(now=self.now) == self.memory.figures(now=self.now)
        for queue in QUEUES:
            assert self.sql.dead_letters(queue, limit=99) == self.memory.dead_letters(queue, limit=99)
            assert self.sql.is_open(queue, now=self.now) == self.memory.is_open(queue, now=self.now)


TestSqlDoesWhatMemoryDoes = SqlDoesWhatMemoryDoes.TestCase
TestSqlDoesWhatMemoryDoes.settings = settings(max_examples=60, stateful_step_count=40)
