"""A Dealerflow as its own processes: `dealerflow serve --demo` beside this one. Here stories wait, with a deadline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import NoReturn

import httpx
import pytest

from dealerflow.application.access import issue_token
from dealerflow.composition.embedded import System
from dealerflow.composition.settings import settings_of
from tests.stories.in_process import mails_in

COMMAND = [sys.executable, "-m", "dealerflow.cli.main"]
PATIENCE_SECONDS = 60.0  # far more than it takes: a busy machine is no fault of the code
LOOK_EVERY_SECONDS = 0.02
STOPS_WITHIN_SECONDS = 15

Away = Callable[[], AbstractContextManager[None]]


class Processes:
    """Implements `driver.Installation`."""

    knows_received_orders_without_database = True

    unworked = frozenset[str]()

    def __init__(self, data: Path, url: str, away: Away) -> None:
        self._data = data
        self._away = away
        self._environment = {
            **os.environ,
            "DEALERFLOW_DATABASE_URL": url,
            "DEALERFLOW_DATA": str(data),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self._system = System(settings_of(data, {}, database_url=url))
        self.http = httpx.Client(timeout=PATIENCE_SECONDS)

    @contextmanager
    def running(self) -> Iterator[Processes]:
        """As long as the block lasts."""
        log = self._data.with_suffix(".log")
        with (
            log.open("wb") as errors,
            subprocess.Popen(
                [*COMMAND, "serve", "--demo", "--port", "0"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=self._environment,
            ) as served,
        ):
            assert served.stdout is not None
            try:
                said = served.stdout.readline()
                assert said, log.read_text()
                self.http.base_url = httpx.URL(said.split()[-1])
                assert any(self.http.get("/readyz").is_success for _ in self.moments()), log.read_text()
                yield self
            finally:
                self.http.close()
                self._system.close()
                served.send_signal(signal.SIGTERM)
                served.stdout.read()
                status = served.wait(STOPS_WITHIN_SECONDS)
        assert status == 0, log.read_text()

    def token(self, email: str) -> str:
        with self._system.database.read() as work:
            account = work.people.account_by_email(email)
        assert account is not None, f"there is no account {email}"
        return issue_token(account, self._system.secret)

    def moments(self) -> Iterator[None]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            yield
            time.sleep(LOOK_EVERY_SECONDS)

    def lets_time_pass(self, seconds: float) -> None:
        time.sleep(
            min(seconds, 3.0)
        )  # a moment, which the workers live through as they do through a long time

    def without_database(self) -> AbstractContextManager[None]:
        return self._away()

    def without_workers_for(self, queue: str) -> NoReturn:
        pytest.skip("a queue whose worker is stopped is told of in one process")

    def cards_declined(self) -> NoReturn:
        pytest.skip("the card terminal for trials declines nothing")

    def command(self, *arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, env=self._environment, check=False
        )
        assert done.returncode == int(fails), f"{arguments}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stderr if fails else done.stdout

    def mailbox(self) -> list[EmailMessage]:
        return mails_in(self._data / "mail")
