"""What an alert says: which partition, dataset, why and what to do, first; how much, after it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from f1_bronze.telemetry.alerts.wording import (
    SESSIONS_SHOWN,
    Alert,
    AlertKind,
    OverdueSession,
    Wording,
)
from f1_bronze.telemetry.run_results import CheckOutcome, RunEnd

from .metric_examples import MONDAY, RACE, RUN, check, finished, missing

WORDING = Wording(environment="production", ui_url="https://dagster.example.org")
WHY = f"{RACE} laps: OpenF1 answered 500 three times. Run it again later."
SPEED: dict[str, Any] = {
    "rule": "lap_time",
    "passed": False,
    "severity": "ERROR",
    "observed": "2 laps of 5 s",
    "unexpected_count": 2,
    "rows_seen": 1_080,
}


def broken(dataset: str = "laps", key: str = RACE, *rules: Mapping[str, Any]) -> CheckOutcome:
    """A check that failed by these rules."""
    warned = {**SPEED, "rule": "gap", "severity": "WARN"}
    return replace(check(dataset, passed=False, key=key), rules=rules or (SPEED, warned))


def test_a_failed_run() -> None:
    """The run's own first line leads; then what did not land, what to do, and where to look."""
    run = finished(RunEnd.FAILURE, error=WHY, failed=(missing("laps", "Unavailable"),))
    alert = WORDING.describe_run(run, (), is_failure=True)
    assert alert.kind is AlertKind.FAILED_RUN
    assert alert.subject == f"f1_bronze production: laps of {RACE} not stored"
    assert alert.text == (
        f"{WHY}\n"
        "Not stored:\n"
        f"- laps: {RACE} (Unavailable)\n"
        "Once the cause is fixed, re-execute the run 'From failure': only what is missing is "
        "asked for again.\n"
        f"Run of bronze_sessions, scheduled: https://dagster.example.org/runs/{RUN}"
    )
    assert alert.facts == {
        "environment": "production",
        "run_id": RUN,
        "job": "bronze_sessions",
        "trigger": "scheduled",
        "backfill_id": None,
        "ended_at": "2026-11-23T06:04:00+00:00",
        "error": WHY,
        "not_landed": [
            {"dataset": "laps", "error": "Unavailable", "sessions": 1, "partitions": [RACE]}
        ],
        "failed_checks": [],
        "url": f"https://dagster.example.org/runs/{RUN}",
    }


def test_failed_checks() -> None:
    """A check is named with the rule that forbids the rows, not with one that only warned."""
    alert = WORDING.describe_run(finished(RunEnd.FAILURE, error=WHY), (broken(),), is_failure=False)
    assert alert.kind is AlertKind.FAILED_CHECKS
    assert alert.subject == f"f1_bronze production: 1 check of {RACE} failed"
    assert alert.text.splitlines()[:3] == [
        f"{RACE} laps: the check laps_rows failed (lap_time: 2 laps of 5 s). Look at its rows on "
        "the asset's Checks tab; materialize the partition again once upstream has corrected them.",
        "Failed checks:",
        f"- laps laps_rows: {RACE} (lap_time: 2 laps of 5 s)",
    ]
    assert "gap" not in alert.text
    assert alert.facts["not_landed"] == []


def test_a_broken_season_is_one_message() -> None:
    """Two hundred sessions that fail for one reason are one line, whose facts stay short too."""
    keys = [f"2024/gp_{number:03}/race" for number in range(250)]
    run = finished(
        RunEnd.FAILURE,
        error=f"{keys[0]} laps and 499 more (laps, results of 250 sessions): gone. Look.",
        failed=tuple(missing(d, "Refused", key) for d in ("laps", "results") for key in keys),
        backfill_id="abcdefgh",
    )
    alert = WORDING.describe_run(run, (), is_failure=True)
    assert alert.subject == "f1_bronze production: laps, results of 250 sessions not stored"
    assert alert.text.splitlines()[1:4] == [
        "Not stored:",
        "- laps: 250 sessions, 2024/gp_000/race to 2024/gp_249/race (Refused)",
        "- results: 250 sessions, 2024/gp_000/race to 2024/gp_249/race (Refused)",
    ]
    assert alert.text.splitlines()[-1] == (
        "Other runs of the backfill that fail in the same way are not alerted: "
        "https://dagster.example.org/runs/b/abcdefgh"
    )
    assert len(alert.text) < 1_000
    assert [len(one["partitions"]) for one in alert.facts["not_landed"]] == [SESSIONS_SHOWN] * 2


def test_many_causes_are_cut() -> None:
    """Of thirty ways to fail ten are listed."""
    lost = tuple(missing("laps", f"Error{number}") for number in range(30))
    alert = WORDING.describe_run(
        finished(RunEnd.FAILURE, error=WHY, failed=lost), (), is_failure=True
    )
    assert [line for line in alert.text.splitlines() if line.startswith("- ")][-1] == "- … 20 more"


def test_without_a_base_url() -> None:
    """The run's id stands where a link would."""
    run = finished(RunEnd.FAILURE, error=WHY)
    alert = Wording(environment="dev").describe_run(run, (), is_failure=True)
    assert alert.text.endswith(f"Run of bronze_sessions, scheduled: {RUN}")
    assert alert.facts["url"] is None
    assert alert.subject == "f1_bronze dev: a run of bronze_sessions failed"


def test_no_secret_is_shown() -> None:
    """An error that quotes a login or a token is shown without it."""
    run = finished(RunEnd.FAILURE, error="GET https://me:hunter2@host/x?token=abc failed. Look.")
    alert = WORDING.describe_run(run, (), is_failure=True)
    assert alert.text.splitlines()[0] == "GET https://host/x?token=… failed. Look."
    assert "hunter2" not in str(alert.to_json())


def test_overdue_sessions() -> None:
    """The oldest session leads with what it lacks and the command that lands it."""
    ended = MONDAY - timedelta(hours=30)
    stale = [
        OverdueSession(key=RACE, ended_at=ended, missing=("laps", "stints")),
        OverdueSession(key="2025/abu_dhabi/race", ended_at=ended, missing=("laps",)),
    ]
    alert = WORDING.describe_overdue(stale, MONDAY)
    assert alert.kind is AlertKind.OVERDUE_SESSIONS
    assert alert.subject == "f1_bronze production: 2 sessions overdue"
    assert alert.text.splitlines()[:2] == [
        f"{RACE} laps, stints: not stored 30 hours after the session's end, nor 1 more session. "
        "Check that the daemon, the schedule weekly_bronze and the sensor openf1_calendar are on; "
        "`f1-bronze ingest 2025,2026 --missing` ingests what is missing.",
        f"- {RACE}: laps, stints; ended 2026-11-22 00:04 UTC",
    ]
    assert alert.facts["sessions"][0] == {
        "partition": RACE,
        "ended_at": "2026-11-22T00:04:00+00:00",
        "missing": ["laps", "stints"],
    }


def test_as_plain_data() -> None:
    """An alert survives the cursor."""
    run = finished(RunEnd.FAILURE, error=WHY, failed=(missing("laps", "Unavailable"),))
    alert = WORDING.describe_run(run, (broken(),), is_failure=True)
    assert Alert.from_json(alert.to_json()) == alert
