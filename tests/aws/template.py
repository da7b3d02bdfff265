"""infra/template.yaml as data: loops unrolled, CloudFormation's short tags written out, defaults of Globals filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

PATH = Path(__file__).parents[2] / "infra" / "template.yaml"
FUNCTION = "AWS::Serverless::Function"

Json = dict[str, Any]


class _Loader(yaml.SafeLoader):
    pass


def _tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Json:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _tag)


class Template:
    """The resources by their logical ids. `text` is YAML as CloudFormation has it."""

    def __init__(self, text: str) -> None:
        self.data: Json = yaml.load(text, _Loader)  # noqa: S506 - a safe loader, with CloudFormation's tags
        self.resources: dict[str, Json] = _unrolled(self.data["Resources"])
        for function in self.of(FUNCTION).values():
            function["Properties"] = _merged(self.data["Globals"]["Function"], function["Properties"])

    def copy(self) -> Template:
        """One to be changed."""
        return deepcopy(self)

    def of(self, *types: str) -> dict[str, Json]:
        """The resources of these types."""
        return {name: each for name, each in self.resources.items() if each["Type"] in types}

    def properties(self, *types: str) -> Iterator[tuple[str, Json]]:
        """(logical id, properties) of the resources of these types."""
        for name, resource in self.of(*types).items():
            yield name, resource.get("Properties", {})

    def statements(self) -> Iterator[tuple[str, Json]]:
        """(logical id, statement) of every policy of a role, and every policy on a resource; an !If counts as what it gives."""
        for name, properties in self.properties("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
            documents = [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
            for document in [*documents, *filter(None, [properties.get("PolicyDocument")])]:
                yield from ((name, _given(each)) for each in document["Statement"])

    def resource_statements(self) -> Iterator[tuple[str, Json]]:
        """(logical id, statement) of every policy on a queue or a bucket."""
        for name, properties in self.properties("AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"):
            yield from ((name, each) for each in properties["PolicyDocument"]["Statement"])


def load() -> Template:
    """The template of this repository."""
    return Template(PATH.read_text())


def target(value: Any) -> str | None:
    """The logical id that a !Ref or !GetAtt names."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return name
        case {"Fn::GetAtt": [{"Fn::Sub": str(name)}, *_]}:
            return name
    return None


def many(value: Any) -> list[Any]:
    """A list, or the one that stands for it."""
    return value if isinstance(value, list) else [value]


def _given(statement: Json) -> Json:
    match statement:
        case {"Fn::If": [_, dict(given), _]}:
            return given
    return statement


def _merged(default: Any, own: Any) -> Any:
    if isinstance(default, dict) and isinstance(own, dict):
        return {key: _merged(default.get(key), own.get(key, default.get(key))) for key in {**default, **own}}
    return own


def _unrolled(section: Mapping[str, Any]) -> dict[str, Any]:
    """Each Fn::ForEach replaced by what it repeats."""
    result: dict[str, Any] = {}
    for key, value in section.items():
        if not key.startswith("Fn::ForEach::"):
            result[key] = value
            continue
        variable, items, body = value
        for item in items:
            result |= _filled(body, variable, item)
    return result


def _filled(value: Any, variable: str, item: str) -> Any:
    if isinstance(value, dict):
        if value == {"Ref": variable}:
            return item
        return {_put(key, variable, item): _filled(each, variable, item) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, variable, item) for each in value]
    return _put(value, variable, item) if isinstance(value, str) else value


def _put(text: str, variable: str, item: str) -> str:
    return re.sub(rf"\$\{{{variable}\}}", item, text)
