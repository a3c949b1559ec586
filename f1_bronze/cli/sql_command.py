"""f1-bronze sql: runs SQL over the lake and prints a table, CSV or JSON, or writes Parquet."""

import csv
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.options import WRONG_USE, Time, as_json_option, exit_with, reports_errors
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    import duckdb
    from rich.console import Console

ROWS_SHOWN = 100
"""The most rows that the table for people has."""

_WHOLE = 100_000
"""A width that no table has."""


@click.command()
@click.argument("statement", metavar="SQL", required=False)
@click.option("--examples", is_flag=True, help="Print a dozen questions with their SQL.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a line of names.")
@as_json_option
@click.option(
    "--parquet",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the result to a Parquet file.",
)
@click.option("--as-of", type=Time(), metavar="TIME", help="The lake as it was then (UTC).")
@reports_errors
def sql(
    statement: str | None,
    examples: bool,
    as_csv: bool,
    as_json: bool,
    parquet: Path | None,
    as_of: datetime | None,
) -> None:
    """Run one SQL query (DuckDB) over the lake, which it cannot change.

    Views: sessions, drivers, results, laps, stints, pit_stops (each with year, grand_prix and
    session_type), revisions (replaced and refused files) and lineage (events).

    \b
    f1-bronze sql "SELECT driver_number, min(lap_duration) FROM laps
                   WHERE year = 2025 AND grand_prix = 'bahrain' GROUP BY ALL ORDER BY 2"

    Rows that are wider than the terminal are printed with a line for each value.

    Exit status: 0 done, 1 the lake cannot be read, 2 the query is wrong.
    """
    if examples:
        _print_examples(as_json=as_json)
        return
    if not statement:
        raise click.UsageError("Give a query, or --examples for some.")
    if as_csv + as_json + (parquet is not None) > 1:
        raise click.UsageError("--csv, --json and --parquet exclude each other; give one.")
    import duckdb

    from f1_bronze.cli.console import print_json
    from f1_bronze.lake.access import open_store
    from f1_bronze.lake.sql import Views

    store = open_store(Settings.read().lake_uri)
    views = Views(store, as_of=as_of)
    try:
        with views.answer(statement) as relation:
            if parquet is not None:
                _write_parquet(relation, parquet)
            else:
                names, rows = _unique(relation.columns), relation.fetchall()
    except duckdb.Error as error:
        exit_with(error, WRONG_USE, as_json=as_json)
    if views.without_files:
        missing, when = ", ".join(views.without_files), f" at {as_of}" if as_of else ""
        click.echo(f"{store.uri('')} has no files of {missing}{when}.", err=True)
    if as_csv:
        _print_csv(names, rows)
    elif as_json:
        print_json([_plain(dict(zip(names, row, strict=True))) for row in rows])
    elif parquet is None:
        _print_table(names, rows)


def _print_examples(*, as_json: bool) -> None:
    from f1_bronze.cli.console import print_json
    from f1_bronze.cli.sql_examples import EXAMPLES

    if as_json:
        print_json([example._asdict() for example in EXAMPLES])
        return
    for question, query in EXAMPLES:
        click.echo(f"-- {question}\n{query};\n")


def _unique(names: Iterable[str]) -> list[str]:
    """The names, repeated ones numbered, so that a row as a JSON object keeps every column.

    >>> _unique(["a", "b", "a"])
    ['a', 'b', 'a_1']
    """
    found: list[str] = []
    for name in names:
        count, fresh = 0, name
        while fresh in found:
            count += 1
            fresh = f"{name}_{count}"
        found.append(fresh)
    return found


def _write_parquet(relation: "duckdb.DuckDBPyRelation", file: Path) -> None:
    from f1_bronze.lake.parquet import table_bytes

    table = relation.to_arrow_table()
    data = table_bytes(table.rename_columns(_unique(table.column_names)))
    try:
        file.write_bytes(data)
    except OSError as error:
        raise click.UsageError(f"Could not write {file} ({error.strerror}).") from error
    click.echo(f"{table.num_rows:,} rows in {file} ({len(data):,} bytes).", err=True)


def _print_csv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(["" if value is None else _as_text(value) for value in row] for row in rows)


def _print_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from f1_bronze.cli.console import stdout

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, name in enumerate(names):
        number = any(isinstance(row[place], int | float | Decimal) for row in rows)
        table.add_column(Text(name), justify="right" if number else "left", overflow="fold")
    for row in rows[:ROWS_SHOWN]:
        table.add_row(*(Text("" if value is None else _as_text(value)) for value in row))
    console = stdout()
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        console.width = _WHOLE  # a file or a pipe: no line is folded
    if console.measure(table, options=console.options.update(max_width=_WHOLE)).maximum <= (
        console.width
    ):
        console.print(table, soft_wrap=False)
    else:
        _print_records(console, names, rows[:ROWS_SHOWN])
    if len(rows) > ROWS_SHOWN:
        click.echo(f"{ROWS_SHOWN} of {len(rows):,} rows; --csv prints them all.", err=True)


def _print_records(console: "Console", names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A row that is wider than the terminal as a line for each of its values."""
    from rich.table import Column, Table
    from rich.text import Text

    for number, row in enumerate(rows, start=1):
        console.print(f"─ row {number} ".ljust(min(console.width, 40), "─"), style="dim")
        table = Table.grid(Column(no_wrap=True), Column(overflow="fold"), padding=(0, 2))
        for name, value in zip(names, row, strict=True):
            table.add_row(Text(name), Text("" if value is None else _as_text(value)))
        console.print(table, soft_wrap=False)


def _as_text(value: Any) -> str:
    """A value as text: times as ISO 8601, lists and structures as JSON."""
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """A value of DuckDB as JSON has it; as text where JSON has no such type."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(value)
