"""What people see: tables that fit the terminal, and an honest remaining time."""

import io
from typing import Any

from rich.console import Console

from f1_bronze.cli.console import ProgressBar, print_rows
from f1_bronze.defs.run.tally import DatasetTally, RunTally

ROWS = [
    {"dataset": "laps", "rows": 1_080, "refused": 0, "checks": 3, "uri": "s3://lake/" + "x" * 40},
    {"dataset": "drivers", "rows": 20, "refused": 0, "checks": 3, "uri": "s3://lake/y"},
]


def printed(width: int, **options: Any) -> list[str]:
    """The lines of the table on a console of that width."""
    console = Console(file=io.StringIO(), width=width)
    print_rows(console, ROWS, **options)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_table_that_fits_is_whole() -> None:
    """All columns, and the sums if they are wanted."""
    head, *lines = printed(100, total=True, spare=("refused", "checks"))
    assert head.split() == ["dataset", "rows", "refused", "checks", "uri"]
    assert lines[-1].split() == ["total", "1,100", "0", "6"]


def test_a_narrow_table_has_fewer_columns() -> None:
    """Spare columns go, those of zeros first; headers and other values stay whole."""
    heads = [printed(width, spare=("checks", "refused"))[0].split() for width in (85, 75, 68)]
    assert heads == [
        ["dataset", "rows", "refused", "checks", "uri"],
        ["dataset", "rows", "checks", "uri"],
        ["dataset", "rows", "uri"],
    ]


def test_long_texts_are_folded() -> None:
    """A column that may be folded is broken into lines, so that nothing of it is cut."""
    lines = printed(50, fold=("uri",))
    assert max(map(len, lines)) <= 50
    assert "".join(line.split()[-1] for line in lines[1:-1]).endswith("x" * 20)
    assert len(lines) > 3


def test_the_remaining_time_is_honest() -> None:
    """The larger of what the call budget takes and of what the rest takes at the speed so far."""
    tally, now = RunTally(), [0.0]
    bar = ProgressBar(Console(file=io.StringIO()), tally, estimate=float, clock=lambda: now[0])
    with bar.running(total=4, calls=10):
        assert bar.note() == "0/4 stored · about 10 s left"
        now[0] = 60.0
        tally.by_dataset["laps"] = DatasetTally(sessions=2, checks=3, api_requests=9)
        # One is stored and checked, another is stored: one and a half of four in a minute.
        assert bar.note() == "2/4 stored · about 1 min 40 s left"
        tally.by_dataset["laps"] = DatasetTally(sessions=4, checks=12, api_requests=10)
        assert bar.note() == "4/4 stored · about 0 s left"
