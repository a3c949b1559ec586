"""What a person sees of a command: progress, tables, sentences.

Belongs here: rendering, for people and as JSON. Stays out: what is rendered (cli.py, defs/).
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from f1_bronze.defs.run.tally import RunTally
from f1_bronze.telemetry.logs import writes_json


class WarningsToConsole(logging.Handler):
    """Log records as lines above the progress bar instead of through it."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """One line a record, its level in front."""
        if (hasattr(record, "endpoint") or hasattr(record, "event")) and not _verbose():
            return  # a call or a step of a run: ProgressBar and the final table tell of these
        line = f"{record.levelname.lower()}: {record.getMessage()}"
        self._console.print(Text(line, style="yellow"), soft_wrap=True)


def _verbose() -> bool:
    return logging.getLogger("f1_bronze").isEnabledFor(logging.INFO)


def plain() -> Console:
    """Standard output; as wide as needed where it is no terminal, so that nothing is cut."""
    return Console(width=None if sys.stdout.isatty() else 240, highlight=False)


def screen() -> Console:
    """Standard error: progress, waits and warnings, out of the way of results."""
    return Console(stderr=True, highlight=False)


@contextmanager
def warnings_on(console: Console) -> Iterator[None]:
    """Log records of this package go to the console while inside, unless they go there as JSON."""
    if writes_json():
        yield
        return
    logger, handler = logging.getLogger("f1_bronze"), WarningsToConsole(console)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class ProgressBar:
    """Calls, sessions and the time left, on standard error.

    On a terminal a bar that is redrawn; elsewhere one line for each wait that is worth telling.
    `estimate` says how many seconds so many further calls take by the call budget.
    """

    def __init__(
        self, console: Console, account: RunTally, *, estimate: Callable[[int], float]
    ) -> None:
        self._console = console
        self._account = account
        self.estimate = estimate
        self._calls = 0
        self._bar: Progress | None = None
        self._task = TaskID(0)
        account.changed = self._update

    @contextmanager
    def shown(self, *, total: int, calls: int) -> Iterator[None]:
        """Shown while inside; `total` datasets of sessions in so many planned calls."""
        self._calls = calls
        if not self._console.is_terminal or not total:
            yield
            return
        with Progress(
            TextColumn("landing"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
            transient=True,
        ) as bar:
            self._bar = bar
            self._task = bar.add_task("landing", total=total, note=self._note(calls))
            yield
        self._bar = None

    def tell(self, message: str) -> None:
        """A wait or a retry, in a sentence."""
        if not _verbose():  # else the log has told it
            self._console.print(Text(message, style="dim"), soft_wrap=True)

    def _update(self) -> None:
        if self._bar is not None:
            left = max(0, self._calls - self._made())
            self._bar.update(self._task, completed=self._account.finished, note=self._note(left))

    def _made(self) -> int:
        return sum(one.api_requests for one in self._account.by_dataset.values())

    def _note(self, left: int) -> str:
        return f"{left} calls left · at least {seconds_text(self.estimate(left))}"


def print_rows(console: Console, rows: Sequence[Mapping[str, Any]], *, total: bool) -> None:
    """Rows of equal keys as a table; numbers to the right, a sum line if wanted."""
    if not rows:
        return
    table = Table(box=None, pad_edge=False, show_footer=total)
    for place, name in enumerate(rows[0]):
        number = all(isinstance(row[name], int | float) for row in rows)
        footer = ""
        if total:
            words = "" if place else "total"
            footer = _shown(sum(row[name] for row in rows)) if number else words
        table.add_column(
            name.replace("_", " ").replace("api", "API"),
            footer=footer,
            justify="right" if number else "left",
            no_wrap=True,
        )
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    console.print(table)


def print_json(data: Any) -> None:
    """JSON on standard output, for other programs."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def seconds_text(seconds: float) -> str:
    """A duration for people.

    >>> seconds_text(7.4), seconds_text(95)
    ('7 s', '1 min 35 s')
    """
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
