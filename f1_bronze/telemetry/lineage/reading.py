"""An event as it lies in the lake, read again.

Belongs here: from an event's bytes to what summaries and stories need of it. Stays out: counting
(summaries.py) and telling (story.py).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


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


def facet_of(dataset: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    """A facet of an input or output: `kind` is facets, inputFacets or outputFacets."""
    return _mapping(_mapping(dataset.get(kind)).get(name))


def assertions_of(dataset: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What was asserted of an input."""
    return list(_each(facet_of(dataset, "inputFacets", "dataQualityAssertions"), "assertions"))


def read_event(path: str, data: bytes) -> ReadEvent | None:
    """The event of a file; None for a file that holds none."""
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


def _each(holder: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    found = holder.get(name)
    yield from (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
