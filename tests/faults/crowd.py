"""A crowd of people who order cars and move them on over HTTP, whatever dies meanwhile; and what they were promised.

Each order has its life, a coroutine: it goes on as soon as the order has moved, which one reader of all events tells.
A call that gets no answer, or 503, is sent again under the same Idempotency-Key, as a careful client does. So whatever
was answered with 2xx must be true in the end, once.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import httpx

API = "/api/v1"
AT_ONCE = 16  # lives at the same time; at most half of them are on one line, which has 10 places
PATIENCE_S = 90.0  # for one call to be answered, or one order to move
AGAIN_AFTER_S = 0.05
READ_EVENTS_EVERY_S = 0.05
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not to read all certificates once for each client
MOST_ON_A_LOAD = 6

Json = dict[str, Any]

RECEIVED, PAID = "received", "paid"
DEALERSHIPS = ("northside", "harbour", "lakeside")
LINES = ("A", "B")


class Crowd:
    """So many orders, each with its life. After `lives` it knows what was promised."""

    def __init__(self, url: str, tokens: Mapping[str, str], *, orders: int, seed: str) -> None:
        """`tokens` by short name, like "quality"."""
        self.number = orders
        self.taken: dict[int, Json] = {}  # number → its 202
        self.paid: dict[str, str] = {}  # payment → order
        self.decided: dict[str, str] = {}  # step → outcome
        self.departed: dict[str, list[str]] = {}  # load → orders
        self.sent_again = 0
        self.last_seen: Counter[str] = Counter()  # state in which a life was left
        self._url = url
        self._tokens = tokens
        self._seed = seed
        self._started = 0
        self._keys = 0
        self._leaving: asyncio.Queue[str] = asyncio.Queue()
        self._position = 0
        self._happened: dict[str, list[str]] = defaultdict(list)  # order → states entered, and "paid"
        self.on_taken: Callable[[int], None] = lambda count: None
        self.before_each_call: Callable[[], None] = lambda: None  # may raise, to end all

    async def lives(self) -> None:
        """Let every order live."""
        async with AsyncExitStack() as closing, asyncio.TaskGroup() as together:
            # One connection each: to find a free one in a large pool costs more than the call.
            limits = httpx.Limits(max_connections=1)
            clients = [
                httpx.AsyncClient(base_url=self._url + API, timeout=30, limits=limits, verify=NO_TLS)
                for _ in range(AT_ONCE + 2)
            ]
            self._free = [await closing.enter_async_context(client) for client in clients]
            self._news = asyncio.Condition()
            others = [
                together.create_task(self._sends_cars_off()),
                together.create_task(self._reads_events()),
            ]
            lives = [together.create_task(self._lives_one_after_another()) for _ in range(AT_ONCE)]
            await asyncio.wait(lives)
            for other in others:
                other.cancel()

    async def _lives_one_after_another(self) -> None:
        while self._started < self.number:
            number, self._started = self._started, self._started + 1
            await self._life(number)

    # --- one life -------------------------------------------------------------------------------------------------------

    async def _life(self, number: int) -> None:
        random = Random(f"{self._seed} {number}")
        dealership, line = DEALERSHIPS[number % 3], LINES[number % 2]
        answer = await self._asks("POST", "/orders", _form(number, dealership))
        assert answer.status_code == 202, answer.text
        taken = self.taken[number] = answer.json()
        self.on_taken(len(self.taken))
        order = _Order(taken)
        state = await self._moved(order, "order_placed", RECEIVED)
        fate = random.choices(("declined", "accepted", "cancelled", "paid", "built"), (10, 50, 5, 10, 25))[0]
        if fate == "declined":
            await self._decides(dealership, order, "decline", reason="sold out")
            state = await self._moved(order, "declined", "order_placed")
        else:
            await self._decides(dealership, order, "accept")
            state = await self._moved(order, "order_arrived", "order_placed")
        if fate in ("cancelled", "paid", "built"):
            await self._pays(order)
        if fate == "cancelled":
            await self._decides(None, order, "cancel", reason="changed my mind")
            state = await self._moved(order, "cancelled", "order_arrived")
        elif fate == "built":
            state = await self._is_built(order, dealership, line, random)
        self.last_seen[state] += 1

    async def _is_built(self, order: _Order, dealership: str, line: str, random: Random) -> str:
        lead = f"line-{line.lower()}"
        await self._decides("production", order, "start_production", line=line)
        await self._moved(order, "production_started", "order_arrived")
        await self._decides(lead, order, "finish")
        state = await self._moved(order, "quality_check", "production_started")
        if random.random() < 0.3:
            await self._decides("quality", order, "fail", defects=["paint"], note="left door")
            await self._moved(order, "quality_failed", "quality_check")
            if random.random() < 0.3:
                await self._decides(lead, order, "rebuild")
                return await self._moved(order, "order_arrived", "quality_failed")
            await self._decides(lead, order, "rework")
            await self._moved(order, "production_started", "quality_failed")
            await self._decides(lead, order, "finish")
            await self._moved(order, "quality_check", "production_started")
        await self._decides("quality", order, "pass")
        state = await self._moved(order, "quality_passed", "quality_check")
        if random.random() < 0.2:
            return state
        self._leaving.put_nowait(order.id)
        await self._moved(order, "on_delivery", "quality_passed")
        await self._decides(dealership, order, "receive", condition="ok")
        await self._moved(order, "at_dealership", "on_delivery")
        if order.due:
            await self._pays(order)
        await self._decides(dealership, order, "hand_over")
        return await self._moved(order, "ended", "at_dealership")

    async def _sends_cars_off(self) -> None:
        """The delivery lead: whatever has passed goes on one load, and leaves."""
        while True:
            cars = [await self._leaving.get()]
            while len(cars) < MOST_ON_A_LOAD and not self._leaving.empty():
                cars.append(self._leaving.get_nowait())
            answer = await self._asks("POST", "/loads", {"orders": cars}, "delivery")
            assert answer.status_code == 201, answer.text
            load = answer.json()["id"]
            answer = await self._asks("POST", f"/loads/{load}/departure", None, "delivery")
            assert answer.status_code == 202, answer.text
            self.departed[load] = cars

    async def _decides(self, who: str | None, order: _Order, outcome: str, **details: Any) -> None:
        """`who` None: the customer. Who decides alone gets 202, also when the first answer was lost."""
        form = {"outcome": outcome, "step": order.step, "details": details}
        path = f"/orders/{order.id}/decisions" + ("" if who else f"?key={order.key}")
        answer = await self._asks("POST", path, form, who)
        assert answer.status_code == 202, f"{who} decides {outcome} on {order.id}: {answer.text}"
        self.decided[order.step] = outcome

    async def _pays(self, order: _Order) -> None:
        path = f"/orders/{order.id}/payments?key={order.key}"
        answer = await self._asks("POST", path, {"method": "test_card"})
        assert answer.status_code == 202, f"paying {order.id}: {answer.text}"
        self.paid[answer.json()["id"]] = order.id
        await self._hears(order, lambda happened: happened[-1] == PAID, "is paid")

    async def _moved(self, order: _Order, state: str, before: str) -> str:
        """Wait until the order is there; from where it was it goes nowhere else."""
        await self._hears(order, lambda happened: happened[-1] not in (before, PAID), f"leaves {before}")
        assert self._happened[order.id][-1] == state, f"{order.id}: {self._happened[order.id]}, not {state}"
        answer = await self._asks("GET", f"/orders/{order.id}?key={order.key}")
        assert answer.status_code == 200, answer.text
        seen: Json = answer.json()
        assert seen["state"] == state, f"{order.id} is in {seen['state']}, not {state}"
        order.step, order.due = seen["step"], seen["payment"]["due"]
        return state

    async def _hears(self, order: _Order, condition: Callable[[list[str]], bool], what: str) -> None:
        """Wait until something has happened to the order."""
        try:
            async with asyncio.timeout(PATIENCE_S), self._news:
                await self._news.wait_for(lambda: condition(self._happened[order.id] or [RECEIVED]))
        except TimeoutError:
            raise AssertionError(
                f"waited in vain until {order.id} {what}: {self._happened[order.id]}"
            ) from None

    async def _reads_events(self) -> None:
        """Everything that happens, by position; each position is given once, and none is skipped."""
        while True:
            answer = await self._asks("GET", f"/events?after={self._position}&limit=200", who="admin")
            assert answer.status_code == 200, answer.text
            events = answer.json()["items"]
            for event in events:
                assert event["position"] == self._position + 1, f"after {self._position} comes {event}"
                self._position += 1
                if event["state"] is not None:
                    self._happened[event["order"]].append(event["state"])
                elif event["type"] == "PaymentRecorded":
                    self._happened[event["order"]].append(PAID)
            async with self._news:
                self._news.notify_all()
            await asyncio.sleep(READ_EVENTS_EVERY_S)

    async def _asks(self, method: str, path: str, body: Any = None, who: str | None = None) -> httpx.Response:
        """Ask until there is an answer that counts."""
        headers = {"Authorization": f"Bearer {self._tokens[who]}"} if who else {}
        if method == "POST":
            self._keys += 1
            headers["Idempotency-Key"] = f"{self._seed}-{self._keys}"
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.before_each_call()
            http = self._free.pop()
            try:
                answer = await http.request(method, path, json=body, headers=headers)
                if answer.status_code != 503:
                    return answer
                said = answer.text
            except httpx.TransportError as error:
                said = repr(error)
            finally:
                self._free.append(http)
            assert time.monotonic() < deadline, f"{method} {path} is not answered: {said}"
            self.sent_again += 1
            await asyncio.sleep(AGAIN_AFTER_S)


class _Order:
    """What its customer knows of it."""

    def __init__(self, taken: Json) -> None:
        self.id: str = taken["id"]
        self.key: str = taken["tracking_url"].partition("key=")[2]
        self.step = ""
        self.due: Json | None = None


def _form(number: int, dealership: str) -> Json:
    return {
        "dealership": dealership,
        "customer": {"name": f"Customer {number}", "email": f"customer{number}@example.com"},
        "vehicle": {
            "model": "meridian",
            "trim": ("base", "touring")[number % 2],
            "colour": ("pearl-white", "deep-blue")[number % 2],
            "options": ["tow-bar"] if number % 5 == 0 else [],
        },
    }
