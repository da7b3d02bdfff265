"""SIGKILL at random moments while orders come in and move: nothing is lost and nothing is done twice.

`KILLS=200 make kills` does the same for longer.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from tests.faults.crowd import Crowd
from tests.faults.mail_server import MailServer
from tests.faults.served import Served, serving
from tests.faults.verdict import (
    Ledger,
    audit_is_clean,
    expected_ids,
    holds_what_was_promised,
    maildir,
    message_ids,
    no_unexpected_error,
    nothing_is_doubled,
    settles,
)

KILLS = int(os.environ.get("KILLS", "10"))
ORDERS = int(os.environ.get("KILLS_ORDERS", max(500, 25 * KILLS)))
SEED = os.environ.get("KILLS_SEED", "2026")
VICTIMS = ("worker", "web", "supervisor", "everything")
LONGEST_HESITATION_S = 0.2


class Killer(threading.Thread):
    """Kills one process after another: each when so many orders have been taken, and a random moment later."""

    def __init__(
        self, kill: Callable[[str], None], victims: Sequence[str], *, orders: int, seed: str
    ) -> None:
        super().__init__(name="killer", daemon=True)
        random = Random(f"{seed} kills")
        at = sorted(random.sample(range(orders // 50, orders - orders // 50), len(victims)))
        self.plan = list(zip(at, random.sample(victims, len(victims)), strict=True))
        self.killed: list[str] = []
        self.failure: BaseException | None = None
        self._hesitations = [random.random() * LONGEST_HESITATION_S for _ in victims]
        self._kill = kill
        self._taken = 0
        self._changed = threading.Condition()

    def taken(self, count: int) -> None:
        """So many orders have been taken."""
        with self._changed:
            self._taken = count
            self._changed.notify()

    def run(self) -> None:
        try:
            for (count, victim), hesitation in zip(self.plan, self._hesitations, strict=True):
                self._wait(count, hesitation)
                self._kill(victim)
                self.killed.append(victim)
        except BaseException as failure:  # noqa: BLE001 - it is raised where the test is
            self.failure = failure

    def check(self) -> None:
        """Raises what went wrong with killing."""
        if self.failure is not None:
            raise self.failure

    def _wait(self, count: int, hesitation: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._taken >= count)
            self._changed.wait_for(lambda: False, hesitation)


def live_and_kill(
    served: Served, victims: Sequence[str], *, orders: int, kill: Callable[[str], None] | None = None
) -> Crowd:
    """Let a crowd live while these victims are killed; wait until everything has been worked."""
    tokens = served.tokens()
    crowd = Crowd(served.url, tokens, orders=orders, seed=SEED)
    killer = Killer(kill or served.kill, victims, orders=orders, seed=SEED)
    crowd.on_taken, crowd.before_each_call = killer.taken, killer.check
    killer.start()
    asyncio.run(crowd.lives())
    killer.join()
    killer.check()
    assert sorted(killer.killed) == sorted(victims)
    served.wait_until_ready()
    settles(served, tokens["operator"])
    return crowd


def each_in_turn(victims: Sequence[str], kills: int) -> list[str]:
    return [victims[number % len(victims)] for number in range(kills)]


def nothing_was_lost_or_done_twice(served: Served, crowd: Crowd) -> Ledger:
    checked = audit_is_clean(served)
    assert checked["orders"] == crowd.number
    ledger = Ledger(served)
    holds_what_was_promised(crowd, ledger)
    nothing_is_doubled(ledger)
    no_unexpected_error(served.log)
    return ledger


@pytest.mark.xdist_group("kills")
def test_nothing_is_lost_or_done_twice_while_processes_are_killed(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as served:
        crowd = live_and_kill(served, each_in_turn(VICTIMS, KILLS), orders=ORDERS)
        ledger = nothing_was_lost_or_done_twice(served, crowd)

        ids = message_ids(maildir(served))
        expected_ids(ledger, ids)
        assert set(ids.values()) == {1}, "no mail lies in the Maildir twice"


@pytest.mark.xdist_group("kills")
def test_a_kill_doubles_at_most_the_mail_in_flight_and_with_the_same_message_id(tmp_path: Path) -> None:
    victims = each_in_turn(("worker", "worker", "supervisor", "worker", "everything"), max(5, KILLS // 2))
    with MailServer().running() as mail, serving(tmp_path / "data", smtp_url=mail.url) as served:
        crowd = live_and_kill(served, victims, orders=ORDERS * 3 // 10)
        ledger = nothing_was_lost_or_done_twice(served, crowd)

        expected_ids(ledger, mail.ids())
        doubled = Counter({id_: count - 1 for id_, count in mail.ids().items() if count > 1})
        assert doubled.total() <= len(victims), "each kill finds at most one mail on its way"
        contents = {(one.message_id, one.to, one.subject) for one in mail.taken}
        assert len(contents) == len(ledger.mails), "a mail that came twice is the same mail"


@pytest.mark.xdist_group("kills")
def test_workers_on_postgresql_are_killed_and_others_do_their_work(tmp_path: Path, postgres_url: str) -> None:
    with serving(tmp_path / "data", database_url=postgres_url) as served, ExitStack() as closing:
        helpers = [closing.enter_context(served.worker())]

        def kill(victim: str) -> None:
            if victim != "helper":
                served.kill(victim)
                return
            helpers[-1].kill()
            helpers[-1].wait()
            helpers.append(closing.enter_context(served.worker()))

        victims = each_in_turn(("helper", "worker", "helper", "everything", "web"), max(5, KILLS // 2))
        crowd = live_and_kill(served, victims, orders=ORDERS * 2 // 10, kill=kill)
        ledger = nothing_was_lost_or_done_twice(served, crowd)
        expected_ids(ledger, message_ids(maildir(served)))
