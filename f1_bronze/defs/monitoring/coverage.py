"""The state of each dataset of each session: what is stored, what is not, and what checks found.

The states come from Dagster's record and the names of the lake's files; OpenF1 is not asked.
`f1-bronze status`, the report page and the asset `monitoring/coverage` show them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.metadata import SIMULATED
from f1_bronze.defs.monitoring.overdue import due
from f1_bronze.defs.partitions import asset_key, read_registered
from f1_bronze.defs.record.calendar_memory import remembered_ends
from f1_bronze.defs.record.check_results import CheckState, checked_keys, read_checks
from f1_bronze.defs.record.failure_causes import FailureHistory, LastFailure, RowsMissing
from f1_bronze.defs.record.latest import RecordedMaterialization, read_latest
from f1_bronze.defs.record.provisional_names import ProvisionalName, read_provisional
from f1_bronze.defs.resources import Deployment
from f1_bronze.lake.changes import Changes

OVERDUE = "overdue"
"""The label of a dataset that is missing and should be stored by now."""

_SEVERITIES = ("WARN", "ERROR")
_UPSTREAM_VERSION = f"dagster/input_data_version/{asset_key(SESSIONS).to_user_string()}"


class CellState(StrEnum):
    """What is known of a dataset of a session."""

    LANDED = "landed"
    EMPTY = "empty"
    OUTDATED = "outdated"
    REFUSED = "refused"
    FAILED = "failed"
    RUNNING = "running"
    UNRECORDED = "unrecorded"
    UNCHECKED = "unchecked"
    MISSING = "missing"
    NONE = ""  # sessions of this type do not have the dataset


MEANINGS = {
    "landed": "in the lake, and the latest answer",
    "empty": "OpenF1 has no rows for it",
    "outdated": "stored before its session or its columns changed",
    "refused": "OpenF1's last answer had lost rows; the lake keeps its own",
    "failed": "the last attempt failed",
    "running": "a run is about to store it",
    "unrecorded": "in the lake, not in Dagster's record",
    "unchecked": "in the lake, and its checks were not evaluated on these rows",
    "missing": "not in the lake",
    OVERDUE: "not in the lake, and should be by now",
}
"""What each label means; `problems.list_problems` has the remedies."""

SIGNS = {
    "landed": "",
    "empty": "∅",
    "outdated": "↻",
    "refused": "⊘",
    "failed": "✗",
    "running": "…",
    "unrecorded": "?",
    "unchecked": "¿",
    "missing": "–",
    OVERDUE: "!!",
}
"""Each label in one or two characters, for where there is no room for the word."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One dataset of one session.

    Attributes:
        is_due: whether it should be stored by now.
        rows: how many the lake holds; None where nothing was stored.
        stored_at: the latest materialization, UTC.
        revision: what the latest answer was.
        changes: what it changed, as data; None where nothing, in a new one and in older records.
        what_changed: the same as text.
        is_simulated: whether the simulator invented what is stored.
        error: why it failed or was refused, with the remedy; its run is `run_id`.
        checks: the latest results; empty where no check has ever run.
    """

    dataset: Dataset
    partition: SessionPartition
    state: CellState
    is_due: bool = False
    rows: int | None = None
    stored_at: datetime | None = None
    revision: str | None = None
    changes: Changes | None = None
    what_changed: str = ""
    error: str | None = None
    run_id: str | None = None
    is_simulated: bool = False
    checks: tuple[CheckState, ...] = ()

    def __str__(self) -> str:
        return f"{self.dataset.name} of {self.partition.key}"

    @property
    def has_content(self) -> bool:
        """Whether the lake holds something for it, however old."""
        if self.state in (CellState.FAILED, CellState.RUNNING):
            return self.stored_at is not None
        return self.state not in (CellState.MISSING, CellState.NONE)

    @property
    def is_overdue(self) -> bool:
        """Whether it should be stored by now and nothing is, nor is a run about to store it."""
        could_be = self.state in (CellState.MISSING, CellState.FAILED)
        return self.is_due and could_be and not self.has_content

    @property
    def label(self) -> str:
        """The state as people see it."""
        is_overdue = self.state is CellState.MISSING and self.is_due
        return OVERDUE if is_overdue else self.state.value

    @property
    def severity(self) -> str | None:
        """That of the worst failed check: ERROR, WARN, or None."""
        failed = [check.severity for check in self.checks if check.severity]
        return max(failed, key=_SEVERITIES.index, default=None)


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Sessions in chronological order, and each dataset of each by partition key and name.

    Attributes:
        ended_at: the end of each session for which it is known, by partition key: of those that
            are stored, and those that the calendar sensor has seen.
        unregistered: sessions that are in the lake and are not partitions.
        ingested_types: session types that are ingested without being named; None: all.
        provisional: sessions that their place names until the calendar does, by partition key.
    """

    sessions: tuple[SessionPartition, ...]
    cells: Mapping[tuple[str, str], Cell]
    ended_at: Mapping[str, datetime]
    unregistered: tuple[SessionPartition, ...] = ()
    ingested_types: Collection[str] | None = None
    provisional: Mapping[str, ProvisionalName] = field(default_factory=dict)

    def is_ingested(self, partition: SessionPartition) -> bool:
        """Whether the session is of a type that is ingested without being named."""
        return self.ingested_types is None or partition.session_type in self.ingested_types

    def cell(self, partition: SessionPartition, dataset: Dataset) -> Cell:
        """The cell of a session and a dataset."""
        return self.cells[partition.key, dataset.name]

    def counts(self) -> dict[CellState, int]:
        """How many cells are in each state; cells without a dataset are not counted."""
        states = [cell.state for cell in self.cells.values()]
        return {s: states.count(s) for s in CellState if s is not CellState.NONE and s in states}

    @property
    def overdue(self) -> list[Cell]:
        """The cells that should be stored by now, in chronological order."""
        return [cell for cell in self.chronological() if cell.is_overdue]

    def chronological(self) -> list[Cell]:
        """All cells, session by session."""
        return [self.cell(session, dataset) for session in self.sessions for dataset in DATASETS]


