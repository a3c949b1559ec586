"""What a run was to make and what it did, read back from Dagster's event log.

It reads only what was recorded, so it does not matter who started the run, or where. Runs of the
command get here what makes them belong to the code location, as runs from the UI do.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.metadata import COUNTED_REQUESTS, ROW_COUNT
from f1_bronze.defs.partitions import (
    DATASET_BY_ASSET_KEY,
    DATASET_GROUPS,
    PARTITION,
    RANGE_END,
    RANGE_START,
    Registered,
    parse_key,
    parse_keys,
    read_registered,
)
from f1_bronze.defs.record.check_results import read_evaluation
from f1_bronze.defs.record.failure_causes import read_failures
from f1_bronze.defs.record.latest import RecordedMaterialization, read_latest
from f1_bronze.defs.record.tags import (
    BACKFILL,
    HISTORICAL_TAG,
    PARENT_RUN,
    ROOT_RUN,
    SCHEDULE,
    SENSOR,
)
from f1_bronze.telemetry.run_results import (
    CheckOutcome,
    FailedPartition,
    RunEnd,
    RunResult,
    RunStart,
    StoredPartition,
    Trigger,
)

CODE_LOCATION = "f1_bronze"
"""The name in workspace.yaml and pyproject.toml."""

_ORIGIN = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(CODE_LOCATION), "__repository__")

COMMAND_RUN_TAGS = {
    ".dagster/repository": _ORIGIN.get_label(),
    # A daemon retries crashed runs that have an origin; those of the command are left to people.
    "dagster/max_retries": "0",
}

_SEASON_STARTS = 3  # March: until then the season before it is the running one

GroupOf = Callable[[dg.AssetKey], str | None]

_ENDS = {
    dg.DagsterRunStatus.SUCCESS: RunEnd.SUCCESS,
    dg.DagsterRunStatus.FAILURE: RunEnd.FAILURE,
    dg.DagsterRunStatus.CANCELED: RunEnd.CANCELED,
}

_EVENTS_READ = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
}


def planned_datasets(run: dg.DagsterRun) -> list[Dataset]:
    """The bronze datasets that a run is to make; none where it only runs checks."""
    if run.asset_selection:
        return [ds for key, ds in DATASET_BY_ASSET_KEY.items() if key in run.asset_selection]
    if run.asset_check_selection:
        return []
    return [ds for group in DATASET_GROUPS if group.job == run.job_name for ds in group.datasets]


def planned_keys(run: dg.DagsterRun, registered: Registered) -> tuple[str, ...]:
    """The partition keys that a run was made for, in the order of registration."""
    if PARTITION in run.tags:
        return (run.tags[PARTITION],)
    datasets = planned_datasets(run)
    keys = registered.keys(datasets[0]) if datasets else registered.session_keys
    first, last = run.tags.get(RANGE_START), run.tags.get(RANGE_END)
    if first not in keys or last not in keys:
        return ()
    return keys[keys.index(first) : keys.index(last) + 1]


def planned_partitions(
    run: dg.DagsterRun, registered: Registered
) -> dict[Dataset, list[SessionPartition]]:
    """What a run is to make: the sessions of each dataset."""
    partitions = parse_keys(planned_keys(run, registered))
    return {dataset: list(partitions) for dataset in planned_datasets(run)}


def read_run_start(instance: dg.DagsterInstance, run: dg.DagsterRun) -> RunStart:
    """What a run that has started is to do, from its selection and tags."""
    record = _read_record(instance, run)
    started_at = _moment(record.start_time or record.update_timestamp.timestamp())
    return _to_run_start(instance, run, started_at)


def read_run_result(
    instance: dg.DagsterInstance, run: dg.DagsterRun, *, group_of: GroupOf
) -> RunResult:
    """All that a run did, whether it succeeded, failed or was cancelled.

    `group_of` gives the group of an asset that is no bronze dataset, None where it is not known.
    `LookupError` for a run that has not ended, or was deleted.
    """
    record = _read_record(instance, run)
    if run.status not in _ENDS:
        raise LookupError(f"The run {run.run_id} has not ended.")
    ended_at = _moment(record.end_time or record.update_timestamp.timestamp())
    start = _to_run_start(instance, run, _moment(record.start_time or ended_at.timestamp()))
    events = _RunEvents.read(instance, run)
    stored = tuple(_stored_partitions(instance, events.bronze))
    api: Any = {}
    for materialization in events.materializations:
        api = materialization.value("api_so_far") or api
    failure = events.failure
    if failure is not None and "api" in failure.metadata:
        api = failure.metadata["api"].value
    return RunResult(
        start=start,
        end=_ENDS[run.status],
        ended_at=ended_at,
        stored=stored,
        failed=tuple(_failed_partitions(start, stored, failure, _ENDS[run.status])),
        checks=tuple(_check_outcomes(instance, stored, events.evaluations)),
        other_assets=events.count_others(group_of),
        api=api,
        error=events.error if run.status is not dg.DagsterRunStatus.SUCCESS else None,
    )


def _read_record(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.RunRecord:
    record = instance.get_run_record_by_id(run.run_id)
    if record is None:
        raise LookupError(f"The run {run.run_id} was deleted from Dagster's record.")
    return record


def _to_run_start(
    instance: dg.DagsterInstance, run: dg.DagsterRun, started_at: datetime
) -> RunStart:
    tags = run.tags
    keys = planned_keys(run, read_registered(instance))
    return RunStart(
        run_id=run.run_id,
        root_run_id=tags.get(ROOT_RUN, run.run_id),
        parent_run_id=tags.get(PARENT_RUN),
        job=run.job_name,
        trigger=Trigger.SCHEDULED if SCHEDULE in tags or SENSOR in tags else Trigger.MANUAL,
        historical=_is_historical(run, keys, started_at),
        backfill_id=tags.get(BACKFILL),
        started_at=started_at,
        datasets=tuple(dataset.name for dataset in planned_datasets(run)),
        partition_keys=keys,
        tags=dict(tags),
    )


def _is_historical(run: dg.DagsterRun, keys: Sequence[str], started_at: datetime) -> bool:
    """Whether all of a run's sessions are of seasons before the one that was under way.

    Who started it does not matter: to fill a gap of the running season is no history. Where no
    key says a season, the tags of a backfill do.
    """
    years = [partition.year for partition in parse_keys(keys)]
    if not years:
        return BACKFILL in run.tags or run.tags.get(HISTORICAL_TAG) == "true"
    season = started_at.year if started_at.month >= _SEASON_STARTS else started_at.year - 1
    return max(years) < season


@dataclass(kw_only=True)
class _RunEvents:
    """The events of one run that say what it did."""

    materializations: list[RecordedMaterialization] = field(default_factory=list)
    evaluations: list[dg.AssetCheckEvaluation] = field(default_factory=list)
    failure: Any = None  # what a step raised as `dagster.Failure`
    error: str | None = None

    @classmethod
    def read(cls, instance: dg.DagsterInstance, run: dg.DagsterRun) -> "_RunEvents":
        events = cls()
        for record in instance.get_records_for_run(run.run_id, of_type=_EVENTS_READ).records:
            event = record.event_log_entry.get_dagster_event()
            if (materialization := RecordedMaterialization.read(record)) is not None:
                events.materializations.append(materialization)
            elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                events.evaluations.append(event.asset_check_evaluation_data)
            elif event.is_step_failure:
                data = event.step_failure_data
                events.failure = data.user_failure_data
                described = events.failure.description if events.failure else None
                crash = data.error.message if data.error is not None else None
                events.error = events.error or _first_line(described) or _first_line(crash)
            else:
                events.error = events.error or _first_line(event.message)
        return events

    @property
    def bronze(self) -> list[RecordedMaterialization]:
        """The materializations of our datasets."""
        return [m for m in self.materializations if m.event.asset_key in DATASET_BY_ASSET_KEY]

    def count_others(self, group_of: GroupOf) -> dict[str, int]:
        """How many other assets were materialized, by group."""
        counts: dict[str, int] = {}
        for materialization in self.materializations:
            key = materialization.event.asset_key
            if key not in DATASET_BY_ASSET_KEY:
                group = group_of(key) or key.path[0]
                counts[group] = counts.get(group, 0) + 1
        return counts


def _stored_partitions(
    instance: dg.DagsterInstance, materializations: Sequence[RecordedMaterialization]
) -> Iterator[StoredPartition]:
    sessions = _read_sessions(instance, materializations)
    for one in materializations:
        partition = parse_key(one.event.partition)
        if partition is None or one.value("content_sha256") is None:
            continue  # recorded by hand in the UI: nothing was stored
        session = sessions.get(partition.key)
        counted = one.value(COUNTED_REQUESTS)  # older releases recorded whole calls alone
        yield StoredPartition(
            dataset=DATASET_BY_ASSET_KEY[one.event.asset_key].name,
            partition=partition,
            session_key=int(one.value("session_key")),
            revision=str(one.value("revision")),
            rows=int(one.value(ROW_COUNT)),
            rows_added=int(one.value("rows_added")),
            rows_removed=int(one.value("rows_removed")),
            rows_changed=int(one.value("rows_changed")),
            size_bytes=int(one.value("size_bytes")),
            content_sha256=str(one.value("content_sha256")),
            uri=str(one.value("dagster/uri")),
            source_url=str(one.value("source_url")),
            api_requests=int(one.value("api_requests") if counted is None else counted),
            api_retries=int(one.value("api_retries")),
            extract_seconds=float(one.value("extract_seconds")),
            at=one.recorded_at,
            code_version=str(one.value("code_version")),
            repeated=one.is_repeated,
            session_start=session.session_start if session else None,
            session_end=session.session_end if session else None,
        )


def _read_sessions(
    instance: dg.DagsterInstance, materializations: Sequence[RecordedMaterialization]
) -> dict[str, RecordedMaterialization]:
    """What was recorded of `sessions`, in this run or before it: it has the sessions' times."""
    found = {
        m.event.partition: m
        for m in materializations
        if DATASET_BY_ASSET_KEY[m.event.asset_key] is SESSIONS and m.event.partition
    }
    keys = {m.event.partition for m in materializations if m.event.partition}
    return read_latest(instance, SESSIONS, keys - found.keys()) | found


