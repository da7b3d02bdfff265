"""An installation as the command line steers it: on this machine (`embedded.System`) or on AWS (`aws.AwsSystem`)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

from dealerflow.adapters.database.engine import transaction
from dealerflow.adapters.database.tables import orders
from dealerflow.pipeline.definition import Pipeline

if TYPE_CHECKING:
    from dealerflow.adapters.database.pipelines import PipelineLibrary
    from dealerflow.adapters.database.unit_of_work import SqlDatabase
    from dealerflow.application.access import PasswordHasher
    from dealerflow.application.audit import Auditor
    from dealerflow.application.ports import Clock, Ids, QueueConsole, QueueFigures
    from dealerflow.composition.settings import Settings


class Installation(Protocol):
    """What both modes have."""

    @property
    def settings(self) -> Settings: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> Ids: ...
    @property
    def secret(self) -> str:
        """What tokens and links are signed with."""

    @property
    def engine(self) -> sa.Engine: ...
    @property
    def database(self) -> SqlDatabase: ...
    @property
    def store(self) -> QueueConsole: ...
    @property
    def pipelines(self) -> PipelineLibrary: ...
    @property
    def hasher(self) -> PasswordHasher: ...
    @property
    def auditor(self) -> Auditor: ...

    def queue_figures(self) -> list[QueueFigures]:
        """Every queue, by name, as the API tells them: `orders` counts what intake took and nobody has worked yet, too.
        Raises Outage.
        """

    def ring(self, queues: Collection[str] = ()) -> None:
        """Wake who works these queues (all, if none are named), where somebody sleeps."""

    def close(self) -> None:
        """Give back what was opened."""


def stored_pipelines(installation: Installation) -> list[Pipeline]:
    """Every pipeline that an order of this installation may follow, oldest first."""
    return [installation.pipelines.get(pipeline_id) for pipeline_id in installation.pipelines.stored()]


def orders_by_pipeline(installation: Installation) -> dict[str, int]:
    """How many orders follow each version."""
    counted = sa.select(orders.c.pipeline, sa.func.count()).group_by(orders.c.pipeline)
    with transaction(installation.engine, "read") as connection:
        return {str(pipeline): int(count) for pipeline, count in connection.execute(counted)}
