"""Counts what an order calls on AWS, in a run against the emulator: the first half of what `dealerflow cost` multiplies.

    python -m benchmarks.aws_calls            tells the counts
    python -m benchmarks.aws_calls --write    and writes them into src/dealerflow/composition/aws_cost/calls.json

The real template is deployed, its functions are led through a proxy that counts their calls, and twenty orders are taken
from their forms to the handed-over keys (`aws_lives`). What the emulator does by itself (polling queues) is taken from the
invocations of the functions, and from the histories of the executions; how long functions ran from the same reports that
Lambda writes. They ran on this machine with a whole processor of it: what their share on Lambda adds is assumed.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import aws_log as logs
from benchmarks.aws_deployed import Deployed, deployed
from benchmarks.aws_lives import ABOUT, VIEWS, VIEWS_WHY, Request, live, live_once, look, watch
from benchmarks.aws_proxy import ON_A_SCHEDULE, Proxy, Tally, lead_through
from benchmarks.aws_rows import Lives, Looks, Scheduled
from dealerflow.composition.aws_cost import HERE
from dealerflow.composition.aws_cost.calculation import Calls
from tests.stories.driver import Order, People

SCHEDULED_RUNS = 5


@dataclass(frozen=True, kw_only=True)
class Counted:
    """All that was counted. `cold_ms`: billed for the first call of each function, beside its mean."""

    lives: Lives
    looks: Looks
    scheduled: Scheduled
    cold_ms: dict[str, int]


def count() -> Counted:
    """Deploy, let the orders live, look at them, run the schedules, and count."""
    with deployed() as stack, ExitStack() as closing:
        orders, beside = (closing.enter_context(Proxy(stack.emulator.url).running()) for _ in range(2))
        lead_through(stack.emulator, orders, beside)
        dealerflow = People(closing.enter_context(stack.installation.running()))
        live_once(dealerflow)  # finds everything cold
        cold = logs.log(stack.emulator)
        lives, some = _count_lives(stack, dealerflow, orders)
        looks = _count_looks(stack, orders, some)
        return Counted(
            lives=lives,
            looks=looks,
            scheduled=_count_scheduled(stack, beside),
            cold_ms={name: ran.billed[0] for name, ran in cold.items() if ran.times},
        )


def _count_lives(stack: Deployed, dealerflow: People, proxy: Proxy) -> tuple[Lives, list[Order]]:
    before, mails = logs.log(stack.emulator), len(stack.installation.mailbox())
    proxy.tally = tally = Tally()
    asked = watch(stack.installation.http)
    orders = live(dealerflow)
    requests = [one for one in asked if one.method == "POST"]
    letters = stack.installation.mailbox()[mails:]
    return Lives(
        orders=len(orders),
        tally=tally,
        log=logs.since(logs.log(stack.emulator), before),
        requests=[_without_place(one) for one in requests],
        entered=sum(_transitions(stack, order.id) for order in orders),
        mails=len(letters),
        attached=sum(
            len(str(part.get_payload()).encode()) for letter in letters for part in letter.iter_attachments()
        ),
    ), orders


def _without_place(request: Request) -> Request:
    """Its path without where the emulator has the API."""
    path = request.path[request.path.index("/api/") :]
    return Request(method=request.method, path=path, ms=request.ms, size=request.size)


def _transitions(stack: Deployed, order: str) -> int:
    """How many states the executions of this order entered."""
    client = stack.emulator.client("stepfunctions")
    pages = client.get_paginator("list_executions").paginate(stateMachineArn=stack.outputs["StateMachineArn"])
    arns = [
        one["executionArn"] for page in pages for one in page["executions"] if one["name"].startswith(order)
    ]
    events = [
        event["type"]
        for arn in arns
        for event in client.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    ]
    return sum(type_.endswith("StateEntered") for type_ in events)


def _count_looks(stack: Deployed, proxy: Proxy, orders: list[Order]) -> Looks:
    before = logs.log(stack.emulator)
    proxy.tally = tally = Tally()
    requests = look(stack.installation.http, orders)
    return Looks(requests=requests, tally=tally, log=logs.since(logs.log(stack.emulator), before))


def _count_scheduled(stack: Deployed, proxy: Proxy) -> Scheduled:
    for function in ON_A_SCHEDULE:
        stack.installation.call(function, {})  # finds it cold
    before = logs.log(stack.emulator)
    proxy.tally = tally = Tally()
    for _ in range(SCHEDULED_RUNS):
        for function in ON_A_SCHEDULE:
            stack.installation.call(function, {})
    return Scheduled(runs=SCHEDULED_RUNS, tally=tally, log=logs.since(logs.log(stack.emulator), before))


def write(counted: Counted, file: Path = HERE / "calls.json") -> None:
    """Replace what was counted in the committed file; what a month costs beside the schedules stays as it is."""
    known = json.loads(file.read_text("utf-8"))
    scheduled = counted.scheduled.rows()
    ours = {(row["service"], row["what"]) for row in scheduled}
    known |= {
        "source": "counted",
        "date": datetime.now(UTC).date().isoformat(),
        "about": ABOUT,
        "order": counted.lives.rows(),
        "view": counted.looks.rows(),
        "views": VIEWS,
        "views_why": VIEWS_WHY,
        "month": [*(row for row in known["month"] if (row["service"], row["what"]) not in ours), *scheduled],
    }
    msgspec.convert(known, Calls, strict=False)
    parts = (f"  {json.dumps(key)}: {_block(value)}" for key, value in known.items())
    file.write_text("{\n" + ",\n".join(parts) + "\n}\n", "utf-8")


def _block(value: Any) -> str:
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return "[\n" + ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in value) + "\n  ]"


def _tell(counted: Counted) -> None:
    for name, part in (("orders", counted.lives), ("looks", counted.looks), ("schedules", counted.scheduled)):
        sys.stdout.write(f"\n{name}\n")
        tally: Tally = part.tally
        for what, calls in sorted(tally.calls.items()):
            service, action = what
            sys.stdout.write(
                f"  {service:16}{action:40}{calls:6} calls{tally.entries[what]:6} entries{tally.bytes[what]:10} bytes\n"
            )
        for row in part.rows():
            sys.stdout.write(
                f"  {row['service']:16}{row['what']:44}{row['count']:>14}  {row['source']}: {row['why']}\n"
            )
    sys.stdout.write("\nms of a call: at first, then in the median\n")
    for name, ms in counted.cold_ms.items():
        sys.stdout.write(f"  {name:16}{ms:6}{counted.lives.log[name].median_ms:8.0f}\n")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the counts into the program's own table")
    arguments = parser.parse_args()
    counted = count()
    _tell(counted)
    if arguments.write:
        write(counted)


if __name__ == "__main__":
    main()
