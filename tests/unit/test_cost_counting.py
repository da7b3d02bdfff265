"""From what was counted on the emulator to the rows of the cost table."""

from __future__ import annotations

from decimal import Decimal

import pytest

from benchmarks.aws_lives import DEALERSHIPS, FAILING, LOAD, Request
from benchmarks.aws_log import Ran
from benchmarks.aws_proxy import Tally
from benchmarks.aws_rows import (
    COLD_SECONDS,
    LINE_OF_API_LOG,
    MOST_COLD,
    TLS_BYTES,
    Lives,
    Looks,
    Row,
    Scheduled,
)
from dealerflow.adapters.aws.names import FUNCTIONS


def asked(path: str, ms: float = 100) -> Request:
    return Request(method="POST", path=path, ms=ms, size=10)


def tally() -> Tally:
    counted = Tally()
    for what, calls, entries, size in (
        (("sqs", "SendMessageBatch"), 6, 9, 600),
        (("sqs", "GetQueueAttributes"), 50, 50, 5_000),
        (("sns", "PublishBatch"), 2, 5, 400),
        (("events", "PutEvents"), 3, 8, 800),
        (("s3", "GET"), 4, 4, 1_000),
        (("dynamodb", "PutItem"), 2, 2, 100),
    ):
        counted.calls[what] += calls
        counted.entries[what] += entries
        counted.bytes[what] += size
    return counted


def log_of(**ran: Ran) -> dict[str, Ran]:
    return {name: Ran() for name in FUNCTIONS} | {name.replace("_", "-"): one for name, one in ran.items()}


LIVES = Lives(
    orders=2,
    tally=tally(),
    log=log_of(
        intake=Ran(billed=[20, 40], logged=200),
        web=Ran(memory=1024, billed=[5] * 90, logged=900),  # most are looks of who waits
        orders=Ran(billed=[100, 100], logged=400),
        update_status=Ran(billed=[60, 60, 60, 5_000], logged=0),  # one was cold
        relay=Ran(billed=[1_000] * 7, logged=10**6),
    ),
    requests=[
        asked("/api/v1/orders"),
        asked("/api/v1/orders"),
        *[asked("/api/v1/orders/x/decisions", 200)] * 4,
    ],
    entered=10,
    mails=6,
    attached=1_000,
)


def found(rows: list[Row], service: str, what: str) -> Decimal:
    (row,) = [row for row in rows if (row["service"], row["what"]) == (service, what)]
    return Decimal(row["count"])


def test_what_two_orders_used_is_halved() -> None:
    rows = LIVES.rows()
    assert found(rows, "API Gateway", "requests") == 3
    assert found(rows, "Step Functions", "state transitions") == 5
    assert found(rows, "EventBridge", "events") == 4
    assert found(rows, "SES", "mails") == 3
    assert found(rows, "DynamoDB", "writes") == 1


def test_looks_and_schedules_are_no_invocations_of_an_order() -> None:
    # intake 2, web 4 (the requests that are not taken by intake), orders 2, update-status 4
    assert found(LIVES.rows(), "Lambda", "invocations") == 6


def test_a_batch_is_received_and_deleted_and_what_sns_delivers_is_paid_for() -> None:
    # 6 calls, 5 deliveries; the 2 batches of orders, each twice: looking into queues is the waiting one's
    assert found(LIVES.rows(), "SQS", "requests") == Decimal(6 + 5 + 2 * 2) / 2


def test_work_is_each_functions_usual_time_by_its_memory() -> None:
    half = Decimal("0.5")
    warm = (
        2 * 30 * half + 2 * 100 * half + 4 * 60 * half + 4 * 200 * 1
    )  # ms x GB; the cold call counts as a usual one
    assert found(LIVES.rows(), "Lambda", "work") == warm / 2 / 1000
    there = (warm - 800) * Decimal(1769) / 512 + 800 * Decimal(1769) / 1024
    slower = found(LIVES.rows(), "Lambda", "a smaller share of a processor")
    assert slower == pytest.approx((there - warm) / 2 / 1000, rel=Decimal("0.001"))


def test_cold_starts_end_where_every_function_is_always_asked_for() -> None:
    (row,) = [row for row in LIVES.rows() if row["what"] == "cold starts of seldom called functions"]
    gb = (2 * Decimal("0.5") + 4 * 1 + 2 * Decimal("0.5") + 4 * Decimal("0.5")) / 2
    assert Decimal(row["count"]) == gb * COLD_SECONDS
    assert Decimal(row["most_a_month"]) == pytest.approx(
        MOST_COLD * COLD_SECONDS * gb / 6, rel=Decimal("0.001")
    )


def test_what_passes_the_nat_gateway_leaves_out_what_has_an_endpoint_of_its_own() -> None:
    calls, bytes_ = 6 + 50 + 2 + 3, 600 + 5_000 + 400 + 800
    through = Decimal(bytes_ + calls * TLS_BYTES + 1_000) / 2
    assert found(LIVES.rows(), "VPC", "through the NAT gateway") * 10**9 == pytest.approx(
        through, rel=Decimal("0.001")
    )


def test_a_look_costs_what_the_web_function_took_for_it() -> None:
    looks = Looks(
        requests=[asked("/board"), asked("/orders/x")],
        tally=tally(),
        log=log_of(web=Ran(memory=1024, billed=[10, 30], logged=600)),
    )
    assert found(looks.rows(), "Lambda", "pages' work") == Decimal("0.02")
    assert found(looks.rows(), "S3", "page requests' reads") == 2
    assert found(looks.rows(), "CloudWatch", "pages' logs") * 10**9 == 300 + LINE_OF_API_LOG


def test_the_relay_runs_each_minute_and_the_audit_each_hour() -> None:
    scheduled = Scheduled(
        runs=5,
        tally=tally(),
        log=log_of(relay=Ran(billed=[20] * 5), audit=Ran(memory=1024, billed=[1_000] * 5)),
    )
    rows = scheduled.rows()
    assert found(rows, "Lambda", "the schedules") == Decimal(44530)
    assert found(rows, "SQS", "the schedules' calls") == pytest.approx(
        43_800 * Decimal(56) / 5, rel=Decimal("0.001")
    )
    relay = 43_800 * Decimal("0.02") * Decimal("0.5") * 1769 / 512
    audit = 730 * 1 * Decimal(1769) / 1024
    assert found(rows, "Lambda", "the schedules' work") == pytest.approx(relay + audit, rel=Decimal("0.001"))


def test_the_mix_is_what_it_is_said_to_be() -> None:
    counts = {name: DEALERSHIPS.count(name) for name in set(DEALERSHIPS)}
    assert counts == {"northside": 8, "harbour": 6, "lakeside": 6}
    assert sorted(FAILING.values()) == ["rebuild", "rework", "rework", "rework"]
    assert len(DEALERSHIPS) == 4 * LOAD