def read_coverage(
    instance: dg.DagsterInstance,
    deployment: Deployment,
    years: Collection[int],
    *,
    with_rules: bool = False,
) -> Coverage:
    """The state of every registered session of these seasons.

    Args:
        instance: whose record is read.
        deployment: whose lake is listed, and whose settings say when a session should be stored.
        years: the seasons.
        with_rules: whether to read the rules of checks that passed too, which the report shows.
    """
    sessions = tuple(p for p in read_registered(instance).sessions if p.year in years)
    keys = [partition.key for partition in sessions]
    recorded = {dataset: read_latest(instance, dataset, keys) for dataset in DATASETS}
    ended_at = {key: end for key, end in remembered_ends(instance).items() if key in set(keys)}
    ended_at |= {key: one.session_end for key, one in recorded[SESSIONS].items() if one.session_end}
    failures = FailureHistory(instance)
    checks = read_checks(instance, keys, with_rules=with_rules)
    cells: dict[tuple[str, str], Cell] = {}
    unregistered: set[SessionPartition] = set()
    for dataset in DATASETS:
        in_lake = deployment.lake.stored_partitions(dataset.name, years)
        unregistered |= in_lake - set(sessions)
        checked = checked_keys(instance, dataset, recorded[dataset])
        failed = failures.latest(dataset, keys)
        for partition in sessions:
            key = partition.key
            cells[key, dataset.name] = _cell(
                dataset,
                partition,
                is_due=_is_due(partition, ended_at.get(key), deployment),
                in_lake=partition in in_lake,
                is_checked=key in checked,
                recorded=recorded[dataset].get(key),
                failure=failed.get(key),
                checks=checks.get((key, dataset.name), ()),
                session=recorded[SESSIONS].get(key),
            )
    return Coverage(
        sessions=sessions,
        cells=cells,
        ended_at=ended_at,
        unregistered=tuple(sorted(unregistered)),
        ingested_types=deployment.settings.session_types,
        provisional=read_provisional(instance, recorded),
    )


def _is_due(partition: SessionPartition, end: datetime | None, deployment: Deployment) -> bool:
    """Whether a session should be stored by now; where its end is not known, past years should."""
    types = deployment.settings.session_types
    if types is not None and partition.session_type not in types:
        return False
    now = deployment.now()
    if end is None:
        return partition.year < now.year
    return now >= due(end, on_mondays=deployment.waits_for_monday)


def _cell(
    dataset: Dataset,
    partition: SessionPartition,
    *,
    is_due: bool,
    in_lake: bool,
    is_checked: bool,
    recorded: RecordedMaterialization | None,
    failure: LastFailure | None,
    checks: tuple[CheckState, ...],
    session: RecordedMaterialization | None,
) -> Cell:
    if not dataset.exists_for(partition.session_type):
        return Cell(dataset=dataset, partition=partition, state=CellState.NONE)
    if failure is not None and failure.is_running:
        state = CellState.RUNNING
    elif failure is not None:
        was_refused = failure.kind == RowsMissing.__name__
        state = CellState.REFUSED if was_refused else CellState.FAILED
    elif recorded is None:
        state = CellState.UNRECORDED if in_lake else CellState.MISSING
    elif not in_lake:
        state = CellState.MISSING
    elif _is_outdated(dataset, recorded, session):
        state = CellState.OUTDATED
    elif not is_checked:
        state = CellState.UNCHECKED
    else:
        state = CellState.EMPTY if recorded.rows == 0 else CellState.LANDED
    cell = Cell(
        dataset=dataset,
        partition=partition,
        state=state,
        is_due=is_due,
        error=failure.error if failure else None,
        run_id=failure.run_id if failure else None,
    )
    if recorded is None:
        return cell
    return replace(
        cell,
        rows=recorded.rows,
        stored_at=recorded.recorded_at,
        revision=recorded.value("revision"),
        changes=recorded.changes(dataset),
        what_changed=recorded.value("what_changed") or "",
        run_id=cell.run_id or recorded.run_id,
        is_simulated=recorded.value(SIMULATED) is not None,
        checks=checks,
    )


def _is_outdated(
    dataset: Dataset, recorded: RecordedMaterialization, session: RecordedMaterialization | None
) -> bool:
    """Whether it was stored under other columns, or before its session's own row was corrected."""
    if recorded.schema_version != str(dataset.schema_version):
        return True
    version = session.data_version if session else None
    if dataset is SESSIONS or version is None:
        return False
    return recorded.tags.get(_UPSTREAM_VERSION, version) != version
