"""Which orders stand on a page: found by keys, so that the millionth page costs what the first one does.

Each list is a merge of lists that an index holds in the right order: one for each dealership and state that is asked
for. A database left to itself may sort everything that waits instead.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import product
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.queries.reading import behind
from dealerflow.adapters.database.search import begins_with, folded, is_called
from dealerflow.application.queries import PageRequest

MOST_FOUND = 1_000  # orders that a search looks at; who finds more is asked to say more
MOST_MERGED = 200  # SQLite takes 500 parts of a UNION

_o, _c, _v = t.orders.c, t.customers.c, t.vehicles.c


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions of a list. None: no condition. `models` are those that a line builds, `ids` those that a search found."""

    dealerships: tuple[str, ...] | None = None
    states: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    line: str | None = None
    load: str | None = None
    ids: tuple[str, ...] | None = None
    sort: str = "-placed_at"

    @property
    def down(self) -> bool:
        """Newest first."""
        return self.sort.startswith("-")


class Found(NamedTuple):
    """An order's id, and by what the list is sorted."""

    id: str
    key: int


def page_ids(connection: sa.Connection, wanted: Wanted, page: PageRequest) -> Sequence[Found]:
    """The page's orders, and one more if there are more."""
    if () in (wanted.dealerships, wanted.states, wanted.models, wanted.ids):
        return []
    return [Found(row.id, row.key) for row in connection.execute(_statement(connection, wanted, page))]


def count_of(connection: sa.Connection, wanted: Wanted, most: int) -> int:
    """How many orders there are, counted up to `most`."""
    if () in (wanted.dealerships, wanted.states, wanted.models, wanted.ids):
        return 0
    some = sa.select(_o.id).where(*_conditions(wanted)).limit(most).subquery()
    return connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()


def _statement(connection: sa.Connection, wanted: Wanted, page: PageRequest) -> sa.Select[Any]:
    key = _o.placed_at if wanted.sort.endswith("placed_at") else _o.entered_at
    limit = page.limit + 1
    if wanted.ids is not None or wanted.load is not None:
        return _few(wanted, key, page).limit(limit)
    parts = [
        _in_order(part, key, page).limit(limit).subquery()
        for part in _parts(connection, wanted, key is _o.entered_at)
    ]
    if len(parts) == 1:
        return sa.select(parts[0].c.id, parts[0].c.key)
    merged = sa.union_all(*(sa.select(part.c.id, part.c.key) for part in parts)).subquery()
    columns = (merged.c.key, merged.c.id)
    return (
        sa.select(merged.c.id, merged.c.key)
        .order_by(*(column.desc() if wanted.down else column for column in columns))
        .limit(limit)
    )


def _parts(connection: sa.Connection, wanted: Wanted, by_entry: bool) -> list[Wanted]:
    """The lists to be merged. Only within a state are orders held by when they entered it."""
    states = wanted.states
    if states is None and by_entry:
        states = tuple(states_in_use(connection))
    dealerships = wanted.dealerships
    chosen = list(product(dealerships or (None,), states or (None,)))
    if not chosen or len(chosen) > MOST_MERGED:
        return [msgspec.structs.replace(wanted, states=states)]
    return [
        msgspec.structs.replace(
            wanted,
            dealerships=None if dealership is None else (dealership,),
            states=None if state is None else (state,),
        )
        for dealership, state in chosen
    ]


def _in_order(wanted: Wanted, key: sa.ColumnElement[int], page: PageRequest) -> sa.Select[Any]:
    keys = (key, _o.id)
    leading = "state" if key is _o.entered_at else _leading(wanted)
    return (
        sa.select(_o.id, key.label("key"))
        .where(*_conditions(wanted, leading), *behind(keys, page.after, down=wanted.down))
        .order_by(*(column.desc() if wanted.down else column for column in keys))
    )


def _few(wanted: Wanted, key: sa.ColumnElement[int], page: PageRequest) -> sa.Select[Any]:
    """For few orders: their ids lead to them, and sorting them costs little. The sum keeps databases from walking an index."""
    return _in_order(wanted, key + 0, page)


def _leading(wanted: Wanted) -> str:
    """The condition whose index holds the orders by when they were placed: the narrowest one."""
    given = {"dealership": wanted.dealerships, "model": wanted.models, "line": wanted.line}
    return next((name for name, value in given.items() if value is not None), "state")


def _conditions(wanted: Wanted, leading: str | None = None) -> list[sa.ColumnElement[bool]]:
    """All conditions; `leading` names the one whose index is to be walked, None leaves that to the database."""

    def column(name: str) -> sa.ColumnElement[str]:
        # What does not lead is only compared: the walk along another index would pass nearly every order.
        found: sa.ColumnElement[str] = _o[name]
        leads = leading in (None, name) or (name, leading) == ("dealership", "state")
        return found if leads else found.concat("")

    conditions = (
        _is(column("dealership"), wanted.dealerships),
        _is(column("state"), wanted.states),
        _is(column("model"), wanted.models),
        _is(_o.id, wanted.ids),
        None if wanted.line is None else column("line") == wanted.line,
        None if wanted.load is None else _o.load == wanted.load,
    )
    return [condition for condition in conditions if condition is not None]


def _is(column: sa.ColumnElement[str], values: Collection[str] | None) -> sa.ColumnElement[bool] | None:
    if values is None:
        return None
    return column == next(iter(values)) if len(values) == 1 else column.in_(sorted(values))


def states_in_use(connection: sa.Connection) -> list[str]:
    """Every state in which there is an order, also of pipelines that are no longer current; a probe of an index for each."""
    first = sa.select(sa.func.min(_o.state).label("state")).cte("used", recursive=True)
    following = sa.select(sa.func.min(_o.state)).where(_o.state > first.c.state).scalar_subquery()
    used = first.union_all(sa.select(following).where(first.c.state.is_not(None)))
    return list(connection.execute(sa.select(used.c.state).where(used.c.state.is_not(None))).scalars())


def search(
    connection: sa.Connection, q: str, dealerships: Collection[str] | None, *, emails: bool
) -> tuple[str, ...]:
    """Ids of orders that `q` finds: an id or short number, a VIN (of a scrapped car too), or how a customer's name begins.

    Or last names; with `emails` (who may see them) also how the e-mail address begins. At most `MOST_FOUND` for each of these.
    """
    beginning = folded(q)
    found = [
        sa.select(_o.id).where(is_called(q)),
        sa.select(_o.id).join(t.vehicles, _v.order_id == _o.id).where(_v.vin == q.strip().upper()),
    ]
    if beginning:
        columns = [_c.name_key, _c.surname_key, _c.last_name_key, *([_c.email_key] if emails else [])]
        found += [
            sa.select(_o.id).join(t.customers, _c.order_id == _o.id).where(begins_with(c, beginning))
            for c in columns
        ]
    if dealerships is not None:
        # Only compared: its index holds far more orders than what is searched for.
        found = [select.where(_o.dealership.concat("").in_(sorted(dealerships))) for select in found]
    parts = [select.limit(MOST_FOUND).subquery() for select in found]
    every = sa.union(*(sa.select(part.c.id) for part in parts))
    return tuple(connection.execute(every).scalars())
