"""Metrics in requests that CloudWatch takes.

Belongs here: the limits of PutMetricData, who breaks them, and how requests are filled. Local
servers enforce none of them. Stays out: sending (cloudwatch.py).
"""

import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

from f1_bronze.telemetry.metric_delivery import DropReason
from f1_bronze.telemetry.metric_kinds import Metric, Unit

MOST_METRICS = 1_000
MOST_BYTES = 1_000_000
"""1 MB, read as the smaller one; before compression, which CloudWatch may or may not mean."""
MOST_DIMENSIONS = 30
OLDEST, NEWEST = timedelta(days=14), timedelta(hours=2)
_UNITS = {unit.value for unit in Unit}
_LARGEST = 2.0**360
_LONGEST_NAME, _LONGEST_VALUE = 255, 1024
_ROOM_FOR_HEAD = 1_000  # action, version and namespace
_NUMBER = "0000.0000"  # indexes of a metric and a dimension in the query form, at their longest


def unfit(metric: Metric, now: datetime) -> tuple[DropReason, str] | None:
    """Why CloudWatch would refuse the metric, and with it the whole request; None if it would not.

    `now` is UTC.
    """
    if not math.isfinite(metric.value):
        return DropReason.NOT_FINITE, f"the value is {metric.value}"
    if abs(metric.value) > _LARGEST:
        return DropReason.OUT_OF_RANGE, f"the value {metric.value} is beyond ±2^360"
    if not _is_text(metric.name, _LONGEST_NAME):
        return DropReason.BAD_NAME, f"{metric.name!r} is no name of 1 to 255 ASCII letters"
    if not _is_text(metric.namespace, _LONGEST_NAME) or metric.namespace.startswith(("AWS/", ":")):
        return DropReason.BAD_NAME, f"{metric.namespace!r} is no namespace of ours"
    if metric.unit not in _UNITS:
        return DropReason.BAD_NAME, f"{metric.unit!r} is no unit"
    if wrong := _wrong_dimensions(metric):
        return DropReason.BAD_DIMENSIONS, wrong
    if metric.at < now - OLDEST:
        return DropReason.TOO_OLD, f"it is of {metric.at:%Y-%m-%d %H:%M} UTC"
    if metric.at > now + NEWEST:
        return DropReason.IN_THE_FUTURE, f"it is of {metric.at:%Y-%m-%d %H:%M} UTC"
    return None


def _wrong_dimensions(metric: Metric) -> str:
    if len(metric.dimensions) > MOST_DIMENSIONS:
        return f"{len(metric.dimensions)} dimensions, at most {MOST_DIMENSIONS} are allowed"
    names = [name for name, _ in metric.dimensions]
    if len(set(names)) < len(names):
        return "a dimension is there twice"
    for name, value in metric.dimensions:
        if not _is_text(name, _LONGEST_NAME) or name.startswith(":"):
            return f"{name[:40]!r} is no dimension's name"
        if not _is_text(value, _LONGEST_VALUE):
            return f"{value[:40]!r} is no dimension's value"
    return ""


def _is_text(text: str, longest: int) -> bool:
    """ASCII without control characters, and something else than blanks."""
    return text.isascii() and text.isprintable() and bool(text.strip()) and len(text) <= longest


def datum(metric: Metric) -> dict[str, Any]:
    """The metric as PutMetricData has it."""
    return {
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
        "Timestamp": metric.at,
        "Value": float(metric.value),
        "Unit": metric.unit,
    }


def wire_size(metric: Metric) -> int:
    """Bytes of the metric in a request, at most, in the wordiest of CloudWatch's protocols."""
    pairs = [
        ("MetricName", metric.name),
        ("Timestamp", "2026-11-23T06:00:00.000000Z"),
        ("Value", str(float(metric.value))),
        ("Unit", metric.unit),
        *[
            (f"Dimensions.member.{key}", text)
            for pair in metric.dimensions
            for key, text in zip(("Name", "Value"), pair, strict=True)
        ],
    ]
    prefix = len("&MetricData.member.=") + len(_NUMBER)
    return sum(prefix + len(name) + len(quote_plus(text)) for name, text in pairs)


def batches(metrics: Iterable[Metric]) -> Iterator[tuple[Metric, ...]]:
    """The metrics in requests, each of one namespace and within the limits, in their order.

    Every metric must be fit.
    """
    by_namespace: dict[str, list[Metric]] = {}
    for metric in metrics:
        by_namespace.setdefault(metric.namespace, []).append(metric)
    for group in by_namespace.values():
        batch: list[Metric] = []
        size = _ROOM_FOR_HEAD
        for metric in group:
            more = wire_size(metric)
            if batch and (len(batch) == MOST_METRICS or size + more > MOST_BYTES):
                yield tuple(batch)
                batch, size = [], _ROOM_FOR_HEAD
            batch.append(metric)
            size += more
        yield tuple(batch)
