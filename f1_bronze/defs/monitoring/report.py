"""The page as one text: what the template is given, and the policy that forbids all else.

Belongs here: rendering, and a cell of the matrix as it is shown. Stays out: the looks
(page.html.jinja, page.css), what is told (the modules beside this one).
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from itertools import groupby
from typing import Any

from f1_bronze import __version__
from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.monitoring.coverage import LATE, MEANINGS, SIGNS, Cell, Coverage, Place, State
from f1_bronze.defs.monitoring.problems import RuleStanding, reasons, standings
from f1_bronze.defs.monitoring.row_bands import HEIGHT, WIDTH, Bands, charts, expected, is_unusual

_CELL = re.compile(r"\|((?:\\.|[^|\\])*)(?=\|)")


@dataclass(frozen=True, kw_only=True)
class Correction:
    """A content that the latest answer has replaced; `table` has its head in front."""

    dataset: str
    key: str
    landed_at: datetime
    table: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class News:
    """What changed since the time before: corrections, the latest first; and what is new."""

    corrections: tuple[Correction, ...]
    new_by_dataset: tuple[tuple[str, int], ...]


def news(coverage: Coverage) -> News:
    """By the latest materialization of everything that has landed."""
    cells = list(coverage.cells.values())
    corrections = [one for cell in cells if (one := _correction(cell))]
    new = Counter(cell.dataset.name for cell in cells if cell.revision == "new")
    return News(
        corrections=tuple(sorted(corrections, key=lambda one: one.landed_at, reverse=True)),
        new_by_dataset=tuple((d.name, new[d.name]) for d in DATASETS if new[d.name]),
    )


def _correction(cell: Cell) -> Correction | None:
    if cell.revision != "changed" or cell.landed_at is None:
        return None
    return Correction(
        dataset=cell.dataset.name,
        key=cell.partition.key,
        landed_at=cell.landed_at,
        table=cells_of(cell.what_changed),
    )


def cells_of(markdown: str) -> tuple[tuple[str, ...], ...]:
    r"""The cells of a Markdown table, without the line below its head.

    >>> cells_of("| what | row |\n| --- | --- |\n| added | a\\|b |")
    (('what', 'row'), ('added', 'a|b'))
    """
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    rows = [tuple(_unescaped(cell) for cell in _CELL.findall(line)) for line in lines]
    return tuple(row for number, row in enumerate(rows) if number != 1)


def _unescaped(cell: str) -> str:
    return re.sub(r"\\(.)", r"\1", cell.strip())


_LANDED = "in the lake, and the latest answer"


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that the page tells of."""

    seasons: Sequence[int]
    coverage: Coverage
    usual: Bands
    lake_uri: str
    environment: str
    made_at: datetime


@dataclass(frozen=True, kw_only=True)
class ShownCell:
    """A cell of the matrix; `place` is its number on the page."""

    place: int
    cell: Cell
    state: str
    band: str
    unusual: str

    @property
    def text(self) -> str:
        """Rows of what has landed, else the state."""
        return f"{self.cell.rows:,}" if self.state == "landed" else self.state

    @property
    def sign(self) -> str:
        """The state in a character."""
        return SIGNS.get(self.state, "")

    @property
    def title(self) -> str:
        """One line for whoever points at it."""
        rows = "" if self.cell.rows is None else f", {self.cell.rows:,} rows"
        failed = f", a failed {self.cell.severity} check" if self.cell.severity else ""
        return f"{self.cell.dataset.name} of {self.cell.partition.key}: {self.state}{rows}{failed}"


Matrix = list[tuple[int, list[tuple[SessionPartition, list[ShownCell]]]]]

"""Year by year the sessions with their cells."""


