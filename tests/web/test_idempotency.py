from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Response
from litestar.params import RawBody

from dealerflow.application.calls import Answer, answer
from dealerflow.application.reference import Plant
from dealerflow.application.work import UnitOfWork
from dealerflow.domain.errors import Conflict
from dealerflow.web.auth import caller_of
from dealerflow.web.body import read_form
from dealerflow.web.idempotency import idempotent
from dealerflow.web.routes import post
from dealerflow.web.system import HttpRequest
from tests.web.harness import Client, running

PLANTS = "/plants"


class PlantForm(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class Made(msgspec.Struct):
    id: str


@post(PLANTS, form=PlantForm, answers={201: Made})
def make_plant(request: HttpRequest, body: RawBody) -> Response[bytes]:
    """Builds a plant, as an example of what a POST does."""
    caller = caller_of(request)

    def run(work: UnitOfWork) -> Answer:
        form = read_form(PlantForm, body)
        plant = Plant(id=work.ids.new("plt"), name=form.name, vin_code="AAA")
        work.reference.put_plant(plant)
        if form.name == "twice":
            raise Conflict("there is one already")
        return answer(201, Made(id=plant.id), {"Location": f"{PLANTS}/{plant.id}"})

    return idempotent(request, body, caller, run)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with running(f"sqlite:///{tmp_path / 'dealerflow.db'}", tmp_path, make_plant) as anyone:
        yield anyone.as_("admin")


def plants(client: Client) -> int:
    with client.system.database.read() as work:
        return len(work.reference.plants())


def make(client: Client, name: Any = "new", **headers: str) -> Any:
    return client.post(PLANTS, {"name": name}, **headers)


def test_without_a_key_each_call_does_its_work(client: Client) -> None:
    before = plants(client)
    assert make(client).status_code == make(client).status_code == 201
    assert plants(client) == before + 2


def test_with_a_key_the_work_is_done_once(client: Client) -> None:
    before = plants(client)
    first, again = make(client, Idempotency_Key="k"), make(client, Idempotency_Key="k")
    assert first.status_code == again.status_code == 201
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert plants(client) == before + 1


def test_each_caller_has_keys_of_its_own(client: Client) -> None:
    before = plants(client)
    make(client, Idempotency_Key="k")
    assert "idempotent-replayed" not in make(client.as_("operator"), Idempotency_Key="k").headers
    assert plants(client) == before + 2


def test_what_is_refused_is_undone_and_not_kept(client: Client) -> None:
    before = plants(client)
    assert make(client, "twice", Idempotency_Key="k").status_code == 409
    assert plants(client) == before
    assert make(client, "once", Idempotency_Key="k").status_code == 201


def test_of_calls_at_the_same_time_one_does_the_work(client: Client) -> None:
    before = plants(client)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: make(client, Idempotency_Key="k"), range(12)))
    assert {given.status_code for given in answers} == {201}
    assert len({given.text for given in answers}) == 1
    assert plants(client) == before + 1


def test_workers_are_woken_after_the_commit(client: Client) -> None:
    make(client)
    assert client.system.rung == 1
