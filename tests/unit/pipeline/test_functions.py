from __future__ import annotations

from pathlib import Path

import pytest

from dealerflow.pipeline.checks import warnings
from dealerflow.pipeline.functions import FunctionMissing, find_function
from dealerflow.pipeline.loader import load


@pytest.fixture
def own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package as somebody would install it, with an entry point."""
    (tmp_path / "waxing.py").write_text("def wax():\n    return 'shines'\n\nCOLOUR = 'red'\n")
    (tmp_path / "broken_waxing.py").write_text("raise RuntimeError('no wax')\n")
    metadata = tmp_path / "waxing-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: waxing\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[dealerflow.functions]\nwax_car = waxing:wax\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("own_package")
@pytest.mark.parametrize("target", ["waxing:wax", "wax_car"])
def test_a_function_is_found_by_its_place_or_its_entry_point(target: str) -> None:
    assert find_function(target)() == "shines"


@pytest.mark.usefixtures("own_package")
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("polish_car", "no installed package offers the function 'polish_car'"),
        ("nowhere_at_all:wax", "ModuleNotFoundError"),
        ("waxing:polish", "AttributeError"),
        ("waxing:COLOUR", "is no function"),
        ("broken_waxing:wax", "RuntimeError: no wax"),
    ],
)
def test_a_function_that_cannot_be_had_is_missing_with_its_reason(target: str, reason: str) -> None:
    with pytest.raises(FunctionMissing) as missing:
        find_function(target)
    assert reason in missing.value.detail


def test_a_missing_function_is_a_warning_and_no_error_of_the_file() -> None:
    pipeline = load(
        "pipeline: p\nversion: 1\nstart: a\nstates: {a: {title: A, actions: {function: nowhere_at_all:wax}}}"
    )
    (warning,) = warnings(pipeline)
    assert warning.startswith("state a: the function 'nowhere_at_all:wax' cannot be imported")


LAMBDAS = [
    "arn:aws:lambda:eu-west-1:123456789012:function:wax_car",
    "arn:aws:lambda:us-east-1:123456789012:function:wax-car:live",
    "arn:aws:lambda:us-east-1:123456789012:function:wax-car:$LATEST",
    "arn:aws-cn:lambda:cn-north-1:123456789012:function:wax-car:17",
    "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:wax",
]


@pytest.mark.parametrize("arn", LAMBDAS)
def test_a_lambda_is_named_by_its_arn_and_one_machine_says_that_it_cannot_call_it(arn: str) -> None:
    pipeline = load(
        f"pipeline: p\nversion: 1\nstart: a\nstates: {{a: {{title: A, actions: {{function: '{arn}'}}}}}}"
    )
    assert pipeline.states["a"].actions[0].target == arn
    (warning,) = warnings(pipeline)
    assert warning.startswith(f"state a: the function '{arn}' is a Lambda; only an installation on AWS can")
    with pytest.raises(FunctionMissing, match="only an installation on AWS can call it"):
        find_function(arn)


def test_a_missing_translation_is_a_warning() -> None:
    pipeline = load(
        """\
pipeline: p
version: 1
start: a
states:
  a: {title: {en: A, es: A}, outcomes: {go: {title: Go, by: dealer, to: b}}}
  b: {title: {en: B, es: B}}
"""
    )
    assert warnings(pipeline) == ("state a, outcome go: no title in es; the English one is shown",)
