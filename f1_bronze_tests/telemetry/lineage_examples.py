"""Runs as telemetry sees them, for the tests of lineage.

Records with telling values, and how an event is taken apart.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.telemetry.lineage.events import LineageEvent
from f1_bronze.telemetry.run_results import (
    CheckOutcome,
    FailedPartition,
    RunEnd,
    RunResult,
    RunStart,
    StoredPartition,
    Trigger,
)

RUN_ID = "3f6f0d0e-6f0a-4c1e-9d3a-0d2f5b7a9c11"
BEGUN_AT = datetime(2026, 11, 23, 6, 4, 7, 250_000, tzinfo=UTC)
RACE = SessionPartition.parse("2025/bahrain/race")
QUALIFYING = SessionPartition.parse("2025/bahrain/qualifying")
SHA = "ab" * 32
_KEYS = {RACE: 9472, QUALIFYING: 9471}


def run_start(**more: Any) -> RunStart:
    """A run of the job bronze_sessions over Bahrain 2025."""
    run = RunStart(
        run_id=RUN_ID,
        root_run_id=RUN_ID,
        parent_run_id=None,
        job="bronze_sessions",
        trigger=Trigger.SCHEDULED,
        historical=False,
        backfill_id=None,
        started_at=BEGUN_AT,
        datasets=("results", "laps"),
        partition_keys=(QUALIFYING.key, RACE.key),
    )
    return replace(run, **more)


def stored_one(
    dataset: str = "laps",
    partition: SessionPartition = RACE,
    root: str = "s3://my-bucket/f1",
    **more: Any,
) -> StoredPartition:
    """A dataset of a session that landed ten seconds after the run began."""
    key = _KEYS.get(partition, 9000)
    folder = (
        f"year={partition.year}/grand_prix={partition.grand_prix}"
        f"/session_type={partition.session_type}"
    )
    endpoint = {"results": "session_result", "pit_stops": "pit"}.get(dataset, dataset)
    one = StoredPartition(
        dataset=dataset,
        partition=partition,
        session_key=key,
        revision="new",
        rows=1_080,
        rows_added=0,
        rows_removed=0,
        rows_changed=0,
        size_bytes=34_567,
        content_sha256=SHA,
        uri=f"{root}/bronze/{dataset}/{folder}/{dataset}_{key}.parquet",
        source_url=f"https://api.openf1.org/v1/{endpoint}?session_key={key}",
        api_requests=1,
        api_retries=2,
        extract_seconds=0.5,
        at=BEGUN_AT + timedelta(seconds=10),
        code_version="0.1.0",
        session_start=datetime(2025, 4, 13, 15, tzinfo=UTC),
        session_end=datetime(2025, 4, 13, 17, tzinfo=UTC),
    )
    return replace(one, **more)


def check(dataset: str = "laps", partition: SessionPartition = RACE, **more: Any) -> CheckOutcome:
    """A check with a rule that holds, one that does not, and one that could not be judged."""
    rule = {
        "rule": "lap_number_in_range",
        "passed": True,
        "severity": "ERROR",
        "observed": "1 to 57",
        "unexpected_count": 0,
        "rows_seen": 1_080,
        "column": "lap_number",
    }
    failed = {
        **rule,
        "rule": "laps_contiguous",
        "passed": False,
        "severity": "WARN",
        "unexpected_count": 3,
        "column": None,
    }
    unjudged = {**rule, "rule": "fastest_lap_plausible", "passed": None}
    outcome = CheckOutcome(
        dataset=dataset,
        partition=partition,
        check="racing",
        passed=False,
        severity="WARN",
        rules=(rule, failed, unjudged),
    )
    return replace(outcome, **more)


def finished(**more: Any) -> RunResult:
    """The run's end a minute later: laps and results of the race landed, one did not."""
    run = RunResult(
        start=run_start(),
        end=RunEnd.FAILURE,
        ended_at=BEGUN_AT + timedelta(minutes=1),
        stored=(stored_one(), stored_one("results", revision="changed", rows=20)),
        failed=(
            FailedPartition(dataset="laps", partition_key=QUALIFYING.key, error="RowsWouldBeLost"),
        ),
        checks=(check(),),
        error="2025/bahrain/qualifying laps: rows are missing. Accept the loss.",
    )
    return replace(run, **more)


def bodies(events: Iterable[LineageEvent]) -> list[dict[str, Any]]:
    """The events as JSON has them."""
    return [json.loads(event.data) for event in events]


def only(events: Iterable[LineageEvent], job: str, event_type: str = "COMPLETE") -> dict[str, Any]:
    """The one event of a job and type."""
    [found] = [
        body
        for body in bodies(events)
        if body["job"]["name"] == job and body["eventType"] == event_type
    ]
    return found
