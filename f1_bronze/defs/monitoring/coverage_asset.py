"""The asset `monitoring/coverage`: the seasons at a glance, where people of the UI look anyway.

Belongs here: the asset, its two checks and what they say. Stays out: the states (coverage.py),
which sessions are overdue (overdue.py), when it is made (coverage_schedule.py).
Why lateness is a check and not a freshness policy: docs/adr/0016.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from urllib.parse import quote

import dagster as dg
from pydantic import Field

from f1_bronze.datasets import DATASETS
from f1_bronze.defs.assets import OWNER
from f1_bronze.defs.monitoring.coverage import Cell, Coverage, Place, State, coverage_of
from f1_bronze.defs.monitoring.overdue import overdue_sessions
from f1_bronze.defs.monitoring.row_bands import usual_rows
from f1_bronze.defs.partitions import asset_key, read_registered
from f1_bronze.defs.record.calendar_memory import remembered_ends
from f1_bronze.defs.record.runs import planned_datasets
from f1_bronze.defs.run.materialization import as_path, markdown_table
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.s3 import S3Writes
from f1_bronze.settings import Settings
from f1_bronze.telemetry.alerts.wording import OverdueSession

COVERAGE = dg.AssetKey(["monitoring", "coverage"])

ON_TIME, USABLE = "on_time", "usable"

OVERDUE = "overdue"

"""Metadata: the keys of the overdue sessions, by which the schedule knows what was told."""

PAGE = "reports/coverage.html"

"""Where the page lies in the lake."""

TROUBLES_SHOWN = 50

_WELL = (State.LANDED, State.EMPTY, State.NONE)

_URGENCY = (
    "ERROR",
    "failed",
    "refused",
    "late",
    "WARN",
    "stale",
    "unrecorded",
    "missing",
    "running",
)

_CELL = 240


class Watch:
    """What this deployment keeps and when it must have landed. `clock` tells the time, aware."""

    def __init__(
        self, settings: Settings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings = settings
        self.now = clock

    @cached_property
    def lake(self) -> Lake:
        """Where sessions land."""
        return Lake.at(self._settings.lake_uri, S3Writes(**self._settings.s3_writes))

    @property
    def environment(self) -> str:
        """The name of the deployment."""
        return self._settings.environment

    def overdue(self, instance: dg.DagsterInstance) -> list[OverdueSession]:
        """Sessions of the last 15 days that should have landed by now."""
        return overdue_sessions(
            instance,
            self.now(),
            session_types=self._settings.session_types,
            weekly=not self._settings.ingest_new,
        )

    def link(self, path: str) -> str:
        """The address of a page of the UI."""
        return f"{self._settings.dagster_url}{path}"


class CoverageConfig(dg.Config):
    """What a run may be told."""

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
                "Every session of the last 15 days has landed within 24 hours of its end, or, "
                "where new sessions wait for Monday, with the weekly run. Quiet between seasons."
            ),
        ),
        dg.AssetCheckSpec(
            USABLE,
            asset=COVERAGE,
            description=(
                "No ERROR rule is broken in any partition of these seasons. The checks of a "
                "dataset show the severity of their latest partition alone; this one shows red "
                "as long as one partition must not be used."
            ),
        ),
    ],
    kinds={"dagster"},
    owners=[OWNER],
    tags={"layer": "monitoring"},
)
def coverage(
    context: dg.AssetExecutionContext, config: CoverageConfig, watch: dg.ResourceParam[Watch]
) -> Iterator[dg.MaterializeResult[None]]:
    """All seasons at a glance: what has landed, what has not, and which rules are broken.

    `matrix` shows the rows that the lake holds of the latest season, or of those that the run is
    told; ✗ behind them is a broken ERROR rule, ! a warning. `troubles` says what is wrong in any
    season, with a link to each place. `report` is the same as a page, with charts and the offending
    rows. Looked at every hour while there is something new.
    """
    instance = context.instance
    seasons = config.seasons or _registered_seasons(instance)
    found = coverage_of(instance, watch.lake, seasons, with_rules=True)
    page = write_page(instance, watch, seasons, found)
    overdue = watch.overdue(instance)
    late = found.late(watch.now())
    states = found.counts()
    checked = [cell.severity for cell in found.cells.values()]
    counts = {state.value: states.get(state, 0) for state in State if state is not State.NONE}
    well = sum(states.get(state, 0) for state in _WELL)
    yield dg.MaterializeResult(
        metadata={
            "seasons": ", ".join(map(str, seasons)) or "none",
            "matrix": dg.MetadataValue.md(matrix(found, late, config.seasons or seasons[-1:])),
            "troubles": dg.MetadataValue.md(troubles(found, late, watch.link)),
            "percent_landed": round(100 * well / sum(states.values()), 1) if states else 0.0,
            "sessions": len(found.sessions),
            **counts,
            "late": len(late),
            "rules_broken_error": checked.count("ERROR"),
            "rules_broken_warn": checked.count("WARN"),
            OVERDUE: dg.MetadataValue.json([session.key for session in overdue]),
            "report": dg.MetadataValue.path(as_path(page)),
        },
        check_results=[on_time(overdue, bool(remembered_ends(instance))), usable(found)],
    )


def write_page(
    instance: dg.DagsterInstance, watch: Watch, seasons: Sequence[int], found: Coverage
) -> str:
    """Put the same as a page into the lake, over the one before; returns its address."""
    from f1_bronze.defs.monitoring.report import Report, render

    made = Report(
        seasons=seasons,
        coverage=found,
        usual=usual_rows(instance, found),
        lake_uri=watch.lake.store.uri(""),
        environment=watch.environment,
        made_at=watch.now(),
    )
    watch.lake.store.write(PAGE, render(made).encode(), {})
    return watch.lake.store.uri(PAGE)


def _registered_seasons(instance: dg.DagsterInstance) -> list[int]:
    keys = read_registered(instance).session_keys
    return sorted({int(year) for key in keys if (year := key.split("/")[0]).isdecimal()})


def matrix(found: Coverage, late: Collection[Place], seasons: Collection[int]) -> str:
    """Session by session what the lake holds of each dataset of these seasons, as Markdown."""
    sessions = [session for session in found.sessions if session.year in seasons]
    if not sessions:
        return "No session is registered: `f1-bronze ingest` or the sensor openf1_calendar does it."
    rows = [
        [session.key, *(_shown(found.cell(session, dataset), late) for dataset in DATASETS)]
        for session in sessions
    ]
    return markdown_table(["session", *(dataset.name for dataset in DATASETS)], rows)


def _shown(cell: Cell, late: Collection[Place]) -> str:
    if cell.state is State.NONE:
        return "·"
    words = f"{cell.rows:,}" if cell.state is State.LANDED else f"**{_state(cell, late)}**"
    return words + {"ERROR": " ✗", "WARN": " !"}.get(cell.severity or "", "")


def _state(cell: Cell, late: Collection[Place]) -> str:
    is_late = cell.state is State.MISSING and cell.place in late
    return "late" if is_late else cell.state.value


def troubles(found: Coverage, late: Collection[Place], link: Callable[[str], str]) -> str:
    """What did not land and which rules are broken, worst first; the first place of each a link.

    A list and not a table: the messages are long, and wrap.
    """
    places: dict[tuple[int, str, str, str], list[str]] = {}
    for cell in found.cells.values():
        if cell.state not in _WELL:
            state = _state(cell, late)
            dataset = cell.dataset.name if cell.error else ""  # what has no reason is one line
            told = (_urgency(state), dataset, state, cell.error or "")
            places.setdefault(told, []).append(_place(cell, link))
        for check in cell.checks:
            if check.severity:
                what = f"{check.severity} {check.check}"
                told = (_urgency(check.severity), cell.dataset.name, what, check.summary)
                page = f"checks&checkDetail={check.check}"
                places.setdefault(told, []).append(_place(cell, link, page))
    if not places:
        return "None."
    lines = [
        f"- **{what}**: {first}"
        + (f" and {len(others)} more" if others else "")
        + (f": {_prose(why)}" if why else "")
        for (_, _, what, why), (first, *others) in sorted(places.items())
    ]
    more = len(lines) - TROUBLES_SHOWN
    tail = [f"- … and {more} more: `f1-bronze status` has them all"] if more > 0 else []
    return "\n".join(lines[:TROUBLES_SHOWN] + tail)


def _prose(message: str) -> str:
    """A message in one line whose signs are no HTML."""
    return " ".join(message.split()).replace("<", "&lt;")


def _urgency(what: str) -> int:
    """The lower, the sooner somebody should look."""
    return _URGENCY.index(what) if what in _URGENCY else len(_URGENCY)


def _place(cell: Cell, link: Callable[[str], str], view: str = "partitions") -> str:
    """A link to the partition, or to a check of the asset, on the asset's page."""
    partition = f"&partition={quote(cell.partition.key, safe='')}"
    name = f"{cell.dataset.name} of {cell.partition.key}"
    page = f"/assets/{'/'.join(asset_key(cell.dataset).path)}?view={view}{partition}"
    return f"[{name}]({link(page)})"


