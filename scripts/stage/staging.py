"""Puts together what `infra/build` takes for an installation that is not quite the standard one.

The folder of an installation holds a `dealerflow.toml` that names pipeline file, topics and letters, as on one machine; these
files; the Python modules that the pipeline calls; and what they need besides, in a `requirements.txt`. What is made of it:

    template.yaml, pipeline.asl.json    infra/template.yaml with the state machine of that pipeline, and its definition
    bundle/own                          what every function carries that knows the pipeline
    functions                           what only the function carries that calls code of one's own
"""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from dealerflow.composition.pipeline_file import pipeline_of
from dealerflow.composition.settings import FILE, Settings, settings_of
from dealerflow.domain.errors import DealerflowError
from dealerflow.pipeline.asl import PARTITIONS, asl_text
from dealerflow.pipeline.checks import missing_functions
from dealerflow.pipeline.definition import Pipeline
from dealerflow.pipeline.functions import LAMBDA, find_function
from dealerflow.pipeline.loader import standard

TEMPLATE = Path(__file__).parents[2] / "infra" / "template.yaml"
REQUIREMENTS = "requirements.txt"
MAY_BE_SET = ("pipeline", "templates", "topics")


class WrongFolder(DealerflowError):
    """The folder of an installation cannot be built in."""


def stage(folder: Path, own: Path | None, partition: str = "aws") -> Pipeline:
    """Fill `folder`, which is emptied first; the pipeline. Raises WrongFolder, WrongSetting, PipelineError, TooLongForAws."""
    if partition not in PARTITIONS:
        raise WrongFolder(f"PARTITION is {partition!r}, and must be one of: {', '.join(PARTITIONS)}")
    settings = checked(own) if own else None
    pipeline = pipeline_of(settings) if settings else standard()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if settings:
        check_functions(settings.data, pipeline)
        copy_files(settings, folder / "bundle" / "own")
        copy_functions(settings.data, folder / "functions")
    folder.joinpath("template.yaml").write_text(template_for(pipeline), "utf-8")
    folder.joinpath("pipeline.asl.json").write_text(asl_text(pipeline, partition), "utf-8")
    return pipeline


def checked(own: Path) -> Settings:
    """What the folder's `dealerflow.toml` says. Raises WrongFolder, WrongSetting."""
    if not own.is_dir():
        raise WrongFolder(f"OWN is {own}, and there is no such folder")
    if not (own / FILE).is_file():
        raise WrongFolder(f'{own} has no {FILE}; write one, say with the line: pipeline = "pipeline.yaml"')
    settings = settings_of(own, {})
    for name, value in (("pipeline", settings.pipeline), ("templates", settings.templates)):
        if not (own / value).resolve().is_relative_to(own.resolve()):
            raise WrongFolder(
                f"{name} in {own / FILE} is {value!r}, and must lie in {own}: only that is built in"
            )
    others = sorted(set(tomllib.loads((own / FILE).read_text("utf-8"))) - set(MAY_BE_SET))
    if others:
        raise WrongFolder(
            f"{own / FILE} sets {', '.join(others)}: on AWS only {', '.join(MAY_BE_SET)} come from it, "
            "and everything else from the template's parameters"
        )
    return settings


def check_functions(own: Path, pipeline: Pipeline) -> None:
    """Each function that the pipeline calls must be found; those that rest on other packages cannot be tried here.

    Raises WrongFolder.
    """
    sys.path.append(str(own))
    sys.dont_write_bytecode = True
    missing = list(missing_functions(pipeline, lambda name: LAMBDA.fullmatch(name) or find_function(name)))
    if missing and not (own / REQUIREMENTS).exists():
        raise WrongFolder("\n".join(missing))
    for each in missing:
        sys.stderr.write(f"warning: {each}\n")


def copy_files(settings: Settings, target: Path) -> None:
    """The settings, and what they name."""
    own = settings.data
    for name in filter(None, (FILE, settings.pipeline, settings.templates)):
        place = target / (own / name).resolve().relative_to(own.resolve())
        place.parent.mkdir(parents=True, exist_ok=True)
        if (own / name).is_dir():
            shutil.copytree(own / name, place)
        else:
            shutil.copyfile(own / name, place)


def copy_functions(own: Path, target: Path) -> None:
    """The modules and packages of the folder, and what they need."""
    target.mkdir()
    for path in python_in(own):
        if path.is_dir():
            shutil.copytree(path, target / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(path, target / path.name)
    if (own / REQUIREMENTS).exists():
        shutil.copyfile(own / REQUIREMENTS, target / REQUIREMENTS)


def python_in(own: Path) -> Iterator[Path]:
    """What can be imported from this folder."""
    for path in sorted(own.iterdir()):
        if path.suffix == ".py" or (path / "__init__.py").exists():
            yield path


def template_for(pipeline: Pipeline) -> str:
    """infra/template.yaml with another state machine. Nothing else differs."""
    text = TEMPLATE.read_text("utf-8")
    for wanted, replacement in (
        (rf"(Name: !Sub '\$\{{AWS::StackName\}}-){standard().id}'", rf"\g<1>{pipeline.id}'"),
        (r"(DefinitionUri: )standard\.asl\.json", r"\1pipeline.asl.json"),
    ):
        text, found = re.subn(wanted, replacement, text)
        if found != 1:
            raise WrongFolder(f"{TEMPLATE} does not name its state machine as expected: {wanted}")
    return text
