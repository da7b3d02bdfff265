"""The AWS mode, as far as it can be measured without AWS; the ratios are what counts.

    python -m benchmarks.aws [--orders 100] [--statements] [--json FILE]

`through_the_stack`: orders on the emulator, beside a bare chain of Lambda and SQS there. `handlers`: what each function does
for a message, over a local PostgreSQL, beside bare commits there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import aws_handlers, aws_throughput


def measure(orders: int, *, statements: bool) -> dict[str, Any]:
    """All figures of one run."""
    return {
        "handlers": aws_handlers.measure(statements=statements),
        "through_the_stack": aws_throughput.measure(orders),
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "load_after": round(os.getloadavg()[2], 1),
        },
        "date": datetime.now(UTC).date().isoformat(),
    }


def main() -> None:
    """Measure once and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=100, help="how many go through the stack")
    parser.add_argument(
        "--statements", action="store_true", help="tell each function's most frequent SQL, too"
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    text = json.dumps(measure(given.orders, statements=given.statements), indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
