"""From a run to its OpenLineage events.

Belongs here: which events a run has, when, and with which facets. Pure: the same run has the same
events, byte for byte, so that telling it again harms nobody. Stays out: how a facet looks
(run_facets.py, dataset_facets.py), where events go (event_files.py, delivery.py).

- The run: START when it begins, COMPLETE, FAIL or ABORT when it ends.
- Each dataset of each session that it landed: START and COMPLETE; one that did not land: START and
  FAIL, or ABORT when the run was cancelled. They are told when the run has ended, under the times
  at which they happened, so that a run that vanishes leaves none of them open.
- Each dataset that was checked: one more run whose inputs are the files, because OpenLineage has
  assertions for inputs only. One for all partitions, as they are checked together.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.telemetry.lineage import facets as dataset_facets
from f1_bronze.telemetry.lineage import facets as run_facets
from f1_bronze.telemetry.lineage import names
from f1_bronze.telemetry.lineage.names import OF_THE_RUN, event_path
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


_ENDS = {RunEnd.SUCCESS: "COMPLETE", RunEnd.FAILURE: "FAIL", RunEnd.CANCELED: "ABORT"}


@dataclass(frozen=True, kw_only=True)
class LineageEvent:
    """One event: its OpenLineage run, its place in the lake, its JSON on one line, in ASCII."""

    run_id: str
    path: str
    data: bytes


def start_events(run: RunStart) -> list[LineageEvent]:
    """The event of a run that begins; none for a run that means to land no bronze dataset."""
    if not run.datasets:
        return []
    return [_of_the_run(run, "START", run.started_at)]


def end_events(run: RunResult) -> list[LineageEvent]:
    """All events of a run that has ended, but its first; the run's own end is the last of them."""
    if not (run.start.datasets or run.stored or run.failed or run.checks):
        return []
    # What an earlier attempt landed was told when that attempt ended.
    landed = [one for one in run.stored if not one.repeated]
    events = [event for one in landed for event in _of_landed(run.start, one)]
    events += [event for one in run.failed for event in _of_not_landed(run, one)]
    events += _of_checks(run)
    end = run_facets.error_message(run.error) if run.end is not RunEnd.SUCCESS else {}
    counted = {"landed": len(landed), "not_landed": len(run.failed)}
    return [*events, _of_the_run(run.start, _ENDS[run.end], run.ended_at, end, counted)]


def _of_the_run(
    run: RunStart,
    event_type: str,
    at: datetime,
    more: Mapping[str, Any] | None = None,
    counted: Mapping[str, int] | None = None,
) -> LineageEvent:
    tags = run_facets.tags(
        trigger=run.trigger.value,
        historical=run.historical,
        backfill_id=run.backfill_id,
        root_run_id=run.root_run_id if run.root_run_id != run.run_id else None,
        parent_run_id=run.parent_run_id,
        datasets=",".join(run.datasets),
        partitions=len(run.partition_keys),
        **(counted or {}),
    )
    return _event(
        run,
        event_type,
        at,
        dataset=OF_THE_RUN,
        run_id=run.run_id,
        of_run={**tags, **(more or {})},
        job=names.run_job(run.job),
        of_job=run_facets.of_run_job(),
    )


def _of_landed(run: RunStart, landed: StoredPartition) -> Iterator[LineageEvent]:
    dataset = dataset_facets.by_name(landed.dataset)
    if dataset is None:  # recorded by an older release, and declared no more
        return
    started_at = max(run.started_at, landed.at - timedelta(seconds=landed.extract_seconds))
    namespace, name = names.dataset_name(landed.uri)
    shared: dict[str, Any] = {
        "dataset": landed.dataset,
        "run_id": names.landing_run_id(run.run_id, landed.dataset, landed.partition.key),
        "job": names.dataset_job(landed.dataset),
        "of_job": run_facets.of_dataset_job(dataset),
    }
    tags = run_facets.tags(partition=landed.partition.key, session_key=landed.session_key)
    yield _event(
        run,
        "START",
        started_at,
        **shared,
        of_run={**run_facets.parent(run), **run_facets.nominal_time(landed), **tags},
        inputs=[_input(names.API, dataset.endpoint)],
        outputs=[_output(namespace, name)],
    )
    yield _event(
        run,
        "COMPLETE",
        landed.at,
        **shared,
        of_run={
            **run_facets.parent(run),
            **run_facets.nominal_time(landed),
            **run_facets.tags(
                partition=landed.partition.key,
                session_key=landed.session_key,
                revision=landed.revision,
                rows_added=landed.rows_added,
                rows_removed=landed.rows_removed,
                rows_changed=landed.rows_changed,
                api_requests=landed.api_requests,
                api_retries=landed.api_retries,
                extract_seconds=landed.extract_seconds,
                code_version=landed.code_version,
            ),
        },
        inputs=[_endpoint(dataset, landed.source_url)],
        outputs=[
            _output(
                namespace,
                name,
                {
                    **dataset_facets.of_files(dataset),
                    **dataset_facets.source(namespace, landed.uri),
                    **dataset_facets.of_file(landed),
                },
                dataset_facets.output_statistics(landed),
            )
        ],
    )


