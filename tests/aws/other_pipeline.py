"""A build with another pipeline: what comes of changing the pipeline file and following docs/how-to/extend-on-aws.md."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from dealerflow.pipeline.asl import asl_text
from dealerflow.pipeline.loader import load, standard


def with_pipeline(build: Path, target: Path, text: str) -> Path:
    """A copy of the build whose bundles carry this pipeline file, with the state machine that belongs to it."""
    pipeline = load(text)
    assert pipeline.id != standard().id
    shutil.copytree(build, target, copy_function=_linked)
    for file in target.glob("*Function/dealerflow/pipeline/standard.yaml"):
        file.write_text(text, "utf-8")
    (target / "own.asl.json").write_text(asl_text(pipeline), "utf-8")
    template = (target / "template.yaml").read_text().replace(standard().id, pipeline.id)
    template = re.sub(r"(DefinitionUri: ).*", r"\1own.asl.json", template)
    (target / "template.yaml").write_text(template)
    return target


def _linked(source: str, target: str) -> None:
    """What bundles share goes on being shared; what is their own may be changed."""
    if Path(source).stat().st_nlink > 1:
        os.link(source, target)
    else:
        shutil.copy2(source, target)
