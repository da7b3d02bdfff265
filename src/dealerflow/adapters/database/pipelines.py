"""The pipeline versions that orders follow: each is kept with its text, so that an order can end as it began."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from dealerflow.adapters.database import tables as t
from dealerflow.adapters.database.engine import transaction
from dealerflow.domain.errors import NotFound
from dealerflow.pipeline.definition import Pipeline


class PipelineLibrary:
    """Implements `application.work.Pipelines` over the table of pipelines. `read` makes a pipeline of a text."""

    def __init__(self, engine: sa.Engine, current: Pipeline, read: Callable[[str], Pipeline]) -> None:
        self._engine = engine
        self._read = read
        self._current = current
        # A pipeline never changes (its id follows from its text), so what was read once holds for good.
        self._known = {current.id: current}

    @property
    def current(self) -> Pipeline:
        return self._current

    def get(self, pipeline_id: str) -> Pipeline:
        """Raises NotFound for one that was never stored, Outage, PipelineError if this program cannot read
        it any more.
        """
        if pipeline_id not in self._known:
            self._known[pipeline_id] = self._read(self._text(pipeline_id))
        return self._known[pipeline_id]

    def _text(self, pipeline_id: str) -> str:
        # In a transaction of its own: the caller's may be a write, this is a read of what never changes.
        with transaction(self._engine, "read") as connection:
            body = connection.execute(
                sa.select(t.pipelines.c.body).where(t.pipelines.c.id == pipeline_id)
            ).scalar()
        if body is None:
            raise NotFound(f"there is no pipeline {pipeline_id}")
        return str(body)

    def stored(self) -> list[str]:
        """The ids of all that are kept, oldest first."""
        with transaction(self._engine, "read") as connection:
            return list(connection.execute(sa.select(t.pipelines.c.id).order_by(t.pipelines.c.at)).scalars())

    def store(self, at: int) -> None:
        """Keep the current one, before an order starts with it. One that is kept already is left alone."""
        if self._current.id in self.stored():
            return
        row = {
            "id": self._current.id,
            "name": self._current.name,
            "version": self._current.version,
            "body": self._current.text,
            "at": at,
        }
        insert = sa.text(
            "INSERT INTO pipelines (id, name, version, body, at) VALUES (:id, :name, :version, :body, :at) "
            "ON CONFLICT (id) DO NOTHING"
        )
        with transaction(self._engine) as connection:
            connection.execute(insert, row)
