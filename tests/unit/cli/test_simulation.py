"""The simulation goes on when a call of its own fails."""

# ruff: noqa: SLF001
from __future__ import annotations

import asyncio

import httpx

from dealerflow.cli.simulation import CARS_ON_A_LOAD, Simulation, World
from dealerflow.domain.people import Account, Membership
from dealerflow.pipeline.loader import standard


def test_cars_leave_after_a_call_for_a_load_failed() -> None:
    lead = Account(
        id="acc_lead", email="lead@example.com", name="Lead", memberships=(Membership(role="delivery_lead"),)
    )
    world = World(
        url="http://cars.example", tokens={"acc_lead": "token"}, accounts=[lead], dealerships={}, choices={},
        pipeline=standard(),
    )  # fmt: skip
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if len(asked) == 1:
            raise httpx.ConnectError("nobody listens")
        return httpx.Response(201, json={"id": "lod_1"})

    async def cars_leave() -> None:
        simulation = Simulation(world, orders=CARS_ON_A_LOAD, at_once=1, seed=1, ended=lambda: None)
        waiting = {f"ord_{number}": asyncio.Event() for number in range(CARS_ON_A_LOAD)}
        # A whole run would need a whole Dealerflow.
        simulation._waiting, simulation._turns = dict(waiting), asyncio.Semaphore(1)
        transport = httpx.MockTransport(answer)
        async with httpx.AsyncClient(base_url=world.url, transport=transport) as simulation._http:
            loads = asyncio.create_task(simulation._loads())
            await asyncio.wait_for(asyncio.gather(*(event.wait() for event in waiting.values())), 60)
            loads.cancel()
        assert sum(simulation.report.unexpected.values()) == 1

    asyncio.run(cars_leave())
    assert asked == ["/api/v1/loads", "/api/v1/loads", "/api/v1/loads/lod_1/departure"]