def render(report: Report) -> str:
    """The page: HTML without any outside resource."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("f1_bronze.defs.monitoring", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    style = _style()
    ruled = standings(report.coverage)
    told = news(report.coverage)
    late = report.coverage.late(report.made_at)
    matrix = _matrix(report)
    return environment.get_template("page.html.jinja").render(
        report=report,
        version=__version__,
        style=style,
        policy=_policy(style),
        seasons=_named(report.seasons),
        datasets=DATASETS,
        matrix=matrix,
        states=_states(matrix),
        verdict=verdict(report, ruled),
        broken=[rule for rule in ruled if rule.places],
        ruled=ruled,
        reasons=reasons(report.coverage, late),
        charts=charts(report.coverage, report.usual),
        chart={"width": WIDTH, "height": HEIGHT},
        news=told,
        new=sum(count for _, count in told.new_by_dataset),
    )


def counts(report: Report) -> dict[str, Any]:
    """The figures of the page, for programs."""
    ruled = standings(report.coverage)
    return {
        "sessions": len(report.coverage.sessions),
        "states": {state.value: count for state, count in report.coverage.counts().items()},
        "late": len(report.coverage.late(report.made_at)),
        "rules_broken": {
            severity: sum(bool(one.places) and one.severity == severity for one in ruled)
            for severity in ("ERROR", "WARN")
        },
        "corrections": len(news(report.coverage).corrections),
    }


def verdict(report: Report, ruled: Sequence[RuleStanding]) -> str:
    """The page in a sentence or two."""
    states = report.coverage.counts()
    total = sum(states.values())
    if not total:
        return "No session of these seasons is registered."
    fine = states.get(State.LANDED, 0) + states.get(State.EMPTY, 0)
    landed = (
        f"All {total:,} datasets of {len(report.coverage.sessions)} sessions have landed."
        if fine == total
        else f"{fine:,} of {total:,} datasets of {len(report.coverage.sessions)} sessions have "
        f"landed and are up to date."
    )
    if late := report.coverage.late(report.made_at):
        landed += (
            f" {len(late)} of {_sessions({key for key, _ in late})} "
            f"{'are' if len(late) > 1 else 'is'} late."
        )
    broken = {
        severity: [one for one in ruled if one.places and one.severity == severity]
        for severity in ("ERROR", "WARN")
    }
    words = [
        f"{len(rules)} {severity} rule{'s'[: len(rules) > 1]} "
        f"{'are' if len(rules) > 1 else 'is'} broken in "
        f"{_sessions({place.key for rule in rules for place in rule.places})}"
        for severity, rules in broken.items()
        if rules
    ]
    if not ruled:
        return f"{landed} No rule has been judged."
    return f"{landed} {'; '.join(words) if words else 'Every rule holds'}."


def _sessions(keys: set[str]) -> str:
    return f"{len(keys)} session{'s'[: len(keys) > 1]}"


def _named(seasons: Sequence[int]) -> str:
    in_a_row = list(seasons) == list(range(seasons[0], seasons[-1] + 1)) and len(seasons) > 2
    return f"{seasons[0]}–{seasons[-1]}" if in_a_row else ", ".join(map(str, seasons))


def _style() -> str:
    return (resources.files(__package__) / "page.css").read_text(encoding="utf-8")


def _policy(style: str) -> str:
    """The content security policy: nothing but this one style sheet."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _matrix(report: Report) -> Matrix:
    """Year by year the sessions with their cells, in the order of the roll-call."""
    late = report.coverage.late(report.made_at)
    place = 0
    years = []
    for year, sessions in groupby(report.coverage.sessions, key=lambda session: session.year):
        rows = []
        for session in sessions:
            row = []
            for dataset in DATASETS:
                place += 1
                row.append(_shown(report, report.coverage.cell(session, dataset), place, late))
            rows.append((session, row))
        years.append((year, rows))
    return years


def _shown(report: Report, cell: Cell, place: int, late: Collection[Place]) -> ShownCell:
    band = report.usual.get((cell.partition.key, cell.dataset.name))
    arrow = ""
    if band is not None and cell.rows is not None and is_unusual(cell, report.usual):
        arrow = "↓" if cell.rows < band[0] else "↑"
    return ShownCell(
        place=place,
        cell=cell,
        state=LATE if cell.place in late and cell.state is State.MISSING else cell.state.value,
        band=expected(cell, band),
        unusual=arrow,
    )


def _states(matrix: Matrix) -> list[tuple[str, str, int, str]]:
    """The legend: name, sign, how many, and what it means."""
    shown = Counter(cell.state for _, rows in matrix for _, row in rows for cell in row)
    return [
        (state, sign, shown[state], MEANINGS.get(state, _LANDED))
        for state, sign in SIGNS.items()
        if shown[state]
    ]


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "unknown"
