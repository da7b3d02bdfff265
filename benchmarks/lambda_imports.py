"""How long each function on AWS imports at a cold start, beside boto3 (which comes with Lambda's runtime) and its budget.

python -m benchmarks.lambda_imports [--runs 7] [--json FILE]

Measured with `-X importtime`, which itself costs some time, in a fresh interpreter for each run; bytecode is there already, as in
a bundle. The smallest figure of some runs is what the machine needs, everything above it is what others took from it; `cpu_ms` is
the time on the processor alone, without `-X importtime`.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import dealerflow.lambdas

BUDGET_MS = {"intake": 150}
BUDGET_OF_OTHERS_MS = 400
BOTO3 = "boto3"
# The runtime has imported these, or pays for them in any function.
BEFORE = "import boto3, botocore.config, botocore.exceptions"


def functions() -> list[str]:
    """The functions that there are."""
    [folder] = dealerflow.lambdas.__path__
    return sorted(path.stem for path in Path(folder).glob("*.py") if path.stem != "__init__")


def import_ms(module: str, before: str = "") -> float:
    """One import of this module in a fresh interpreter, in ms."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"{before}\nimport {module}"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(
        rf"^import time:\s+\d+ \|\s+(\d+) \| \s*{re.escape(module)}$", done.stderr, re.MULTILINE
    )
    return int(found[-1]) / 1000


def cpu_ms(module: str, before: str = "") -> float:
    """The processor time of one import in a fresh interpreter, in ms."""
    code = f"import time\n{before}\nstart = time.process_time()\nimport {module}\nprint(time.process_time() - start)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout) * 1000


def figures_of(module: str, runs: int, before: str = "") -> dict[str, float]:
    """The smallest and the median of some runs, and the least processor time."""
    times = [import_ms(module, before) for _ in range(runs)]
    least_cpu = min(cpu_ms(module, before) for _ in range(runs))
    return {
        "least_ms": round(min(times), 1),
        "median_ms": round(statistics.median(times), 1),
        "cpu_ms": round(least_cpu, 1),
    }


def measure(runs: int) -> dict[str, Any]:
    """All figures of one run."""
    measured: dict[str, Any] = {BOTO3: figures_of(BOTO3, runs)}
    for function in functions():
        budget = BUDGET_MS.get(function, BUDGET_OF_OTHERS_MS)
        measured[function] = {
            **figures_of(f"dealerflow.lambdas.{function}", runs, BEFORE),
            "budget_ms": budget,
        }
    return {"python": platform.python_version(), "runs": runs, "imports": measured}


def main() -> None:
    """Measure once and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=7, help="how often each is imported")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    text = json.dumps(measure(given.runs), indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
