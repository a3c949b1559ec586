"""Keeps metrics as JSON lines in the lake, for when there is no CloudWatch."""

import json
import math
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from f1_bronze.telemetry.metrics.metric_kinds import Metric
from f1_bronze.telemetry.outbound import Dropped, Files, Outcome, Sent, SinkUnavailable

METRICS = "metrics"


def day_folder(day: date) -> str:
    """The folder of a day, UTC, ending in `/`.

    >>> day_folder(date(2026, 11, 3))
    'metrics/year=2026/month=11/day=03/'
    """
    return f"{METRICS}/year={day.year:04}/month={day.month:02}/day={day.day:02}/"


def metrics_path(origin: str, at: datetime) -> str:
    """The one file of a run's metrics, or of a gauge's, by the day of the run's end.

    >>> metrics_path("0f2c7e1a", datetime(2026, 11, 23, 6, 4, tzinfo=UTC))
    'metrics/year=2026/month=11/day=23/metrics_0f2c7e1a.jsonl'
    """
    return f"{day_folder(at.astimezone(UTC).date())}metrics_{origin}.jsonl"


def to_line(metric: Metric) -> str:
    """The metric as a line, without its end."""
    data = {
        "id": metric.id,
        "origin": metric.origin,
        "at": metric.at.astimezone(UTC).isoformat(),
        "namespace": metric.namespace,
        "name": metric.name,
        "unit": metric.unit,
        "value": metric.value,
        "dimensions": dict(metric.dimensions),
    }
    return json.dumps(data, allow_nan=False)


def parse_line(line: str) -> Metric | None:
    """The metric of a line; None for anything else."""
    try:
        data = json.loads(line)
        metric = Metric(
            namespace=data["namespace"],
            name=data["name"],
            unit=data["unit"],
            value=data["value"],
            at=datetime.fromisoformat(data["at"]),
            dimensions=tuple(data["dimensions"].items()),
            origin=data["origin"],
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return metric if metric.at.tzinfo is not None and _is_number(metric.value) else None


def _is_number(value: Any) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and math.isfinite(value)


class MetricFiles:
    """The sink, and reading it back; the same metrics sent twice are the same file.

    A file holds all metrics of one origin, so send those of a run together. `outages` are what the
    files raise when they cannot be used now; their messages end with a remedy.
    """

    def __init__(self, files: Files, *, outages: tuple[type[Exception], ...] = ()) -> None:
        self._files = files
        self._outages = outages

    def send(
        self, items: Sequence[Metric], *, sent_before: Collection[str] = ()
    ) -> tuple[Outcome, ...]:
        """Write a file for each origin; `SinkUnavailable` when the files cannot be used now.

        `sent_before` is ignored: nothing counts twice here.
        """
        outcomes: list[Outcome] = []
        by_path: dict[str, dict[str, str]] = {}
        for metric in items:
            if not _is_number(metric.value):
                outcomes.append(Dropped(reason="not finite", detail=f"the value is {metric.value}"))
                continue
            path = metrics_path(metric.origin, metric.at)
            by_path.setdefault(path, {})[metric.id] = to_line(metric)
            outcomes.append(Sent())
        try:
            for path, lines in by_path.items():
                data = "".join(f"{line}\n" for line in lines.values()).encode()
                if self._files.read(path) != data:
                    self._files.write(path, data, {})
        except self._outages as error:
            raise SinkUnavailable(f"Metrics could not be kept: {error}") from error
        return tuple(outcomes)

    def between(self, first: datetime, last: datetime) -> list[Metric]:
        """The metrics of these moments, both included, in the order of time; each id once."""
        found: dict[str, Metric] = {}
        day, last_day = first.astimezone(UTC).date(), last.astimezone(UTC).date()
        while day <= last_day:
            for metric in self._read_day(day):
                if first <= metric.at <= last:
                    found[metric.id] = metric
            day += timedelta(days=1)
        return sorted(found.values(), key=lambda one: one.at)

    def _read_day(self, day: date) -> Iterator[Metric]:
        for stored in self._files.list(day_folder(day)):
            data = self._files.read(stored.path) if stored.path.endswith(".jsonl") else None
            for line in (data or b"").decode("utf-8", "replace").splitlines():
                metric = parse_line(line)
                if metric is not None:
                    yield metric
