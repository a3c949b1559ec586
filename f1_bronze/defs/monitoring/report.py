"""Some seasons as one self-contained HTML page: problems first, then the matrix and the charts.

One file cannot load a part of itself later, so the sessions of the latest weekends alone have their
charts in it: a race has six, of some 20 kB each.
"""

import base64
import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from itertools import groupby
from typing import Any

import dagster as dg

from f1_bronze import __version__
from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import RACE_TYPES
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.metadata import CHANGES_SHOWN
from f1_bronze.defs.monitoring.coverage import MEANINGS, SIGNS, Cell, CellState, Coverage
from f1_bronze.defs.monitoring.problems import RuleStanding, as_text, list_problems, standings
from f1_bronze.defs.monitoring.row_bands import (
    HEIGHT,
    WIDTH,
    Bands,
    describe_band,
    draw_charts,
    is_unusual,
    usual_rows,
)
from f1_bronze.defs.resources import Deployment
from f1_bronze.lake.changes import CHANGE_COLUMNS, change_table
from f1_bronze.lake.errors import LakeError
from f1_bronze.lake.lake import Lake

_log = logging.getLogger(__name__)


WEEKENDS_CHARTED = 3
"""How many of the latest Grands Prix have the charts of their sessions in the page, by default."""


@dataclass(frozen=True, kw_only=True)
class SessionCharts:
    """The charts of a session: of each its kind and its SVG, which is ASCII and escaped."""

    session: SessionPartition
    charts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that the page shows.

    Attributes:
        overviews: year by year the chart of the season, as SVG, where a race is stored.
        session_charts: those of the latest weekends, the latest session first.
    """

    seasons: Sequence[int]
    coverage: Coverage
    usual: Bands
    lake_uri: str
    environment: str
    made_at: datetime
    overviews: Sequence[tuple[int, str]] = ()
    session_charts: Sequence[SessionCharts] = ()


def make_report(
    instance: dg.DagsterInstance,
    deployment: Deployment,
    seasons: Sequence[int],
    coverage: Coverage,
    *,
    weekends: int = WEEKENDS_CHARTED,
) -> Report:
    """The report on a coverage, which was read with its rules.

    `weekends` says how many of the latest Grands Prix have charts; a dataset that cannot be read is
    left out of them, with a warning.
    """
    overviews, session_charts = _draw_stored(deployment.lake, coverage, weekends)
    return Report(
        seasons=seasons,
        coverage=coverage,
        usual=usual_rows(instance, coverage),
        lake_uri=deployment.lake.store.uri(""),
        environment=deployment.environment,
        made_at=deployment.now(),
        overviews=overviews,
        session_charts=session_charts,
    )


def _draw_stored(
    lake: Lake, coverage: Coverage, weekends: int
) -> tuple[list[tuple[int, str]], list[SessionCharts]]:
    """The overview of each season, and the charts of the sessions of the latest weekends."""
    from f1_bronze.charts.dataset_charts import (  # keeps the code location light
        LARGEST,
        NEEDED,
        draw_season_chart,
        draw_session_chart,
        session_tables,
    )

    if not weekends:
        return [], []
    stored = {cell.partition for cell in coverage.cells.values() if cell.has_content}
    sessions = [session for session in coverage.sessions if session in stored]
    latest = list(dict.fromkeys((one.year, one.grand_prix) for one in reversed(sessions)))[
        :weekends
    ]
    charted = [one for one in reversed(sessions) if (one.year, one.grand_prix) in latest]
    wanted = {place for session in charted for place in session_tables(session)}
    races = [session for session in sessions if session.session_type in RACE_TYPES]
    wanted |= {(name, race) for race in races for name in ("results", "drivers")}
    tables = {}
    for dataset in DATASETS:
        places = {partition for name, partition in wanted if name == dataset.name}
        try:
            files = lake.read_all(dataset, places)
        except LakeError as error:  # a damaged file must not keep the rest of the page away
            _log.warning("Charts of the report are drawn without %s: %s", dataset.name, error)
            continue
        tables.update({(dataset.name, one): file.table for one, file in files.items()})
    overviews = [
        (year, svg)
        for year in dict.fromkeys(session.year for session in races)
        if (svg := draw_season_chart(year, [one for one in races if one.year == year], tables))
        and len(svg) <= LARGEST
    ]
    drawn = [
        SessionCharts(
            session=session,
            charts=tuple(
                (kind, svg)
                for kind in NEEDED
                if (svg := draw_session_chart(kind, session, tables)) and len(svg) <= LARGEST
            ),
        )
        for session in charted
    ]
    return overviews, [one for one in drawn if one.charts]


@dataclass(frozen=True, kw_only=True)
class ShownCell:
    """A cell of the matrix; `number` is its own on the page, `usual` and `unusual` are words."""

    number: int
    cell: Cell
    usual: str
    unusual: str

    @property
    def text(self) -> str:
        """The rows where the latest answer is stored, else the label."""
        return f"{self.cell.rows:,}" if self.cell.state is CellState.LANDED else self.cell.label

    @property
    def sign(self) -> str:
        """The label in a character."""
        return SIGNS.get(self.cell.label, "")

    @property
    def title(self) -> str:
        """One line, shown while the pointer rests on the cell."""
        rows = "" if self.cell.rows is None else f", {self.cell.rows:,} rows"
        failed = f", a failed {self.cell.severity} check" if self.cell.severity else ""
        return f"{self.cell}: {self.cell.label}{rows}{failed}"


Matrix = list[tuple[int, list[tuple[SessionPartition, list[ShownCell]]]]]
"""Year by year the sessions with their cells."""


def render(report: Report) -> str:
    """The page: HTML that loads nothing from outside."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("f1_bronze.defs.monitoring", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    style = (resources.files(__package__) / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    rules = standings(report.coverage)
    new = Counter(c.dataset.name for c in report.coverage.cells.values() if c.revision == "new")
    return environment.get_template("page.html.jinja").render(
        report=report,
        version=__version__,
        style=style,
        # Nothing may be loaded but this one style sheet.
        policy=(
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        ),
        seasons=_seasons_text(report.seasons),
        datasets=DATASETS,
        matrix=(matrix := _matrix(report)),
        legend=_legend(matrix),
        verdict=verdict(report.coverage, rules),
        simulated=len({c.partition for c in report.coverage.cells.values() if c.is_simulated}),
        rules=rules,
        broken=[rule for rule in rules if rule.violations],
        problems=[one for one in list_problems(report.coverage) if one.check is None],
        charts=draw_charts(report.coverage, report.usual),
        chart={"width": WIDTH, "height": HEIGHT},
        corrections=corrections(report.coverage),
        change_columns=CHANGE_COLUMNS,
        new=[(dataset.name, new[dataset.name]) for dataset in DATASETS if new[dataset.name]],
    )


