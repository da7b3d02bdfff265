"""What each function on AWS imports when it is started: a cold start is somebody waiting, and a bundle holds no more than that.

Times are measured by benchmarks/lambda_imports.py; here is only what cannot differ from machine to machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

LAMBDAS = Path(__file__).parents[2] / "src" / "dealerflow" / "lambdas"

# In the runtime of Lambda, and not in our bundles.
RUNTIME = frozenset({"boto3", "botocore", "certifi", "dateutil", "jmespath", "s3transfer", "six", "urllib3"})
DOOR = frozenset({"msgspec", "typing_extensions"})
WORKER = DOOR | {"psycopg", "psycopg_binary", "sqlalchemy", "yaml", "greenlet"}
PAGES = WORKER | {
    "annotated_types",
    "anyio",
    "argon2",
    "babel",
    "cffi",
    "idna",
    "jinja2",
    "litestar",
    "mangum",
    "markupsafe",
    "multidict",
    "multipart",
    "prometheus_client",
    "sniffio",
}
# What only this function may load, beside what every one may: the widest is still far from everything.
MAY_LOAD = {
    "intake": DOOR,
    "web": PAGES,
    "audit": WORKER,
    "decisions": WORKER,
    "deliveries": WORKER,
    "events": WORKER,
    "executions": WORKER,
    "functions": WORKER,
    "invoices": WORKER,
    "notifications": WORKER,
    "orders": WORKER,
    "payments": WORKER,
    "prepare": WORKER,
    "relay": WORKER,
    "update_status": WORKER,
    "webhooks": WORKER,
}
NEVER = ("dealerflow.adapters.embedded", "dealerflow.cli", "dealerflow.composition.embedded")

LIST_MODULES = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps(sorted(sys.modules)))
"""


def functions() -> list[str]:
    return sorted(path.stem for path in LAMBDAS.glob("*.py") if path.stem != "__init__")


@cache
def loaded(function: str) -> frozenset[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", LIST_MODULES, f"dealerflow.lambdas.{function}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return frozenset(json.loads(done.stdout))


@cache
def loaded_by_python_alone() -> frozenset[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", LIST_MODULES, "json"], capture_output=True, text=True, check=True
    )
    return frozenset(json.loads(done.stdout))


def packages(function: str) -> set[str]:
    """The packages of others that a function loads."""
    names = {name.partition(".")[0] for name in loaded(function) - loaded_by_python_alone()}
    return {
        name
        for name in names
        if name not in sys.stdlib_module_names and name != "dealerflow" and not name.startswith("_")
    }


def test_every_function_has_its_row() -> None:
    assert set(functions()) <= set(MAY_LOAD)


@pytest.mark.parametrize("function", functions())
def test_a_function_loads_no_package_that_it_does_not_need(function: str) -> None:
    assert packages(function) - RUNTIME - {"cython_runtime"} <= MAY_LOAD[function]


@pytest.mark.parametrize("function", functions())
def test_a_function_never_loads_what_runs_one_machine(function: str) -> None:
    assert [name for name in sorted(loaded(function)) if name.startswith(NEVER)] == []


def test_intake_knows_nothing_of_the_database_the_pages_and_the_pipeline() -> None:
    others = ("dealerflow.adapters.database", "dealerflow.adapters.documents", "dealerflow.pipeline")
    assert [name for name in sorted(loaded("intake")) if name.startswith(others)] == []
