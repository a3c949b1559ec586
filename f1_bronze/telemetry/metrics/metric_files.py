"""Metrics as JSON lines in the lake, for when there is no CloudWatch.

Belongs here: where the lines lie, their form, writing and reading them. Stays out: the stores of
the lake, which keep the port `Files`.
"""

import json
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from f1_bronze.telemetry.metrics.kinds import Metric
from f1_bronze.telemetry.outbound import Dropped, DropReason, Files, Outcome, Sent, SinkUnavailable

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
    """The sink and its reading; the same metrics sent twice are the same file.

    A file holds all metrics of one origin, so send those of a run together. `outages` are what the
    files raise when they cannot be used now; their messages end with a remedy.
    """

    def __init__(self, files: Files, *, outages: tuple[type[Exception], ...] = ()) -> None:
        self._files = files
        self._outages = outages

    def send(
        self, metrics: Sequence[Metric], *, sent_before: Collection[str] = ()
    ) -> tuple[Outcome, ...]:
        """Write a file for each origin; `SinkUnavailable` when the files cannot be used now.

        `sent_before` is of no use where nothing counts twice.
        """
        outcomes: list[Outcome] = []
        by_path: dict[str, dict[str, str]] = {}
        for metric in metrics:
            if not _is_number(metric.value):
                detail = f"the value is {metric.value}"
                dropped = Dropped(metric=metric, reason=DropReason.NOT_FINITE, detail=detail)
                outcomes.append(dropped)
                continue
            path = metrics_path(metric.origin, metric.at)
            by_path.setdefault(path, {})[metric.id] = to_line(metric)
            outcomes.append(Sent(metric=metric))
        try:
            for path, lines in by_path.items():
                self._write(path, "".join(f"{line}\n" for line in lines.values()).encode())
        except self._outages as error:
            raise SinkUnavailable(f"Metrics could not be kept: {error}") from error
        return tuple(outcomes)

    def _write(self, path: str, data: bytes) -> None:
        if self._files.read(path) != data:
            self._files.write(path, data, {})

    def between(self, first: datetime, last: datetime) -> list[Metric]:
        """The metrics of these moments, both included, in the order of time; each id once."""
        found: dict[str, Metric] = {}
        for metric in self._of_days(_days(first, last)):
            if first <= metric.at <= last:
                found[metric.id] = metric
        return sorted(found.values(), key=lambda one: one.at)

    def _of_days(self, days: Iterable[date]) -> Iterator[Metric]:
        for day in days:
            for stored in self._files.list(day_folder(day)):
                data = self._files.read(stored.path) if stored.path.endswith(".jsonl") else None
                for line in (data or b"").decode("utf-8", "replace").splitlines():
                    metric = parse_line(line)
                    if metric is not None:
                        yield metric


def _days(first: datetime, last: datetime) -> Iterator[date]:
    day, end = first.astimezone(UTC).date(), last.astimezone(UTC).date()
    while day <= end:
        yield day
        day += timedelta(days=1)
