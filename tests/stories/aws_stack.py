"""The stack that stories on AWS are told to: deployed once for each test process, with an empty database for each story."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.aws.building import built
from tests.aws.emulator import Emulator
from tests.aws.mail_catcher import MailCatcher
from tests.postgres import PostgresServer
from tests.stories import in_process as here
from tests.stories.on_aws import STACK, OnAws, post_office

DATABASE = "on_aws"


class Stack:
    """The deployed stack. Its functions know one database, which each story gets anew."""

    def __init__(self, emulator: Emulator, server: PostgresServer, template: str) -> None:
        self.emulator = emulator
        self._server = server
        self._template = template
        self._url = server.url(DATABASE)
        self._outputs = emulator.deploy(STACK, built(), {"DatabaseUrl": self._url})
        self._catcher: MailCatcher = post_office(emulator)

    @contextmanager
    def with_demo(self) -> Iterator[OnAws]:
        """The installation with nothing but the demo's data."""
        self._forget()
        self._server.start()
        self._server.drop_database(DATABASE)
        self._server.create_database(template=self._template, name=DATABASE)
        away = partial(here.stopped, self._server)
        with OnAws(self.emulator, self._outputs, self._catcher, self._url, away).running() as installation:
            yield installation

    def _forget(self) -> None:
        """A story may leave a queue paused, and messages in it."""
        functions, sqs = self.emulator.client("lambda"), self.emulator.client("sqs")
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            if mapping["State"] != "Enabled":
                functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
        for url in sqs.list_queues()["QueueUrls"]:
            sqs.purge_queue(QueueUrl=url)

    def stop(self) -> None:
        """End what was started for it."""
        self._catcher.stop()


@pytest.fixture(scope="session")
def aws_stack(
    postgres: PostgresServer,
    database_with_demo: tuple[Path, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """The stack on an emulator of this test process's own."""
    emulator = Emulator(tmp_path_factory.mktemp("aws") / "log")
    try:
        stack = Stack(emulator, postgres, database_with_demo[1])
        yield stack
        stack.stop()
    finally:
        emulator.stop()
