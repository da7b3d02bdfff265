"""The read side on SQL: one file for each noun, a few statements for each page, all in one read transaction."""

from __future__ import annotations

import sqlalchemy as sa

from dealerflow.adapters.database.queries.documents import SqlDocumentQueries
from dealerflow.adapters.database.queries.events import SqlEventQueries
from dealerflow.adapters.database.queries.figures import SqlFigureQueries
from dealerflow.adapters.database.queries.loads import SqlLoadQueries
from dealerflow.adapters.database.queries.orders import SqlOrderQueries
from dealerflow.adapters.database.queries.webhooks import SqlWebhookQueries
from dealerflow.application.ports import Clock
from dealerflow.application.work import Pipelines

__all__ = ["SqlQueries"]


class SqlQueries:
    """Implements `application.queries.Queries`."""

    def __init__(self, engine: sa.Engine, clock: Clock, pipelines: Pipelines) -> None:
        self.orders = SqlOrderQueries(engine, pipelines)
        self.documents = SqlDocumentQueries(engine)
        self.loads = SqlLoadQueries(engine, pipelines)
        self.events = SqlEventQueries(engine)
        self.figures = SqlFigureQueries(engine, clock, pipelines)
        self.webhooks = SqlWebhookQueries(engine)
