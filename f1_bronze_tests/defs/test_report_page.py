"""The report page as text: what it says, that it is escaped, that it loads nothing."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.monitoring.coverage import Cell, CellState, Coverage
from f1_bronze.defs.monitoring.problems import list_problems, standings
from f1_bronze.defs.monitoring.report import corrections, count, render, verdict
from f1_bronze.defs.monitoring.row_bands import HEIGHT, draw_charts
from f1_bronze.lake.changes import Changes

from .coverages import (
    DATASET,
    NASTY,
    NOW,
    STORED,
    all_well,
    every_state,
    report_of,
    usual_cell,
)


class Page(HTMLParser):
    """Every element with its attributes, and the text of everything but the style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._in = ""
        self.style = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in = tag

    def handle_data(self, data: str) -> None:
        if self._in == "style":
            self.style += data
            self._in = ""
        elif data.strip():
            self.words.append(data.strip())

    def having(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each such element."""
        return [attributes for name, attributes in self.elements if name == tag]


def with_cell(coverage: Coverage, cell: Cell) -> Coverage:
    """The coverage with another cell in the place of one."""
    place = (cell.partition.key, cell.dataset.name)
    return replace(coverage, cells={**coverage.cells, place: cell})


def test_it_loads_nothing() -> None:
    """One file: no script, no image, no style but its own, and a policy that forbids others."""
    page = Page(render(report_of(every_state())))
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "font"}
    assert not {name for _, attributes in page.elements for name in attributes} & {
        "src",
        "srcset",
        "style",
        "onclick",
        "onload",
        "onerror",
    }
    assert not re.search(r"url\(|@import|@font-face", page.style)
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    [policy] = [
        attributes["content"]
        for attributes in page.having("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert {a["href"] for a in page.having("a") if not str(a["href"]).startswith("#")} == {
        "https://openf1.org",
        "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    }


def test_everything_is_escaped() -> None:
    """Markup in upstream's rows, in errors and in the lake's address is shown, not obeyed."""
    html = render(report_of(every_state()))
    page = Page(html)
    assert NASTY not in html
    assert html.count("&lt;img src=&#34;https://example.com/x&#34;") == 5
    assert page.words.count(NASTY) == 3
    assert "s3://lake/<prefix>/" in page.words


def test_what_is_broken_comes_first() -> None:
    """ERROR before WARN, then by the number of sessions; rules that hold come last."""
    ruled = standings(every_state())
    assert [(one.dataset, one.name, one.severity, len(one.violations)) for one in ruled[:3]] == [
        ("laps", "lap_number 1 to 100", "ERROR", 1),
        ("drivers", "name_acronym three capitals", "WARN", 2),
        ("sessions", "session_key not null", "ERROR", 0),
    ]
    broken = ruled[0]
    assert (broken.says, broken.why) == (
        "lap_number is from 1 to 100.",
        "The longest race has 78 laps.",
    )
    assert (broken.about, broken.checked, broken.held) == (("lap_number",), 1, 0)
    [violation] = broken.violations
    assert (violation.key, violation.observed, violation.more) == (
        "2025/australian/race",
        "2 of 20 rows fail",
        0,
    )
    assert violation.columns == ("driver_number", "lap_number")
    assert violation.rows == (("44", "112"), ("4", "null"))
    words = Page(render(report_of(every_state()))).words
    assert words.index("112") < words.index("refused") < words.index("All rules")


def test_a_rule_that_is_not_declared_any_more() -> None:
    """What an older version checked is still shown."""
    coverage = every_state()
    cell = coverage.cells["2025/australian/race", "laps"]
    [check] = cell.checks
    older = replace(check, rules=({**check.rules[0], "rule": "a rule of old"},), unexpected_rows={})
    cells = {**coverage.cells, ("2025/australian/race", "laps"): replace(cell, checks=(older,))}
    rule = standings(replace(coverage, cells=cells))[0]
    assert (rule.name, rule.says, rule.why, rule.about) == (
        "a rule of old",
        "This rule was checked then and is not declared any more.",
        "",
        (),
    )
    assert (rule.violations[0].rows, rule.violations[0].more) == ((), 0)


def test_each_problem_is_listed_once() -> None:
    """One cause that affects several datasets is one problem; the worst comes first."""
    coverage = every_state()
    cells = dict(coverage.cells)
    for name in ("drivers", "laps"):
        at = ("2025/monaco/race", name)
        cells[at] = replace(cells[at], state=CellState.FAILED, error="The API is away. Come back.")
    problems = list_problems(replace(coverage, cells=cells))
    missing = ("sessions", "results", "stints", "pit_stops")
    assert [(one.kind, one.check, [str(cell) for cell in one.cells]) for one in problems] == [
        ("ERROR", "values", ["laps of 2025/australian/race"]),
        ("failed", None, ["results of 2025/monaco/qualifying"]),
        ("failed", None, ["drivers of 2025/monaco/race", "laps of 2025/monaco/race"]),
        ("refused", None, ["laps of 2025/bahrain/race"]),
        ("overdue", None, [f"{name} of 2025/monaco/race" for name in missing]),
        (
            "WARN",
            "values",
            ["drivers of 2025/australian/race", "drivers of 2025/bahrain/qualifying"],
        ),
        ("outdated", None, ["drivers of 2025/bahrain/race"]),
        ("unrecorded", None, ["pit_stops of 2025/bahrain/race"]),
        ("running", None, ["stints of 2025/bahrain/race"]),
    ]
    assert problems[2].text == "The API is away. Come back."
    assert problems[4].text.endswith(
        "`f1-bronze ingest 2025 --grand-prix monaco --missing` stores it."
    )
    early = {place: replace(cell, is_due=False) for place, cell in cells.items()}
    kinds = [one.kind for one in list_problems(replace(coverage, cells=early))]
    assert ("overdue" in kinds, kinds[-2]) == (False, "missing")
    assert list_problems(all_well()) == []


def test_the_matrix_has_a_cell_for_each() -> None:
    """A cell for each dataset of each session, coloured by its state, with its own details."""
    page = Page(render(report_of(every_state())))
    cells = [a for a in page.having("button") if "popovertarget" in a]
    details = [a["id"] for a in page.having("div") if "popover" in a]
    assert [a["popovertarget"] for a in cells] == details
    assert len(details) == 30  # six datasets of three races, four of three qualifyings
    shown = [str(a["class"]).split()[0] for a in cells]
    assert {state: shown.count(state) for state in sorted(set(shown))} == {
        "s-empty": 1,
        "s-failed": 1,
        "s-landed": 18,
        "s-outdated": 1,
        "s-overdue": 6,
        "s-refused": 1,
        "s-running": 1,
        "s-unrecorded": 1,
    }
    assert "laps of 2025/australian/race: landed, 400 rows, a failed ERROR check" in {
        a["title"] for a in cells
    }
    assert [a["class"] for a in cells if "k-ERROR" in str(a["class"])] == ["s-landed k-ERROR"]
    assert "400" in page.words
    assert "↓✗" in page.words


def test_row_counts() -> None:
    """A bar a session in proportion to its rows; one outside the band comes first."""
    report = report_of(every_state())
    first, *others = draw_charts(report.coverage, report.usual)
    assert (first.dataset, first.session_type, first.least, first.most) == (
        "laps",
        "race",
        400,
        1080,
    )
    assert [bar.is_unusual for bar in first.bars] == [True, False]
    assert first.bars[0].title == "2025/australian/race: 400 rows, usual 800 to 1,500"
    low, high = (bar.height for bar in first.bars)
    assert abs(high / low - 1080 / 400) < 0.01
    assert abs(high - HEIGHT * 1080 / (1500 * 1.05)) < 0.1
    assert sum(one.unusual for one in others) == 0
    assert "sessions" not in {one.dataset for one in others}
    [laps] = [one for one in others if (one.dataset, one.session_type) == ("laps", "qualifying")]
    assert laps.bars[1].title == (
        "2025/bahrain/qualifying: 1,080 rows, up to about 350 expected, too few earlier sessions "
        "for more"
    )


def test_corrections() -> None:
    """What OpenF1 corrected is shown with its time, value by value; what is new is counted."""
    coverage = every_state()
    words = Page(render(report_of(coverage))).words
    at = words.index("results of 2025/bahrain/race", words.index("What changed"))
    assert words[at + 1] == "corrected, 2025-12-01 06:00 UTC"
    assert words[at + 2 : at + 12] == [
        *("what", "row", "column", "before", "after"),
        *("changed", "driver_number 4", "team_name", "a|b", NASTY),
    ]
    changed = coverage.cells["2025/bahrain/race", "results"]
    many = Changes(added=tuple((907048, number) for number in range(30)), omitted=5)
    [correction] = corrections(with_cell(coverage, replace(changed, changes=many)))
    assert (len(correction.rows), correction.more) == (20, 15)
    assert correction.rows[0] == ("added", "driver_number 0", "", "", "")
    older = replace(changed, changes=None, what_changed="| changed | 4 |")
    page = Page(render(report_of(with_cell(coverage, older))))
    assert "| changed | 4 |" in page.words


def test_the_verdict() -> None:
    """One sentence says how much is stored and which rules are broken."""
    assert verdict(all_well(), standings(all_well())) == (
        "All 10 datasets of 2 sessions are stored. Every rule holds."
    )
    assert verdict(every_state(), standings(every_state())) == (
        "19 of 30 datasets of 6 sessions are stored and up to date. "
        "7 datasets of 2 sessions are overdue. 1 ERROR rule is broken in 1 session; "
        "1 WARN rule is broken in 2 sessions."
    )
    nothing = Coverage(sessions=(), cells={}, ended_at={})
    assert verdict(nothing, ()) == "No session of these seasons is registered."
    assert "No session of these seasons is registered." in render(report_of(nothing))


def test_nothing_wrong() -> None:
    """Where there is nothing to show, each section says so."""
    words = Page(render(report_of(all_well()))).words
    assert "Every rule that was checked holds." in words
    assert "Every dataset of every session is stored and up to date." in words
    assert "No correction." in words


def test_for_programs() -> None:
    """The figures of the page."""
    assert count(report_of(every_state())) == {
        "sessions": 6,
        "states": {
            "landed": 18,
            "empty": 1,
            "outdated": 1,
            "refused": 1,
            "failed": 1,
            "running": 1,
            "unrecorded": 1,
            "missing": 6,
        },
        "overdue": 7,
        "rules_broken": {"ERROR": 1, "WARN": 1},
        "corrections": 1,
    }


def test_a_large_season() -> None:
    """A season with every session type, all of whose sessions break a rule, is below a megabyte."""
    keys = [
        f"2025/grand_prix_{number}/{kind}"
        for number in range(24)
        for kind in ("practice_1", "practice_2", "practice_3", "qualifying", "race")
    ]
    broken = every_state().cells["2025/australian/race", "laps"].checks[0]
    [rows] = broken.unexpected_rows.values()
    broken = replace(broken, unexpected_rows={"lap_number 1 to 100": rows * 10})
    cells = {(key, name): usual_cell(key, name) for key in keys for name in DATASET}
    for key in keys:
        cells[key, "laps"] = replace(cells[key, "laps"], checks=(broken,))
    coverage = Coverage(
        sessions=tuple(SessionPartition.parse(key) for key in keys),
        cells=cells,
        ended_at=dict.fromkeys(keys, STORED - timedelta(days=2)),
    )
    html = render(replace(report_of(coverage), made_at=NOW))
    assert html.count(" popover ") == 4 * 120 + 2 * 24
    assert len(html) < 1_000_000
