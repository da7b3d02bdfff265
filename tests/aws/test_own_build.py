"""`make build` with a folder of one's own: what is refused, what differs from the standard build, what lies where."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dealerflow.domain.errors import DealerflowError
from dealerflow.pipeline.loader import load, standard
from scripts.stage.__main__ import main
from scripts.stage.staging import TEMPLATE, stage
from tests.aws.building import run
from tests.aws.emulator import ARCHITECTURE, ROOT, RUNTIME

EXAMPLE = ROOT / "docs" / "how-to" / "examples" / "registration"
PIPELINE = load((EXAMPLE / "pipeline.yaml").read_text("utf-8"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The example of docs/how-to/add-a-state.md."""
    return shutil.copytree(EXAMPLE, tmp_path / "own", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(autouse=True)
def imports_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    for name in [name for name in sys.modules if name.partition(".")[0] == "cars_office"]:
        monkeypatch.delitem(sys.modules, name)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# --- what is put together ------------------------------------------------------------------------------------


def test_the_template_differs_in_its_state_machine_alone(own: Path, tmp_path: Path) -> None:
    assert stage(tmp_path / "stage", own).id == PIPELINE.id
    ours, theirs = (
        TEMPLATE.read_text().splitlines(),
        (tmp_path / "stage" / "template.yaml").read_text().splitlines(),
    )
    changed = [
        line[1:].strip() for line in difflib.unified_diff(ours, theirs, n=0) if re.match(r"[+-] ", line)
    ]
    assert [re.sub(" #.*", "", line).strip() for line in changed] == [
        f"Name: !Sub '${{AWS::StackName}}-{standard().id}'",
        f"Name: !Sub '${{AWS::StackName}}-{PIPELINE.id}'",
        "DefinitionUri: standard.asl.json",
        "DefinitionUri: pipeline.asl.json",
    ]
    assert PIPELINE.id in (tmp_path / "stage" / "pipeline.asl.json").read_text()


def test_what_is_not_built_in_is_left_where_it_is(own: Path, tmp_path: Path) -> None:
    (own / "README.md").write_text("ours")
    (own / "letters" / "en").mkdir(parents=True)
    (own / "letters" / "en" / "order_thanks.j2").write_text("…")
    (own / "one.py").write_text("")
    (own / "dealerflow.toml").write_text(
        'pipeline = "pipeline.yaml"\ntemplates = "letters"\ntopics = "waxing"\n'
    )
    stage(tmp_path / "stage", own)
    assert files(tmp_path / "stage" / "bundle") == {
        "own/dealerflow.toml", "own/pipeline.yaml", "own/letters/en/order_thanks.j2",
    }  # fmt: skip
    assert files(tmp_path / "stage" / "functions") == {
        "cars_office/__init__.py", "cars_office/plates.py", "one.py",
    }  # fmt: skip


def test_another_partition_alone_changes_only_what_the_machine_calls(tmp_path: Path) -> None:
    stage(tmp_path / "stage", None, "aws-us-gov")
    assert not (tmp_path / "stage" / "bundle").exists()
    machine = (tmp_path / "stage" / "pipeline.asl.json").read_text()
    assert "arn:aws-us-gov:states:::lambda:invoke" in machine
    assert "arn:aws:" not in machine


# --- what is refused -----------------------------------------------------------------------------------------


def refusal(own: Path, tmp_path: Path) -> str:
    with pytest.raises(DealerflowError) as refused:
        stage(tmp_path / "stage", own)
    return refused.value.detail


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path / "nowhere", tmp_path)
        == f"OWN is {tmp_path / 'nowhere'}, and there is no such folder"
    )


def test_a_folder_without_settings_is_told_what_to_write(own: Path, tmp_path: Path) -> None:
    (own / "dealerflow.toml").unlink()
    assert 'write one, say with the line: pipeline = "pipeline.yaml"' in refusal(own, tmp_path)


def test_a_file_that_is_not_there_is_named(own: Path, tmp_path: Path) -> None:
    (own / "pipeline.yaml").unlink()
    assert f"the pipeline file {own / 'pipeline.yaml'} cannot be read" in refusal(own, tmp_path)


def test_faults_of_the_pipeline_are_told_as_its_check_tells_them(own: Path, tmp_path: Path) -> None:
    text = (own / "pipeline.yaml").read_text().replace("to: order_arrived", "to: order_arived", 1)
    (own / "pipeline.yaml").write_text(text)
    line = text[: text.index("order_arived")].count("\n") + 1
    told = refusal(own, tmp_path)
    assert f"{own / 'pipeline.yaml'}:{line}:" in told
    assert "there is no state 'order_arived'" in told


@pytest.mark.parametrize(
    "setting", ['secret_key = "very secret, and in every bundle"', 'smtp_url = "smtp://mail"']
)
def test_a_setting_that_is_not_built_in_is_refused(own: Path, tmp_path: Path, setting: str) -> None:
    (own / "dealerflow.toml").write_text(f'pipeline = "pipeline.yaml"\n{setting}\n')
    assert f"sets {setting.partition(' ')[0]}: on AWS only pipeline, templates, topics" in refusal(
        own, tmp_path
    )


