"""Writes events into the lake, those of a run and dataset in one file, and reads them back.

A file has an event a line. Older releases wrote a file for each event, which read the same.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from f1_bronze.telemetry.lineage.events import LineageEvent
from f1_bronze.telemetry.lineage.names import (
    EVENTS,
    day_folder,
    event_path,
    parse_event_path,
)
from f1_bronze.telemetry.outbound import Files

_AT_ONCE = 10
"""On S3 a small object takes some 30 ms whatever is done; boto3 keeps as many connections."""


class EventFiles:
    """The lake's events."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def write(self, events: Sequence[LineageEvent]) -> set[date]:
        """Write the files of these events, and return the days that have got some.

        Give all events of a file at once. Those that are made again are written over themselves,
        byte for byte, so nothing is read before. When the lake fails, some files may be there and
        some not: write all of them again.
        """
        contents: dict[str, bytes] = {}
        for event in events:
            contents[event.path] = contents.get(event.path, b"") + event.data
        with ThreadPoolExecutor(_AT_ONCE) as writers:
            for _ in writers.map(lambda p: self._files.write(p, contents[p], {}), contents):
                pass
        parsed = (parse_event_path(path) for path in contents)
        return {path.day for path in parsed if path is not None}

    def of_day(self, day: date) -> list[tuple[str, bytes]]:
        """Path and bytes of the events of a day, in the order of their paths and lines."""
        return self.read(stored.path for stored in self._files.list(day_folder(day)))

    def of_dataset(self, dataset: str) -> list[tuple[str, bytes]]:
        """The same of all events that are about a dataset, and not about a whole run."""
        parsed = (parse_event_path(stored.path) for stored in self._files.list(EVENTS))
        return self.read(path.path for path in parsed if path and path.dataset == dataset)

    def read(self, wanted: Iterable[str]) -> list[tuple[str, bytes]]:
        """Path and bytes of each event in these files, but for files that are no more.

        An event that an older release wrote into a file of its own, and this one into a file with
        others, is there once. What is no event is handed on as it is.
        """
        listed = list(wanted)
        with ThreadPoolExecutor(_AT_ONCE) as readers:
            found = zip(listed, readers.map(self._files.read, listed), strict=True)
            read = [(path, data) for path, data in found if data is not None]
        lines = [(path, line) for path, data in read for line in data.splitlines(keepends=True)]
        moved = {own for path, line in lines if (own := find_id(path, line)) != path}
        return [(path, line) for path, line in lines if path not in moved]

    def find(self, event_id: str) -> bytes | None:
        """The bytes of the event that is known by this; None where the lake does not have it."""
        own = parse_event_path(event_id)
        if own is None:
            return None
        listed = (parse_event_path(stored.path) for stored in self._files.list(day_folder(own.day)))
        beside = [p.path for p in listed if p and (p.job, p.dataset) == (own.job, own.dataset)]
        return next((d for path, d in self.read(beside) if find_id(path, d) == event_id), None)


@dataclass(frozen=True, kw_only=True)
class ReadEvent:
    """One event; `body` is all of it, as JSON has it."""

    path: str
    at: datetime
    event_type: str
    run_id: str
    job: str
    body: Mapping[str, Any]

    def run_facet(self, name: str) -> Mapping[str, Any]:
        """A facet of the run; empty where there is none."""
        return _mapping(_mapping(_mapping(self.body.get("run")).get("facets")).get(name))

    @property
    def tags(self) -> Mapping[str, str]:
        """The run's tags, as key and value."""
        return {
            str(tag.get("key")): str(tag.get("value"))
            for tag in _each(self.run_facet("tags"), "tags")
        }

    @property
    def inputs(self) -> list[Mapping[str, Any]]:
        """What was read."""
        return list(_each(self.body, "inputs"))

    @property
    def outputs(self) -> list[Mapping[str, Any]]:
        """What was written."""
        return list(_each(self.body, "outputs"))


def find_facet(dataset: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    """A facet of an input or output: `kind` is facets, inputFacets or outputFacets."""
    return _mapping(_mapping(dataset.get(kind)).get(name))


def find_assertions(dataset: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The assertions about an input."""
    return list(_each(find_facet(dataset, "inputFacets", "dataQualityAssertions"), "assertions"))


def read_event(path: str, data: bytes) -> ReadEvent | None:
    """The event of a file; None for any other file."""
    try:
        body = json.loads(data)
        at = datetime.fromisoformat(body["eventTime"])
        return ReadEvent(
            path=path,
            at=at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC),
            event_type=str(body["eventType"]),
            run_id=str(body["run"]["runId"]),
            job=str(body["job"]["name"]),
            body=body,
        )
    except (ValueError, TypeError, KeyError):
        return None


def find_id(path: str, data: bytes) -> str | None:
    """What an event is known by, from its file and its bytes; None where it is no event."""
    place, event = parse_event_path(path), read_event(path, data)
    if place is None or event is None:
        return None
    return event_path(
        job=place.job,
        at=event.at,
        dataset=place.dataset,
        run_id=event.run_id,
        event_type=event.event_type,
    )


def _each(holder: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    found = holder.get(name)
    yield from (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
