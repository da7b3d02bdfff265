"""What whoever counts failed logins keeps: in the memory of one process, and on AWS for many."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dealerflow.adapters.aws.clients import Clients
from dealerflow.adapters.aws.names import Names
from dealerflow.adapters.aws.tries import DynamoTries
from dealerflow.application.tries import Limit, Tries
from dealerflow.domain.errors import TooManyTries, Unauthenticated
from tests.ministack import ACCOUNT, REGION, MiniStack

MINUTE = 60_000
COARSE = 0.1  # so much longer than it must, of the time that counts, a name may have to wait
NAMES = Names(stack="shop", region=REGION, account=ACCOUNT)

Make = Callable[[int, int], Limit]


@pytest.fixture
def on_aws(aws: MiniStack) -> Make:
    clients = Clients(REGION, tries=1)
    clients.dynamodb.create_table(
        TableName=NAMES.table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return lambda most, within_ms: DynamoTries(clients, NAMES, "account", most, within_ms)


@pytest.fixture(params=["in_memory", "on_aws"])
def limit(request: pytest.FixtureRequest) -> Make:
    return Tries if request.param == "in_memory" else request.getfixturevalue("on_aws")


def fail(tries: Limit, name: str, now: int) -> None:
    with pytest.raises(Unauthenticated), tries.one(name, now):
        raise Unauthenticated


def test_after_its_last_try_a_name_has_to_wait(limit: Make) -> None:
    tries = limit(3, MINUTE)
    for now in (0, 10, 20):
        fail(tries, "ana", now)
    with pytest.raises(TooManyTries) as refused, tries.one("ana", 30):
        pass
    assert 60 <= refused.value.retry_after_s <= 60 + 60 * COARSE
    with tries.one("ana", 30 + refused.value.retry_after_s * 1000):
        pass


def test_no_span_of_time_sees_more_tries_than_there_may_be(limit: Make) -> None:
    tries = limit(3, MINUTE)
    admitted = []
    for now in range(MINUTE - 10_000, 4 * MINUTE, 2_000):
        try:
            fail(tries, "ana", now)
        except TooManyTries:
            continue
        admitted.append(now)
    for at in admitted:
        assert sum(at - MINUTE < other <= at for other in admitted) <= 3
    assert len(admitted) >= 3 * 3, "nor does it have to wait for ever"


def test_a_refused_try_does_not_prolong_the_wait(limit: Make) -> None:
    tries = limit(1, MINUTE)
    fail(tries, "ana", 0)
    for now in range(1_000, MINUTE, 5_000):
        with pytest.raises(TooManyTries), tries.one("ana", now):
            pass
    with tries.one("ana", MINUTE + round(MINUTE * COARSE)):
        pass


def test_one_name_does_not_hold_up_another(limit: Make) -> None:
    tries = limit(1, MINUTE)
    fail(tries, "ana", 0)
    fail(tries, "ben", 0)


def test_what_succeeds_does_not_count(limit: Make) -> None:
    tries = limit(2, MINUTE)
    for now in range(10):
        with tries.one("ana", now):
            pass
    fail(tries, "ana", 20)


def test_tries_that_go_on_at_the_same_time_count(limit: Make) -> None:
    tries = limit(2, MINUTE)
    with tries.one("ana", 0), tries.one("ana", 0), pytest.raises(TooManyTries), tries.one("ana", 0):
        pass


def test_an_outage_is_no_failed_try(limit: Make) -> None:
    tries = limit(1, MINUTE)
    with pytest.raises(OSError, match="away"), tries.one("ana", 0):
        raise OSError("away")
    fail(tries, "ana", 1)


def test_all_instances_of_a_function_count_together(on_aws: Make) -> None:
    fail(on_aws(2, MINUTE), "ana", 0)
    fail(on_aws(2, MINUTE), "ana", 1)
    with pytest.raises(TooManyTries), on_aws(2, MINUTE).one("ana", 2):
        pass
