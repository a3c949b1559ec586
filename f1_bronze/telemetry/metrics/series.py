"""Puts the metrics of many runs together as series over time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from f1_bronze.telemetry.metrics.metric_kinds import METRIC_KINDS, Metric, Statistic

_STATISTIC = {(kind.namespace.value, kind.name): kind.statistic for kind in METRIC_KINDS}

_COARSEST = 3  # dimensions that every metric has


@dataclass(frozen=True, kw_only=True)
class Series:
    """One metric under one set of dimensions.

    Attributes:
        points: in the order of time, at least one.
    """

    namespace: str
    name: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    points: tuple[Metric, ...]

    @property
    def is_coarsest(self) -> bool:
        """Whether it is of all data, not of one dataset, session type, trigger or backfill."""
        return len(self.dimensions) <= _COARSEST

    @property
    def parts(self) -> tuple[str, ...]:
        """The dataset, session type, trigger or backfill that it is of; empty if it is whole."""
        return tuple(value for _, value in self.dimensions[_COARSEST:])

    @property
    def statistic(self) -> Statistic:
        """How its values become one; the sum for metrics that are no longer known."""
        return _STATISTIC.get((self.namespace, self.name), Statistic.SUM)

    @property
    def value(self) -> float:
        """All its values as one."""
        return _combine(self.statistic, [point.value for point in self.points])

    def intervals(self, first: datetime, last: datetime, count: int) -> list[float | None]:
        """The time between in so many equal intervals, each with its value; None without one."""
        found: list[list[float]] = [[] for _ in range(count)]
        seconds = (last - first).total_seconds()
        for point in self.points:
            share = (point.at - first).total_seconds() / seconds
            if 0 <= share <= 1:
                found[min(int(share * count), count - 1)].append(point.value)
        return [_combine(self.statistic, values) if values else None for values in found]


def group_series(metrics: Iterable[Metric]) -> list[Series]:
    """The series in the order of `METRIC_KINDS`, coarse ones first."""
    groups: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[Metric]] = {}
    for metric in metrics:
        key = metric.namespace, metric.name, metric.dimensions
        groups.setdefault(key, []).append(metric)
    found = [
        Series(
            namespace=namespace,
            name=name,
            unit=group[0].unit,
            dimensions=dimensions,
            points=tuple(sorted(group, key=lambda metric: metric.at)),
        )
        for (namespace, name, dimensions), group in groups.items()
    ]
    places = {key: place for place, key in enumerate(_STATISTIC)}
    unknown = len(places)
    return sorted(
        found,
        key=lambda s: (
            places.get((s.namespace, s.name), unknown),
            s.name,
            len(s.dimensions),
            s.dimensions,
        ),
    )


def _combine(statistic: Statistic, values: list[float]) -> float:
    if statistic is Statistic.SUM:
        return sum(values)
    return max(values) if statistic is Statistic.MAXIMUM else min(values)
