"""f1-bronze metrics: the metrics in the lake as a table with small plots."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.options import as_json_option, reports_errors, unknown
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    from f1_bronze.telemetry.metrics.metric_kinds import Metric
    from f1_bronze.telemetry.metrics.series import Series

_BARS = "▁▂▃▄▅▆▇█"
_WIDEST_PLOT, _NARROW_PLOT = 60, 24
_DECIMALS = 3


@click.command()
@click.option(
    "--days",
    type=click.IntRange(min=1, max=3660),
    default=30,
    show_default=True,
    help="How far to look back.",
)
@click.option(
    "--name",
    "typed",
    metavar="METRIC",
    help="One metric, also by dataset, session type, trigger or backfill.",
)
@as_json_option
@reports_errors
def metrics(days: int, typed: str | None, as_json: bool) -> None:
    """Print and plot metrics: of CloudWatch if F1_BRONZE_METRICS says so, else of the lake.

    A bar of the plot is a day, or several days if there are more than 60; its height is the sum,
    the maximum or the minimum of their values, whichever the metric is about.

    Exit status: 0 printed, 1 the lake or CloudWatch cannot be read, 2 wrong use.
    """
    from f1_bronze.cli.console import print_json
    from f1_bronze.telemetry.metrics.series import group_series

    name = _metric_name(typed) if typed else None
    last = datetime.now(UTC)
    first = last - timedelta(days=days)
    metrics, place = _read(Settings.read(), first, last)
    found = [
        series
        for series in group_series(metrics)
        if (series.is_coarsest if name is None else series.name == name)
    ]
    if as_json:
        print_json(_to_json(found, first, last))
        return
    if not found:
        click.echo(
            f"There are no metrics of the last {days} days in {place}. The sensor "
            "cloudwatch_metrics sends them when runs end: check in `f1-bronze ui` that it is on.",
            err=True,
        )
        return
    _print(found, first, last, days)


def _read(settings: Settings, first: datetime, last: datetime) -> tuple[Sequence["Metric"], str]:
    """The metrics between, and where they were read."""
    if settings.metrics == "cloudwatch":
        from f1_bronze.telemetry.metrics.cloudwatch import CloudWatchSink

        sink = CloudWatchSink()
        return sink.between(first, last, environment=settings.environment), "CloudWatch"
    from f1_bronze.lake.access import open_store
    from f1_bronze.telemetry.metrics.metric_files import METRICS, MetricFiles

    store = open_store(settings.lake_uri)
    return MetricFiles(store).between(first, last), store.uri(METRICS)


def _metric_name(typed: str) -> str:
    """The name of a metric whose case does not matter; a usage error if there is none."""
    from f1_bronze.telemetry.metrics.metric_kinds import METRIC_KINDS

    names = {kind.name.lower(): kind.name for kind in METRIC_KINDS}
    if typed.lower() not in names:
        raise unknown(f"There is no metric {typed!r}.", typed, names.values())
    return names[typed.lower()]


def _print(found: Sequence["Series"], first: datetime, last: datetime, days: int) -> None:
    from f1_bronze.cli.console import print_rows, stdout

    console = stdout()
    width = min(days, _WIDEST_PLOT if console.width > 100 else _NARROW_PLOT)
    several = len({dict(series.dimensions).get("Environment") for series in found}) > 1
    rows = []
    for series in found:
        of = [dict(series.dimensions).get("Environment", "")] if several else []
        of += series.parts
        rows.append(
            {
                "metric": series.name,
                "of": " ".join(of),
                "values": len(series.points),
                "statistic": series.statistic.value.lower(),
                "value": _rounded(series.value),
                "unit": series.unit if series.unit != "None" else "",
                "last": _rounded(series.points[-1].value),
                f"{first:%Y-%m-%d} to {last:%Y-%m-%d}": sparkline(
                    series.intervals(first, last, width)
                ),
            }
        )
    print_rows(console, rows, spare=("values", "last", "unit", "statistic"))


def _rounded(value: float) -> int | float:
    return int(value) if float(value).is_integer() else round(value, _DECIMALS)


def sparkline(values: Sequence[float | None]) -> str:
    """The values as bars from 0 to the largest; a dot where there is none.

    >>> sparkline([0, 1, None, 4, 8])
    '▁▁·▄█'
    """
    largest = max((value for value in values if value is not None), default=0)

    def bar(value: float | None) -> str:
        if value is None:
            return "·"
        share = value / largest if largest > 0 else 0
        return _BARS[max(0, round(share * len(_BARS)) - 1)]

    return "".join(map(bar, values))


def _to_json(found: Sequence["Series"], first: datetime, last: datetime) -> dict[str, Any]:
    return {
        "since": first.isoformat(),
        "until": last.isoformat(),
        "metrics": [
            {
                "namespace": series.namespace,
                "name": series.name,
                "unit": series.unit,
                "dimensions": dict(series.dimensions),
                "statistic": series.statistic.value,
                "value": series.value,
                "values": [
                    {"at": one.at.isoformat(), "value": one.value, "origin": one.origin}
                    for one in series.points
                ],
            }
            for series in found
        ],
    }
