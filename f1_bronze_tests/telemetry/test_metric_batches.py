"""Requests within PutMetricData's limits: what is unfit, and that nothing fit is lost."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import boto3
import pytest
from botocore.serialize import create_serializer
from hypothesis import given, settings
from hypothesis import strategies as st

from f1_bronze.telemetry.metrics.cloudwatch import (
    MOST_BYTES,
    MOST_METRICS,
    batches,
    datum,
    find_defect,
    wire_size,
)
from f1_bronze.telemetry.metrics.measurement import run_metrics
from f1_bronze.telemetry.metrics.metric_kinds import Metric

from .metric_examples import MONDAY, WEEKEND

ONE = Metric(
    namespace="F1Pipeline/Bronze",
    name="SessionsProcessed",
    unit="Count",
    value=2,
    at=MONDAY,
    dimensions=(("Environment", "dev"),),
    origin="run",
)


def names(count: int) -> tuple[tuple[str, str], ...]:
    """So many dimensions."""
    return tuple((f"D{n}", "x") for n in range(count))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"value": float("nan")}, "not finite"),
        ({"value": float("-inf")}, "not finite"),
        ({"value": 2.0**361}, "out of range"),
        ({"name": ""}, "bad name"),
        ({"name": "n" * 256}, "bad name"),
        ({"namespace": "AWS/S3"}, "bad name"),
        ({"namespace": "F1\nPipeline"}, "bad name"),
        ({"unit": "Hours"}, "bad name"),
        ({"dimensions": names(31)}, "bad dimensions"),
        ({"dimensions": (("D", "x"), ("D", "y"))}, "bad dimensions"),
        ({"dimensions": ((":D", "x"),)}, "bad dimensions"),
        ({"dimensions": (("D", "São Paulo"),)}, "bad dimensions"),
        ({"dimensions": (("D", " "),)}, "bad dimensions"),
        ({"dimensions": (("D", "x" * 1025),)}, "bad dimensions"),
        ({"at": MONDAY - timedelta(days=14, seconds=1)}, "older than two weeks"),
        ({"at": MONDAY + timedelta(hours=2, seconds=1)}, "more than two hours ahead"),
    ],
    ids=str,
)
def test_defects(change: dict[str, Any], reason: str) -> None:
    """What CloudWatch would refuse a whole request for is named before it is sent."""
    found = find_defect(replace(ONE, **change), MONDAY)
    assert found is not None
    assert found.reason == reason


@pytest.mark.parametrize(
    "change",
    [
        {"value": -(2.0**360)},
        {"name": "n" * 255},
        {"dimensions": names(30)},
        {"dimensions": (("D" * 255, "x" * 1024),)},
        {"at": MONDAY - timedelta(days=14)},
        {"at": MONDAY + timedelta(hours=2)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_fit_at_the_limit(change: dict[str, Any]) -> None:
    """What lies exactly at a limit is sent."""
    assert find_defect(replace(ONE, **change), MONDAY) is None


def test_a_run_is_fit() -> None:
    """All metrics of a run are fit, and go in one request for each namespace."""
    metrics = run_metrics(WEEKEND, environment="production")
    assert [metric for metric in metrics if find_defect(metric, MONDAY)] == []
    assert [batch[0].namespace for batch in batches(metrics)] == [
        "F1Pipeline/Bronze",
        "F1Pipeline/DAG/EndToEnd",
    ]


_TEXT = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=1)
_METRICS = st.builds(
    Metric,
    namespace=st.sampled_from(["F1Pipeline/Bronze", "F1Pipeline/DAG/EndToEnd"]),
    name=st.just("SessionsProcessed") | _TEXT,
    unit=st.sampled_from(["Count", "Seconds", "None"]),
    value=st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 10**9),
    at=st.just(MONDAY),
    dimensions=st.lists(st.tuples(_TEXT, _TEXT), max_size=3).map(tuple),
    origin=st.uuids().map(str),
)


@given(st.lists(_METRICS, max_size=20), st.integers(1, 150))
@settings(max_examples=60, deadline=None)
def test_batches(some: list[Metric], copies: int) -> None:
    """No request breaks a limit, none mixes namespaces, and each metric is in exactly one."""
    metrics = [replace(metric, origin=f"{n}") for n in range(copies) for metric in some]
    made = list(batches(metrics))
    for batch in made:
        assert 1 <= len(batch) <= MOST_METRICS
        assert len({metric.namespace for metric in batch}) == 1
        assert sum(map(wire_size, batch)) <= MOST_BYTES
    flat = [metric for batch in made for metric in batch]
    for namespace in {metric.namespace for metric in metrics}:
        assert [m for m in flat if m.namespace == namespace] == [
            m for m in metrics if m.namespace == namespace
        ]
    assert len(flat) == len(metrics)


def test_filled() -> None:
    """Requests are as full as may be: two neighbours of a namespace would not fit into one."""
    heavy = replace(ONE, dimensions=tuple((f"D{n}", "x" * 1024) for n in range(30)))
    made = list(batches([ONE] * 2_500 + [heavy] * 70))
    sizes = [(len(batch), sum(map(wire_size, batch))) for batch in made]
    assert [count for count, _ in sizes][:2] == [1_000, 1_000]
    for (count, size), (more, room) in pairwise(sizes):
        assert count + more > MOST_METRICS or size + room > MOST_BYTES - 40_000


@cache
def _serializers() -> tuple[Any, tuple[Any, ...]]:
    client = boto3.client(
        "cloudwatch", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    model = client.meta.service_model.operation_model("PutMetricData")
    return model, tuple(create_serializer(name) for name in ("query", "json"))


@given(st.lists(_METRICS, min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_wire_size_is_no_guess(some: list[Metric]) -> None:
    """What boto3 makes of a request is never larger than it was taken for, in any protocol."""
    from urllib.parse import urlencode

    model, serializers = _serializers()
    request = {"Namespace": "F1Pipeline/Bronze", "MetricData": [datum(one) for one in some]}
    for serializer in serializers:
        body = serializer.serialize_to_request(request, model)["body"]
        written = urlencode(body) if isinstance(body, dict) else body
        assert len(written) <= 1_000 + sum(map(wire_size, some))
