"""What people see of a command: progress, tables, values as text."""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from f1_bronze.telemetry.logs import writes_json

if TYPE_CHECKING:
    from f1_bronze.defs.run.tally import RunTally

UNREADABLE = "(cannot be read)"
"""In a table, in place of the rows of a damaged file."""


def stdout() -> Console:
    """Standard output: results. Where it is no terminal it is so wide that nothing is cut."""
    return Console(width=None if sys.stdout.isatty() else 240, highlight=False)


def stderr() -> Console:
    """Standard error: progress, waits and warnings."""
    return Console(stderr=True, highlight=False)


@contextmanager
def warnings_on(console: Console) -> Iterator[None]:
    """Show log records of this package on the console, unless they go there as JSON."""
    if writes_json():
        yield
        return
    logger, handler = logging.getLogger("f1_bronze"), _ConsoleHandler(console)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _ConsoleHandler(logging.Handler):
    """Prints log records as lines above the progress bar instead of through it."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """One line a record, its level in front."""
        if (hasattr(record, "endpoint") or hasattr(record, "event")) and not _verbose():
            return  # a call or a step of a run: the progress bar and the final table show these
        line = f"{record.levelname.lower()}: {record.getMessage()}"
        self._console.print(Text(line, style="yellow"), soft_wrap=True)


def _verbose() -> bool:
    return logging.getLogger("f1_bronze").isEnabledFor(logging.INFO)


class ProgressBar:
    """Calls, sessions and the time left, on standard error.

    On a terminal a bar that is redrawn; elsewhere a line for each long wait.
    `estimate` says how many seconds so many further calls take by the call budget.
    """

    def __init__(
        self, console: Console, tally: "RunTally", *, estimate: Callable[[int], float]
    ) -> None:
        self._console = console
        self._tally = tally
        self.estimate = estimate
        self._calls = 0
        self._bar: Progress | None = None
        self._task = TaskID(0)
        tally.changed = self._update

    @contextmanager
    def running(self, *, total: int, calls: int) -> Iterator[None]:
        """Show the bar while inside; `total` datasets of sessions in so many planned calls."""
        self._calls = calls
        if not self._console.is_terminal or not total:
            yield
            return
        with Progress(
            TextColumn("ingesting"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
            transient=True,
        ) as bar:
            self._bar = bar
            self._task = bar.add_task("ingesting", total=total, note=self._note(calls))
            yield
        self._bar = None

    def report(self, message: str) -> None:
        """Print a wait or a retry; a verbose log has it already."""
        if not _verbose():
            self._console.print(Text(message, style="dim"), soft_wrap=True)

    def _update(self) -> None:
        if self._bar is not None:
            made = sum(one.api_requests for one in self._tally.by_dataset.values())
            note = self._note(max(0, self._calls - made))
            self._bar.update(self._task, completed=self._tally.finished, note=note)

    def _note(self, left: int) -> str:
        return f"{left} calls left · at least {duration(self.estimate(left))}"


def print_rows(console: Console, rows: Sequence[Mapping[str, Any]], *, total: bool = False) -> None:
    """Rows of equal keys as a table; numbers to the right, a line of sums if wanted."""
    if not rows:
        return
    table = Table(box=None, pad_edge=False, show_footer=total)
    for place, name in enumerate(rows[0]):
        number = all(isinstance(row[name], int | float) for row in rows)
        footer = ""
        if total:
            footer = _cell(sum(row[name] for row in rows)) if number else "" if place else "total"
        table.add_column(
            name.replace("_", " ").replace("api", "API"),
            footer=footer,
            justify="right" if number else "left",
            no_wrap=True,
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else "" if value is None else str(value)


def print_json(data: Any) -> None:
    """JSON on standard output, for other programs."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def duration(seconds: float) -> str:
    """A duration for people.

    >>> duration(7.4), duration(95)
    ('7 s', '1 min 35 s')
    """
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def iso(time: datetime | None) -> str | None:
    """A time as ISO 8601 in UTC; None for None."""
    return time.astimezone(UTC).isoformat() if time else None


def first_and_more(places: Sequence[str]) -> str:
    """The first of several places and how many more there are.

    >>> first_and_more(["laps", "results", "stints"]), first_and_more(["laps"])
    ('laps and 2 more', 'laps')
    """
    return places[0] + (f" and {len(places) - 1} more" if len(places) > 1 else "")
