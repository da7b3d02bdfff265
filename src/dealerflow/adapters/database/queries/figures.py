"""How the factory flows: orders and times in each state, first-pass yield, defects, the queues of the lines."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.queries.orders import waiting_states
from dealerflow.adapters.database.queries.reading import read_defects, read_lines, reading
from dealerflow.application.ports import Clock
from dealerflow.application.records import Line
from dealerflow.application.views import DefectFigures, FiguresView, FirstPass, LineView, StateFigures, moment
from dealerflow.application.work import Pipelines
from dealerflow.domain.languages import in_language
from dealerflow.pipeline.definition import Pipeline

LATELY_MS = 90 * 24 * 60 * 60 * 1000
SAMPLE = 5_000  # the newest stays in each state; more would change the second digit at most

_o, _e = t.orders.c, t.entries.c
_by_state = sa.select(_o.state, sa.func.count().label("orders")).group_by(_o.state)


class SqlFigureQueries:
    """Implements `application.queries.FigureQueries`."""

    def __init__(self, engine: sa.Engine, clock: Clock, pipelines: Pipelines) -> None:
        self._engine = engine
        self._clock = clock
        self._pipelines = pipelines

    def figures(self, language: str) -> FiguresView:
        now, pipeline = self._clock.now(), self._pipelines.current
        since = now - LATELY_MS
        with reading(self._engine) as connection:
            counts = {row.state: row.orders for row in connection.execute(_by_state)}
            return FiguresView(
                at=moment(now),
                since=moment(since),
                orders=sum(counts.values()),
                states=_state_figures(connection, pipeline, counts, since, language),
                first_pass=_first_pass(connection, pipeline, since),
                defects=_defects(connection, since, language),
                lines=tuple(_lines(connection, pipeline)),
            )

    def lines(self) -> list[LineView]:
        with reading(self._engine) as connection:
            return _lines(connection, self._pipelines.current)


# --- times ---


def _state_figures(
    connection: sa.Connection, pipeline: Pipeline, counts: dict[str, int], since: int, language: str
) -> tuple[StateFigures, ...]:
    states = [*pipeline.states, *sorted(counts.keys() - pipeline.states.keys())]
    stays = _stays(connection, [name for name in states if not _is_end(pipeline, name)], since)
    figures = []
    for name in states:
        times = sorted(stays.get(name, ()))
        state = pipeline.states.get(name)
        figures.append(
            StateFigures(
                state=name,
                title=in_language(state.title, language) if state else name,
                orders=counts.get(name, 0),
                median_s=_seconds(percentile(times, 50)),
                p95_s=_seconds(percentile(times, 95)),
                sample=len(times),
            )
        )
    return tuple(figures)


def _is_end(pipeline: Pipeline, name: str) -> bool:
    return name in pipeline.states and pipeline.states[name].final


def _stays(connection: sa.Connection, states: Sequence[str], since: int) -> dict[str, list[int]]:
    """How long (ms) each of the newest stays took that ended, by state, in one statement."""
    if not states:
        return {}
    parts = [
        sa.select(_e.state, (_e.left_at - _e.entered_at).label("took"))
        .where(_e.state == state, _e.entered_at >= since, _e.left_at.is_not(None))
        .order_by(_e.entered_at.desc())
        .limit(SAMPLE)
        .subquery()
        for state in states
    ]
    every = sa.union_all(*(sa.select(part.c.state, part.c.took) for part in parts))
    found: dict[str, list[int]] = {}
    for row in connection.execute(every):
        found.setdefault(row.state, []).append(row.took)
    return found


def percentile(ordered: Sequence[int], percent: int) -> int | None:
    """The nearest-rank percentile of values in rising order; None of none."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


# --- quality ---


def _first_pass(connection: sa.Connection, pipeline: Pipeline, since: int) -> FirstPass:
    """A check is a state with an outcome that records a failure; a car's first one counts, when it has been decided."""
    fails = [(m.source, m.outcome.name) for m in pipeline.moves() if "record_failure" in m.outcome.effects]
    checked = passed = 0
    for state, fail in fails:
        earlier = t.entries.alias("earlier")
        again = (
            sa.select(earlier.c.step)
            .where(
                earlier.c.order_id == _e.order_id,
                earlier.c.state == _e.state,
                earlier.c.entered_at < _e.entered_at,
            )
            .exists()
        )
        newest = (
            sa.select(_e.outcome)
            .where(_e.state == state, _e.entered_at >= since, _e.outcome.is_not(None), ~again)
            .order_by(_e.entered_at.desc())
            .limit(SAMPLE)
            .subquery()
        )
        counted = sa.select(newest.c.outcome, sa.func.count()).group_by(newest.c.outcome)
        for outcome, count in connection.execute(counted):
            checked += count
            passed += count if outcome != fail else 0
    return FirstPass(checked=checked, passed=passed, share=passed / checked if checked else None)


def _defects(connection: sa.Connection, since: int, language: str) -> tuple[DefectFigures, ...]:
    d, f = t.failure_defects.c, t.failures.c
    statement = (
        sa.select(d.code, sa.func.count().label("found"))
        .join(t.failures, f.id == d.failure)
        .where(f.at >= since)
        .group_by(d.code)
    )
    found = {row.code: row.found for row in connection.execute(statement)}
    titles = {code.code: in_language(code.title, language) for code in read_defects(connection)}
    codes = sorted({*found, *titles}, key=lambda code: (-found.get(code, 0), code))
    return tuple(
        DefectFigures(code=code, title=titles.get(code, code), count=found.get(code, 0)) for code in codes
    )


# --- lines ---


def _lines(connection: sa.Connection, pipeline: Pipeline) -> list[LineView]:
    lines = read_lines(connection)
    # Counted in one walk along an index; grouping by model would sort all that waits.
    counts = [sa.func.count() if line.models is None else _count_of(line.models) for line in lines]
    waits = sa.select(*(count.label(f"line_{place}") for place, count in enumerate(counts))).where(
        _o.state.in_(sorted(waiting_states(pipeline)))
    )
    waiting = connection.execute(waits).one() if lines else ()
    return [_line(line, int(count or 0)) for line, count in zip(lines, waiting, strict=True)]


def _count_of(models: Sequence[str]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((_o.model.in_(models), 1), else_=0))


def _line(line: Line, waiting: int) -> LineView:
    return LineView(
        id=line.id,
        name=line.name,
        plant=line.plant,
        models=line.models,
        places=line.places,
        taken=line.taken,
        waiting=waiting,
    )
