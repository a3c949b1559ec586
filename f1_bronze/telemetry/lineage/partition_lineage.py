"""Reads back what the events say about one partition of a dataset."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from f1_bronze.telemetry.lineage.event_files import (
    ReadEvent,
    find_assertions,
    find_facet,
    read_event,
)


@dataclass(frozen=True, kw_only=True)
class PartitionEvent:
    """One event of a partition.

    Attributes:
        dagster_run_id: the run in which it happened; None for events of others.
        source: the address that was asked.
        output: the address of the file.
        rows, size_bytes: of the file that was written or found to be the same.
        error: why it was not stored.
    """

    at: datetime
    event_type: str
    job: str
    run_id: str
    dagster_run_id: str | None
    path: str
    source: str | None = None
    output: str | None = None
    revision: str | None = None
    rows: int | None = None
    size_bytes: int | None = None
    content_sha256: str | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class RuleAssertion:
    """What a rule said of the partition when it was checked."""

    at: datetime
    rule: str
    passed: bool
    severity: str
    column: str | None
    observed: str | None


@dataclass(frozen=True, kw_only=True)
class PartitionLineage:
    """All that events say about a partition, in the order of time.

    `checks` are those of the last time that it was checked.
    """

    events: tuple[PartitionEvent, ...]
    checks: tuple[RuleAssertion, ...]


def read_lineage(
    partition_key: str, folder: str, files: Iterable[tuple[str, bytes]]
) -> PartitionLineage:
    """The lineage of a partition, from path and bytes of its dataset's events.

    `folder` is the partition's place in the lake: older releases named inputs by their files.
    """
    read = (read_event(path, data) for path, data in files)
    events: list[PartitionEvent] = []
    checks: tuple[RuleAssertion, ...] = ()
    for event in sorted((one for one in read if one), key=lambda one: (one.at, one.path)):
        asserted = tuple(_assertions(event, partition_key, folder))
        checks = asserted or checks
        if asserted or event.tags.get("partition") == partition_key:
            events.append(_to_partition_event(event))
    return PartitionLineage(events=tuple(events), checks=checks)


def _to_partition_event(event: ReadEvent) -> PartitionEvent:
    output = next(iter(event.outputs), {})
    metrics = find_facet(output, "facets", "dataQualityMetrics")
    sources = (
        find_facet(one, "facets", "dataSource").get("uri")
        for one in event.inputs
        if one.get("namespace") == "openf1-api"
    )
    parent = event.run_facet("parent").get("run")
    parent_id = parent.get("runId") if isinstance(parent, dict) else None
    name = output.get("name")
    return PartitionEvent(
        at=event.at,
        event_type=event.event_type,
        job=event.job,
        run_id=event.run_id,
        # Older releases gave OpenLineage's run of a Dagster run the same id.
        dagster_run_id=event.tags.get("dagster_run_id", parent_id),
        path=event.path,
        source=next((uri for uri in sources if uri), None),
        output=event.tags.get("file", name if isinstance(name, str) else None),
        revision=event.tags.get("revision"),
        rows=metrics.get("rowCount"),
        size_bytes=metrics.get("bytes"),
        content_sha256=find_facet(output, "facets", "version").get("datasetVersion"),
        error=event.run_facet("errorMessage").get("message"),
    )


def _assertions(event: ReadEvent, partition_key: str, folder: str) -> Iterator[RuleAssertion]:
    for one in event.inputs:
        is_file = folder in f"/{one.get('name')}"
        for assertion in find_assertions(one):
            params: Any = assertion.get("params") or {}
            if is_file or params.get("partition") == partition_key:
                yield RuleAssertion(
                    at=event.at,
                    rule=str(assertion.get("name") or assertion.get("assertion")),
                    passed=bool(assertion.get("success")),
                    severity=str(assertion.get("severity") or ""),
                    column=assertion.get("column"),
                    observed=assertion.get("actual"),
                )
