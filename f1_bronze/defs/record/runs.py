"""Runs as telemetry sees them, read back from Dagster's event log.

Belongs here: from Dagster's records to `telemetry.runs`. Stays out: what is told of a run
(telemetry/), when (telling.py). Reads only what was recorded, so it does not matter who
started the run, or where.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.partitions import (
    DATASET_BY_ASSET_KEY,
    DATASET_GROUPS,
    Registered,
    asset_key,
    parse_key,
    parse_keys,
    read_registered,
)
from f1_bronze.defs.record.latest import latest_materializations
from f1_bronze.defs.record.tags import (
    BACKFILL,
    HISTORICAL_TAG,
    PARENT_RUN,
    PARTITION,
    RANGE_END,
    RANGE_START,
    ROOT_RUN,
    SCHEDULE,
    SENSOR,
)
from f1_bronze.defs.run.failures import LANDED_ALL_THE_SAME
from f1_bronze.defs.run.materialization import SESSION_END, SESSION_START, TOLD_AGAIN_FROM
from f1_bronze.telemetry.run_results import (
    CheckOutcome,
    FailedPartition,
    RunEnd,
    RunResult,
    RunStart,
    StoredPartition,
    Trigger,
)

_ENDS = {
    dg.DagsterRunStatus.SUCCESS: RunEnd.SUCCESS,
    dg.DagsterRunStatus.FAILURE: RunEnd.FAILURE,
    dg.DagsterRunStatus.CANCELED: RunEnd.CANCELED,
}

_TOLD = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
}

_LANDED = {error.__name__ for error in LANDED_ALL_THE_SAME}

GroupOf = Callable[[dg.AssetKey], str | None]

SessionTimes = tuple[datetime | None, datetime | None]


def run_begun(instance: dg.DagsterInstance, run: dg.DagsterRun) -> RunStart:
    """What a run that has begun means to do, from its selection and tags."""
    record = _record(instance, run.run_id)
    return _begun(instance, run, _moment(record.start_time or record.update_timestamp.timestamp()))


def _record(instance: dg.DagsterInstance, run_id: str) -> dg.RunRecord:
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        raise LookupError(f"The run {run_id} is on record no more.")
    return record


def _begun(instance: dg.DagsterInstance, run: dg.DagsterRun, started_at: datetime) -> RunStart:
    tags = run.tags
    datasets = planned_datasets(run)
    return RunStart(
        run_id=run.run_id,
        root_run_id=tags.get(ROOT_RUN, run.run_id),
        parent_run_id=tags.get(PARENT_RUN),
        job=run.job_name,
        trigger=Trigger.SCHEDULED if SCHEDULE in tags or SENSOR in tags else Trigger.MANUAL,
        historical=BACKFILL in tags or tags.get(HISTORICAL_TAG) == "true",
        backfill_id=tags.get(BACKFILL),
        started_at=started_at,
        datasets=tuple(dataset.name for dataset in datasets),
        partition_keys=planned_keys(run, read_registered(instance)),
        tags=dict(tags),
    )


def run_finished(
    instance: dg.DagsterInstance, run: dg.DagsterRun, *, group_of: GroupOf
) -> RunResult:
    """All that a run did, whether it succeeded, failed or was cancelled.

    `group_of` tells the group of an asset that is no bronze dataset, None where it is not known.
    """
    record = _record(instance, run.run_id)
    if run.status not in _ENDS:
        raise LookupError(f"The run {run.run_id} has not ended.")
    ended_at = _moment(record.end_time or record.update_timestamp.timestamp())
    begun = _begun(instance, run, _moment(record.start_time or ended_at.timestamp()))
    landed: list[StoredPartition] = []
    checks: list[CheckOutcome] = []
    others: dict[str, int] = {}
    api: dict[str, Any] = {}
    failure, error = None, None
    materialized: list[tuple[float, dg.AssetMaterialization]] = []
    for entry in instance.get_records_for_run(run.run_id, of_type=_TOLD).records:
        event = entry.event_log_entry.get_dagster_event()
        if event.is_step_materialization:
            materialized.append((entry.event_log_entry.timestamp, event.materialization))
        elif event.event_type_value == dg.DagsterEventType.ASSET_CHECK_EVALUATION.value:
            checks += _check(event.asset_check_evaluation_data)
        elif event.is_step_failure:
            failure = event.step_failure_data.user_failure_data
            error = error or _first_line(failure.description if failure else None)
            if error is None and event.step_failure_data.error is not None:
                error = _first_line(event.step_failure_data.error.message)
        elif event.event_type_value == dg.DagsterEventType.RUN_FAILURE.value:
            error = error or _first_line(event.message)
    times = _session_times(instance, [made for _, made in materialized])
    for timestamp, made in materialized:
        api = _json(made.metadata, "api_so_far") or api
        dataset = DATASET_BY_ASSET_KEY.get(made.asset_key)
        if dataset is None:
            group = group_of(made.asset_key) or made.asset_key.path[0]
            others[group] = others.get(group, 0) + 1
        elif one := _landed(dataset, made, _moment(timestamp), times):
            landed.append(one)
    if failure is not None:
        api = _json(failure.metadata, "api") or api
    return RunResult(
        start=begun,
        end=_ENDS[run.status],
        ended_at=ended_at,
        stored=tuple(landed),
        failed=tuple(_not_landed(begun, landed, failure, _ENDS[run.status])),
        checks=tuple(checks),
        other_assets=others,
        api=api,
        error=error if run.status is not dg.DagsterRunStatus.SUCCESS else None,
    )


def planned_datasets(run: dg.DagsterRun) -> list[Dataset]:
    """The bronze datasets that a run means to make; none where it only runs checks."""
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
    """What a run means to make: the sessions of each dataset."""
    partitions = parse_keys(planned_keys(run, registered))
    return {dataset: list(partitions) for dataset in planned_datasets(run)}


def _landed(
    dataset: Dataset,
    event: dg.AssetMaterialization,
    at: datetime,
    times: Mapping[str, SessionTimes],
) -> StoredPartition | None:
    partition, known = parse_key(event.partition), event.metadata
    if partition is None or "content_sha256" not in known:
        return None  # recorded by hand in the UI: nothing landed
    start, end = times.get(partition.key, (None, None))
    return StoredPartition(
        dataset=dataset.name,
        partition=partition,
        session_key=int(_value(known, "session_key")),
        revision=str(_value(known, "revision")),
        rows=int(_value(known, "dagster/row_count")),
        rows_added=int(_value(known, "rows_added")),
        rows_removed=int(_value(known, "rows_removed")),
        rows_changed=int(_value(known, "rows_changed")),
        size_bytes=int(_value(known, "size_bytes")),
        content_sha256=str(_value(known, "content_sha256")),
        uri=str(_value(known, "dagster/uri")),
        source_url=str(_value(known, "source_url")),
        api_requests=int(_value(known, "api_requests")),
        api_retries=int(_value(known, "api_retries")),
        extract_seconds=float(_value(known, "extract_seconds")),
        at=at,
        code_version=str(_value(known, "code_version")),
        repeated=TOLD_AGAIN_FROM in known,
        session_start=start,
        session_end=end,
    )


def _session_times(
    instance: dg.DagsterInstance, events: Sequence[dg.AssetMaterialization]
) -> dict[str, SessionTimes]:
    """When the sessions were, from what was recorded of `sessions`: in this run or before."""
    of_sessions = asset_key(SESSIONS)
    times = {
        event.partition: _times(event)
        for event in events
        if event.asset_key == of_sessions and event.partition
    }
    unknown = {
        event.partition
        for event in events
        if event.asset_key in DATASET_BY_ASSET_KEY
        and event.partition
        and event.partition not in times
    }
    for key, record in latest_materializations(instance, of_sessions, unknown).items():
        if record.asset_materialization is not None:
            times[key] = _times(record.asset_materialization)
    return times


def _times(event: dg.AssetMaterialization) -> SessionTimes:
    def moment(name: str) -> datetime | None:
        value = event.metadata.get(name)
        return _moment(float(value.value)) if value is not None else None  # type: ignore[arg-type]

    return moment(SESSION_START), moment(SESSION_END)


def _check(evaluation: dg.AssetCheckEvaluation) -> Iterator[CheckOutcome]:
    dataset, partition = (
        DATASET_BY_ASSET_KEY.get(evaluation.asset_key),
        parse_key(evaluation.partition),
    )
    if dataset is None or partition is None:
        return
    yield CheckOutcome(
        dataset=dataset.name,
        partition=partition,
        check=evaluation.check_name,
        passed=evaluation.passed,
        severity=evaluation.severity.value,
        rules=tuple(_json(evaluation.metadata, "rules") or ()),
    )


def _not_landed(
    begun: RunStart, landed: Iterable[StoredPartition], failure: Any, end: RunEnd
) -> Iterator[FailedPartition]:
    """What the run's failure names; where it names nothing, all that was planned and is missing."""
    named = _json(failure.metadata, "failed") if failure is not None else None
    if named is not None:
        for one in named:
            if one["error"] not in _LANDED:
                yield FailedPartition(
                    dataset=one["dataset"], partition_key=one["partition"], error=one["error"]
                )
        return
    if end is RunEnd.SUCCESS:
        return
    there = {(one.dataset, one.partition.key) for one in landed}
    for dataset in (d for d in DATASETS if d.name in begun.datasets):
        for key in begun.partition_keys:
            partition = parse_key(key)
            if partition is None or not dataset.exists_for(partition.session_type):
                continue
            if (dataset.name, key) not in there:
                word = "Canceled" if end is RunEnd.CANCELED else "RunCrashed"
                yield FailedPartition(dataset=dataset.name, partition_key=key, error=word)


def _value(metadata: Mapping[str, dg.MetadataValue], name: str) -> Any:
    return metadata[name].value


def _json(metadata: Mapping[str, dg.MetadataValue], name: str) -> Any:
    return metadata[name].value if name in metadata else None


def _first_line(text: str | None) -> str | None:
    return text.strip().splitlines()[0] if text and text.strip() else None


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
