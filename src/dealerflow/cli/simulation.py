"""Drives a running Dealerflow over HTTP: customers order and pay, staff decide, as the pipeline says who may
decide what.

each order:  place ──> look ──> whoever may decide, decides (or the customer pays, or a load departs) ──>
look … ──> its end

It knows the pipeline only through its definition and what the API offers each person, so it drives an
installation's own one too.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

import httpx

from dealerflow.domain.people import Account
from dealerflow.pipeline.definition import Pipeline, State

LOOK_EVERY_S = 0.2
PATIENCE_S = 120.0  # an order that stands still for so long is given up
CARS_ON_A_LOAD = 8
TIMEOUT_S = 30.0
# What people seldom decide. Everything else is as likely as the others that are open to them.
SELDOM = {"decline": 0.02, "cancel": 0.01, "fail": 0.15, "rebuild": 0.2}
NAMES = (
    "Ana Núñez",
    "Bo Lind",
    "Chiara Galli",
    "Dara Quinn",
    "Emre Kaya",
    "Fatou Diop",
    "Greta Holm",
    "Hugo Roux",
)


@dataclass(frozen=True, kw_only=True)
class World:
    """What the simulation is told: where, who, what can be ordered, and how an order moves."""

    url: str
    tokens: Mapping[str, str]  # account id → bearer token
    accounts: Sequence[Account]
    dealerships: Mapping[str, Sequence[str]]  # dealership → the models that it sells
    choices: Mapping[str, Sequence[tuple[str, str]]]  # model → (trim, colour) that go together
    pipeline: Pipeline


@dataclass(kw_only=True)
class Report:
    """What came of it. `seconds` are how long calls took, by what they were."""

    ends: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    took_s: float = 0.0

    def rows(self) -> list[dict[str, Any]]:
        """One row for each kind of call: how many, how many a second, and how long half and nearly all of
        them took.
        """
        return [
            {
                "what": what,
                "count": len(taken),
                "per_second": round(len(taken) / max(self.took_s, 0.001), 1),
                "p50_ms": round(_percentile(taken, 50) * 1000, 1),
                "p95_ms": round(_percentile(taken, 95) * 1000, 1),
            }
            for what, taken in sorted(self.seconds.items())
        ]


def _percentile(taken: Sequence[float], percent: int) -> float:
    return quantiles(taken, n=100, method="inclusive")[percent - 1] if len(taken) > 1 else taken[0]


class Simulation:
    """One run. `ended` is called for each order that has come to its end."""

    def __init__(
        self, world: World, *, orders: int, at_once: int, seed: int, ended: Callable[[], None]
    ) -> None:
        self.report = Report()
        self._world = world
        self._orders = orders
        self._at_once = at_once
        self._random = random.Random(seed)  # noqa: S311 - the same seed makes the same choices
        self._ended = ended
        self._waiting: dict[str, asyncio.Event] = {}
        self._passed: set[str] = (
            set()
        )  # steps at which somebody has thought of something seldom, and let it be
        self._alive = 0

    async def run(self) -> Report:
        """Drive every order to its end."""
        started = time.monotonic()
        limits = httpx.Limits(max_connections=self._at_once)
        self._turns = asyncio.Semaphore(self._at_once)
        self._alive = self._orders
        async with httpx.AsyncClient(
            base_url=self._world.url, timeout=TIMEOUT_S, limits=limits
        ) as self._http:
            loads = asyncio.create_task(self._loads())
            await asyncio.gather(*(self._life() for _ in range(self._orders)))
            loads.cancel()
        self.report.took_s = time.monotonic() - started
        return self.report

    # --- an order's life ---

    async def _life(self) -> None:
        try:
            self.report.ends[await self._until_the_end()] += 1
        except (httpx.HTTPError, TimeoutError) as error:
            self.report.ends[f"given up ({type(error).__name__})"] += 1
        finally:
            self._alive -= 1
            self._ended()

    async def _until_the_end(self) -> str:
        order, key = await self._place()
        if order is None:
            return "not taken"
        last, since = None, time.monotonic()
        while True:
            view = await self._call("look", "GET", f"/orders/{order}", key=key)
            state = self._world.pipeline.states.get(view.get("state", ""))
            if state is not None and state.final:
                return state.name
            if view.get("step") != last:
                last, since = view.get("step"), time.monotonic()
            elif time.monotonic() - since > PATIENCE_S:
                raise TimeoutError
            if state is None or not await self._move(view, state, key):
                await asyncio.sleep(LOOK_EVERY_S)

    async def _place(self) -> tuple[str | None, str]:
        dealership = self._random.choice(list(self._world.dealerships))
        model = self._random.choice(self._world.dealerships[dealership])
        trim, colour = self._random.choice(self._world.choices[model])
        name = self._random.choice(NAMES)
        body = {
            "dealership": dealership,
            "customer": {"name": name, "email": "customer@simulation.example"},
            "vehicle": {"model": model, "trim": trim, "colour": colour, "options": []},
        }
        taken = await self._call("order", "POST", "/orders", body=body)
        return taken.get("id"), str(taken.get("tracking_url", "")).partition("key=")[2]

    async def _move(self, view: Mapping[str, Any], state: State, key: str) -> bool:
        """Do what brings the order on; False if that has to wait."""
        order = view["id"]
        if any(outcome.via == "departure" for outcome in state.outcomes.values()):
            if view["payment"]["due"] and view["payment"]["due"]["before"] == "delivery":
                return await self._pay(order, key)
            await asyncio.wait_for(self._waiting.setdefault(order, asyncio.Event()).wait(), PATIENCE_S)
            return False
        person = self._person(view, state)
        if person is None:
            return False
        seen = await self._call("look", "GET", f"/orders/{order}", who=person)
        chosen = self._chosen(seen)
        if chosen is None:
            return False
        if chosen.get("blocked"):
            return "payment" in chosen["blocked"] and await self._pay(order, key)
        return await self._decide(order, person, seen["step"], chosen)

    def _chosen(self, seen: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """One of the outcomes that this person may decide; None to leave it to others."""
        offered = {outcome["name"]: outcome for outcome in seen.get("outcomes") or []}
        weights = {name: SELDOM.get(name, 1.0) for name in offered}
        if all(name in SELDOM for name in offered):
            if not offered or seen["step"] in self._passed:
                return None
            self._passed.add(seen["step"])
            weights[""] = 1.0
        return offered.get(self._random.choices(list(weights), list(weights.values()))[0])

    def _person(self, view: Mapping[str, Any], state: State) -> str | None:
        """Somebody who may decide in this state: of the dealership, line or plant that the order concerns."""
        scopes = {view.get("dealership"), view.get("line"), ""}
        able = [
            account.id
            for account in self._world.accounts
            for held in account.memberships
            if held.role in self._world.pipeline.roles_deciding(state.name)
            and (held.scope in scopes or held.role not in ("dealer", "dealer_admin", "line_lead"))
        ]
        return self._random.choice(able) if able else None

    async def _decide(self, order: str, person: str, step: str, outcome: Mapping[str, Any]) -> bool:
        details = {
            detail["name"]: self._detail(detail)
            for detail in outcome["details"]
            if detail["required"] and (detail["kind"] == "text" or detail["choices"])
        }
        body = {"outcome": outcome["name"], "step": step, "details": details}
        answer = await self._call(
            "decision", "POST", f"/orders/{order}/decisions", who=person, body=body, may_be=(409,)
        )
        return "id" in answer

    def _detail(self, detail: Mapping[str, Any]) -> Any:
        if detail["kind"] == "text":
            return "simulated"
        chosen = self._random.choice(detail["choices"])
        return [chosen] if detail["kind"] == "codes" else "ok" if "ok" in detail["choices"] else chosen

    async def _pay(self, order: str, key: str) -> bool:
        body = {"method": "test_card"}
        answer = await self._call(
            "payment", "POST", f"/orders/{order}/payments", key=key, body=body, may_be=(409,)
        )
        return "id" in answer

    # --- loads ---

    async def _loads(self) -> None:
        """Send the waiting cars off, when a load is full or when nobody else will come soon."""
        leads = [
            account.id
            for account in self._world.accounts
            if any(held.role == "delivery_lead" for held in account.memberships)
        ]
        before = 0
        while leads:
            await asyncio.sleep(LOOK_EVERY_S)
            waiting = list(self._waiting)
            if len(waiting) >= CARS_ON_A_LOAD or (waiting and len(waiting) in (before, self._alive)):
                try:
                    await self._depart(waiting[:CARS_ON_A_LOAD], leads[0])
                except httpx.HTTPError as error:  # these wait for another try, and all others are sent off
                    self.report.unexpected[f"POST loads: {type(error).__name__}"] += 1
            before = len(waiting)

    async def _depart(self, cars: Sequence[str], lead: str) -> None:
        body = {"orders": list(cars), "carrier": "Simulated Haulage"}
        load = await self._call("load", "POST", "/loads", who=lead, body=body, may_be=(409,))
        if "id" in load:
            await self._call("departure", "POST", f"/loads/{load['id']}/departure", who=lead, may_be=(409,))
        for car in cars:
            self._waiting.pop(car).set()

    # --- calls ---

    async def _call(
        self,
        what: str,
        method: str,
        path: str,
        *,
        who: str | None = None,
        key: str | None = None,
        body: Any = None,
        may_be: Sequence[int] = (),
    ) -> dict[str, Any]:
        """The answer's JSON; of an answer that is no 2xx (`may_be`: expected at times) nothing."""
        headers = {"Authorization": f"Bearer {self._world.tokens[who]}"} if who else {}
        async with self._turns:
            started = time.monotonic()
            answer = await self._http.request(
                method, f"/api/v1{path}", params={"key": key} if key else None, headers=headers, json=body
            )
            self.report.seconds[what].append(time.monotonic() - started)
        if answer.is_success:
            found: dict[str, Any] = answer.json()
            return found
        if answer.status_code not in may_be:
            self.report.unexpected[
                f"{method} {path.split('/')[1]}: {answer.status_code} {answer.text[:200]}"
            ] += 1
        return {}