def count(report: Report) -> dict[str, Any]:
    """The figures of the page, for programs."""
    broken = [rule for rule in standings(report.coverage) if rule.violations]
    return {
        "sessions": len(report.coverage.sessions),
        "states": {state.value: count for state, count in report.coverage.counts().items()},
        "overdue": len(report.coverage.overdue),
        "rules_broken": {
            severity: sum(rule.severity == severity for rule in broken)
            for severity in ("ERROR", "WARN")
        },
        "corrections": len(corrections(report.coverage)),
    }


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What the latest answer changed of what was stored before.

    `rows` are those of the table of changes, as text; empty in records of older releases, which
    have only the cell's `what_changed`. `more` says how many are not shown.
    """

    cell: Cell
    rows: tuple[tuple[str, ...], ...]
    more: int


def corrections(coverage: Coverage) -> list[Correction]:
    """The corrections of the latest answers, the latest first."""
    changed = [c for c in coverage.chronological() if c.revision == "changed" and c.stored_at]
    changed.sort(key=lambda cell: cell.stored_at or datetime.min, reverse=True)
    return [_correction(cell) for cell in changed]


def _correction(cell: Cell) -> Correction:
    if cell.changes is None:
        return Correction(cell=cell, rows=(), more=0)
    table = change_table(cell.dataset, cell.changes)
    rows = tuple(
        (what, row, column, as_text(before), as_text(after)) if column else (what, row, "", "", "")
        for what, row, column, before, after in table[:CHANGES_SHOWN]
    )
    return Correction(cell=cell, rows=rows, more=len(table) - len(rows) + cell.changes.omitted)


def verdict(coverage: Coverage, rules: Sequence[RuleStanding]) -> str:
    """The page in a sentence or two."""
    states = coverage.counts()
    total = sum(states.values())
    if not total:
        return "No session of these seasons is registered."
    fine = states.get(CellState.LANDED, 0) + states.get(CellState.EMPTY, 0)
    of_all = f"{total:,} datasets of {len(coverage.sessions)} sessions"
    sentences = [
        f"All {of_all} are stored."
        if fine == total
        else f"{fine:,} of {of_all} are stored and up to date."
    ]
    if overdue := coverage.overdue:
        keys = {cell.partition.key for cell in overdue}
        datasets = _counted(len(overdue), "dataset")
        are = "are" if len(overdue) > 1 else "is"
        sentences.append(f"{datasets} of {_counted(len(keys), 'session')} {are} overdue.")
    words = []
    for severity in ("ERROR", "WARN"):
        broken = [rule for rule in rules if rule.violations and rule.severity == severity]
        if broken:
            keys = {one.key for rule in broken for one in rule.violations}
            are = "are" if len(broken) > 1 else "is"
            words.append(
                f"{_counted(len(broken), f'{severity} rule')} {are} broken in "
                f"{_counted(len(keys), 'session')}"
            )
    holds = "Every rule holds." if rules else "No rule has been checked."
    return " ".join([*sentences, f"{'; '.join(words)}." if words else holds])


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s'[: number > 1]}"


def _seasons_text(seasons: Sequence[int]) -> str:
    in_a_row = list(seasons) == list(range(seasons[0], seasons[-1] + 1)) and len(seasons) > 2
    return f"{seasons[0]}–{seasons[-1]}" if in_a_row else ", ".join(map(str, seasons))


def _matrix(report: Report) -> Matrix:
    number = 0
    years: Matrix = []
    for year, sessions in groupby(report.coverage.sessions, key=lambda session: session.year):
        rows = []
        for session in sessions:
            row = []
            for dataset in DATASETS:
                number += 1
                cell = report.coverage.cell(session, dataset)
                band = report.usual.get((session.key, dataset.name))
                arrow = ""
                if band and cell.rows is not None and is_unusual(cell.rows, band):
                    arrow = "↓" if cell.rows < band[0] else "↑"
                usual = describe_band(cell, band)
                row.append(ShownCell(number=number, cell=cell, usual=usual, unusual=arrow))
            rows.append((session, row))
        years.append((year, rows))
    return years


def _legend(matrix: Matrix) -> list[tuple[str, str, int, str]]:
    """Each label that is shown, with its sign, how often, and what it means."""
    shown = Counter(one.cell.label for _, rows in matrix for _, row in rows for one in row)
    return [
        (label, sign, shown[label], MEANINGS[label])
        for label, sign in SIGNS.items()
        if shown[label]
    ]


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "unknown"
