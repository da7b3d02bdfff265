"""What a function's handler does for one message, warm: processor time, SQL, commits, calls to AWS, over a local PostgreSQL.

The real handlers in one process (`tests.aws.in_small`): what stands behind boto3's clients answers at once, so its time is
nearly nothing, and what is left is ours and the database's. The measure beside it is a bare one-row commit on the same
server. That server does not sync to disk: on one that does, both take longer by the same for each commit.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg
import sqlalchemy as sa

from benchmarks.aws_deployed import demo_database, postgres
from benchmarks.aws_lives import live, live_once
from tests.aws.in_small import InSmall
from tests.aws.small import WEB
from tests.stories.driver import People

BARE_COMMITS = 3_000
DEAREST = 6  # statements that are told of each function


@dataclass
class Work:
    """What some calls of one function came to."""

    messages: int = 0
    calls: int = 0
    cpu_s: float = 0
    wall_s: float = 0
    commits: int = 0
    aws_calls: int = 0
    statements: Counter[str] = field(default_factory=Counter)

    def figures(self, commit_ms: float) -> dict[str, Any]:
        """Of one message. `commit_ms`: a bare one-row commit."""
        ms, commits = self.wall_s * 1000 / self.messages, self.commits / self.messages
        return {
            "messages": self.messages,
            "cpu_ms": round(self.cpu_s * 1000 / self.messages, 2),
            "ms": round(ms, 2),
            "statements": round(self.statements.total() / self.messages, 1),
            "commits": round(commits, 2),
            "aws_calls": round(self.aws_calls / self.messages, 2),
            "bare_commits_ms": round(commits * commit_ms, 2),
            "times_the_bare_commits": round(ms / (commits * commit_ms), 1) if commits else None,
        }


class Metered(InSmall):
    """Measures each call of a function."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.work_of: defaultdict[str, Work] = defaultdict(Work)
        self._at = WEB  # whose statements are counted now
        self._given = 1
        sa.event.listen(self.system.engine, "before_cursor_execute", self._executes)
        sa.event.listen(self.system.engine, "commit", self._commits)

    def forget(self) -> None:
        """What was measured so far was to become warm."""
        self.work_of.clear()

    def _function(self, queue: str, records: list[dict[str, Any]]) -> None:
        self._given = len(records)
        super()._function(queue, records)
        self._given = 1

    def _survives(self, function: str, call: Callable[[], object]) -> bool:
        work = self.work_of[function]
        passed = len(self.gate.passed)
        self._at = function
        cpu, wall = time.process_time(), time.perf_counter()
        survived = super()._survives(function, call)
        work.cpu_s += time.process_time() - cpu
        work.wall_s += time.perf_counter() - wall
        self._at = WEB
        work.calls += 1
        work.messages += self._given
        work.aws_calls += _calls(self.gate.passed[passed:])
        return survived

    def _executes(self, *of_statement: Any) -> None:
        self.work_of[self._at].statements[" ".join(of_statement[2].split())] += 1

    def _commits(self, connection: sa.Connection) -> None:
        if connection.get_execution_options().get("mode") != "read":
            self.work_of[self._at].commits += 1


def _calls(passed: Collection[str]) -> int:
    """How many of these points are calls to AWS by a function; it is Lambda that deletes from SQS."""
    points = (point.partition(": ")[2] for point in passed)
    ours = (point for point in points if point.startswith("before "))
    return sum(point not in {"before commit", "before sqs delete"} for point in ours)


def measure(*, statements: bool = False) -> dict[str, Any]:
    """All functions that work an order's messages, and the relay when it finds nothing. `statements`: the most frequent, too."""
    with postgres() as server, demo_database(server) as url, Metered(url).running() as small:
        assert isinstance(small, Metered)
        dealerflow = People(small)
        live_once(dealerflow)
        commit_ms = bare_commit_ms(url)
        small.forget()
        orders = live(dealerflow)
        for _ in range(20):
            small.schedule()
        web = small.work_of.pop(WEB)
        figures = {name: work.figures(commit_ms) for name, work in sorted(small.work_of.items())}
        if statements:
            for name, work in small.work_of.items():
                figures[name]["dearest"] = {
                    statement: round(times / work.messages, 2)
                    for statement, times in work.statements.most_common(DEAREST)
                }
    return {
        "orders": len(orders),
        "bare_commit_ms": round(commit_ms, 3),
        "of_a_message": figures,
        "of_an_order": {
            "cpu_ms": round(sum(w.cpu_s for w in small.work_of.values()) * 1000 / len(orders)),
            "statements": round(sum(w.statements.total() for w in small.work_of.values()) / len(orders)),
            "commits": round(sum(w.commits for w in small.work_of.values()) / len(orders)),
            "commits_of_web": round(web.commits / len(orders)),
        },
    }


def bare_commit_ms(url: str) -> float:
    """The median of one-row commits on this server, one after another."""
    address = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(address, autocommit=True)) as connection:
        connection.execute("CREATE TEMPORARY TABLE written (body text)")
        taken = []
        for _ in range(BARE_COMMITS):
            began = time.perf_counter()
            with connection.transaction():
                connection.execute("INSERT INTO written VALUES ('x')")
            taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000
