"""What functions on the emulator logged: how often each ran, for how long, and how much it wrote."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median

from benchmarks.aws_proxy import log_of
from dealerflow.adapters.aws.names import FUNCTIONS
from tests.aws.emulator import Emulator

BYTES_OF_AN_EVENT = 26  # CloudWatch charges for them beside the text
MB_OF_A_PROCESSOR = 1769  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html

_REPORT = re.compile(r"^REPORT .*Billed Duration: (\d+) ms\s+Memory Size: (\d+) MB")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """Invocations of one function in their order: billed ms of each, its memory in MB, bytes that were logged by all."""

    memory: int = 512
    billed: list[int] = field(default_factory=list)
    logged: int = 0

    @property
    def times(self) -> int:
        """How often it was called."""
        return len(self.billed)

    @property
    def median_ms(self) -> Decimal:
        """Of one invocation: what a cold start or a busy machine adds to some is left out."""
        return Decimal(str(median(self.billed or [0])))

    @property
    def mean_logged(self) -> Decimal:
        """Bytes of one invocation."""
        return Decimal(self.logged) / max(1, self.times)

    @property
    def gb(self) -> Decimal:
        """Its memory."""
        return Decimal(self.memory) / 1024

    @property
    def slower(self) -> Decimal:
        """How many times longer it would take at its share of a processor, which Lambda gives by memory."""
        return max(Decimal(1), Decimal(MB_OF_A_PROCESSOR) / self.memory)

    def since(self, before: Ran) -> Ran:
        """Without what had run before."""
        return Ran(
            memory=self.memory,
            billed=self.billed[before.times :],
            logged=self.logged - before.logged,
        )


Log = dict[str, Ran]


def log(emulator: Emulator) -> Log:
    """By function, of all that ran so far."""
    return {function: _ran(emulator, function) for function in FUNCTIONS}


def since(now: Log, before: Log) -> Log:
    """What ran between the two."""
    return {function: ran.since(before[function]) for function, ran in now.items()}


def times(log: Log) -> Counter[str]:
    """How often each function ran."""
    return Counter({function: ran.times for function, ran in log.items() if ran.times})


def _ran(emulator: Emulator, function: str) -> Ran:
    client = emulator.client("logs")
    try:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=log_of(function))
        lines = [event["message"] for page in pages for event in page["events"]]
    except client.exceptions.ResourceNotFoundException:
        return Ran()  # it was not called yet
    reports = [found for line in lines if (found := _REPORT.match(line))]
    if not reports:
        return Ran()
    return Ran(
        memory=int(reports[-1][2]),
        billed=[int(report[1]) for report in reports],
        logged=sum(len(line.encode()) + BYTES_OF_AN_EVENT for line in lines),
    )
