"""Kept answers on both databases: `Idempotency-Key` at the level of its table, concurrency included."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from dealerflow.adapters.database.engine import open_engine
from dealerflow.adapters.database.idempotency import SqlKeptAnswers
from dealerflow.adapters.database.session import Session
from dealerflow.adapters.database.tables import metadata, settings
from dealerflow.application.calls import KEPT_MS, Answer, Call, KeyReused, answer, call_of, once

NOW = 1_790_000_000_000


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    url = (
        f"sqlite:///{tmp_path / 'd.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    engine = open_engine(url)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


def call(body: bytes = b"{}", key: str = "k", caller: str = "acc_1", path: str = "/x") -> Call:
    return call_of(caller, "POST", path, key, body)


def made(engine: sa.Engine, asked: Call, given: Answer, now: int = NOW) -> tuple[Answer, bool]:
    with engine.begin() as connection:
        return once(SqlKeptAnswers(Session(connection)), asked, lambda: given, now=now)


def test_an_answer_is_given_again_with_its_headers(engine: sa.Engine) -> None:
    first = answer(201, {"id": "é"}, {"Location": "/x/1"})
    assert made(engine, call(), first) == (first, False)
    assert made(engine, call(), answer(500)) == (first, True)


def test_another_body_with_the_key_is_refused(engine: sa.Engine) -> None:
    made(engine, call(b"1"), answer(200))
    with pytest.raises(KeyReused):
        made(engine, call(b"2"), answer(200))


@pytest.mark.parametrize("other", [call(key="k2"), call(caller="acc_2"), call(path="/y")])
def test_keys_are_of_one_caller_and_path(engine: sa.Engine, other: Call) -> None:
    made(engine, call(), answer(200, 1))
    assert made(engine, other, answer(200, 2)) == (answer(200, 2), False)


def test_only_good_answers_are_kept(engine: sa.Engine) -> None:
    made(engine, call(), answer(409))
    assert made(engine, call(b"other"), answer(200)) == (answer(200), False)


def test_work_that_failed_leaves_its_key_free(engine: sa.Engine) -> None:
    def fail() -> Answer:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), engine.begin() as connection:
        once(SqlKeptAnswers(Session(connection)), call(), fail, now=NOW)
    assert made(engine, call(), answer(200)) == (answer(200), False)


def test_after_a_day_a_key_is_new_again(engine: sa.Engine) -> None:
    made(engine, call(b"1"), answer(200, 1))
    assert made(engine, call(b"2"), answer(200, 2), NOW + KEPT_MS) == (answer(200, 2), False)


def test_old_answers_are_forgotten(engine: sa.Engine) -> None:
    made(engine, call(key="old"), answer(200), NOW)
    made(engine, call(key="new"), answer(200), NOW + 10)
    with engine.begin() as connection:
        assert SqlKeptAnswers(Session(connection)).forget(NOW) == 1


def test_of_many_at_once_with_one_key_one_does_the_work(engine: sa.Engine) -> None:
    def work(number: int) -> tuple[Answer, bool]:
        with engine.begin() as connection:

            def run() -> Answer:
                connection.execute(sa.insert(settings).values(name=f"work {number}", value=""))
                return answer(200, number)

            return once(SqlKeptAnswers(Session(connection)), call(), run, now=NOW)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(work, range(16)))
    assert len({given.body for given, _ in answers}) == 1
    assert sum(not replayed for _, replayed in answers) == 1
    with engine.begin() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(settings)).scalar_one() == 1
