"""deploy/aws/monitoring.yaml as data, and deployed.

Reading the template's alarms and widgets, and applying it to ministack.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import yaml

from .clouds import TEMPLATES, Cloud

TEXT = (TEMPLATES / "monitoring.yaml").read_text("utf-8")
COMPOSITE = "PipelineUnhealthy"
Series = tuple[str, str, tuple[tuple[str, str], ...]]
"""Namespace, name, and dimensions in the order of their names."""


def template(**parameters: str) -> dict[str, Any]:
    """The template with its parameters put in; what AWS alone knows stays as `${...}`."""
    declared = yaml.load(TEXT, _loader({}))["Parameters"]
    values = {name: str(one["Default"]) for name, one in declared.items()} | parameters
    loaded: dict[str, Any] = yaml.load(TEXT, _loader(values))
    return loaded


def _loader(values: Mapping[str, str]) -> type[yaml.SafeLoader]:
    class Loader(yaml.SafeLoader):
        """YAML with the short forms of CloudFormation."""

    def sub(text: str) -> str:
        return re.sub(r"\$\{([\w:.]+)\}", lambda m: values.get(m[1], m[0]), text)

    Loader.add_constructor("!Ref", lambda _, node: values.get(node.value, node.value))
    Loader.add_constructor("!Sub", lambda _, node: sub(node.value))
    for name in ("!If", "!Not", "!Equals"):
        Loader.add_constructor(name, lambda loader, node: loader.construct_sequence(node, True))
    return Loader


def alarms(**parameters: str) -> dict[str, dict[str, Any]]:
    """The properties of the metric alarms by their names."""
    resources = template(**parameters)["Resources"].values()
    found = [r["Properties"] for r in resources if r["Type"] == "AWS::CloudWatch::Alarm"]
    return {properties["AlarmName"]: properties for properties in found}


def group_series(alarm: Mapping[str, Any]) -> Series:
    """The series that an alarm looks at."""
    dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
    return alarm["Namespace"], alarm["MetricName"], tuple(sorted(dimensions.items()))


@dataclass(frozen=True)
class Line:
    """One series of a widget, and the statistic that is drawn."""

    title: str
    statistic: str
    series: Series


def lines(body: str) -> Iterator[Line]:
    """Every series that a dashboard draws, with CloudWatch's short forms written out."""
    for widget in json.loads(body)["widgets"]:
        before: list[str] = []
        for metric in widget["properties"].get("metrics", ()):
            words = [word for word in metric if isinstance(word, str)]
            if words[0] == "...":
                words = before[: len(before) - len(words) + 1] + words[1:]
            before = words
            pairs = zip(words[2::2], words[3::2], strict=True)
            yield Line(
                widget["properties"]["title"],
                widget["properties"]["stat"],
                (words[0], words[1], tuple(sorted(pairs))),
            )


def deploy(cloud: Cloud, **parameters: str) -> dict[str, str]:
    """Apply the template to ministack; its outputs.

    Its CloudFormation has no composite alarms, but its CloudWatch has: that one is put by the API.
    """
    text = re.sub(rf"\n  {COMPOSITE}:\n(    .*\n|\n)+", "\n", TEXT)
    assert COMPOSITE not in text
    formation, name = cloud.client("cloudformation"), f"stack-{uuid4().hex[:8]}"
    formation.create_stack(
        StackName=name,
        TemplateBody=text,
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    [stack] = formation.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    resources = formation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    physical = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}
    composite = template(**{**physical, **parameters})["Resources"][COMPOSITE]["Properties"]
    cloud.client("cloudwatch").put_composite_alarm(
        AlarmName=composite["AlarmName"],
        AlarmDescription=composite["AlarmDescription"],
        AlarmRule=composite["AlarmRule"],
    )
    return {out["OutputKey"]: out["OutputValue"] for out in stack["Outputs"]}
