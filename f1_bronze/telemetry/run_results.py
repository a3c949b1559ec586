"""A run as telemetry sees it, whatever started it.

Belongs here: plain records of what a run did. Stays out: how they are read from Dagster's event
log (defs/run_records.py), what becomes of them (metrics, lineage).
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
class RuleOutcome:
    """One rule of a check, as the evaluation's metadata has it."""

    name: str
    passed: bool | None
    severity: str
    observed: str
    unexpected_count: int
    rows_seen: int
    column: str | None = None


@dataclass(frozen=True, kw_only=True)
class CheckOutcome:
    """One evaluation of an asset check on a partition.

    Attributes:
        uri: the file that was checked; None where the run landed it, which tells its address.
    """

    dataset: str
    partition: SessionPartition
    check: str
    passed: bool
    severity: str
    rules: tuple[RuleOutcome, ...] = ()
    uri: str | None = None


@dataclass(frozen=True, kw_only=True)
class Landed:
    """One dataset of one session that landed, from its materialization.

    Attributes:
        at: the moment of the materialization, UTC.
        told_again: an earlier attempt of the run landed it; this run only told of it.
        session_start, session_end: the session's own times, where the sessions dataset was seen.
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
    told_again: bool = False
    session_start: datetime | None = None
    session_end: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class NotLanded:
    """One dataset of one partition key that did not land, and the name of its error."""

    dataset: str
    partition_key: str
    error: str


@dataclass(frozen=True, kw_only=True)
class RunBegun:
    """A run that has begun.

    Attributes:
        run_id: Dagster's, a UUID.
        job: Dagster's name of the job; `__ASSET_JOB` for runs from the catalog and backfills.
        datasets: names of the bronze datasets that it means to make.
        partition_keys: the keys that it means to make, in order.
        backfill_id: Dagster's, where the run belongs to a backfill.
        historical: whether it is part of a backfill of past seasons and no weekly run.
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
class RunFinished:
    """A run that has ended, and all that it did.

    Attributes:
        other_assets: group → number of assets of that group that it materialized, besides bronze.
        api: the run's sums of what was asked of the API (`Counters.to_json`), empty if unknown.
        error: first line of the failure, None when it succeeded.
    """

    begun: RunBegun
    end: RunEnd
    ended_at: datetime
    landed: tuple[Landed, ...] = ()
    not_landed: tuple[NotLanded, ...] = ()
    checks: tuple[CheckOutcome, ...] = ()
    other_assets: Mapping[str, int] = field(default_factory=dict)
    api: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def seconds(self) -> float:
        """Wall time of the run."""
        return (self.ended_at - self.begun.started_at).total_seconds()
