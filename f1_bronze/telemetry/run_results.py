"""What a run did, as plain records: the one form in which metrics, lineage and alerts see it.

`defs/record/runs.py` reads these from Dagster's event log, whatever started the run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from f1_bronze.datasets.partition import SessionPartition


class RunEnd(StrEnum):
    """How a run ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    CANCELED = "canceled"


class Trigger(StrEnum):
    """Who asked for the run; the values are those of the dimension TriggerType."""

    SCHEDULED = "scheduled"  # a schedule or a sensor
    MANUAL = "manual"  # a person: the UI, a backfill, the command


@dataclass(frozen=True, kw_only=True)
class CheckOutcome:
    """What the evaluation of a partition's check says of one group of rules.

    Attributes:
        check: the group: `schema`, `values` or `racing`.
        rules: each rule as the evaluation's metadata records it, with `rule`, `severity`,
            `passed` (None: not checked), `observed`, `unexpected_count`, `rows_seen` and, where
            the rule is about one, `column`.
        uri: the file that was checked; None where none is known.
    """

    dataset: str
    partition: SessionPartition
    check: str
    passed: bool
    severity: str
    rules: tuple[Mapping[str, Any], ...] = ()
    uri: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether the check failed with severity ERROR."""
        return not self.passed and self.severity == "ERROR"

    @property
    def failed_rules(self) -> tuple[Mapping[str, Any], ...]:
        """The rules of severity ERROR that failed."""
        return tuple(r for r in self.rules if r["passed"] is False and r["severity"] == "ERROR")


@dataclass(frozen=True, kw_only=True)
class StoredPartition:
    """One dataset of one session that the run materialized.

    Attributes:
        at: the moment of the materialization, UTC.
        repeated: an earlier attempt of the run stored it; this run only recorded it again.
        session_start, session_end: the session's own times, where they are on record.
    """

    dataset: str
    partition: SessionPartition
    session_key: int
    revision: str
    rows: int
    rows_added: int
    rows_removed: int
    rows_changed: int
    size_bytes: int
    content_sha256: str
    uri: str
    source_url: str
    api_requests: int
    api_retries: int
    extract_seconds: float
    at: datetime
    code_version: str
    repeated: bool = False
    session_start: datetime | None = None
    session_end: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class FailedPartition:
    """One dataset of one partition key that was not stored.

    Attributes:
        error: the name of the error's class.
        cause: the error's message, which ends with the remedy; empty where none is on record.
        status: of OpenF1's HTTP answer, where the error is about one.
    """

    dataset: str
    partition_key: str
    error: str
    cause: str = ""
    status: int | None = None


@dataclass(frozen=True, kw_only=True)
class RunStart:
    """A run that has started.

    Attributes:
        run_id: Dagster's, a UUID.
        job: Dagster's name of the job; `__ASSET_JOB` for runs from the catalog and backfills.
        datasets: names of the bronze datasets that it is to materialize.
        partition_keys: the keys that it is to materialize, in order.
        backfill_id: Dagster's, where the run belongs to a backfill.
        historical: whether all of its sessions are of past seasons.
    """

    run_id: str
    root_run_id: str
    parent_run_id: str | None
    job: str
    trigger: Trigger
    historical: bool
    backfill_id: str | None
    started_at: datetime
    datasets: tuple[str, ...]
    partition_keys: tuple[str, ...]
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """A run that has ended, and all that it did.

    Attributes:
        other_assets: group → number of assets of that group that it materialized, besides bronze.
        api: the run's totals of API calls (`Counters.to_json`), empty if unknown.
        error: first line of the failure, None when it succeeded.
    """

    start: RunStart
    end: RunEnd
    ended_at: datetime
    stored: tuple[StoredPartition, ...] = ()
    failed: tuple[FailedPartition, ...] = ()
    checks: tuple[CheckOutcome, ...] = ()
    other_assets: Mapping[str, int] = field(default_factory=dict)
    api: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def seconds(self) -> float:
        """Wall time of the run."""
        return (self.ended_at - self.start.started_at).total_seconds()
