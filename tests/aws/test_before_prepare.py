"""Between the first deployment and the first call of `prepare` the database is empty, and the schedules come all the same."""

from __future__ import annotations

from dealerflow.adapters.database import schema
from dealerflow.composition.aws_upkeep import RelayRun, audit
from tests.aws.small_installations import NewSmall


def test_the_relay_waits_for_the_tables(new_small: NewSmall) -> None:
    with new_small() as small:
        schema.downgrade(small.system.engine)
        relay = RelayRun(small.system)
        relayed = relay()
        assert (relayed.forwarded, relayed.trouble) == (0, "the database is not prepared: call prepare")
        schema.upgrade(small.system.engine)
        assert relay().trouble is None


def test_the_audit_finds_nothing_wrong_where_there_is_nothing(new_small: NewSmall) -> None:
    with new_small() as small:
        schema.downgrade(small.system.engine)
        assert audit(small.system).clean
