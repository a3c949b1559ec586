"""What people see: tables that fit the terminal, and an honest remaining time."""

import io
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from f1_bronze.cli.console import ProgressBar, print_rows
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.results import RESULTS
from f1_bronze.defs.run.tally import RunTally
from f1_bronze.lake.changes import NO_CHANGES
from f1_bronze.lake.landing import Landing, Revision
from f1_bronze.openf1.batches import SessionAnswer
from f1_bronze.quality.verdicts import CheckVerdict

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


class Season:
    """An ingest as a clock sees it: 4 calls, 40 stored partitions of two datasets, 120 checks."""

    def __init__(self, *, call: float, store: float, check: float, budget: float = 0.0) -> None:
        self.now = 0.0
        self.call, self.store, self.check = call, store, check
        self.tally = RunTally(clock=lambda: self.now)
        self.bar = ProgressBar(
            Console(file=io.StringIO()),
            self.tally,
            estimate=lambda calls: budget * calls,
            clock=lambda: self.now,
        )

    def run(self) -> Iterator[str]:
        """The note before the work, after each step, and at the end."""
        with self.bar.running(total=40, calls=4):
            yield self.bar.note()
            self.tally.start(())
            for dataset in (LAPS, RESULTS):
                for number in range(20):
                    if number % 10 == 0:
                        self.now += self.call
                    self.now += self.store
                    answer = SessionAnswer(
                        session_key=number,
                        api_requests=int(number % 10 == 0),
                        extract_seconds=self.call / 10,
                    )
                    self.tally.add_landing(dataset, PARTITION, landing(), answer)
                    yield self.bar.note()
                for _ in range(60):
                    self.now += self.check
                    self.tally.add_check(verdict(dataset))
                    yield self.bar.note()


PARTITION = SessionPartition.parse("2025/bahrain/race")


def landing() -> Landing:
    return Landing(
        revision=Revision.UNCHANGED,
        uri="memory:///x",
        table=pa.table({"a": [1]}),
        size_bytes=1,
        content_sha256="",
        absent_columns=(),
        changes=NO_CHANGES,
    )


def verdict(dataset: Dataset) -> CheckVerdict:
    return CheckVerdict(dataset=dataset.name, partition=PARTITION, check="valid", rules=())


def seconds(note: str) -> float:
    """The remaining time in a note."""
    found = re.search(r"(?:(\d+) min )?(\d+) s left", note)
    assert found is not None
    return 60 * int(found[1] or 0) + int(found[2])


@pytest.mark.parametrize(
    ("speed", "budget"),
    [
        ({"call": 1.0, "store": 0.2, "check": 0.3}, 0.0),  # checks take most, and come late
        ({"call": 1.0, "store": 2.0, "check": 0.01}, 0.0),
        ({"call": 20.0, "store": 0.1, "check": 0.1}, 0.0),  # a slow API
        ({"call": 30.0, "store": 0.1, "check": 0.1}, 30.0),  # a tight budget
    ],
)
def test_the_remaining_time_is_honest(speed: dict[str, float], budget: float) -> None:
    """Once calls, storing and checking were measured, it is what is really left; before that it is
    called the least, and is never more."""
    whole = Season(**speed, budget=budget)
    list(whole.run())
    season = Season(**speed, budget=budget)
    for note in season.run():
        left = whole.now - season.now
        if "at least" in note:
            assert seconds(note) <= left + 1
        else:
            # A batch's call is counted in tenths, one for each of its sessions.
            assert abs(seconds(note) - left) <= 0.1 * left + speed["call"] + 1
    assert note == "40/40 stored · about 0 s left"


def test_nothing_is_known_at_first() -> None:
    """Before anything was measured only the budget's waits are known; checks never are."""
    notes = list(Season(call=1.0, store=0.2, check=0.3, budget=2.0).run())
    assert notes[0] == "0/40 stored · at least 8 s left"
    assert all("at least" in note for note in notes[:21])
    assert all("about" in note for note in notes[21:])


def test_what_is_none_of_the_three_counts() -> None:
    """Time that starting runs takes is in the estimate of the rest."""
    season = Season(call=0.0, store=0.0, check=0.0)
    notes = season.run()
    for _ in range(1 + 20 + 60):
        next(notes)
    assert season.bar.note() == "20/40 stored · about 0 s left"
    season.now += 30.0  # half is done
    assert season.bar.note() == "20/40 stored · about 30 s left"
