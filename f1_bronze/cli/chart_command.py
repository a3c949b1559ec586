"""f1-bronze chart: writes a chart of a session, or of a season, as an SVG file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from f1_bronze.charts.dataset_charts import (
    NEEDED,
    draw_season_chart,
    draw_session_chart,
    session_tables,
)
from f1_bronze.cli.options import (
    as_json_option,
    find_dataset,
    reports_errors,
    suggesting_partitions,
)
from f1_bronze.datasets.dataset import RACE_TYPES
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from f1_bronze.lake.lake import Lake

SEASON = "season"


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
    first = NEEDED[kind][0]
    with suggesting_partitions(lake, find_dataset(first), partition_key):
        partition = SessionPartition.parse(partition_key)
        table = lake.read(find_dataset(first), partition).table
    others = [place for place in session_tables(partition) if place[0] in NEEDED[kind]]
    stored = {place: read for place in others if (read := _stored(lake, *place)) is not None}
    return draw_session_chart(kind, partition, {**stored, (first, partition): table})


def _season(lake: "Lake", year: str) -> str | None:
    if not year.isdigit():
        raise click.UsageError(f"{year!r} is not a season; the chart of a season takes a year.")
    partitions = [
        partition
        for partition in lake.stored_partitions("results", [int(year)])
        if partition.session_type in RACE_TYPES
    ]
    tables = {
        (name, partition): file.table
        for name in ("sessions", "results", "drivers")
        for partition, file in lake.read_all(find_dataset(name), partitions).items()
    }
    starts = {
        partition: tables["sessions", partition]["date_start"].to_pylist()[0]
        for partition in partitions
        if ("sessions", partition) in tables and tables["sessions", partition].num_rows
    }
    return draw_season_chart(int(year), sorted(starts, key=lambda one: starts[one]), tables)


def _stored(lake: "Lake", dataset: str, partition: SessionPartition) -> "pa.Table | None":
    from f1_bronze.lake.errors import NotInLake

    try:
        return lake.read(find_dataset(dataset), partition).table
    except NotInLake:
        return None
