"""Reads the run starts and ends that a sensor has not handled yet, in the order of time.

Why not Dagster's own run-status sensors: they move on when a delivery failed, and do not see runs
of the command (docs/adr/0012-metrics.md).
"""

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.run_request import DagsterRunReaction  # has no public name
from dagster._core.event_api import RunStatusChangeEventType  # neither has this

from f1_bronze.defs.partitions import DATASET_GROUPS

Kind = RunStatusChangeEventType

SETTLED = timedelta(minutes=5)
"""Where several processes write to one database, a lower id can be committed after a higher one:
ids are passed for good once they are this old."""

MOST_HANDLED = 100
"""Ids of a kind that a position remembers; where more runs end in five minutes, the oldest are
passed for good earlier. It keeps cursors short."""

PAGE = 200

DAEMON_SILENCE = timedelta(minutes=10)
"""A daemon without a heartbeat for so long is dead: Dagster itself calls it so after half of it."""

ENDS: tuple[Kind, ...] = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
)

ENDED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)

COVERAGE_JOB = "coverage"
"""The job that makes the coverage: with it the record has a run of ours at least once a day."""

STARTS: tuple[Kind, ...] = (dg.DagsterEventType.RUN_START,)

_NOT_STARTED = {
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """A run that started or ended.

    Attributes:
        run: as Dagster had it a moment ago; None where it has been deleted since.
    """

    storage_id: int
    kind: Kind
    run_id: str
    at: datetime
    run: dg.DagsterRun | None = None

    @property
    def is_ahead_of_status(self) -> bool:
        """Whether the change is on record, but not yet in the run's status, which follows it."""
        if self.run is None:
            return False
        return not self.run.is_finished if self.kind in ENDS else self.run.status in _NOT_STARTED


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far a sensor has got; its text is the sensor's cursor.

    Attributes:
        passed: by kind of change the highest id up to which everything was handled.
        handled: by kind the ids above it that were handled too.
        notes: what else the sensor remembers, as plain data.
    """

    passed: Mapping[str, int] = field(default_factory=dict)
    handled: Mapping[str, frozenset[int]] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The cursor's text."""
        handled = {kind: sorted(ids) for kind, ids in self.handled.items() if ids}
        data = {"passed": self.passed, "handled": handled, "notes": self.notes}
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | None) -> "Position":
        """Read back; the beginning of the record where there is no cursor.

        `ValueError` for any other text: it was edited by hand.
        """
        if not text:
            return cls()
        try:
            data = json.loads(text)
            read = cls(
                passed={str(kind): int(number) for kind, number in data["passed"].items()},
                handled={kind: frozenset(map(int, ids)) for kind, ids in data["handled"].items()},
                notes=dict(data["notes"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"The cursor is not a position in the record of runs: {text[:80]!r}. Clear it on "
                "the sensor's page (Edit cursor): everything is sent again, which repeats no file "
                "and no lineage event, but may count metrics of the last two weeks twice."
            ) from error
        for kind in read.handled:  # an older release remembered every id since it was switched on
            read = read._bounded(kind)
        return read

    def after(self, change: Change, *, now: datetime, is_held: bool = False) -> "Position":
        """The position once this change was handled.

        Call it for every change in the order of ids, also for those that were handled before.
        `is_held`: a change of the same kind before this one waits, and must not be passed.
        """
        kind, number = change.kind.value, change.storage_id
        handled = self.handled.get(kind, frozenset())
        if is_held:
            return replace(self, handled={**self.handled, kind: handled | {number}})
        if now - change.at >= SETTLED:
            young = frozenset(one for one in handled if one > number)
            return replace(
                self,
                passed={**self.passed, kind: number},
                handled={**self.handled, kind: young},
            )
        if number in handled:
            return self
        return replace(self, handled={**self.handled, kind: handled | {number}})._bounded(kind)

    def with_notes(self, **notes: Any) -> "Position":
        """The position with these notes changed; None takes one away."""
        kept = {name: value for name, value in {**self.notes, **notes}.items() if value is not None}
        return replace(self, notes=kept)

    def is_handled(self, change: Change) -> bool:
        """Whether the sensor has handled it already."""
        return change.storage_id in self.handled.get(change.kind.value, ())

    def _bounded(self, kind: str) -> "Position":
        ids = sorted(self.handled[kind])
        if len(ids) <= MOST_HANDLED:
            return self
        return replace(
            self,
            passed={**self.passed, kind: max(self.passed.get(kind, 0), ids[-MOST_HANDLED - 1])},
            handled={**self.handled, kind: frozenset(ids[-MOST_HANDLED:])},
        )


def read_changes(
    instance: dg.DagsterInstance, position: Position, kinds: Sequence[Kind]
) -> Iterator[Change]:
    """The changes after the position, of all kinds together in the order of ids, page by page.

    Those of the last minutes are among them again: `Position.is_handled` knows them. Where nothing
    is new this is a query a kind, however long the record is.
    """
    return heapq.merge(
        *(_read_kind(instance, kind, position) for kind in kinds),
        key=lambda change: change.storage_id,
    )


def _read_kind(instance: dg.DagsterInstance, kind: Kind, position: Position) -> Iterator[Change]:
    after = position.passed.get(kind.value, 0)
    handled = position.handled.get(kind.value, frozenset())
    while True:
        records = instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(event_type=kind, after_storage_id=after),
            limit=PAGE,
            ascending=True,
        ).records
        wanted = list({r.run_id for r in records if r.storage_id not in handled})
        found = instance.get_runs(dg.RunsFilter(run_ids=wanted)) if wanted else []
        runs = {run.run_id: run for run in found}
        for record in records:
            yield Change(
                storage_id=record.storage_id,
                kind=kind,
                run_id=record.run_id,
                at=datetime.fromtimestamp(record.timestamp, UTC),
                run=runs.get(record.run_id),
            )
        if len(records) < PAGE:
            return
        after = records[-1].storage_id


def end_of_record(instance: dg.DagsterInstance, kinds: Sequence[Kind]) -> Position:
    """The position after all that is on record now."""
    passed = {}
    for kind in kinds:
        records = instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(event_type=kind), limit=1, ascending=False
        ).records
        passed[kind.value] = records[0].storage_id if records else 0
    return Position(passed=passed)


def latest_ended(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The run of ours that ended last, of any kind; none where none has."""
    found = list[dg.RunRecord]()
    for job in (COVERAGE_JOB, *(group.job for group in DATASET_GROUPS)):
        ended = dg.RunsFilter(job_name=job, statuses=list(ENDED))
        found += instance.get_run_records(ended, limit=1)
    latest = max(found, key=lambda record: record.end_time or 0.0, default=None)
    return [latest.dagster_run] if latest else []


def to_reactions(runs: Sequence[dg.DagsterRun]) -> list[DagsterRunReaction]:
    """What a sensor returns so that its tick counts as a success that acted on these runs."""
    return [DagsterRunReaction(dagster_run=run, run_status=run.status) for run in runs]


def is_sensor_daemon_alive(instance: dg.DagsterInstance, *, now: float) -> bool:
    """Whether a daemon has evaluated sensors in the last minutes; `now` in seconds since 1970."""
    heartbeat = instance.get_daemon_heartbeats().get("SENSOR")
    return heartbeat is not None and now - heartbeat.timestamp < DAEMON_SILENCE.total_seconds()
