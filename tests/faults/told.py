"""A `Served` as stories speak of it: people who act over HTTP, while a test takes away what it runs on."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from email.message import EmailMessage

import httpx

from tests.faults.served import LOOK_EVERY_S, Served
from tests.stories.driver import People
from tests.stories.in_process import mails_in

PATIENCE_S = 120.0


class Told:
    """Implements `stories.driver.Place`; taking things away is the test's business."""

    def __init__(self, served: Served, unworked: Collection[str]) -> None:
        self.served = served
        self.unworked = unworked
        self.http = httpx.Client(base_url=served.url, timeout=60)

    def token(self, email: str) -> str:
        done = self.served.command("token", email)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def moments(self) -> Iterator[None]:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            yield
            time.sleep(LOOK_EVERY_S)

    def lets_time_pass(self, seconds: float) -> None:
        time.sleep(seconds)

    def command(self, *arguments: str, fails: bool = False) -> str:
        done = self.served.command(*arguments)
        assert done.returncode == int(fails), f"{arguments}: {done.stdout}{done.stderr}"
        return done.stderr if fails else done.stdout

    def mailbox(self) -> list[EmailMessage]:
        return mails_in(self.served.data / "mail")


@contextmanager
def people_of(served: Served, *, unworked: Collection[str] = ()) -> Iterator[People]:
    """The people of this installation. `unworked`: the queues that nobody works."""
    told = Told(served, unworked)
    with told.http:
        yield People(told)
