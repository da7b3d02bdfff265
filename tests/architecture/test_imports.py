"""Who may import whom: the contracts of pyproject.toml ([tool.importlinter]) and what they cannot say."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "dealerflow"

CORE = ("domain", "pipeline", "application")
CORE_MAY_IMPORT = {"dealerflow", "msgspec", "yaml"} | sys.stdlib_module_names
AWS_SDK = {"aws_lambda_powertools", "boto3", "botocore", "mangum"}
AWS_FAMILY = ("adapters/aws/", "composition/aws", "lambdas/")

# Imports every module of one machine's program in a Python where there is no AWS SDK.
IMPORT_WITHOUT_AWS = """
import importlib, sys
refused, names = sys.argv[1].split(","), sys.argv[2:]
sys.modules.update(dict.fromkeys(refused))  # None there: importing it raises ImportError
for name in names:
    importlib.import_module(name)
"""


def modules(*places: str) -> list[Path]:
    found = [path for place in places or ("",) for path in sorted((SOURCE / place).rglob("*.py"))]
    assert found, f"no modules under {places}"
    return found


def packages_imported(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports, wherever in it it does."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def is_of_aws(path: Path) -> bool:
    return path.relative_to(SOURCE).as_posix().startswith(AWS_FAMILY)


def test_every_import_contract_is_kept() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_core_rests_on_the_standard_library_and_two_readers_only() -> None:
    strangers = {
        f"{path.relative_to(SOURCE)} imports {package}"
        for path in modules(*CORE)
        for package in packages_imported(path)
        if package not in CORE_MAY_IMPORT
    }
    assert strangers == set()


def test_only_the_aws_family_names_an_aws_sdk() -> None:
    strangers = {
        f"{path.relative_to(SOURCE)} imports {package}"
        for path in modules()
        if not is_of_aws(path)
        for package in packages_imported(path)
        if package in AWS_SDK
    }
    assert strangers == set()


def test_the_program_for_one_machine_can_be_imported_where_there_is_no_aws_sdk() -> None:
    names = [
        ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in modules()
        if not is_of_aws(path) and "migrations" not in path.parts and path.stem != "__main__"
    ]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT_AWS, ",".join(AWS_SDK), *names],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["utils", "util", "helpers", "helper", "misc", "common", "tools", "stuff"])
def test_no_module_is_named_after_nothing(name: str) -> None:
    assert [path for path in modules() if name in path.relative_to(SOURCE).with_suffix("").parts] == []
