"""Two transactions at once on PostgreSQL, where a reader does not keep a writer out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from dealerflow.adapters.database.engine import open_engine
from dealerflow.adapters.database.message_store import SqlMessageStore
from dealerflow.adapters.database.tables import metadata
from dealerflow.adapters.database.unit_of_work import SqlDatabase, SqlUnitOfWork
from dealerflow.application import queues
from dealerflow.application.accounts import change_language
from dealerflow.composition.testing import NOON, CountedIds, OnePipeline, StillClock
from dealerflow.domain.messages import Claimed, SendMail
from dealerflow.domain.people import Account, Membership
from dealerflow.pipeline.loader import standard

DEALER = Account(
    id="acc_1",
    email="dealer@northside.example",
    name="Dee",
    memberships=(Membership(role="dealer", scope="northside"),),
)
LONG_S = 30.0


@pytest.fixture
def database(postgres_url: str) -> Iterator[SqlDatabase]:
    engine = open_engine(postgres_url)
    metadata.create_all(engine)
    yield SqlDatabase(engine, StillClock(), CountedIds(), OnePipeline(standard()))
    engine.dispose()


def wait_for_a_lock(engine: sa.Engine, thread: threading.Thread) -> None:
    """Until the thread's statement waits for another transaction, or the thread has ended."""
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    with engine.connect() as connection:
        while thread.is_alive() and not connection.execute(waiting).scalar():
            connection.rollback()
            thread.join(0.01)


def meanwhile(
    database: SqlDatabase, first: Callable[[SqlUnitOfWork], None], second: Callable[[SqlUnitOfWork], None]
) -> None:
    """`second` is carried out as far as it gets while `first` has not committed yet."""

    def run() -> None:
        with database.begin() as work:
            second(work)

    other = threading.Thread(target=run)
    with database.begin() as work:
        first(work)
        other.start()
        wait_for_a_lock(database.engine, other)
    other.join(LONG_S)
    assert not other.is_alive()


def test_an_account_that_is_closed_while_its_owner_changes_the_language_stays_closed(
    database: SqlDatabase,
) -> None:
    with database.begin() as work:
        work.reference.put_account(DEALER, "hash")
    closed = Account(
        id=DEALER.id,
        email=DEALER.email,
        name=DEALER.name,
        memberships=DEALER.memberships,
        active=False,
        epoch=1,
    )
    meanwhile(
        database,
        lambda work: work.reference.put_account(closed, None),
        lambda work: change_language(work, DEALER.id, "es"),
    )
    with database.read() as work:
        account = work.people.account(DEALER.id)
    assert account is not None
    assert (account.active, account.epoch, account.language) == (False, 1, "es")


@pytest.mark.parametrize("known", [False, True])
def test_two_changes_of_reference_data_at_once_give_two_snapshot_numbers(
    database: SqlDatabase, known: bool
) -> None:
    if known:
        with database.begin() as work:
            work.reference.raise_snapshot_number()
    meanwhile(
        database,
        lambda work: work.reference.raise_snapshot_number(),
        lambda work: work.reference.raise_snapshot_number(),
    )
    with database.read() as work:
        assert work.reference.snapshot_number() == 2 + known


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_worker_that_starts_while_a_dead_one_is_buried_keeps_what_it_claims(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    on_sqlite = kind == "sqlite"
    url = f"sqlite:///{tmp_path / 'a.db'}" if on_sqlite else request.getfixturevalue("postgres_url")
    engine, elsewhere = open_engine(url), open_engine(url)
    metadata.create_all(engine)
    store, starting = SqlMessageStore(engine), SqlMessageStore(elsewhere)
    database = SqlDatabase(engine, StillClock(), CountedIds(), OnePipeline(standard()))
    with database.begin() as work:
        for number in range(2):
            work.send(queues.NOTIFICATIONS, SendMail(mail=f"mal_{number}"))
    store.claim(queues.NOTIFICATIONS, 1, owner="dead", now=NOON)
    mine: list[Claimed] = []

    @sa.event.listens_for(engine, "commit", once=True)
    def claim_between_look_and_release(_connection: sa.Connection) -> None:
        mine.extend(starting.claim(queues.NOTIFICATIONS, 1, owner="just started", now=NOON))

    assert store.release({"alive"}, now=NOON) == 1
    with database.begin() as work:
        work.acknowledge(mine)
    assert len(mine) == 1
    engine.dispose()
    elsewhere.dispose()
