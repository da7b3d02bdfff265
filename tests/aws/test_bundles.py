"""What `sam build` makes: each function's bundle holds what it needs, starts from it alone, and nothing else is in it."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.aws.template import FUNCTION, load

# The interpreter that runs the functions in the tests; boto3 is in it as in Lambda's, and nothing else of what we need.
PYTHON = Path(__file__).parents[2] / ".venv-ministack" / "bin" / "python"
HANDLERS = {name: properties["Handler"] for name, properties in load().properties(FUNCTION)}

IN_THE_RUNTIME = ("boto3", "botocore", "s3transfer", "urllib3")
OF_ONE_MACHINE = (
    "dealerflow/cli", "dealerflow/adapters/embedded", "dealerflow/adapters/memory", "dealerflow/composition/embedded.py",
    "dealerflow/composition/testing.py", "typer", "uvicorn", "pysqlite3", "rich",
)  # fmt: skip
OF_TESTS = ("tests", "pytest", "hypothesis")
# Megabytes unpacked, with the compiled files. A fuller bundle is a slower start; Lambda's own limit is 250.
AT_MOST_MB = {"IntakeFunction": 5, "WebFunction": 120, "NotificationsFunction": 110}
WORKER_AT_MOST_MB = 50

START = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
handler = getattr(importlib.import_module(sys.argv[2]), "handler")
strangers = [
    name for name, module in sys.modules.items() if name.partition(".")[0] in ("dealerflow", "msgspec", "sqlalchemy", "litestar")
    and getattr(module, "__file__", None) and not module.__file__.startswith(sys.argv[1])
]
assert callable(handler) and not strangers, strangers
"""


@cache
def files(bundle: Path) -> frozenset[str]:
    return frozenset(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())


@pytest.mark.parametrize("function", HANDLERS)
def test_a_function_starts_from_its_bundle_alone(function: str, build: Path) -> None:
    module, _, _ = HANDLERS[function].rpartition(".")
    environment = {
        "AWS_REGION": "us-east-1",
        "DEALERFLOW_STACK": "dealerflow",
        "DEALERFLOW_ACCOUNT": "000000000000",
    }
    done = subprocess.run(
        [PYTHON, "-I", "-B", "-c", START, build / function, module],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("function", HANDLERS)
def test_a_bundle_holds_nothing_of_the_runtime_of_one_machine_or_of_tests(function: str, build: Path) -> None:
    held = files(build / function)
    for stranger in (*IN_THE_RUNTIME, *OF_ONE_MACHINE, *OF_TESTS):
        found = [name for name in held if name == stranger or name.startswith(f"{stranger}/")]
        assert not found, f"{stranger} is in it: {found[:3]}"


@pytest.mark.parametrize("function", HANDLERS)
def test_a_bundle_holds_its_own_entry_point_only(function: str, build: Path) -> None:
    entry = HANDLERS[function].rpartition(".")[0].replace(".", "/") + ".py"
    held = {
        name
        for name in files(build / function)
        if name.startswith("dealerflow/lambdas/") and name.endswith(".py")
    }
    assert held == {entry, "dealerflow/lambdas/__init__.py"}


def test_only_the_pages_carry_pages_and_only_letters_are_written_with_fonts(build: Path) -> None:
    with_pages = {
        each
        for each in HANDLERS
        if any(name.startswith("dealerflow/web/static/") for name in files(build / each))
    }
    with_fonts = {each for each in HANDLERS if any(name.startswith("fpdf/") for name in files(build / each))}
    assert with_pages == {"WebFunction"}
    assert with_fonts == {"WebFunction", "NotificationsFunction"}


def test_no_bundle_has_outgrown_its_measure(build: Path) -> None:
    megabytes = {
        each: sum(path.stat().st_size for path in (build / each).rglob("*") if path.is_file()) / 1e6
        for each in HANDLERS
    }
    too_big = {
        each: size for each, size in megabytes.items() if size > AT_MOST_MB.get(each, WORKER_AT_MOST_MB)
    }
    assert not too_big, json.dumps(megabytes, indent=1)
