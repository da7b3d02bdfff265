"""Fair turns between groups (start-time fair queueing): a flood of one delays another by at most one turn.

A queue's turn is the highest that was claimed. A message gets the next turn of its group, and a group that
was idle joins at the queue's turn instead of catching up:

    queue at 7:   A floods A8 A9 A10 A11 …   B sends one: B8   claimed by (turn, id): A8 B8 A9 A10 …

A message without a group is a group of its own: it joins at the next turn, and among its like the id decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from dealerflow.adapters.database.tables import groups, queues

_SLICE = 1_000  # names in one statement, far below what either database takes

_q = sa.bindparam("q", type_=sa.Text)
_QUEUE_TURNS = sa.select(queues.c.name, queues.c.turn).where(
    queues.c.name.in_(sa.bindparam("names", expanding=True))
)
_GROUP_TURNS = sa.select(groups.c.group, groups.c.turn).where(
    groups.c.queue == _q, groups.c.group.in_(sa.bindparam("names", expanding=True))
)

_Insert = sqlite.Insert | postgresql.Insert


def _insert(connection: sa.Connection, table: sa.Table) -> _Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


class _Statements:
    """The upserts, made once per dialect so that they are compiled once."""

    def __init__(self, connection: sa.Connection) -> None:
        known = _insert(connection, queues).values(name=sa.bindparam("name"))
        self.make_known = known.on_conflict_do_nothing()
        moved = _insert(connection, groups).values(
            queue=sa.bindparam("queue"), group=sa.bindparam("group"), turn=sa.bindparam("turn")
        )
        higher = sa.case((moved.excluded.turn > groups.c.turn, moved.excluded.turn), else_=groups.c.turn)
        self.move_group = moved.on_conflict_do_update(
            index_elements=["queue", "group"], set_={"turn": higher}
        )


_statements: dict[str, _Statements] = {}


def _for(connection: sa.Connection) -> _Statements:
    name = connection.dialect.name
    if name not in _statements:
        _statements[name] = _Statements(connection)
    return _statements[name]


def make_known(connection: sa.Connection, names: Iterable[str]) -> None:
    """Give each of these queues its row, in one order everywhere so that nobody deadlocks."""
    connection.execute(_for(connection).make_known, [{"name": name} for name in sorted(names)])


def queue_turns(connection: sa.Connection, names: Sequence[str]) -> dict[str, int]:
    """The turn of each queue; those that were unknown are made known."""
    turns = dict(connection.execute(_QUEUE_TURNS, {"names": names}).all())
    unknown = [name for name in names if name not in turns]
    if unknown:
        make_known(connection, unknown)
        turns.update(dict.fromkeys(unknown, 0))
    return turns


def give_turns(connection: sa.Connection, targets: Sequence[tuple[str, str]]) -> list[int]:
    """The turns of new messages for these (queue, group) pairs, in that order; the groups' rows are moved on.

    Two transactions that send for one group at once may give the same turn; then the id, the time, decides.
    """
    counts = Counter(targets)
    by_queue: dict[str, list[str]] = defaultdict(list)
    for queue, group in counts:
        by_queue[queue].append(group)
    starts = queue_turns(connection, list(by_queue))
    last = {target: starts[target[0]] for target in counts}
    for queue, names in by_queue.items():
        for group, turn in _group_turns(connection, queue, names):
            last[queue, group] = max(last[queue, group], turn)
    moved = [
        {"queue": queue, "group": group, "turn": last[queue, group] + count}
        for (queue, group), count in sorted(counts.items())
        if group
    ]
    if moved:
        connection.execute(_for(connection).move_group, moved)
    return _number(targets, last)


def _number(targets: Sequence[tuple[str, str]], last: dict[tuple[str, str], int]) -> list[int]:
    turns = []
    for target in targets:
        turn = last[target] + 1
        turns.append(turn)
        if target[1]:
            last[target] = turn
    return turns


def _group_turns(connection: sa.Connection, queue: str, names: Sequence[str]) -> Iterable[tuple[str, int]]:
    named = [name for name in names if name]
    for start in range(0, len(named), _SLICE):
        rows = connection.execute(_GROUP_TURNS, {"q": queue, "names": named[start : start + _SLICE]})
        yield from ((group, turn) for group, turn in rows)


def forget_idle_groups(connection: sa.Connection) -> None:
    """Delete the rows of groups that their queue has overtaken; without a row a group joins just there."""
    overtaken = sa.select(queues.c.turn).where(queues.c.name == groups.c.queue).scalar_subquery()
    connection.execute(sa.delete(groups).where(groups.c.turn <= overtaken))
