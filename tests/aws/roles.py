"""The roles of the deployed functions, as IAM has them, and what is left when one right is taken away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from dealerflow.adapters.aws.names import FUNCTIONS
from tests.aws.emulator import BATCHES, Emulator
from tests.aws.template import many

CALLS = {batch: call for call, batch in BATCHES.items()}
POLICY = "work"  # the one inline policy that each role of the template has


class Right(NamedTuple):
    """What a function may do with one thing. `target`: what is left of its ARN without region, account and stack."""

    function: str
    action: str
    target: str


class Roles:
    """The roles of one stack."""

    def __init__(self, emulator: Emulator, stack: str) -> None:
        self._iam = emulator.client("iam")
        self._stack = stack
        # The emulator does not say what it would have been for.
        self._refusal = re.compile(rf"/{stack}-([a-z-]+) is not authorized to perform: (\w+:\w+)")
        functions = emulator.client("lambda")
        self._names = {
            name: functions.get_function_configuration(FunctionName=f"{stack}-{name}")["Role"].rpartition(
                "/"
            )[2]
            for name in FUNCTIONS
        }

    def rights(self) -> set[Right]:
        """Every action on every resource that a function's own policy allows."""
        return {
            Right(function, action, self.target(resource))
            for function in FUNCTIONS
            for statement in self._document(function)["Statement"]
            for action in many(statement["Action"])
            for resource in many(statement["Resource"])
            if action not in BATCHES.values() and resource
        }

    def target(self, arn: str) -> str:
        """arn:aws:sqs:us-east-1:000000000000:dealerflow-orders-dead → orders-dead."""
        if arn.startswith("arn:aws:s3:::"):
            return "snapshot" if arn.endswith("/snapshot") else "bucket"
        named = re.sub(rf"(?<=[:/]){self._stack}-", "", arn)
        return named.split(":", 5)[-1]

    def refused(self, said: str) -> set[tuple[str, str]]:
        """(function, action) of the refusals in these words, of a log or of an answer."""
        return {(function, CALLS.get(action, action)) for function, action in self._refusal.findall(said)}

    @contextmanager
    def without(self, function: str, action: str, targets: str) -> Iterator[None]:
        """Within the block the function may not do this with what matches the expression."""
        before = self._document(function)
        self._put(function, self._less(before, {action, BATCHES.get(action, action)}, re.compile(targets)))
        try:
            yield
        finally:
            self._put(function, before)

    def _less(self, document: Any, actions: set[str], targets: re.Pattern[str]) -> Any:
        left: list[Any] = []
        for statement in document["Statement"]:
            resources = many(statement["Resource"])
            taken = [one for one in resources if targets.fullmatch(self.target(one))]
            kept = [one for one in resources if one not in taken]
            others = [one for one in many(statement["Action"]) if one not in actions]
            if not taken or len(others) == len(many(statement["Action"])):
                left.append(statement)
                continue
            if others:
                left.append({**statement, "Action": others})
            if kept:
                left.append({**statement, "Resource": kept})
        return {**document, "Statement": left}

    def _document(self, function: str) -> Any:
        answer = self._iam.get_role_policy(RoleName=self._names[function], PolicyName=POLICY)
        return answer["PolicyDocument"]

    def _put(self, function: str, document: Any) -> None:
        self._iam.put_role_policy(
            RoleName=self._names[function], PolicyName=POLICY, PolicyDocument=json.dumps(document)
        )
