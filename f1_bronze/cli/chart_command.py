"""f1-bronze chart: writes a chart of a session, or of a season, as an SVG file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from f1_bronze.cli.options import (
    as_json_option,
    find_dataset,
    reports_errors,
    suggesting_partitions,
)
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from f1_bronze.lake.lake import Lake

SEASON = "season"
NEEDED = {
    "lap-times": ("laps", "drivers", "results", "stints", "pit_stops"),
    "positions": ("results", "drivers", "laps"),
    "tyres": ("stints", "drivers", "results"),
    "race-trace": ("laps", "drivers", "results"),
    "position-by-lap": ("laps", "drivers", "results"),
    "qualifying-gaps": ("results", "drivers"),
    "pit-stops": ("pit_stops", "drivers", "results"),
}
"""The datasets of each kind: the first must be stored, the others are used where they are."""


@click.command()
@click.argument("kind", type=click.Choice([*NEEDED, SEASON]))
@click.argument("partition_key", metavar="PARTITION")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Where to write it; the default is KIND_PARTITION.svg in this folder.",
)
@as_json_option
@reports_errors
def chart(kind: str, partition_key: str, output: Path | None, as_json: bool) -> None:
    """Write a chart of KIND of a PARTITION (2025/bahrain/race) as SVG.

    The chart of a season takes a year in place of a partition.

    Exit status: 0 written, 1 there is nothing to draw or the file cannot be written, 2 wrong use.
    """
    from f1_bronze.cli.console import print_json
    from f1_bronze.lake.lake import Lake

    lake = Lake.at(Settings.read().lake_uri)
    svg = _season(lake, partition_key) if kind == SEASON else _session(lake, kind, partition_key)
    if svg is None:
        raise click.ClickException(
            f"There is no {kind} chart of {partition_key}: what is stored has nothing to show. "
            f"Look what there is with f1-bronze status {partition_key[:4]}."
        )
    path = (output or Path(f"{kind}_{partition_key.replace('/', '_')}.svg")).absolute()
    try:
        size = path.write_bytes(svg.encode())
    except OSError as error:
        raise click.ClickException(
            f"{path} could not be written ({error.strerror}). Name another place with --output."
        ) from error
    if as_json:
        print_json({"status": 0, "path": str(path), "size_bytes": size})
    else:
        click.echo(f"Written: {path} ({size / 1000:,.0f} kB)")


def _session(lake: "Lake", kind: str, partition_key: str) -> str | None:
    from f1_bronze.charts.lap_times import draw_lap_times
    from f1_bronze.charts.pit_lane import draw_pit_stops
    from f1_bronze.charts.positions import QUALIFYING_TYPE, draw_positions
    from f1_bronze.charts.qualifying_gaps import draw_qualifying_gaps
    from f1_bronze.charts.race_progress import draw_positions_by_lap, draw_race_trace
    from f1_bronze.charts.tyre_strategy import draw_tyre_strategy

    draw: dict[str, Callable[..., str | None]] = {
        "lap-times": draw_lap_times,
        "positions": draw_positions,
        "tyres": draw_tyre_strategy,
        "race-trace": draw_race_trace,
        "position-by-lap": draw_positions_by_lap,
        "qualifying-gaps": draw_qualifying_gaps,
        "pit-stops": draw_pit_stops,
    }
    first, *others = NEEDED[kind]
    with suggesting_partitions(lake, find_dataset(first), partition_key):
        partition = SessionPartition.parse(partition_key)
        table = lake.read(find_dataset(first), partition).table
    tables = {name: _stored(lake, name, partition) for name in others}
    if kind == "positions" and partition.session_type in QUALIFYING_TYPE:
        before = QUALIFYING_TYPE[partition.session_type]
        qualifying = SessionPartition.parse(f"{partition_key.rpartition('/')[0]}/{before}")
        tables["qualifying"] = _stored(lake, "results", qualifying)
    return draw[kind](partition, table, **tables)


def _season(lake: "Lake", year: str) -> str | None:
    from f1_bronze.charts.season_overview import draw_season

    if not year.isdigit():
        raise click.UsageError(f"{year!r} is not a season; the chart of a season takes a year.")
    partitions = [
        partition
        for partition in lake.stored_partitions("results", [int(year)])
        if partition.session_type in ("race", "sprint")
    ]
    starts = {
        partition: table["date_start"].to_pylist()[0]
        for partition in partitions
        if (table := _stored(lake, "sessions", partition)) is not None and table.num_rows
    }
    ordered = sorted(starts, key=lambda partition: starts[partition])
    results = {partition: _stored(lake, "results", partition) for partition in ordered}
    drivers = {partition: _stored(lake, "drivers", partition) for partition in ordered}
    return draw_season(
        int(year),
        {partition: table for partition, table in results.items() if table is not None},
        {partition: table for partition, table in drivers.items() if table is not None},
    )


def _stored(lake: "Lake", dataset: str, partition: SessionPartition) -> "pa.Table | None":
    from f1_bronze.lake.errors import NotInLake

    try:
        return lake.read(find_dataset(dataset), partition).table
    except NotInLake:
        return None
