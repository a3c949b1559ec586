"""Makes the OpenLineage events of a run. Pure: the same run has the same events, byte for byte.

- The run: START when it starts, COMPLETE, FAIL or ABORT when it ends.
- Each dataset of each session: START, and COMPLETE when it was stored, FAIL when it was not, or
  ABORT in a cancelled run. They are emitted when the run has ended, under the times at which they
  happened, so that a run that vanishes leaves none of them open.
- Each dataset that was checked: one more run whose input is the table, because OpenLineage has
  assertions for inputs only. One for all partitions, as they are checked together.

A dataset is the table, so that a job which reads the table meets the same node; the facet `subset`
has the partition.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.telemetry.lineage import facets, names
from f1_bronze.telemetry.lineage.names import OF_THE_RUN, EventPath
from f1_bronze.telemetry.redaction import public_url
from f1_bronze.telemetry.run_results import (
    CheckOutcome,
    FailedPartition,
    RunEnd,
    RunResult,
    RunStart,
    StoredPartition,
)

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset

_END_EVENTS = {RunEnd.SUCCESS: "COMPLETE", RunEnd.FAILURE: "FAIL", RunEnd.CANCELED: "ABORT"}

_DATASETS = {dataset.name: dataset for dataset in DATASETS}

_MOST_IN_FILE = 500
"""Events of a file, some 6 kB each: a file is written and read whole."""


@dataclass(frozen=True, kw_only=True)
class LineageEvent:
    """One event: its OpenLineage run, its file in the lake, its JSON on one line, in ASCII.

    Attributes:
        id: what it is known by for good, made from run id and type.
        path: the file that it is a line of, with the others of its Dagster run and dataset.
    """

    run_id: str
    id: str
    path: str
    data: bytes


def start_events(run: RunStart) -> list[LineageEvent]:
    """The event of a run that starts; none for a run that is to store no bronze dataset."""
    return [_run_event(run, "START", run.started_at)] if run.datasets else []


def end_events(run: RunResult, *, glue_database: str = "") -> list[LineageEvent]:
    """All events of a run that has ended, but its first; the run's own end is the last of them.

    `glue_database` is the ARN of the Glue database that has the tables; empty where it is unknown.
    """
    if not (run.start.datasets or run.stored or run.failed or run.checks):
        return []
    # What an earlier attempt stored had its events when that attempt ended. A dataset that an
    # older release has recorded may not be declared any more.
    stored = [one for one in run.stored if not one.repeated and one.dataset in _DATASETS]
    failed = [one for one in run.failed if one.dataset in _DATASETS]
    events = [event for one in stored for event in _stored_events(run.start, one, glue_database)]
    events += [event for one in failed for event in _failed_events(run, one)]
    events = _share_files(run.start, [*events, *_check_events(run)])
    end = facets.error_message(run.error) if run.end is not RunEnd.SUCCESS else {}
    counted = {"landed": len(stored), "not_landed": len(failed)}
    return [*events, _run_event(run.start, _END_EVENTS[run.end], run.ended_at, end, **counted)]


def _share_files(run: RunStart, events: Sequence[LineageEvent]) -> list[LineageEvent]:
    """The events, those of a dataset and a day in one file, named by the first of them.

    A file for each was two writes a partition, which on S3 took longer than to store it.
    """
    groups: dict[tuple[str, date], list[tuple[EventPath, LineageEvent]]] = {}
    for event in events:
        own = names.read_event_path(event.id)
        groups.setdefault((own.dataset, own.day), []).append((own, event))
    shared = {}
    for (dataset, _), group in groups.items():
        for part in range(0, len(group), _MOST_IN_FILE):
            path = names.event_path(
                job=names.dagster_job(run.job),
                at=min(own.at for own, _ in group[part : part + _MOST_IN_FILE]),
                dataset=dataset,
                run_id=run.run_id,
                event_type=f"{dataset}/{part // _MOST_IN_FILE}",
            )
            for _, event in group[part : part + _MOST_IN_FILE]:
                shared[event.id] = replace(event, path=path)
    return [shared[event.id] for event in events]


def _run_event(
    run: RunStart, event_type: str, at: datetime, more: facets.Facets | None = None, **counted: int
) -> LineageEvent:
    tags = facets.tags(
        dagster_run_id=run.run_id,
        trigger=run.trigger.value,
        historical=run.historical,
        backfill_id=run.backfill_id,
        root_run_id=run.root_run_id if run.root_run_id != run.run_id else None,
        parent_run_id=run.parent_run_id,
        datasets=",".join(run.datasets),
        partitions=len(run.partition_keys),
        **counted,
    )
    return _event(
        run,
        event_type,
        at,
        dataset=OF_THE_RUN,
        run_facets={**tags, **(more or {})},
        job=names.run_job(run.job),
        job_facets=facets.job_facets(
            "JOB", "One Dagster run of the bronze layer: it stores dataset partitions."
        ),
    )


def _stored_events(
    run: RunStart, stored: StoredPartition, glue_database: str
) -> Iterator[LineageEvent]:
    dataset, partition = _DATASETS[stored.dataset], stored.partition
    table = names.table_name(stored.uri)
    started_at = max(run.started_at, stored.at - timedelta(seconds=stored.extract_seconds))
    run_facets = {**facets.parent(run), **facets.nominal_time(stored)}
    identity = {
        "dagster_run_id": run.run_id,
        "partition": partition.key,
        "session_key": stored.session_key,
    }
    shared = _dataset_job(dataset, partition.key)
    yield _event(
        run,
        "START",
        started_at,
        **shared,
        run_facets={**run_facets, **facets.tags(**identity)},
        inputs=_inputs(dataset, table, partition),
        outputs=[_output(table, {}, facets.output_subset(partition))],
    )
    yield _event(
        run,
        "COMPLETE",
        stored.at,
        **shared,
        run_facets={
            **run_facets,
            **facets.tags(
                **identity,
                file=stored.uri,
                revision=stored.revision,
                rows_added=stored.rows_added,
                rows_removed=stored.rows_removed,
                rows_changed=stored.rows_changed,
                api_requests=stored.api_requests,
                api_retries=stored.api_retries,
                extract_seconds=stored.extract_seconds,
                code_version=stored.code_version,
            ),
        },
        inputs=_inputs(dataset, table, partition, stored.source_url),
        outputs=[
            _output(
                table,
                {
                    **facets.table_facets(dataset, table, glue_database),
                    **facets.content_facets(stored),
                },
                facets.output_facets(stored),
            )
        ],
    )


def _failed_events(run: RunResult, failed: FailedPartition) -> Iterator[LineageEvent]:
    dataset = _DATASETS[failed.dataset]
    end = "ABORT" if run.end is RunEnd.CANCELED else "FAIL"
    tags = {"dagster_run_id": run.start.run_id, "partition": failed.partition_key}
    for event_type, at in (("START", run.start.started_at), (end, run.ended_at)):
        error: facets.Facets = {}
        if event_type == end:
            error = facets.error_message(failed.cause or failed.error)
            tags |= {"error": failed.error, "status": str(failed.status or "")}
        yield _event(
            run.start,
            event_type,
            at,
            **_dataset_job(dataset, failed.partition_key),
            run_facets={**facets.parent(run.start), **facets.tags(**tags), **error},
            inputs=[_input((names.API, dataset.endpoint))],
        )


def _check_events(run: RunResult) -> Iterator[LineageEvent]:
    uris = {(one.dataset, one.partition): one.uri for one in run.stored}
    by_dataset: dict[str, list[tuple[str, CheckOutcome]]] = {}
    for check in run.checks:
        uri = check.uri or uris.get((check.dataset, check.partition))
        if uri is not None and check.dataset in _DATASETS:  # else nobody knows what was checked
            by_dataset.setdefault(check.dataset, []).append((uri, check))
    for name, checked in by_dataset.items():
        checks = [check for _, check in checked]
        partitions = sorted({check.partition for check in checks}, key=lambda one: one.key)
        tags = facets.tags(
            dagster_run_id=run.start.run_id,
            partition=partitions[0].key if len(partitions) == 1 else None,
            partitions=len(partitions),
            checks=len(checks),
            failed=sum(not check.passed for check in checks),
        )
        stored_at = [one.at for one in run.stored if one.dataset == name]
        for event_type, at, asserted in (
            ("START", max(stored_at, default=run.start.started_at), {}),
            ("COMPLETE", run.ended_at, facets.assertions(checks)),
        ):
            yield _event(
                run.start,
                event_type,
                at,
                dataset=name,
                parts=(name, "checks"),
                job=names.checks_job(name),
                job_facets=facets.job_facets("ASSET_CHECK", f"Checks the rows of bronze/{name}."),
                run_facets={**facets.parent(run.start), **tags},
                inputs=[
                    _input(
                        names.table_name(checked[0][0]),
                        {},
                        {**facets.input_subset(*partitions), **asserted},
                    )
                ],
            )


def _dataset_job(dataset: Dataset, partition_key: str) -> dict[str, Any]:
    """What the events of one partition of a dataset share."""
    return {
        "dataset": dataset.name,
        "parts": (dataset.name, partition_key),
        "job": names.dataset_job(dataset.name),
        "job_facets": facets.job_facets(
            "ASSET",
            f"Stores bronze/{dataset.name}, a session at a time, from OpenF1's endpoint "
            f"{dataset.endpoint}.",
        ),
    }


def _inputs(
    dataset: Dataset, table: tuple[str, str], partition: SessionPartition, source_url: str = ""
) -> "list[InputDataset]":
    """The endpoint, and the sessions that say which session is asked for."""
    of_endpoint: facets.Facets = {}
    if source_url:
        address = facets.data_source(names.API, public_url(source_url))
        of_endpoint = {**facets.endpoint_facets(dataset), **address}
    inputs = [_input((names.API, dataset.endpoint), of_endpoint)]
    if dataset is not SESSIONS:
        sessions = table[0], names.sibling_table(table[1], SESSIONS.name)
        inputs.append(_input(sessions, {}, facets.input_subset(partition)))
    return inputs


def _input(
    name: tuple[str, str],
    dataset_facets: facets.Facets | None = None,
    input_facets: facets.Facets | None = None,
) -> "InputDataset":
    from openlineage.client.event_v2 import InputDataset

    return InputDataset(
        namespace=name[0],
        name=name[1],
        facets=dict(dataset_facets or {}),
        inputFacets=dict(input_facets or {}),
    )


def _output(
    name: tuple[str, str], dataset_facets: facets.Facets, output_facets: facets.Facets
) -> "OutputDataset":
    from openlineage.client.event_v2 import OutputDataset

    return OutputDataset(
        namespace=name[0],
        name=name[1],
        facets=dict(dataset_facets),
        outputFacets=dict(output_facets),
    )


def _event(
    run: RunStart,
    event_type: str,
    at: datetime,
    *,
    dataset: str,
    parts: tuple[str, ...] = (),
    run_facets: Mapping[str, Any],
    job: str,
    job_facets: Mapping[str, Any],
    inputs: "Iterable[InputDataset]" = (),
    outputs: "Iterable[OutputDataset]" = (),
) -> LineageEvent:
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
    from openlineage.client.serde import Serde

    run_id = names.lineage_run_id(run.run_id, run.started_at, *parts)
    event = RunEvent(
        eventType=RunState(event_type),
        eventTime=names.moment(at),
        run=Run(runId=run_id, facets={**facets.engine(), **run_facets}),
        job=Job(namespace=names.JOBS, name=job, facets=dict(job_facets)),
        inputs=list(inputs),
        outputs=list(outputs),
        producer=names.PRODUCER,
    )
    own = names.event_path(
        job=names.dagster_job(run.job),
        at=at,
        dataset=dataset,
        run_id=run_id,
        event_type=event_type,
    )
    return LineageEvent(
        run_id=run_id,
        id=own,
        path=own,
        data=Serde.to_json(event, separators=(",", ":")).encode("ascii") + b"\n",
    )
