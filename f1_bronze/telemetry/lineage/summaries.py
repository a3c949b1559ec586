"""Sums up the events of a day by job and dataset, as one small Parquet file.

A summary is made from the events in the lake, so making it again changes nothing. Only days that
got events need it: `EventFiles.write` returns them.
"""

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from f1_bronze.telemetry.lineage.event_files import (
    EventFiles,
    ReadEvent,
    find_assertions,
    find_facet,
    read_event,
)
from f1_bronze.telemetry.lineage.names import OF_THE_RUN, parse_event_path, summary_path
from f1_bronze.telemetry.outbound import Files

if TYPE_CHECKING:
    import pyarrow as pa


_END_COLUMNS = {"COMPLETE": "completed", "FAIL": "failures", "ABORT": "aborted"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SummaryRow:
    """One job and dataset on one day.

    Attributes:
        dataset: None where the job is a Dagster run.
        runs: OpenLineage runs that had an event on that day.
        completed, failures, aborted: their ends, by kind.
        rows, bytes, files: what was written.
        assertions, failed_assertions: what was checked.
    """

    day: date
    job: str
    dataset: str | None
    runs: int
    completed: int
    failures: int
    aborted: int
    rows: int
    bytes: int
    files: int
    assertions: int
    failed_assertions: int
    events: int
    first_event: datetime
    last_event: datetime


class Summaries:
    """The summaries of a lake."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def refresh(self, days: Iterable[date]) -> list[str]:
        """Make the summaries of these days from their events; returns the paths that changed."""
        changed = []
        for day in sorted(set(days)):
            path = summary_path(day)
            data = _to_parquet(summarize(day, EventFiles(self._files).of_day(day)))
            if self._files.read(path) != data:
                self._files.write(path, data, {})
                changed.append(path)
        return changed


def summarize(day: date, events: Iterable[tuple[str, bytes]]) -> list[SummaryRow]:
    """The rows of a day, by job and dataset, from path and bytes of its events."""
    counts: dict[tuple[str, str], _Count] = {}
    for path, data in events:
        place, event = parse_event_path(path), read_event(path, data)
        if place is None or event is None:
            _log.warning("%s is not a lineage event; the summary leaves it out.", path)
            continue
        counts.setdefault((event.job, place.dataset), _Count()).add(event)
    return [
        SummaryRow(
            day=day,
            job=job,
            dataset=None if dataset == OF_THE_RUN else dataset,
            runs=len(count.run_ids),
            events=len(count.times),
            first_event=min(count.times),
            last_event=max(count.times),
            **count.sums,
        )
        for (job, dataset), count in sorted(counts.items())
    ]


@dataclass(kw_only=True)
class _Count:
    """The sums of one row while events are added."""

    run_ids: set[str] = field(default_factory=set)
    times: list[datetime] = field(default_factory=list)
    sums: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            (*_END_COLUMNS.values(), "rows", "bytes", "files", "assertions", "failed_assertions"), 0
        )
    )

    def add(self, event: ReadEvent) -> None:
        self.run_ids.add(event.run_id)
        self.times.append(event.at)
        if event.event_type in _END_COLUMNS:
            self.sums[_END_COLUMNS[event.event_type]] += 1
        for output in event.outputs:
            written = find_facet(output, "outputFacets", "outputStatistics")
            for ours, theirs in (("rows", "rowCount"), ("bytes", "size"), ("files", "fileCount")):
                self.sums[ours] += int(written.get(theirs) or 0)
        for one in event.inputs:
            found = find_assertions(one)
            self.sums["assertions"] += len(found)
            self.sums["failed_assertions"] += sum(not each.get("success") for each in found)


def _schema() -> "pa.Schema":
    import pyarrow as pa

    moment = pa.timestamp("us", tz="UTC")
    types = {date: pa.date32(), str: pa.string(), str | None: pa.string(), datetime: moment}
    return pa.schema(
        [(name, types.get(kind, pa.int64())) for name, kind in SummaryRow.__annotations__.items()]
    )


def _to_parquet(rows: Iterable[SummaryRow]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([asdict(row) for row in rows], _schema())
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="snappy")
    return bytes(sink.getvalue())
