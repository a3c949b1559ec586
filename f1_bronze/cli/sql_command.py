"""f1-bronze sql: ask the lake in SQL.

Belongs here: the options, and the four forms of a result. Stays out: the views (lake/views.py).
"""

import csv
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from f1_bronze.cli.options import WRONG_USE, Moment, as_json_option, told
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    import duckdb


SHOWN_ROWS = 100

"""How many rows the table for people has at most."""


@click.command()
@click.argument("statement", metavar="SQL")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a line of names.")
@as_json_option
@click.option(
    "--parquet",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the result to a Parquet file.",
)
@click.option("--as-of", type=Moment(), metavar="TIME", help="The lake as it was then (UTC).")
@told
def sql(
    statement: str, as_csv: bool, as_json: bool, parquet: Path | None, as_of: datetime | None
) -> None:
    """Run one SQL query (DuckDB) over the lake; nothing can be changed by it.

    Views: sessions, drivers, results, laps, stints, pit_stops (each with year, grand_prix and
    session_type), revisions (what was replaced or refused) and lineage (events).

    \b
    f1-bronze sql "SELECT driver_number, min(lap_duration) FROM laps
                   WHERE year = 2025 AND grand_prix = 'bahrain' GROUP BY ALL ORDER BY 2"

    Exit status: 0 answered, 1 the lake cannot be read, 2 a wrong query.
    """
    if as_csv + as_json + (parquet is not None) > 1:
        raise click.UsageError("--csv, --json and --parquet exclude each other; give one.")
    import duckdb

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
        if as_json:
            message = {"status": WRONG_USE, "error": type(error).__name__, "message": str(error)}
            click.echo(json.dumps(message, ensure_ascii=False))
        click.echo(f"f1-bronze: {error}", err=True)
        sys.exit(WRONG_USE)
    if views.without_files:
        missing, when = ", ".join(views.without_files), f" at {as_of}" if as_of else ""
        click.echo(f"No files of {missing} in {store.uri('')}{when}.", err=True)
    if as_csv:
        _print_csv(names, rows)
    elif as_json:
        from f1_bronze.cli.console import print_json

        print_json([_plain(dict(zip(names, row, strict=True))) for row in rows])
    elif parquet is None:
        _print_table(names, rows)


def _unique(names: Iterable[str]) -> list[str]:
    """The names, later ones numbered where they are equal: a row as an object loses nothing.

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
    writer.writerows(["" if value is None else _shown(value) for value in row] for row in rows)


def _print_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, name in enumerate(names):
        number = any(isinstance(row[place], int | float | Decimal) for row in rows)
        table.add_column(Text(name), justify="right" if number else "left", overflow="fold")
    for row in rows[:SHOWN_ROWS]:
        table.add_row(*(Text("" if value is None else _shown(value)) for value in row))
    # Where it is no terminal, no line is folded for the sake of its width.
    Console(width=None if sys.stdout.isatty() else 10_000, highlight=False).print(table)
    if len(rows) > SHOWN_ROWS:
        click.echo(f"{SHOWN_ROWS} of {len(rows):,} rows; --csv prints all.", err=True)


def _shown(value: Any) -> str:
    """A value as text: moments as ISO 8601, lists and structures as JSON."""
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """A value of DuckDB's as JSON has it; what JSON has no word for becomes text."""
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
