"""What is there of a season, and what is not: session by session, dataset by dataset.

Belongs here: the state of every dataset of every registered session, put together from Dagster's
record and the lake's file names. Stays out: how it is shown (commands/status.py, report.py).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.partitions import asset_key, read_registered
from f1_bronze.defs.record.calendar_memory import remembered_ends
from f1_bronze.defs.record.check_results import CheckState, check_states
from f1_bronze.defs.record.failure_causes import FailureHistory, LastFailure
from f1_bronze.defs.record.latest import latest_materializations
from f1_bronze.defs.run.failures import RowsMissing
from f1_bronze.defs.run.materialization import SESSION_END
from f1_bronze.lake.lake import Lake

LATE_AFTER = timedelta(hours=24)

"""A session's data is complete within the hour; a day later it should have landed."""

Place = tuple[str, str]

"""A cell's partition key and dataset."""

_SEVERITIES = ("WARN", "ERROR")


class State(StrEnum):
    """What became of a dataset of a session."""

    LANDED = "landed"
    EMPTY = "empty"  # OpenF1 has no rows for this session
    STALE = "stale"  # landed under an older schema, or before its session was corrected
    REFUSED = "refused"  # the last answer had lost rows; the lake keeps what it had
    FAILED = "failed"
    RUNNING = "running"
    UNRECORDED = "unrecorded"  # in the lake, and Dagster does not know of it
    MISSING = "missing"
    NONE = ""  # sessions of this type do not have it


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One dataset of one session.

    Attributes:
        rows: of what the lake holds; None where nothing has landed.
        landed_at: the latest materialization, UTC.
        revision: what the latest answer was, with `what_changed` in Markdown.
        error: why it failed or was refused, with the remedy; its run is `run_id`.
        checks: the last evaluations; empty where none of them has ever been judged.
    """

    dataset: Dataset
    partition: SessionPartition
    state: State
    rows: int | None = None
    landed_at: datetime | None = None
    revision: str | None = None
    what_changed: str = ""
    error: str | None = None
    run_id: str | None = None
    checks: tuple[CheckState, ...] = ()

    @property
    def place(self) -> Place:
        """Where it stands in the matrix."""
        return self.partition.key, self.dataset.name

    @property
    def severity(self) -> str | None:
        """That of the worst failed check: ERROR, WARN, or None."""
        failed = [check.severity for check in self.checks if check.severity]
        return max(failed, key=_SEVERITIES.index, default=None)

    @property
    def has_content(self) -> bool:
        """Whether the lake holds something for it, however old."""
        if self.state in (State.FAILED, State.RUNNING):
            return self.landed_at is not None
        return self.state not in (State.MISSING, State.NONE)


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Sessions in chronological order and the state of each dataset in each.

    Attributes:
        ended_at: the end of the sessions for which it is known, by partition key: those that have
            landed, and those that the calendar sensor has seen.
        unregistered: sessions of which the lake holds something and that are no partitions.
    """

    sessions: tuple[SessionPartition, ...]
    cells: Mapping[Place, Cell]
    ended_at: Mapping[str, datetime]
    unregistered: tuple[SessionPartition, ...] = ()

    def cell(self, partition: SessionPartition, dataset: Dataset) -> Cell:
        """The cell of a session and a dataset."""
        return self.cells[partition.key, dataset.name]

    def counts(self) -> dict[State, int]:
        """How many cells are in each state, but for those that have no dataset."""
        states = [cell.state for cell in self.cells.values()]
        return {s: states.count(s) for s in State if s is not State.NONE and s in states}

    def late(self, now: datetime) -> frozenset[Place]:
        """What should have landed: its session ended more than a day ago and it has no content.

        Where the end is not known, all sessions of past years have ended.
        """
        return frozenset(
            place
            for place, cell in self.cells.items()
            if cell.state in (State.MISSING, State.FAILED)
            and not cell.has_content
            and (
                self.ended_at[cell.partition.key] + LATE_AFTER < now
                if cell.partition.key in self.ended_at
                else cell.partition.year < now.year
            )
        )


