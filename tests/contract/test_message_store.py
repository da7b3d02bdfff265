"""The contract of the message store, over memory, SQLite and PostgreSQL. The operator's part: `test_queue_console`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from dealerflow.adapters.database.engine import open_engine, transaction
from dealerflow.adapters.database.message_store import SqlMessageStore, acknowledge, send_all
from dealerflow.adapters.database.tables import messages, metadata
from dealerflow.adapters.memory.message_store import MemoryMessageStore
from dealerflow.application.ports import MessageStore, QueueFigures
from dealerflow.application.queues import QueuePolicy
from dealerflow.domain.errors import LeaseLost
from dealerflow.domain.messages import Claimed, Envelope, SendMail, Unreadable

LEASE_MS = 60_000
POLICIES = {"mail": QueuePolicy(ordered=False), "lines": QueuePolicy(ordered=True)}


@dataclass
class Subject:
    """A store with the two functions that belong to a unit of work. What it can do is declared, never guessed."""

    store: MessageStore
    send_all: Callable[[Sequence[tuple[Envelope, int]], int], None]
    acknowledge: Callable[[Sequence[Claimed]], None]
    engine: sa.Engine | None = None
    reopen: Callable[[], MessageStore] | None = None
    """Another store on the same data, as after a restart; None where nothing outlives the process."""
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def stores_text(self) -> bool:
        """Messages lie outside the process, where a stored text may turn out to be unreadable."""
        return self.engine is not None

    def send(self, queue: str, *groups: str, now: int = 0, delay: int = 0) -> list[str]:
        """One message for each group, in one transaction; their ids."""
        sent = []
        for group in groups:
            number = next(self.numbers)
            mail = SendMail(mail=f"mai_{number:06d}")
            sent.append(Envelope(id=f"msg_{number:06d}", queue=queue, message=mail, group=group, sent_at=now))
        self.send_all([(envelope, delay) for envelope in sent], now)
        return [envelope.id for envelope in sent]

    def claim(self, queue: str, limit: int = 100, *, owner: str = "one", now: int = 0) -> list[Claimed]:
        return self.store.claim(queue, limit, owner=owner, now=now)

    def figures(self, queue: str, *, now: int = 0) -> QueueFigures:
        return next(figures for figures in self.store.figures(now=now) if figures.name == queue)


def of_policy(queue: str) -> QueuePolicy:
    return POLICIES.get(queue, QueuePolicy(ordered=False))


def in_memory() -> Subject:
    store = MemoryMessageStore(policies=of_policy)
    return Subject(store, store.send_all, store.acknowledge)


def on_sql(url: str) -> Subject:
    engine = open_engine(url)
    metadata.create_all(engine)

    def send(sent: Sequence[tuple[Envelope, int]], now: int) -> None:
        with transaction(engine) as connection:
            send_all(connection, sent, now)

    def done(claimed: Sequence[Claimed]) -> None:
        with transaction(engine) as connection:
            acknowledge(connection, claimed)

    def reopen() -> MessageStore:
        engine.dispose()
        return SqlMessageStore(engine, policies=of_policy)

    return Subject(SqlMessageStore(engine, policies=of_policy), send, done, engine=engine, reopen=reopen)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    if request.param == "memory":
        yield in_memory()
        return
    on_file = request.param == "sqlite"
    made = on_sql(f"sqlite:///{tmp_path}/store.db" if on_file else request.getfixturevalue("postgres_url"))
    yield made
    assert made.engine is not None
    made.engine.dispose()


def ids(claimed: Sequence[Claimed]) -> list[str]:
    return [one.envelope.id for one in claimed]


def groups(claimed: Sequence[Claimed]) -> str:
    return "".join(one.envelope.group for one in claimed)


def test_a_message_is_claimed_as_it_was_sent(subject: Subject) -> None:
    message = SendMail(mail="mai_ñ")
    envelope = Envelope(
        id="msg_1", queue="mail", message=message, group="north", order="ord_1", sent_at=7, trace="00-ab"
    )
    subject.send_all([(envelope, 0)], 9)
    [claimed] = subject.claim("mail")
    assert claimed.envelope == envelope
    assert claimed.attempt == 1


def test_a_message_without_a_time_of_sending_gets_it_from_the_store(subject: Subject) -> None:
    subject.send_all([(Envelope(id="msg_1", queue="mail", message=SendMail(mail="m")), 0)], 9)
    assert subject.claim("mail")[0].envelope.sent_at == 9


def test_an_empty_or_unknown_queue_gives_nothing(subject: Subject) -> None:
    assert subject.claim("mail") == []
    subject.store.declare(["mail"])
    assert subject.claim("mail") == []


def test_sending_nothing_does_nothing(subject: Subject) -> None:
    subject.send_all([], 0)
    subject.acknowledge([])
    assert subject.store.figures(now=0) == []


def test_a_claimed_message_is_not_given_again_and_an_acknowledged_one_is_gone(subject: Subject) -> None:
    subject.send("mail", "a", "a")
    claimed = subject.claim("mail")
    assert subject.claim("mail", owner="two") == []
    assert subject.figures("mail").in_flight == 2
    subject.acknowledge(claimed)
    assert subject.figures("mail") == QueueFigures(name="mail")


def test_a_claim_gives_no_more_than_its_limit(subject: Subject) -> None:
    sent = subject.send("mail", *"aaaaa")
    assert ids(subject.claim("mail", 2)) == sent[:2]
    assert ids(subject.claim("mail", 2)) == sent[2:4]
    assert ids(subject.claim("mail", 2)) == sent[4:]
    assert subject.claim("mail", 0) == []


def test_a_batch_larger_than_one_statement_passes_whole(subject: Subject) -> None:
    sent = subject.send("mail", *(f"g{number}" for number in range(1_500)))
    claimed = subject.claim("mail", 2_000)
    assert sorted(ids(claimed)) == sent
    subject.acknowledge(claimed)
    assert subject.figures("mail") == QueueFigures(name="mail")


def test_queues_do_not_see_each_others_messages(subject: Subject) -> None:
    subject.send("mail", "a")
    [invoice] = subject.send("invoices", "a")
    assert ids(subject.claim("invoices")) == [invoice]


# --- order and turns -------------------------------------------------------------------------------------


def test_within_a_group_messages_come_in_the_order_sent(subject: Subject) -> None:
    first, second = subject.send("lines", "a", "a"), subject.send("lines", "a", "a")
    assert ids(subject.claim("lines")) == first + second


def test_a_flood_of_one_group_delays_another_by_at_most_one_turn(subject: Subject) -> None:
    subject.send("mail", *"a" * 50)
    assert groups(subject.claim("mail", 10)) == "a" * 10
    subject.send("mail", "b")
    assert groups(subject.claim("mail", 3)) in ("aba", "baa")


def test_floods_take_turns(subject: Subject) -> None:
    subject.send("mail", *"aaaa", *"bbbb", *"cc")
    assert groups(subject.claim("mail", 10)) == "abcabcabab"


def test_a_group_that_was_idle_does_not_catch_up(subject: Subject) -> None:
    subject.send("mail", *"aaaa")
    subject.acknowledge(subject.claim("mail"))
    subject.send("mail", *"bbbb", *"aa")
    assert groups(subject.claim("mail", 6)) == "bababb"


def test_turns_are_the_same_after_idle_groups_are_forgotten(subject: Subject) -> None:
    subject.send("mail", *"aaaa")
    subject.acknowledge(subject.claim("mail"))
    subject.store.release(["one"], now=10**9)
    subject.send("mail", *"bb", *"aa")
    assert groups(subject.claim("mail")) == "baba"


def test_a_group_that_still_waits_is_not_forgotten(subject: Subject) -> None:
    first = subject.send("lines", "a", "a", "a")
    subject.acknowledge(subject.claim("lines", 1))
    subject.store.release(["one"], now=10**9)
    later = subject.send("lines", "a")
    assert ids(subject.claim("lines")) == first[1:] + later


def test_messages_without_a_group_do_not_wait_for_each_other(subject: Subject) -> None:
    sent = subject.send("lines", "", "", "")
    assert ids(subject.claim("lines", 1)) == sent[:1]
    assert ids(subject.claim("lines", owner="two")) == sent[1:]


def test_an_ordered_queue_gives_nothing_of_a_group_in_other_hands(subject: Subject) -> None:
    subject.send("lines", *"aab")
    held = subject.claim("lines", 1)
    assert groups(held) == "a"
    assert groups(subject.claim("lines", owner="two")) == "b"
    subject.acknowledge(held)
    assert groups(subject.claim("lines", owner="two")) == "a"


def test_an_unordered_queue_gives_them(subject: Subject) -> None:
    subject.send("mail", "a", "a")
    subject.claim("mail", 1)
    assert groups(subject.claim("mail", owner="two")) == "a"


# --- delay, failure, outage ------------------------------------------------------------------------------


def test_a_delayed_message_waits_until_it_is_due(subject: Subject) -> None:
    subject.send("mail", "a", delay=500, now=1_000)
    assert subject.claim("mail", now=1_499) == []
    assert subject.figures("mail", now=1_499).delayed == 1
    assert subject.figures("mail", now=1_500) == QueueFigures(name="mail", waiting=1, oldest_age_s=0.5)
    assert len(subject.claim("mail", now=1_500)) == 1


def test_delayed_messages_that_become_due_together_take_fair_turns(subject: Subject) -> None:
    subject.send("mail", *"aaa", *"b", delay=10)
    assert groups(subject.claim("mail", now=10)) == "abaa"


def test_a_failed_message_comes_back_after_its_delay_with_its_attempt_counted(subject: Subject) -> None:
    subject.send("mail", "a")
    subject.store.put_back(subject.claim("mail"), at=100, error="no", failed=True)
    assert subject.claim("mail", now=99) == []
    [again] = subject.claim("mail", now=100)
    assert again.attempt == 2


def test_a_failed_message_gives_up_its_turn(subject: Subject) -> None:
    first, second = subject.send("lines", "a", "a")
    subject.store.put_back(subject.claim("lines", 1), at=100, error="no", failed=True)
    assert ids(subject.claim("lines", 1)) == [second]
    assert ids(subject.claim("lines", 1, now=100)) == [first]


def test_what_was_put_back_in_an_outage_counts_no_attempt_and_keeps_its_place(subject: Subject) -> None:
    sent = subject.send("lines", "a", "a", "a")
    subject.store.put_back(subject.claim("lines", 2), at=100, error="away", failed=False)
    again = subject.claim("lines", now=100)
    assert ids(again) == sent
    assert [one.attempt for one in again] == [1, 1, 1]


def test_a_closed_queue_gives_nothing_until_it_opens_by_itself(subject: Subject) -> None:
    subject.send("mail", "a")
    subject.store.close("mail", until=100)
    assert subject.claim("mail", now=99) == []
    assert not subject.store.is_open("mail", now=99)
    assert subject.store.is_open("mail", now=100)
    assert len(subject.claim("mail", now=100)) == 1


# --- pause -----------------------------------------------------------------------------------------------


def test_a_paused_queue_takes_messages_and_gives_none(subject: Subject) -> None:
    subject.send("mail", "a")
    subject.store.pause("mail")
    subject.store.pause("mail")
    subject.send("mail", "a")
    assert subject.claim("mail") == []
    assert subject.figures("mail", now=3_000) == QueueFigures(
        name="mail", waiting=2, paused=True, oldest_age_s=3.0
    )
    subject.store.resume("mail")
    subject.store.resume("mail")
    assert len(subject.claim("mail")) == 2


def test_a_queue_can_be_paused_before_its_first_message(subject: Subject) -> None:
    subject.store.pause("mail")
    subject.send("mail", "a")
    assert subject.claim("mail") == []


def test_work_in_hand_is_finished_while_its_queue_is_paused(subject: Subject) -> None:
    subject.send("mail", "a")
    claimed = subject.claim("mail")
    subject.store.pause("mail")
    subject.acknowledge(claimed)
    assert subject.figures("mail").in_flight == 0


def test_a_pause_survives_a_restart(subject: Subject) -> None:
    subject.send("mail", "a")
    subject.store.pause("mail")
    store = subject.reopen() if subject.reopen else subject.store
    assert store.claim("mail", 1, owner="two", now=0) == []
    assert not store.is_open("mail", now=0)


# --- leases ----------------------------------------------------------------------------------------------


def test_messages_of_a_dead_owner_are_given_back_at_once(subject: Subject) -> None:
    sent = subject.send("lines", "a", "a")
    subject.claim("lines", owner="dead")
    subject.claim("lines", owner="alive")
    assert subject.store.release({"alive"}, now=1) == 2
    assert subject.store.release({"alive"}, now=1) == 0
    assert ids(subject.claim("lines", owner="alive", now=1)) == sent[:1]


def test_what_a_dead_owner_held_is_given_alone_with_the_attempt_counted(subject: Subject) -> None:
    sent = subject.send("mail", *"abc")
    subject.claim("mail", owner="dead")
    [fresh] = subject.send("mail", "d")
    subject.store.release(set(), now=1)
    seen = []
    for _ in range(4):
        claimed = subject.claim("mail", now=1)
        assert len(claimed) == 1
        seen.append((claimed[0].envelope.id, claimed[0].attempt))
        subject.acknowledge(claimed)
    assert seen == [(sent[0], 2), (sent[1], 2), (sent[2], 2), (fresh, 1)]


def test_a_suspect_that_failed_in_the_ordinary_way_is_no_suspect_any_more(subject: Subject) -> None:
    subject.send("mail", "a")
    subject.claim("mail", owner="dead")
    subject.store.release(set(), now=1)
    subject.store.put_back(subject.claim("mail", now=1), at=1, error="no", failed=True)
    subject.send("mail", "a")
    assert len(subject.claim("mail", now=1)) == 2


def test_a_lease_that_ran_out_is_given_back(subject: Subject) -> None:
    subject.send("mail", "a")
    frozen = subject.claim("mail", owner="frozen")
    assert subject.store.release({"frozen"}, now=LEASE_MS - 1) == 0
    assert subject.store.release({"frozen"}, now=LEASE_MS) == 1
    assert ids(subject.claim("mail", owner="two", now=LEASE_MS)) == ids(frozen)


def test_a_renewed_lease_lasts_longer(subject: Subject) -> None:
    subject.send("mail", "a")
    subject.store.renew(subject.claim("mail", owner="slow"), now=LEASE_MS // 2)
    assert subject.store.release({"slow"}, now=LEASE_MS) == 0
    assert subject.store.release({"slow"}, now=LEASE_MS + LEASE_MS // 2) == 1


def test_who_lost_a_lease_can_do_nothing_to_the_message(subject: Subject) -> None:
    first, second = subject.send("mail", "a", "b")
    old = subject.claim("mail", owner="frozen")
    subject.store.release(set(), now=1)
    [taken] = subject.claim("mail", owner="two", now=1)
    with pytest.raises(LeaseLost):
        subject.acknowledge(old)
    subject.store.put_back(old, at=9, error="late", failed=True)
    subject.store.bury(old, now=9, error="late")
    subject.store.renew(old, now=10**9)
    assert subject.figures("mail", now=9) == QueueFigures(
        name="mail", in_flight=1, waiting=1, oldest_age_s=0.009
    )
    assert subject.store.release({"two"}, now=LEASE_MS + 1) == 1
    assert ids([taken]) == [first]
    assert second


def test_an_acknowledgement_with_one_lost_lease_undoes_them_all(subject: Subject) -> None:
    subject.send("mail", "a", "b")
    one, two = subject.claim("mail")
    subject.store.put_back([two], at=0, error="", failed=True)
    with pytest.raises(LeaseLost):
        subject.acknowledge([one, two])
    assert subject.figures("mail").in_flight == 1
    subject.acknowledge([one])


def test_the_same_message_cannot_be_acknowledged_twice(subject: Subject) -> None:
    subject.send("mail", "a")
    claimed = subject.claim("mail")
    subject.acknowledge(claimed)
    with pytest.raises(LeaseLost):
        subject.acknowledge(claimed)


def test_each_claim_has_a_lease_of_its_own_even_of_one_owner(subject: Subject) -> None:
    subject.send("mail", "a")
    old = subject.claim("mail", owner="one")
    subject.store.put_back(old, at=0, error="", failed=True)
    again = subject.claim("mail", owner="one")
    with pytest.raises(LeaseLost):
        subject.acknowledge(old)
    subject.acknowledge(again)


# --- dead letters ----------------------------------------------------------------------------------------


def bury(subject: Subject, *of_groups: str, error: str = "no such mail", now: int = 5) -> list[str]:
    sent = subject.send("mail", *of_groups)
    subject.store.bury(subject.claim("mail"), now=now, error=error)
    return sent


def test_a_buried_message_lies_among_the_dead_letters_with_its_reason(subject: Subject) -> None:
    [dead] = bury(subject, "a")
    assert subject.claim("mail", now=10**9) == []
    assert subject.figures("mail").dead == 1
    [letter] = subject.store.dead_letters("mail", limit=10)
    assert (letter.id, letter.queue, letter.error, letter.attempts) == (dead, "mail", "no such mail", 1)
    assert (letter.sent_at, letter.died_at) == (0, 5)
    assert letter.envelope.message == SendMail(mail="mai_000001")


def test_a_stored_text_that_cannot_be_read_is_buried_and_harms_nobody_else(subject: Subject) -> None:
    if subject.engine is None:
        assert not subject.stores_text  # in memory there is no text to spoil
        return
    bad, good = subject.send("mail", "a", "b")
    with transaction(subject.engine) as connection:
        connection.execute(
            sa.update(messages).where(messages.c.id == bad).values(body='{"type": "Nonsense"}')
        )
    assert ids(subject.claim("mail")) == [good]
    [letter] = subject.store.dead_letters("mail", limit=9)
    assert letter.id == bad
    stands_for_it: object = letter.envelope.message
    assert stands_for_it == Unreadable(body='{"type": "Nonsense"}')
    assert "cannot be read" in letter.error


# --- many at once ----------------------------------------------------------------------------------------


def test_of_many_workers_at_once_each_message_is_worked_exactly_once(subject: Subject) -> None:
    sent = subject.send("lines", *(f"g{number % 7}" for number in range(300)))
    worked: list[str] = []
    order_of: dict[str, list[str]] = {}

    def work(owner: str) -> None:
        while len(worked) < len(sent):
            claimed = subject.claim("lines", 10, owner=owner)
            for one in claimed:
                order_of.setdefault(one.envelope.group, []).append(one.envelope.id)
            subject.acknowledge(claimed)
            worked.extend(ids(claimed))

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(worked) == sent
    assert all(some == sorted(some) for some in order_of.values())


def test_senders_and_workers_at_once_lose_nothing(subject: Subject) -> None:
    expected = 4 * 25 * 3
    worked: list[str] = []
    numbers = threading.Lock()

    def send() -> None:
        for _ in range(25):
            with numbers:
                some = [next(subject.numbers) for _ in range(3)]
            sent = [
                Envelope(
                    id=f"msg_{number:06d}", queue="lines", message=SendMail(mail="m"), group=f"g{number % 5}"
                )
                for number in some
            ]
            subject.send_all([(envelope, 0) for envelope in sent], 0)

    def work(owner: str) -> None:
        while len(worked) < expected:
            claimed = subject.claim("lines", 10, owner=owner)
            subject.acknowledge(claimed)
            worked.extend(ids(claimed))

    threads = [threading.Thread(target=send) for _ in range(4)]
    threads += [threading.Thread(target=work, args=(f"w{number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(worked) == [f"msg_{number:06d}" for number in range(1, expected + 1)]