def _check_outcomes(
    instance: dg.DagsterInstance,
    stored: Sequence[StoredPartition],
    evaluations: Sequence[dg.AssetCheckEvaluation],
) -> Iterator[CheckOutcome]:
    """What was evaluated of bronze partitions, by group, each with the file that was checked."""
    checked: list[tuple[Dataset, SessionPartition, dg.AssetCheckEvaluation]] = []
    for evaluation in evaluations:
        dataset = DATASET_BY_ASSET_KEY.get(evaluation.asset_key)
        partition = parse_key(evaluation.partition)
        if dataset is not None and partition is not None:
            checked.append((dataset, partition, evaluation))
    uris = {(one.dataset, one.partition.key): one.uri for one in stored}
    for dataset in {dataset for dataset, _, _ in checked}:
        # "Execute check" alone stores nothing: the file is that of an earlier run.
        keys = {partition.key for other, partition, _ in checked if other is dataset}
        keys = {key for key in keys if (dataset.name, key) not in uris}
        for key, materialization in read_latest(instance, dataset, keys).items():
            uris[dataset.name, key] = materialization.value("dagster/uri")
    for dataset, partition, evaluation in checked:
        for state in read_evaluation(evaluation):
            yield CheckOutcome(
                dataset=dataset.name,
                partition=partition,
                check=state.check,
                passed=state.severity is None,
                severity=state.severity or dg.AssetCheckSeverity.WARN.value,
                rules=tuple(state.rules),
                uri=uris.get((dataset.name, partition.key)),
            )


