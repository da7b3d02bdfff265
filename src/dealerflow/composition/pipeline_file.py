"""The pipeline file of an installation, and what of its own the file may use: letters and topics.

All three are settings, seen from the data directory; on AWS from the folder `own` that the build put into the bundles.
"""

from __future__ import annotations

from pathlib import Path

from dealerflow.composition.settings import Settings, WrongSetting
from dealerflow.pipeline.definition import Pipeline
from dealerflow.pipeline.loader import load, standard
from dealerflow.pipeline.vocabulary import STANDARD, Vocabulary


def pipeline_of(settings: Settings) -> Pipeline:
    """The pipeline that new orders follow: the file that the setting names, or the standard one.

    Raises PipelineError, WrongSetting.
    """
    if not settings.pipeline:
        return standard()
    path = settings.data / settings.pipeline
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSetting(f"the pipeline file {path} cannot be read: {error}") from error
    return load(text, origin=str(path), vocabulary=vocabulary_of(settings))


def vocabulary_of(settings: Settings) -> Vocabulary:
    """The words that the file may use. Raises WrongSetting."""
    names = (name.strip() for name in settings.topics.split(","))
    return STANDARD.extended(
        templates=_own_letters(settings), topics={name: "a topic of one's own" for name in names if name}
    )


def own_templates(settings: Settings) -> Path | None:
    """The folder of letters of one's own, if there is one. Raises WrongSetting."""
    if not settings.templates:
        return None
    folder = settings.data / settings.templates
    if not folder.is_dir():
        raise WrongSetting(f"the templates' directory {folder} does not exist")
    return folder


def _own_letters(settings: Settings) -> dict[str, str]:
    # Only their names: most functions on AWS load the pipeline, and do not carry what writes letters.
    folder = own_templates(settings)
    files = folder.glob("*/*.j2") if folder else ()
    names = {file.name.partition(".")[0] for file in files if not file.name.startswith("_")}
    return {name: STANDARD.templates.get(name, "a letter of one's own") for name in sorted(names)}
