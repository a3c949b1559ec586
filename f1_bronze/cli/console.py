"""What people see of a command: progress, tables, values as text."""

import json
import logging
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from f1_bronze.datasets.dataset import RuleGroup
from f1_bronze.telemetry.logs import writes_json

if TYPE_CHECKING:
    from f1_bronze.defs.run.tally import RunTally

_INDENT = "    "
_NARROWEST_FOLD = 20
_WIDTH = 80
UNREADABLE = "(cannot be read)"
"""In a table, in place of the rows of a damaged file."""


def stdout() -> Console:
    """Standard output: results.

    Where it is no terminal, tables are as wide as COLUMNS says, or 80, and sentences one line.
    """
    if sys.stdout.isatty():
        return Console(highlight=False)
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() and int(columns) else _WIDTH
    return Console(width=width, soft_wrap=True, highlight=False)


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
    """Sessions, calls and the time left, on standard error.

    On a terminal a bar that is redrawn; elsewhere a line for each long wait.
    `estimate` says how many seconds so many further calls take by the call budget.
    """

    def __init__(
        self,
        console: Console,
        tally: "RunTally",
        *,
        estimate: Callable[[int], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._tally = tally
        self.estimate = estimate
        self._clock = clock
        self._began = 0.0
        self._calls = self._total = 0
        self._bar: Progress | None = None
        self._task = TaskID(0)
        tally.changed = self._update

    @contextmanager
    def running(self, *, total: int, calls: int) -> Iterator[None]:
        """Show the bar while inside; `total` datasets of sessions in so many planned calls."""
        self._calls, self._total, self._began = calls, total, self._clock()
        if not self._console.is_terminal or not total:
            yield
            return
        with Progress(
            TextColumn("ingesting"),
            BarColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
            transient=True,
        ) as bar:
            self._bar = bar
            self._task = bar.add_task("ingesting", total=total, note=self.note())
            yield
        self._bar = None

    def report(self, message: str) -> None:
        """Print a wait or a retry; a verbose log has it already."""
        if not _verbose():
            self._console.print(Text(message, style="dim"), soft_wrap=True)

    def note(self) -> str:
        """What is stored and how long the rest takes, by what these runs have measured so far.

        "At least" as long as calls, storing or checking are still to come and none was measured:
        of calls the budget's own waits are known, of the others nothing.
        """
        tallies = self._tally.by_dataset.values()
        asking = sum(one.asking_seconds for one in tallies)
        checking = sum(one.checking_seconds for one in tallies)
        known = sum(one.seconds for one in tallies)
        storing = max(0.0, known - asking - checking)
        stored, checks = self._tally.finished, sum(one.checks for one in tallies)
        made = sum(one.api_requests for one in tallies)
        calls_left, stores_left = max(0, self._calls - made), max(0, self._total - stored)
        failed = sum(one.failed for one in tallies)  # what is not stored is not checked
        checks_left = max(0, (self._total - failed) * len(RuleGroup) - checks)
        left = max(self.estimate(calls_left), calls_left * asking / made if made else 0.0)
        at_hand = sum(one.at_hand for one in tallies)
        # A call's first answer is stored in the call's own time.
        left += max(0, stores_left - calls_left) * storing / at_hand if at_hand else 0.0
        left += checks_left * checking / checks if checks else 0.0
        if done := self._done():  # starting runs, and whatever else is none of the three
            others = max(0.0, self._clock() - self._began - known)
            left += others * (self._total - done) / done
        phases = ((calls_left, made), (stores_left, stored), (checks_left, checks))
        is_known = all(measured for remaining, measured in phases if remaining)
        about = "about" if is_known else "at least"
        return f"{stored}/{self._total} stored · {about} {duration(left)} left"

    def _done(self) -> float:
        """How many datasets of sessions are done; half of each is storing it, half its checks."""
        checks = sum(one.checks for one in self._tally.by_dataset.values())
        return min(self._total, (self._tally.finished + checks / len(RuleGroup)) / 2)

    def _update(self) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done(), note=self.note())


def print_rows(
    console: Console,
    rows: Sequence[Mapping[str, Any]],
    *,
    total: bool = False,
    spare: Sequence[str] = (),
    fold: Sequence[str] = (),
) -> None:
    """Rows of equal keys as a table; numbers to the right, a line of sums if wanted.

    Where the table is wider than the console, columns of `spare` are left out, those without
    content first, and those of `fold` are broken into lines.
    """
    if not rows:
        return
    sums = {name: sum(row[name] for row in rows) for name in rows[0] if _is_number(rows, name)}
    footers = {name: _cell(value) for name, value in sums.items()} if total else {}

    def width(name: str) -> int:
        if name in fold:
            return _NARROWEST_FOLD
        cells = [_cell(row[name]) for row in rows]
        return max(map(len, (_header(name), footers.get(name, ""), *cells)))

    names = list(rows[0])
    empty = [name for name in spare if name in names and not any(row[name] for row in rows)]
    for name in [*empty, *(name for name in spare if name in names and name not in empty)]:
        if sum(map(width, names)) + 2 * (len(names) - 1) > console.width:
            names.remove(name)
    table = Table(box=None, pad_edge=False, show_footer=total)
    for place, name in enumerate(names):
        table.add_column(
            _header(name),
            footer=footers.get(name, "" if place else "total"),
            justify="right" if name in sums else "left",
            no_wrap=name not in fold,
            overflow="fold" if name in fold else "ellipsis",
        )
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in names))
    console.print(table, soft_wrap=False)


def print_terms(console: Console, terms: Iterable[tuple[str, str]]) -> None:
    """Each term on a line of its own, never broken, and what it means in lines below it."""
    for term, meaning in terms:
        console.print(Text(term, style="bold"), soft_wrap=True)
        lines = textwrap.wrap(meaning, console.width - len(_INDENT), break_long_words=False)
        console.print(Text(textwrap.indent("\n".join(lines), _INDENT)), soft_wrap=True)


def _header(name: str) -> str:
    return name.replace("_", " ").replace("api", "API")


def _is_number(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return all(isinstance(row[name], int | float) for row in rows)


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


def iso(moment: datetime | None) -> str | None:
    """A time as ISO 8601 in UTC; None for None."""
    return moment.astimezone(UTC).isoformat() if moment else None


def iso_seconds(moment: datetime | None) -> str | None:
    """A time as ISO 8601 in UTC without fractions of a second; None for None."""
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None


def first_and_more(places: Sequence[str]) -> str:
    """The first of several places and how many more there are.

    >>> first_and_more(["laps", "results", "stints"]), first_and_more(["laps"])
    ('laps and 2 more', 'laps')
    """
    return places[0] + (f" and {len(places) - 1} more" if len(places) > 1 else "")