def _failed_partitions(
    start: RunStart, stored: Sequence[StoredPartition], failure: Any, end: RunEnd
) -> Iterator[FailedPartition]:
    """What the run's failure lists; where it lists nothing, all that was planned and is missing."""
    listed = read_failures(failure.metadata) if failure is not None else None
    if listed is not None:
        for one in listed:
            if not one.is_stored:
                yield FailedPartition(
                    dataset=one.dataset,
                    partition_key=one.partition_key,
                    error=one.kind,
                    cause=one.message,
                    status=one.status,
                )
        return
    if end is RunEnd.SUCCESS:
        return
    error = "Canceled" if end is RunEnd.CANCELED else "RunCrashed"
    there = {(one.dataset, one.partition.key) for one in stored}
    for dataset in (d for d in DATASETS if d.name in start.datasets):
        for partition in parse_keys(start.partition_keys):
            is_missing = (dataset.name, partition.key) not in there
            if is_missing and dataset.exists_for(partition.session_type):
                yield FailedPartition(
                    dataset=dataset.name, partition_key=partition.key, error=error
                )


def _first_line(text: str | None) -> str | None:
    return text.strip().splitlines()[0] if text and text.strip() else None


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


@contextmanager
def runs_in_code_location(instance: dg.DagsterInstance, job_name: str) -> Iterator[None]:
    """Runs of the job that are created inside have the origin of the code location.

    The UI lists under Timeline, Jobs and Job > Runs what has that origin and `COMMAND_RUN_TAGS`,
    and re-executes only what has an origin; Dagster gives both to runs from a workspace.
    """
    create = instance.create_run_for_job
    origin = RemoteJobOrigin(_ORIGIN, job_name)
    # `execute_in_process` hands no origin on, and a run's origin cannot be changed later.
    instance.create_run_for_job = partial(create, remote_job_origin=origin)  # type: ignore[method-assign]
    try:
        yield
    finally:
        del instance.create_run_for_job
