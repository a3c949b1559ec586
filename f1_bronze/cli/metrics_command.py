"""f1-bronze metrics: what the runs of the last days amount to, and how it went over time.

Belongs here: the options, the table with its small plots, JSON. Stays out: what is measured and
where it lies (telemetry/).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.options import as_json_option, told
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    from f1_bronze.telemetry.metrics.series import Series


_BARS = "▁▂▃▄▅▆▇█"

_WIDEST = 60

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
    "wanted",
    metavar="METRIC",
    help="One metric, also by dataset, session type, trigger or backfill.",
)
@as_json_option
@told
def metrics(days: int, wanted: str | None, as_json: bool) -> None:
    """Print and plot the metrics that lie in the lake.

    A bar of the plot is a day, or several where they are many; its height is the sum, the largest
    or the smallest value, as the metric wants it.

    Exit status: 0 told, 1 the lake cannot be read, 2 wrong use.
    """
    from f1_bronze.lake.access import open_store
    from f1_bronze.telemetry.metrics.metric_files import METRICS, MetricFiles
    from f1_bronze.telemetry.metrics.series import group_series

    name = _name(wanted)
    store = open_store(Settings.read().lake_uri)
    last = datetime.now(UTC)
    first = last - timedelta(days=days)
    found = [
        series
        for series in group_series(MetricFiles(store).between(first, last))
        if (series.is_whole if name is None else series.name == name)
    ]
    if as_json:
        from f1_bronze.cli.console import print_json

        print_json(_to_json(found, first, last))
        return
    if not found:
        click.echo(
            f"No metrics of the last {days} days in {store.uri(METRICS)}. The sensor "
            "cloudwatch_metrics writes them there when runs end, unless F1_BRONZE_METRICS is "
            "cloudwatch: open `f1-bronze ui` and look whether it is on.",
            err=True,
        )
        return
    _print(found, first, last, days)


def _name(wanted: str | None) -> str | None:
    """The metric's name as it is written; a usage error for none of them."""
    if wanted is None:
        return None
    from f1_bronze.openf1.calendar import nearest
    from f1_bronze.telemetry.metrics.kinds import METRIC_KINDS

    known = {kind.name.lower(): kind.name for kind in METRIC_KINDS}
    if wanted.lower() not in known:
        near = [known[name] for name in nearest(wanted.lower(), known)]
        meant = f"Did you mean {' or '.join(near)}? " if near else ""
        names = ", ".join(known.values())
        raise click.UsageError(f"There is no metric {wanted!r}. {meant}Choose from {names}.")
    return known[wanted.lower()]


def _print(found: Sequence["Series"], first: datetime, last: datetime, days: int) -> None:
    from f1_bronze.cli.console import plain, print_rows

    width = min(days, _WIDEST)
    environments = {dict(series.dimensions).get("Environment", "") for series in found}
    rows = []
    for series in found:
        of = _of(series, with_environment=len(environments) > 1)
        rows.append(
            {
                "metric": series.name,
                "of": of,
                "values": len(series.points),
                "statistic": series.statistic.value.lower(),
                "value": _shown(series.value),
                "unit": series.unit if series.unit != "None" else "",
                "last": _shown(series.points[-1].value),
                f"{first:%Y-%m-%d} to {last:%Y-%m-%d}": sparkline(
                    series.stretches(first, last, width)
                ),
            }
        )
    print_rows(plain(), rows, total=False)


def _of(series: "Series", *, with_environment: bool) -> str:
    """What tells this series from the others of its metric."""
    environment = dict(series.dimensions).get("Environment", "") if with_environment else ""
    finer = [] if series.is_whole else [series.dimensions[-1][1]]
    return " ".join([environment, *finer]).strip()


def _shown(value: float) -> int | float:
    return int(value) if float(value).is_integer() else round(value, _DECIMALS)


def sparkline(values: Sequence[float | None]) -> str:
    """The values as bars from 0 to the largest; a dot where there is none.

    >>> sparkline([0, 1, None, 4, 8])
    '▁▁·▄█'
    """
    largest = max((value for value in values if value is not None), default=0)
    return "".join(_bar(value, largest) for value in values)


def _bar(value: float | None, largest: float) -> str:
    if value is None:
        return "·"
    share = value / largest if largest > 0 else 0
    return _BARS[max(0, round(share * len(_BARS)) - 1)]


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