@pytest.mark.parametrize("value", ["../pipeline.yaml", "/etc/hosts"])
def test_a_file_outside_of_the_folder_is_refused(own: Path, tmp_path: Path, value: str) -> None:
    (own / "dealerflow.toml").write_text(f'pipeline = "{value}"\n')
    assert "only that is built in" in refusal(own, tmp_path)


def test_a_function_that_is_not_there_is_named_with_its_state(own: Path, tmp_path: Path) -> None:
    (own / "cars_office" / "plates.py").unlink()
    assert (
        "state registration: the function 'cars_office.plates:reserve_plate' cannot be imported"
        in refusal(own, tmp_path)
    )


def test_a_function_that_needs_other_packages_is_only_warned_of(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own / "cars_office" / "plates.py").write_text("import something_that_is_not_installed_here\n")
    (own / "requirements.txt").write_text("something\n")
    stage(tmp_path / "stage", own)
    assert "warning: state registration: " in capsys.readouterr().err


def test_the_command_tells_what_is_wrong_in_one_line_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "stage"), "--partition", "aws-moon"]) == 2
    assert capsys.readouterr().err == "PARTITION is 'aws-moon', and must be one of: aws, aws-cn, aws-us-gov\n"


def test_a_build_of_a_wrong_folder_fails_before_anything_is_built(own: Path, tmp_path: Path) -> None:
    (own / "dealerflow.toml").write_text('pipelin = "pipeline.yaml"\n')
    done = run(BUILD_DIR=str(tmp_path / "build"), STAGE_DIR=str(tmp_path / "stage"), OWN=str(own))
    assert done.returncode != 0
    assert "did you mean pipeline?" in done.stderr
    assert not (tmp_path / "build").exists()


# --- what the bundles hold -----------------------------------------------------------------------------------


def packaged(function: str, own: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """infra/package for this function."""
    stage(tmp_path / "stage", own)
    environment = {
        **os.environ,
        "DEALERFLOW_OWN": str(tmp_path / "stage"),
        "DEALERFLOW_LAMBDA_RUNTIME": RUNTIME,
        "DEALERFLOW_LAMBDA_ARCHITECTURE": ARCHITECTURE,
    }
    return subprocess.run(
        [sys.executable, ROOT / "infra" / "package", function, tmp_path / "bundle"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("function", "pipeline", "code"),
    [("IntakeFunction", False, False), ("OrdersFunction", True, False), ("FunctionsFunction", True, True)],
)
def test_each_function_carries_what_it_needs_of_it(
    own: Path, tmp_path: Path, function: str, pipeline: bool, code: bool
) -> None:
    done = packaged(function, own, tmp_path)
    assert done.returncode == 0, done.stderr
    held = files(tmp_path / "bundle")
    assert ("own/pipeline.yaml" in held, "cars_office/plates.py" in held) == (pipeline, code)


def test_packages_that_code_of_ones_own_needs_come_in_the_programs_versions(
    own: Path, tmp_path: Path
) -> None:
    lock = (ROOT / "requirements" / "lambda-worker.txt").read_text()
    [ours] = re.findall(r"^typing-extensions==(\S+)", lock, re.MULTILINE)
    (own / "requirements.txt").write_text("idna\ntyping-extensions>=4\n")
    done = packaged("FunctionsFunction", own, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "bundle" / "idna" / "__init__.py").exists()
    assert [path.name for path in (tmp_path / "bundle").glob("typing_extensions-*")] == [
        f"typing_extensions-{ours}.dist-info"
    ]


def test_packages_that_the_program_has_in_another_version_fail_the_build(own: Path, tmp_path: Path) -> None:
    (own / "requirements.txt").write_text("msgspec<0.1\n")
    done = packaged("FunctionsFunction", own, tmp_path)
    assert done.returncode != 0
    assert "pip could not install" in done.stderr


def test_a_module_that_is_called_like_one_of_the_program_is_refused(own: Path, tmp_path: Path) -> None:
    (own / "sqlalchemy").mkdir()
    (own / "sqlalchemy" / "__init__.py").write_text("")
    done = packaged("FunctionsFunction", own, tmp_path)
    assert done.returncode != 0
    assert "sqlalchemy is a name that the bundle has already" in done.stderr


# --- where things lie ----------------------------------------------------------------------------------------


def test_nothing_that_a_build_and_a_deployment_write_is_committed() -> None:
    written = [
        "own",
        "own/pipeline.yaml",
        "infra/samconfig.toml",
        "infra/.aws-sam/build",
        "build/own/template.yaml",
    ]
    done = subprocess.run(
        ["git", "check-ignore", *written], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == written


def test_the_folder_called_own_is_built_in_without_a_word(tmp_path: Path) -> None:
    def asked(*words: str) -> str:
        command = ["make", "--dry-run", "--file", str(ROOT / "Makefile"), "build", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        [folder] = re.findall(r' OWN="(.*?)"', done.stdout)
        return str(folder)

    assert asked() == ""
    (tmp_path / "own").mkdir()
    assert asked() == "own"
    assert asked("OWN=elsewhere") == "elsewhere"
    assert asked("OWN=") == ""