def coverage_of(
    instance: dg.DagsterInstance, lake: Lake, years: Collection[int], *, with_rules: bool = False
) -> Coverage:
    """The state of every registered session of these seasons.

    `with_rules` also reads the rules of checks that passed, which the report shows.
    """
    sessions = tuple(p for p in read_registered(instance).sessions if p.year in years)
    keys = [partition.key for partition in sessions]
    failures = FailureHistory(instance)
    checks = check_states(instance, keys, with_rules=with_rules)
    cells: dict[Place, Cell] = {}
    ended_at = {key: end for key, end in remembered_ends(instance).items() if key in set(keys)}
    upstream: dict[str, str | None] = {}
    unregistered: set[SessionPartition] = set()
    for dataset in DATASETS:
        asset = asset_key(dataset)
        in_lake = lake.stored_partitions(dataset.name, years)
        unregistered |= in_lake - set(sessions)
        recorded = latest_materializations(instance, asset, keys)
        attempts = instance.event_log_storage.get_latest_asset_partition_materialization_attempts_without_materializations(  # noqa: E501
            asset
        )
        for partition in sessions:
            key = partition.key
            cells[key, dataset.name] = _cell(
                dataset,
                partition,
                in_lake=partition in in_lake,
                record=recorded.get(key),
                failure=failures.of(attempts[key][0], dataset, key) if key in attempts else None,
                checks=checks.get((key, dataset.name), ()),
                upstream=upstream.get(key),
            )
        if dataset is SESSIONS:
            for key, record in recorded.items():
                upstream[key] = (record.event_log_entry.tags or {}).get("dagster/data_version")
                event = record.asset_materialization
                end = event.metadata.get(SESSION_END) if event else None
                if isinstance(end, dg.TimestampMetadataValue):
                    ended_at[key] = datetime.fromtimestamp(end.value, UTC)
    return Coverage(
        sessions=sessions,
        cells=cells,
        ended_at=ended_at,
        unregistered=tuple(sorted(unregistered)),
    )


def _cell(
    dataset: Dataset,
    partition: SessionPartition,
    *,
    in_lake: bool,
    record: dg.EventLogRecord | None,
    failure: LastFailure | None,
    checks: tuple[CheckState, ...],
    upstream: str | None,
) -> Cell:
    if not dataset.exists_for(partition.session_type):
        return Cell(dataset=dataset, partition=partition, state=State.NONE)
    event = record.asset_materialization if record is not None else None
    if record is None or event is None:
        state = _state_of(failure) if failure else State.UNRECORDED if in_lake else State.MISSING
        return Cell(
            dataset=dataset,
            partition=partition,
            state=state,
            error=failure.error if failure else None,
            run_id=failure.run_id if failure else None,
        )
    metadata = event.metadata

    def value(name: str) -> Any:
        return metadata[name].value if name in metadata else None

    tags = record.event_log_entry.tags or {}
    state = State.EMPTY if value("dagster/row_count") == 0 else State.LANDED
    if tags.get("dagster/code_version") != str(dataset.schema_version) or (
        upstream and tags.get(_UPSTREAM, upstream) != upstream
    ):
        state = State.STALE
    if not in_lake:
        state = State.MISSING  # its file was taken away
    if failure is not None:
        state = _state_of(failure)
    return Cell(
        dataset=dataset,
        partition=partition,
        state=state,
        rows=value("dagster/row_count"),
        landed_at=datetime.fromtimestamp(record.timestamp, UTC),
        revision=value("revision"),
        what_changed=value("what_changed") or "",
        error=failure.error if failure else None,
        run_id=failure.run_id if failure else record.run_id,
        checks=checks,
    )


def _state_of(failure: LastFailure) -> State:
    if failure.is_running:
        return State.RUNNING
    return State.REFUSED if failure.kind == RowsMissing.__name__ else State.FAILED


_UPSTREAM = f"dagster/input_data_version/{asset_key(SESSIONS).to_user_string()}"


LATE = "late"

MEANINGS = {
    "empty": "OpenF1 has no rows for it",
    "stale": "landed before its session or its columns changed; ingest it again",
    "refused": "upstream's last answer had lost rows; the lake keeps its own",
    "failed": "the last attempt failed",
    "running": "a run is about to make it",
    "unrecorded": "in the lake, not in Dagster's record: f1-bronze verify SEASONS --repair",
    "missing": "not in the lake: f1-bronze ingest SEASONS --missing",
    LATE: "not in the lake a day after its session ended: f1-bronze ingest SEASONS --missing",
}

SIGNS = {
    "landed": "",
    "empty": "∅",
    "stale": "↻",
    "refused": "⊘",
    "failed": "✗",
    "running": "…",
    "unrecorded": "?",
    "missing": "–",
    LATE: "!!",
}

"""A state in one or two characters, where there is no room for its name."""