def on_time(overdue: Sequence[OverdueSession], is_calendar_known: bool) -> dg.AssetCheckResult:
    """Whether every session has landed that should have."""
    told = ""
    if overdue:
        keys = [session.key for session in overdue]
        years = ",".join(sorted({key.split("/")[0] for key in keys}))
        told = (
            f"Overdue: {', '.join(keys)}. Materialize 'Failed and missing' on the dataset's page, "
            f"or: f1-bronze ingest {years} --missing"
        )
    elif not is_calendar_known:
        told = "Nobody knows when sessions end: switch on the sensor openf1_calendar."
    rows = [[one.key, one.ended_at.astimezone(UTC), ", ".join(one.missing)] for one in overdue]
    evidence = markdown_table(["session", "ended (UTC)", "lacks"], rows, widest=_CELL)
    return dg.AssetCheckResult(
        check_name=ON_TIME,
        passed=not told,
        severity=dg.AssetCheckSeverity.WARN,
        description=told or "Every session of the last 15 days has landed in time.",
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
    told = "No ERROR rule is broken."
    if broken:
        dataset, key, check, summary = broken[0]
        more = f" And {len(places) - 1} more partitions." if len(places) > 1 else ""
        told = (
            f"{dataset} of {key}, {check}: {summary}.{more} Do not use them downstream; the "
            "evidence stands with the check of the dataset, partition by partition."
        )
    table = markdown_table(["dataset", "partition", "check", "broken"], broken, widest=_CELL)
    return dg.AssetCheckResult(
        check_name=USABLE,
        passed=not broken,
        severity=dg.AssetCheckSeverity.ERROR,
        description=told,
        metadata={
            "partitions_not_usable": len(places),
            **({"evidence": dg.MetadataValue.md(table)} if broken else {}),
        },
    )


AT_LEAST = timedelta(hours=23, minutes=30)

"""Daily even when nothing happens, so that an old picture means a dead daemon."""

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]

_RUNS_LOOKED_AT = 100


@dg.schedule(
    name="hourly_coverage",
    cron_schedule="20 * * * *",
    execution_timezone="UTC",
    target=coverage,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "Makes monitoring/coverage when a bronze run has ended since, when another session is "
        "overdue, and once a day. Asks nothing of OpenF1."
    ),
)
def hourly_coverage(
    context: dg.ScheduleEvaluationContext, watch: dg.ResourceParam[Watch]
) -> dg.RunRequest | dg.SkipReason:
    """A run where the last picture is not that of now; the reason where it is."""
    event = context.instance.get_latest_materialization_event(COVERAGE)
    if event is None or event.asset_materialization is None:
        return dg.RunRequest()
    made_at = datetime.fromtimestamp(event.timestamp, UTC)
    told = event.asset_materialization.metadata[OVERDUE].value
    if (
        watch.now() - made_at >= AT_LEAST
        or told != [session.key for session in watch.overdue(context.instance)]
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
        dg.RunsFilter(statuses=_ENDED, updated_after=moment), limit=_RUNS_LOOKED_AT
    )
    return len(records) == _RUNS_LOOKED_AT or any(
        planned_datasets(record.dagster_run) or record.dagster_run.asset_check_selection
        for record in records
    )
