"""Ours beside the limits of the machine, in one run; the ratios are what counts.

python -m benchmarks [--seconds 5] [--orders 10000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2 as sqlite

from benchmarks import limits, ours


def measure(seconds: float, orders: int) -> dict[str, Any]:
    """All figures of one run."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        commits = [limits.one_row_commits(Path(tempfile.mkdtemp(dir=name))) for _ in range(3)]
        figures: dict[str, Any] = {
            "one_row_commits_per_second": round(statistics.median(commits)),
            "bare_queue_orders_per_second": round(limits.bare_queue(directory)),
            "bare_intake": limits.bare_intake(directory, seconds),
            "taken": ours.taken(directory, seconds),
            "taken_with_keys": ours.taken(directory, seconds, keys=True),
            "processed_per_second": round(ours.processed(directory, orders)),
            "taken_while_processing": ours.taken_while_processing(directory, seconds),
            "start_to_first_order_s": round(ours.start_to_first_order(directory), 2),
            "idle_memory_mb": round(ours.idle_memory_mb(directory)),
        }
    figures["ratios"] = ratios(figures)
    figures["machine"] = {
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite.sqlite_version,
    }
    return figures


def ratios(figures: dict[str, Any]) -> dict[str, float]:
    """Ours against the limit that it is measured by."""
    taken = figures["taken"]["orders_per_second"]
    commits = figures["one_row_commits_per_second"]
    return {
        "taken / bare group-commit server": round(taken / figures["bare_intake"]["orders_per_second"], 2),
        "taken / one-row commits": round(taken / commits, 2),
        "processed / bare queue of 100": round(
            figures["processed_per_second"] / figures["bare_queue_orders_per_second"], 2
        ),
        "taken while processing / one-row commits": round(
            figures["taken_while_processing"]["orders_per_second"] / commits, 2
        ),
    }


def main() -> None:
    """Measure once and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5, help="how long each load lasts, at most 60")
    parser.add_argument("--orders", type=int, default=10_000, help="the backlog that is processed")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    text = json.dumps(measure(given.seconds, given.orders), indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
