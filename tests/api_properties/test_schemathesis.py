"""Whatever is asked, by whomever, the API answers as its OpenAPI document says."""

from __future__ import annotations

from collections import Counter
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api_properties.world import PEOPLE, Call, World, recipe, world

Case = schemathesis.Case[Any]
Operation = schemathesis.APIOperation[Any, Any, Any, Any]

SEED = 2026
CASES_OF_EACH = 60
FEWER = {"log_in": 30, "new_load": 30, "departure": 30}  # a password, or a car that has been built, for each
LEAST_CASES = 2_000
LEAST_SHARE_OF_2XX = 0.3
CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DRAWING = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def _drawn(strategy: some.SearchStrategy[Case], number: int) -> list[Case]:
    """So many cases, or all that there are."""
    found: list[Case] = []

    @settings(DRAWING, max_examples=number)
    @given(case=strategy)
    def draw(case: Case) -> None:
        found.append(case)

    draw()
    return found


def _again(case: Case) -> Case:
    """The same case, to be changed."""
    again: Case = case.operation.Case(
        method=case.method,
        path_parameters=dict(case.path_parameters or {}),
        query=dict(case.query or {}),
        headers=dict(case.headers or {}),
        body=case.body,
        media_type=case.media_type,
    )
    return again


class Run:
    """One run over the whole API: what was answered, and what was wrong with it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = Random(SEED)
        self.answers: Counter[tuple[str, int]] = Counter()
        self.wrong: list[str] = []
        schema = schemathesis.openapi.from_dict(world.anyone.get("/openapi.json").json())
        self.operations: list[Operation] = [
            cast("Ok[Operation]", one).ok() for one in schema.get_all_operations()
        ]

    def all_of(self, operation: Operation) -> None:
        """Call one operation in many ways."""
        name = operation.definition.raw["operationId"]
        often = FEWER.get(name, CASES_OF_EACH)
        right = _drawn(operation.as_strategy(GenerationMode.POSITIVE), often)
        for _, case in zip(range(often * 3 // 5), cycle(right), strict=False):
            self._as_it_should_be(name, _again(case))
        for _, case in zip(range(often // 5), cycle(reversed(right)), strict=False):
            self._by_somebody(name, _again(case))
        if operation.path_parameters or operation.query or operation.body:
            for case in _drawn(operation.as_strategy(GenerationMode.NEGATIVE), often // 5):
                self._forbidden(name, case)

    def _as_it_should_be(self, name: str, case: Case) -> None:
        """A call with everything right, as far as that can be known."""
        call = recipe(name)(self.world)
        self._real_parameters(case, call)
        if call.body is not None:
            case.body = call.body
        self._send(name, case, call, CHECKS)

    def _by_somebody(self, name: str, case: Case) -> None:
        """A call of anybody, known or not, about real things."""
        # The browser stays logged in: others may need its session.
        people = PEOPLE if name == "log_out" else (*PEOPLE, "browser")
        call = Call(who=self.random.choice((None, *people)))
        if self.random.random() < 0.2:
            order = self.random.choice(self.world.choices("order"))
            call = Call(key=order, path={"order_id": order})
        self._real_parameters(case, call)
        self._send(name, case, call, CHECKS)

    def _forbidden(self, name: str, case: Case) -> None:
        """A call that the document forbids, by one who may do much."""
        call = Call(who=self.random.choice(("admin", "operator", "delivery", "dealer@northside")))
        self._send(name, case, call, [*CHECKS, negative_data_rejection])

    def _real_parameters(self, case: Case, call: Call) -> None:
        for name in list(case.path_parameters or {}):
            found = call.path.get(name) or self.world.any_of(name)
            if found:
                case.path_parameters[name] = found
        for name in list(case.query or {}):
            if name == "key":
                continue
            found = self.world.any_of(name)
            if found is None:
                del case.query[name]
            elif self.random.random() < 0.9:
                case.query[name] = found

    def _send(self, name: str, case: Case, call: Call, checks: list[CheckFunction]) -> None:
        case.headers.pop("Authorization", None)
        case.headers.update(self.world.headers(call.who))
        case.cookies = {}
        query = {key: value for key, value in (case.query or {}).items() if key != "key"}
        case.query = {**query, "key": self.world.key(call.key)} if call.key else query
        answer = self._answer(case)
        self.answers[name, answer.status_code] += 1
        try:
            case.validate_response(answer, checks=checks)
        except AssertionError as failure:
            self.wrong.append(f"{name} by {call.who or call.key}: {failure}")
        except BaseExceptionGroup as failures:
            self.wrong.append(f"{name} by {call.who or call.key}: {failures.exceptions}")
        if case.method != "GET" and answer.is_success:
            self.world.process()

    def _answer(self, case: Case) -> httpx.Response:
        http = self.world.anyone.http
        http.cookies.clear()
        given = case.as_transport_kwargs(base_url=str(http.base_url).rstrip("/"))
        return http.request(
            given["method"],
            given["url"],
            params=given.get("params"),
            headers=given.get("headers"),
            json=given.get("json"),
            content=given.get("data"),
        )


@pytest.mark.xdist_group("schemathesis")
def test_whatever_is_asked_is_answered_as_the_document_says(tmp_path: Path) -> None:
    with world(tmp_path, SEED) as everything:
        run = Run(everything)
        for operation in run.operations:
            run.all_of(operation)

    assert run.wrong == []
    cases, good = run.answers.total(), sum(n for (_, status), n in run.answers.items() if status < 300)
    assert cases >= LEAST_CASES
    assert good >= LEAST_SHARE_OF_2XX * cases
    names = {operation.definition.raw["operationId"] for operation in run.operations}
    assert {name for name, status in run.answers if status < 300} == names, (
        "each was answered with 2xx at least once"
    )