def _of_not_landed(run: RunResult, failed: FailedPartition) -> Iterator[LineageEvent]:
    dataset = dataset_facets.by_name(failed.dataset)
    if dataset is None:
        return
    ended = "ABORT" if run.end is RunEnd.CANCELED else "FAIL"
    times = {"START": run.start.started_at, ended: run.ended_at}
    for event_type, at in times.items():
        error = run_facets.error_message(failed.error) if event_type == ended else {}
        yield _event(
            run.start,
            event_type,
            at,
            dataset=failed.dataset,
            run_id=names.landing_run_id(run.start.run_id, failed.dataset, failed.partition_key),
            of_run={
                **run_facets.parent(run.start),
                **run_facets.tags(partition=failed.partition_key),
                **error,
            },
            job=names.dataset_job(failed.dataset),
            of_job=run_facets.of_dataset_job(dataset),
            inputs=[_input(names.API, dataset.endpoint)],
        )


def _of_checks(run: RunResult) -> Iterator[LineageEvent]:
    landed = {(one.dataset, one.partition): one for one in run.stored}
    by_dataset: dict[str, dict[str, list[CheckOutcome]]] = {}
    for check in run.checks:
        file = landed.get((check.dataset, check.partition))
        uri = check.uri or (file.uri if file else None)
        if uri is not None:  # of a file that nobody can name nothing can be asserted
            by_dataset.setdefault(check.dataset, {}).setdefault(uri, []).append(check)
    for name, by_file in by_dataset.items():
        dataset = dataset_facets.by_name(name)
        if dataset is None:
            continue
        done = [one.at for one in run.stored if one.dataset == name]
        checked = [check for checks in by_file.values() for check in checks]
        keys = sorted({check.partition.key for check in checked})
        shared: dict[str, Any] = {
            "dataset": name,
            "run_id": names.checks_run_id(run.start.run_id, name),
            "job": names.checks_job(name),
            "of_job": run_facets.of_checks_job(dataset),
        }
        tags = run_facets.tags(
            partition=keys[0] if len(keys) == 1 else None,
            partitions=len(keys),
            checks=len(checked),
            failed=sum(not check.passed for check in checked),
        )
        of_run = {**run_facets.parent(run.start), **tags}
        for event_type, at in (
            ("START", max(done, default=run.start.started_at)),
            ("COMPLETE", run.ended_at),
        ):
            asserted = event_type == "COMPLETE"
            yield _event(
                run.start,
                event_type,
                at,
                **shared,
                of_run=of_run,
                inputs=[
                    _input(*names.dataset_name(uri), {}, dataset_facets.assertions(checks))
                    if asserted
                    else _input(*names.dataset_name(uri))
                    for uri, checks in by_file.items()
                ],
            )


def _endpoint(dataset: Dataset, source_url: str) -> "InputDataset":
    source = dataset_facets.source(names.API, public_url(source_url))
    return _input(names.API, dataset.endpoint, {**dataset_facets.of_endpoint(dataset), **source})


def _input(
    namespace: str,
    name: str,
    of_dataset: Mapping[str, Any] | None = None,
    of_input: Mapping[str, Any] | None = None,
) -> "InputDataset":
    from openlineage.client.event_v2 import InputDataset

    return InputDataset(
        namespace=namespace,
        name=name,
        facets=dict(of_dataset or {}),
        inputFacets=dict(of_input or {}),
    )


def _output(
    namespace: str,
    name: str,
    of_dataset: Mapping[str, Any] | None = None,
    of_output: Mapping[str, Any] | None = None,
) -> "OutputDataset":
    from openlineage.client.event_v2 import OutputDataset

    return OutputDataset(
        namespace=namespace,
        name=name,
        facets=dict(of_dataset or {}),
        outputFacets=dict(of_output or {}),
    )


def _event(
    begun: RunStart,
    event_type: str,
    at: datetime,
    *,
    dataset: str,
    run_id: str,
    of_run: Mapping[str, Any],
    job: str,
    of_job: Mapping[str, Any],
    inputs: "Iterable[InputDataset]" = (),
    outputs: "Iterable[OutputDataset]" = (),
) -> LineageEvent:
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
    from openlineage.client.serde import Serde

    event = RunEvent(
        eventType=RunState(event_type),
        eventTime=names.moment(at),
        run=Run(runId=run_id, facets={**run_facets.of_engine(), **of_run}),
        job=Job(namespace=names.JOBS, name=job, facets=dict(of_job)),
        inputs=list(inputs),
        outputs=list(outputs),
        producer=names.PRODUCER,
    )
    return LineageEvent(
        run_id=run_id,
        path=event_path(
            job=names.dagster_job(begun.job),
            at=at,
            dataset=dataset,
            run_id=run_id,
            event_type=event_type,
        ),
        data=Serde.to_json(event, separators=(",", ":")).encode("ascii") + b"\n",
    )
