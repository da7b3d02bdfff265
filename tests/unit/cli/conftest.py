"""The commands in this process, over a data directory of their own."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from dealerflow.application import queues
from dealerflow.cli.main import app
from dealerflow.composition.embedded import System, prepare
from dealerflow.composition.settings import settings_of
from dealerflow.domain.billing import Term
from dealerflow.domain.messages import PlaceOrder
from dealerflow.domain.orders import Customer, NewOrder, PricedLine, Revision

PRICE = 3_190_000


class Terminal:
    """Somebody at the command line. `data` is an installation with the demo's data."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.system = System(settings_of(data, {}))

    def run(self, *arguments: str, typed: str | None = None) -> Result:
        """`dealerflow ARGUMENTS… --data DIR`."""
        return CliRunner().invoke(app, [*arguments, "--data", str(self.data)], input=typed)

    def says(self, *arguments: str, typed: str | None = None) -> str:
        """What a command that succeeds prints."""
        result = self.run(*arguments, typed=typed)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.says(*arguments, "--json"))

    def refuses(self, *arguments: str, status: int = 1, typed: str | None = None) -> str:
        """What a command that does not do it says on stderr, without a traceback."""
        result = self.run(*arguments, typed=typed)
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        assert result.stdout == ""
        return result.stderr

    def order(self, name: str = "Ana Núñez") -> str:
        """An order that was taken and processed."""
        from dealerflow.application.orders import place_order
        from dealerflow.domain.messages import Envelope

        id_ = self.system.ids.new("ord")
        line = PricedLine(kind="model", code="meridian", title={"en": "Meridian"}, amount=PRICE)
        revision = Revision(
            number=1, catalogue_version=1, model="meridian", trim="base", colour="deep-blue", options=(),
            labels={"model": {"en": "Meridian"}, "trim": {"en": "Base"}, "colour": {"en": "Deep blue"}},
            lines=(line,), price=PRICE, currency="EUR",
        )  # fmt: skip
        new = NewOrder(
            id=id_,
            dealership="northside",
            at=self.system.clock.now(),
            customer=Customer(name=name, email="ana@example.com"),
            revision=revision,
            terms=(Term(before="production", percent=100),),
        )
        with self.system.database.begin() as work:
            place_order(work, Envelope(id=f"msg_{id_}", queue=queues.ORDERS, message=PlaceOrder(new=new)))
        return id_


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of this machine's settings, and logging as it was."""
    for name in ("DEALERFLOW_DATA", "DEALERFLOW_DATABASE_URL", "DEALERFLOW_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the demo's data, to be copied."""
    data = tmp_path_factory.mktemp("demo") / "data"
    data.mkdir()
    system = System(settings_of(data, {}))
    prepare(system, demo=True)
    assert system.secret
    system.close()
    return data


@pytest.fixture
def terminal(tmp_path: Path, prepared: Path) -> Iterator[Terminal]:
    shutil.copytree(prepared, tmp_path / "data")
    terminal = Terminal(tmp_path / "data")
    yield terminal
    terminal.system.close()


@pytest.fixture
def new_terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Before anything has begun."""
    terminal = Terminal(tmp_path / "new")
    yield terminal
    terminal.system.close()
