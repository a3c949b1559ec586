"""What events tell of one partition of a dataset.

Belongs here: which events concern a file, and what each of them tells. Stays out: what the lake
holds now (lake/), how it is shown (commands/lineage.py).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from f1_bronze.telemetry.lineage.event_files import ReadEvent, assertions_of, facet_of, read_event


@dataclass(frozen=True, kw_only=True)
class Told:
    """One event of a partition.

    Attributes:
        dagster_run_id: the run in which it happened; None for events of others.
        source: the address that was asked.
        rows, size_bytes: of the file that was written or found to be the same.
        error: why it did not land.
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
class Asserted:
    """What a rule said of the file when it was checked."""

    at: datetime
    rule: str
    passed: bool
    severity: str
    column: str | None
    observed: str | None


@dataclass(frozen=True, kw_only=True)
class Story:
    """All that events tell of a partition, in the order of time.

    `checks` are those of the last time that it was checked.
    """

    events: tuple[Told, ...]
    checks: tuple[Asserted, ...]


def read_lineage(partition_key: str, folder: str, files: Iterable[tuple[str, bytes]]) -> Story:
    """The story of a partition, from path and bytes of its dataset's events.

    `folder` is the partition's place in the lake, by which the files of checks are recognized,
    wherever the lake was at that time.
    """
    found = (read_event(path, data) for path, data in files)
    events = sorted((event for event in found if event), key=lambda one: (one.at, one.path))
    told: list[Told] = []
    checks: tuple[Asserted, ...] = ()
    for event in events:
        here = [one for one in event.inputs if folder in f"/{one.get('name')}"]
        asserted = tuple(_asserted(event, here))
        checks = asserted or checks
        if here or event.tags.get("partition") == partition_key:
            told.append(_told(event))
    return Story(events=tuple(told), checks=checks)


def _told(event: ReadEvent) -> Told:
    output = next(iter(event.outputs), {})
    held = facet_of(output, "facets", "dataQualityMetrics")
    source = (facet_of(one, "facets", "dataSource").get("uri") for one in event.inputs)
    name = output.get("name")
    return Told(
        at=event.at,
        event_type=event.event_type,
        job=event.job,
        run_id=event.run_id,
        dagster_run_id=_of(event.run_facet("parent"), "run", "runId"),
        path=event.path,
        source=next((uri for uri in source if uri), None),
        output=name if isinstance(name, str) else None,
        revision=event.tags.get("revision"),
        rows=held.get("rowCount"),
        size_bytes=held.get("bytes"),
        content_sha256=facet_of(output, "facets", "version").get("datasetVersion"),
        error=event.run_facet("errorMessage").get("message"),
    )


def _asserted(event: ReadEvent, files: Iterable[Mapping[str, Any]]) -> Iterator[Asserted]:
    for file in files:
        for one in assertions_of(file):
            yield Asserted(
                at=event.at,
                rule=str(one.get("name") or one.get("assertion")),
                passed=bool(one.get("success")),
                severity=str(one.get("severity") or ""),
                column=one.get("column"),
                observed=one.get("actual"),
            )


def _of(holder: Mapping[str, Any], *names: str) -> str | None:
    found: Any = holder
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else None
