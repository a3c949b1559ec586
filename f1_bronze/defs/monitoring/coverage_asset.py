"""The asset `monitoring/coverage`: the seasons at a glance in the UI, with two checks.

Why `on_time` is a check and not a freshness policy: docs/adr/0016.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from urllib.parse import quote

import dagster as dg
from pydantic import Field

from f1_bronze.charts.svg import as_markdown
from f1_bronze.datasets import DATASETS
from f1_bronze.defs.assets import OWNER
from f1_bronze.defs.metadata import markdown_table, show_path
from f1_bronze.defs.monitoring.coverage import Cell, CellState, Coverage, read_coverage
from f1_bronze.defs.monitoring.overdue import overdue_sessions
from f1_bronze.defs.monitoring.problems import list_problems
from f1_bronze.defs.partitions import asset_key, read_registered
from f1_bronze.defs.record.calendar_memory import remembered_ends
from f1_bronze.defs.record.check_results import RULES_CHECK
from f1_bronze.defs.record.runs import planned_datasets
from f1_bronze.defs.record.stream import COVERAGE_JOB, ENDED
from f1_bronze.defs.resources import Deployment
from f1_bronze.telemetry.alerts.wording import OverdueSession

COVERAGE = dg.AssetKey(["monitoring", "coverage"])

ON_TIME, USABLE = "on_time", "usable"

OVERDUE_SESSIONS = "overdue"
"""Metadata: the keys of the overdue sessions, by which the schedule sees that another is."""

PAGE = "reports/coverage.html"
"""Where the page lies in the lake."""

PROBLEMS_SHOWN = 50

_WIDEST_CELL = 240

_SHOWN_AT_ONCE = 1_000
"""Characters of Markdown; what is longer the UI shows after a click."""

_PITCH = 10

_COLOURS = {
    "🟩": "#2e9d5b",
    "🟨": "#f2c230",
    "🟥": "#d9363e",
    "🟧": "#f08c2e",
    "🟦": "#3f7fd6",
    "⬜": "#c9ced6",
}
"""Of what `_square` says; a session without the dataset is left blank."""


class CoverageConfig(dg.Config):
    """What a run can be asked for."""

    seasons: list[int] = Field(
        default=[],
        description="The seasons to look at; without any, all that have sessions.",
    )


@dg.asset(
    key=COVERAGE,
    group_name=COVERAGE.path[0],
    deps=[asset_key(dataset) for dataset in DATASETS],
    check_specs=[
        dg.AssetCheckSpec(
            ON_TIME,
            asset=COVERAGE,
            description=(
                "Every session of the last 15 days is stored within 24 hours of its end, or, "
                "where new sessions wait for Monday, by the weekly run. Quiet between seasons."
            ),
        ),
        dg.AssetCheckSpec(
            USABLE,
            asset=COVERAGE,
            description=(
                "No ERROR rule is broken in any partition of these seasons. The checks of a "
                "dataset show the severity of their latest partition alone; this one is red "
                "as long as one partition must not be used."
            ),
        ),
    ],
    kinds={"dagster"},
    owners=[OWNER],
    tags={"layer": "monitoring"},
)
def coverage(
    context: dg.AssetExecutionContext,
    config: CoverageConfig,
    deployment: dg.ResourceParam[Deployment],
) -> Iterator[dg.MaterializeResult[None]]:
    """All seasons at a glance: what is stored, what is not, and which rules are broken.

    `map_…` has a square per session of the latest season, or of the seasons that the run is
    configured with: green stored, yellow a warning, red a broken ERROR rule or a failure, orange
    overdue, blue outdated, unrecorded, unchecked or running, grey missing. `matrix` shows how many
    rows the lake holds of them; ✗ marks a broken ERROR rule, ! a warning. `troubles` says what is
    wrong in any season, with a link to each place. `report` is the same as a page, with charts and
    the offending rows. Made every hour while there is something new.
    """
    instance = context.instance
    seasons = config.seasons or _registered_seasons(instance)
    found = read_coverage(instance, deployment, seasons, with_rules=True)
    page = write_page(instance, deployment, seasons, found)
    overdue = overdue_sessions(instance, deployment, deployment.now())
    states = found.counts()
    fine = states.get(CellState.LANDED, 0) + states.get(CellState.EMPTY, 0)
    severities = [cell.severity for cell in found.cells.values()]
    yield dg.MaterializeResult(
        metadata={
            "seasons": ", ".join(map(str, seasons)) or "none",
            **heat_map(found, config.seasons or seasons[-1:]),
            "matrix": dg.MetadataValue.md(matrix(found, config.seasons or seasons[-1:])),
            "troubles": dg.MetadataValue.md(problems_as_markdown(found, deployment.link)),
            "percent_landed": round(100 * fine / sum(states.values()), 1) if states else 0.0,
            "sessions": len(found.sessions),
            **{
                state.value: states.get(state, 0)
                for state in CellState
                if state is not CellState.NONE
            },
            "overdue_datasets": len(found.overdue),
            "rules_broken_error": severities.count("ERROR"),
            "rules_broken_warn": severities.count("WARN"),
            OVERDUE_SESSIONS: dg.MetadataValue.json([session.key for session in overdue]),
            "report": dg.MetadataValue.path(show_path(page)),
        },
        check_results=[on_time(overdue, bool(remembered_ends(instance))), usable(found)],
    )


def write_page(
    instance: dg.DagsterInstance, deployment: Deployment, seasons: Sequence[int], found: Coverage
) -> str:
    """Write the report page into the lake, over the one before; returns its address."""
    from f1_bronze.defs.monitoring.report import make_report, render

    report = make_report(instance, deployment, seasons, found)
    deployment.lake.store.write(PAGE, render(report).encode(), {})
    return deployment.lake.store.uri(PAGE)


def _registered_seasons(instance: dg.DagsterInstance) -> list[int]:
    keys = read_registered(instance).session_keys
    return sorted({int(year) for key in keys if (year := key.split("/")[0]).isdecimal()})


def heat_map(found: Coverage, seasons: Collection[int]) -> dict[str, str | dg.MetadataValue[str]]:
    """A square per session for each dataset, which the UI shows without a click.

    As an image, since not every machine has coloured characters; as these where the image is
    longer than what the UI shows at once.
    """
    sessions = [session for session in found.sessions if session.year in seasons]
    maps: dict[str, str | dg.MetadataValue[str]] = {}
    for dataset in DATASETS if sessions else ():
        squares = [_square(found.cell(session, dataset)) for session in sessions]
        text = "".join(squares)
        image = as_markdown(_draw_squares(squares), text)
        is_short = len(image.encode("utf-16-le")) // 2 < _SHOWN_AT_ONCE
        maps[f"map_{dataset.name}"] = dg.MetadataValue.md(image) if is_short else text
    return maps


def _draw_squares(squares: Sequence[str]) -> str:
    """The squares as SVG: a path for each colour, a dash for each square."""
    paths: dict[str, str] = {}
    place = 0
    for square, run in groupby(squares):
        count = len(list(run))
        if square in _COLOURS:
            drawn = f"M{place * _PITCH} 6h{count * _PITCH - 1}"
            paths[square] = paths.get(square, "") + drawn
        place += count
    lines = "".join(f'<path stroke="{_COLOURS[s]}" d="{d}"/>' for s, d in paths.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{place * _PITCH}" height="12" '
        f'stroke-width="12" stroke-dasharray="{_PITCH - 1} 1">{lines}</svg>'
    )


def _square(cell: Cell) -> str:
    if cell.state is CellState.NONE:
        return "▫️"
    if cell.severity == "ERROR" or cell.state in (CellState.FAILED, CellState.REFUSED):
        return "🟥"
    if cell.is_overdue:
        return "🟧"
    if cell.severity == "WARN":
        return "🟨"
    if cell.state is CellState.MISSING:
        return "⬜"
    return "🟩" if cell.state in (CellState.LANDED, CellState.EMPTY) else "🟦"


def matrix(found: Coverage, seasons: Collection[int]) -> str:
    """Session by session how many rows the lake holds of each dataset, as Markdown."""
    sessions = [session for session in found.sessions if session.year in seasons]
    if not sessions:
        return (
            "No session is registered: `f1-bronze ingest SEASONS` or the sensor openf1_calendar "
            "registers them."
        )
    rows = [
        [session.key, *(_cell_text(found.cell(session, dataset)) for dataset in DATASETS)]
        for session in sessions
    ]
    return markdown_table(["session", *(dataset.name for dataset in DATASETS)], rows)


def _cell_text(cell: Cell) -> str:
    if cell.state is CellState.NONE:
        return "·"
    words = f"{cell.rows:,}" if cell.state is CellState.LANDED else f"**{cell.label}**"
    return words + {"ERROR": " ✗", "WARN": " !"}.get(cell.severity or "", "")


def problems_as_markdown(found: Coverage, link: Callable[[str], str]) -> str:
    """What is wrong, worst first; the first place of each problem is a link.

    A list and not a table: the messages are long, and wrap.
    """
    lines = []
    for problem in list_problems(found):
        what = f"{problem.kind} {problem.check}" if problem.check else problem.kind
        # In one line, and no sign of a message is HTML.
        text = " ".join(problem.text.split()).replace("<", "&lt;")
        place = _link(problem.cells[0], problem.check, link)
        lines.append(f"- **{what}**: {place}{problem.more}" + (f": {text}" if text else ""))
    if not lines:
        return "None."
    if more := lines[PROBLEMS_SHOWN:]:
        lines[PROBLEMS_SHOWN:] = [f"- … and {len(more)} more: `f1-bronze status` lists them all"]
    return "\n".join(lines)


def _link(cell: Cell, check: str | None, link: Callable[[str], str]) -> str:
    """A link to the partition, or to the check, on the page of the asset."""
    view = f"checks&checkDetail={RULES_CHECK}" if check else "partitions"
    partition = quote(cell.partition.key, safe="")
    asset = "/".join(asset_key(cell.dataset).path)
    return f"[{cell}]({link(f'/assets/{asset}?view={view}&partition={partition}')})"


def on_time(overdue: Sequence[OverdueSession], is_calendar_known: bool) -> dg.AssetCheckResult:
    """Whether every session is stored that should be."""
    problem = ""
    if overdue:
        keys = [session.key for session in overdue]
        years = ",".join(sorted({key.split("/")[0] for key in keys}))
        problem = (
            f"Overdue: {', '.join(keys)}. Materialize 'Failed and missing' on the dataset's page, "
            f"or: f1-bronze ingest {years} --missing"
        )
    elif not is_calendar_known:
        problem = "It is not known when sessions end: switch on the sensor openf1_calendar."
    rows = [[one.key, one.ended_at.astimezone(UTC), ", ".join(one.missing)] for one in overdue]
    evidence = markdown_table(["session", "ended (UTC)", "lacks"], rows, widest=_WIDEST_CELL)
    return dg.AssetCheckResult(
        check_name=ON_TIME,
        passed=not problem,
        severity=dg.AssetCheckSeverity.WARN,
        description=problem or "Every session of the last 15 days is stored in time.",
        metadata={
            "overdue_sessions": len(overdue),
            **({"evidence": dg.MetadataValue.md(evidence)} if rows else {}),
        },
    )


def usable(found: Coverage) -> dg.AssetCheckResult:
    """Whether no partition breaks an ERROR rule."""
    broken = [
        [cell.dataset.name, cell.partition.key, check.check, check.summary]
        for cell in found.cells.values()
        for check in cell.checks
        if check.severity == "ERROR"
    ]
    places = {(dataset, key) for dataset, key, *_ in broken}
    description = "No ERROR rule is broken."
    if broken:
        dataset, key, check, summary = broken[0]
        more = f" And {len(places) - 1} more partitions." if len(places) > 1 else ""
        description = (
            f"{dataset} of {key}, {check}: {summary}.{more} Do not use them downstream; the "
            "check of the dataset has the evidence, partition by partition."
        )
    table = markdown_table(["dataset", "partition", "check", "broken"], broken, widest=_WIDEST_CELL)
    return dg.AssetCheckResult(
        check_name=USABLE,
        passed=not broken,
        severity=dg.AssetCheckSeverity.ERROR,
        description=description,
        metadata={
            "partitions_not_usable": len(places),
            **({"evidence": dg.MetadataValue.md(table)} if broken else {}),
        },
    )


AT_LEAST = timedelta(hours=23, minutes=30)
"""Daily even when nothing happens, so that an old one means that the daemon is down."""

_RUNS_LOOKED_AT = 100


@dg.schedule(
    name="hourly_coverage",
    cron_schedule="20 * * * *",
    execution_timezone="UTC",
    job_name=COVERAGE_JOB,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "Makes monitoring/coverage when a bronze run has ended since, when another session is "
        "overdue, and once a day. Does not ask OpenF1."
    ),
)
def hourly_coverage(
    context: dg.ScheduleEvaluationContext, deployment: dg.ResourceParam[Deployment]
) -> dg.RunRequest | dg.SkipReason:
    """A run where the last materialization is not up to date; the reason where it is."""
    event = context.instance.get_latest_materialization_event(COVERAGE)
    if event is None or event.asset_materialization is None:
        return dg.RunRequest()
    made_at = datetime.fromtimestamp(event.timestamp, UTC)
    known = event.asset_materialization.metadata[OVERDUE_SESSIONS].value
    now = deployment.now()
    if (
        now - made_at >= AT_LEAST
        or known != [session.key for session in overdue_sessions(context.instance, deployment, now)]
        or _has_run_since(context.instance, made_at)
    ):
        return dg.RunRequest()
    return dg.SkipReason(
        f"Nothing has changed since {made_at:%Y-%m-%d %H:%M} UTC: no bronze run has ended and no "
        "other session is overdue."
    )


def _has_run_since(instance: dg.DagsterInstance, moment: datetime) -> bool:
    """Whether a bronze run has ended since; where very many runs have, one of them will be ours."""
    records = instance.get_run_records(
        dg.RunsFilter(statuses=list(ENDED), updated_after=moment), limit=_RUNS_LOOKED_AT
    )
    return len(records) == _RUNS_LOOKED_AT or any(
        planned_datasets(record.dagster_run) or record.dagster_run.asset_check_selection
        for record in records
    )
