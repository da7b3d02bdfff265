"""The pipeline file of an installation, and the words of its own that the file may use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dealerflow.composition.settings import Settings, WrongSetting
from dealerflow.pipeline.definition import Pipeline
from dealerflow.pipeline.loader import load, standard
from dealerflow.pipeline.vocabulary import STANDARD, Vocabulary


def pipeline_of(settings: Settings, folder: Path, vocabulary: Vocabulary) -> Pipeline:
    """The pipeline that new orders follow: the file that the setting names, seen from `folder`, or the standard one.

    Raises PipelineError, WrongSetting.
    """
    if not settings.pipeline:
        return standard()
    path = folder / settings.pipeline
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSetting(f"the pipeline file {path} cannot be read: {error}") from error
    return load(text, origin=str(path), vocabulary=vocabulary)


def vocabulary_of(settings: Settings, templates: Mapping[str, str]) -> Vocabulary:
    """The words that the file may use. `templates` are letters of one's own: name → what it is."""
    names = (name.strip() for name in settings.topics.split(","))
    return STANDARD.extended(
        templates=dict(templates), topics={name: "a topic of one's own" for name in names if name}
    )
