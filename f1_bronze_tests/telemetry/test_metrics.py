"""What a run's metrics are: names, values, dimensions, and that sums match what landed."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f1_bronze.datasets import DATASETS
from f1_bronze.telemetry.metrics.measurement import run_metrics
from f1_bronze.telemetry.metrics.metric_kinds import METRIC_KINDS, Metric
from f1_bronze.telemetry.run_results import RunEnd, RunResult, Trigger

from .metric_examples import (
    MONDAY,
    QUALIFYING,
    RACE,
    RUN,
    WEEKEND,
    check,
    finished,
    missing,
    stored_one,
    values,
)


def measured(run: RunResult) -> tuple[Metric, ...]:
    """Its metrics in production."""
    return run_metrics(run, environment="production")


def test_a_weekend() -> None:
    """A run's whole values are those of what it did: sessions, rows, calls, checks, time."""
    whole = {m.name: (m.value, m.unit) for m in measured(WEEKEND) if len(m.dimensions) == 3}
    assert whole == {
        "SessionsProcessed": (2, "Count"),
        "TotalRecordsExtracted": (1 + 1 + 20 + 20 + 1_080, "Count"),
        "PartitionsNotLanded": (0, "Count"),
        "BronzeProcessingTime": (240, "Seconds"),
        "APIRequestCount": (7, "Count"),
        "APIRetryCount": (2, "Count"),
        "APIErrorCount": (2, "Count"),
        "APIResponseTime": (0.5, "Seconds"),
        "DataValidationFailures": (1, "Count"),
        "DataValidationWarnings": (1, "Count"),
        "BronzePipelineSuccess": (1, "Count"),
        "EndToEndPipelineSuccess": (1, "Count"),
        "TotalPipelineExecutionTime": (240, "Seconds"),
        "SilverTablesCreated": (0, "Count"),
        "AnalyticsTablesCreated": (0, "Count"),
    }


def test_finer_values() -> None:
    """The same values are there by dataset and by session type, each under its own dimension."""
    metrics = measured(WEEKEND)
    assert values(metrics, "SessionsProcessed", "DataType") == {
        "sessions": 2,
        "drivers": 2,
        "laps": 1,
    }
    assert values(metrics, "SessionsProcessed", "SessionType") == {"qualifying": 1, "race": 1}
    assert values(metrics, "TotalRecordsExtracted", "DataType") == {
        "sessions": 2,
        "drivers": 40,
        "laps": 1_080,
    }
    assert values(metrics, "TotalRecordsExtracted", "SessionType") == {
        "qualifying": 21,
        "race": 1_101,
    }
    assert values(metrics, "APIRequestCount", "DataType") == {
        "sessions": 2,
        "drivers": 1,
        "laps": 2,
    }
    assert values(metrics, "DataValidationFailures", "DataType") == {"laps": 1, "drivers": 0}
    assert values(metrics, "DataValidationWarnings", "DataType") == {"laps": 1, "drivers": 0}


def test_dimensions_and_moment() -> None:
    """Each metric has the dimensions of one of its sets, the run's id and the run's end."""
    metrics = measured(WEEKEND)
    sets = {(kind.namespace.value, kind.name): set(kind.sets) for kind in METRIC_KINDS}
    for metric in metrics:
        names = tuple(name for name, _ in metric.dimensions)
        assert names in sets[metric.namespace, metric.name]
        assert (metric.at, metric.origin) == (MONDAY, RUN)
    [by_trigger] = [
        m.dimensions
        for m in metrics
        if m.name == "EndToEndPipelineSuccess" and len(m.dimensions) == 4
    ]
    assert by_trigger == (
        ("Environment", "production"),
        ("Pipeline", "f1_bronze"),
        ("DAGType", "main"),
        ("TriggerType", "scheduled"),
    )


def names(metrics: tuple[Metric, ...]) -> set[str]:
    """Their names."""
    return {metric.name for metric in metrics}


SUCCESS = {"BronzePipelineSuccess", "EndToEndPipelineSuccess", "HistoricalPipelineSuccess"}


def test_no_success() -> None:
    """A run that failed has success 0, says how much was not stored, and what was before."""
    lost = (
        missing("drivers", "Failed"),
        missing("laps", "Failed"),
        missing("laps", "F", QUALIFYING),
    )
    metrics = measured(finished(RunEnd.FAILURE, stored=(stored_one("laps", rows=9),), failed=lost))
    assert values(metrics, "BronzePipelineSuccess") == 0
    assert values(metrics, "EndToEndPipelineSuccess") == 0
    assert values(metrics, "PartitionsNotLanded") == 3
    assert values(metrics, "PartitionsNotLanded", "DataType") == {"drivers": 1, "laps": 2}
    assert values(metrics, "TotalRecordsExtracted") == 9
    assert values(metrics, "TotalPipelineExecutionTime") == 240


@pytest.mark.parametrize("historical", [False, True])
@pytest.mark.parametrize(
    ("end", "errors"),
    [(RunEnd.CANCELED, ("Canceled",)), (RunEnd.FAILURE, ("ClosedForLiveSession",) * 2)],
    ids=["cancelled", "closed"],
)
def test_neither_success_nor_failure(
    end: RunEnd, errors: tuple[str, ...], historical: bool
) -> None:
    """A cancelled run and one that met a closed API have no success, so they ring no failure and
    end none; one that met a closed API and failed of something else has failed."""
    lost = tuple(missing("laps", error) for error in errors)
    metrics = measured(finished(end, failed=lost, historical=historical))
    assert not names(metrics) & SUCCESS
    assert values(metrics, "PartitionsNotLanded") == len(errors)
    also = (*lost, missing("drivers", "Refused"))
    failed = measured(finished(RunEnd.FAILURE, failed=also, historical=historical))
    assert values(failed, "BronzePipelineSuccess") == 0


def test_a_run_that_checked_nothing() -> None:
    """It has no failures and no warnings of checks: its 0 would hide those of another run."""
    metrics = measured(finished(stored=(stored_one("laps"),)))
    assert not names(metrics) & {"DataValidationFailures", "DataValidationWarnings"}
    passed = measured(finished(checks=(check("laps", passed=True),)))
    assert values(passed, "DataValidationFailures") == 0


def test_response_time() -> None:
    """It is the mean of the calls: sessions of one batch have their share of its time."""
    metrics = measured(
        finished(
            stored=(
                stored_one("laps", RACE, api_requests=1, extract_seconds=0.4),
                stored_one("laps", QUALIFYING, api_requests=0, extract_seconds=0.4),
                stored_one("drivers", api_requests=2, extract_seconds=0.4),
                stored_one("sessions", api_requests=0, extract_seconds=0.0),
            )
        )
    )
    assert values(metrics, "APIResponseTime") == 0.4
    assert values(metrics, "APIResponseTime", "DataType") == {"drivers": 0.2, "laps": 0.8}
    assert "APIResponseTime" not in names(
        measured(finished(stored=(stored_one("laps", api_requests=0),)))
    )


def test_rows_by_dataset_and_session_type() -> None:
    """Rows are there by both together: the laps of races beside those of qualifyings."""
    found = {
        tuple(value for _, value in m.dimensions[3:]): m.value
        for m in measured(WEEKEND)
        if m.name == "TotalRecordsExtracted" and len(m.dimensions) == 5
    }
    assert found == {
        ("drivers", "qualifying"): 20,
        ("drivers", "race"): 20,
        ("laps", "race"): 1_080,
        ("sessions", "qualifying"): 1,
        ("sessions", "race"): 1,
    }


def test_repeated_is_not_counted() -> None:
    """What an earlier attempt landed counts there: two attempts sum up to what landed once."""
    first = finished(RunEnd.FAILURE, stored=(stored_one("drivers", rows=20, api_requests=3),))
    again = stored_one("drivers", rows=20, api_requests=0, repeated=True)
    second = finished(run_id="second", stored=(again, stored_one("laps", rows=1_080)))
    both = [*measured(first), *measured(second)]
    sums = Counter[str]()
    for metric in both:
        if dict(metric.dimensions[3:]).keys() <= {"DataType"}:
            sums[f"{metric.name}{[v for _, v in metric.dimensions[3:]]}"] += metric.value  # type: ignore[assignment]
    assert sums["TotalRecordsExtracted[]"] == 1_100
    assert sums["TotalRecordsExtracted['drivers']"] == 20
    assert sums["SessionsProcessed['drivers']"] == 1
    assert sums["APIRequestCount[]"] == 4


def test_a_run_that_only_repeated() -> None:
    """An attempt that found all landed has sums of nothing, under no finer dimension."""
    metrics = measured(finished(stored=(stored_one("laps", repeated=True),)))
    assert values(metrics, "SessionsProcessed") == 0
    assert values(metrics, "TotalRecordsExtracted") == 0
    assert values(metrics, "SessionsProcessed", "DataType") == {}


def test_backfill() -> None:
    """A run of a backfill is in the historical namespace, and not part of the weekly pipeline."""
    run = finished(
        historical=True,
        backfill_id="abcdefgh",
        trigger=Trigger.MANUAL,
        stored=(
            stored_one("laps"),
            stored_one("drivers"),
            stored_one("laps", "2023/monza/race"),
        ),
    )
    metrics = measured(run)
    assert {m.namespace for m in metrics} == {"F1Pipeline/Bronze", "F1Pipeline/DAG/Historical"}
    assert values(metrics, "HistoricalPipelineSuccess") == 1
    assert values(metrics, "HistoricalSessionsProcessed") == 2
    assert values(metrics, "BackfillExecutionTime", "BackfillType") == {"backfill": 240}
    by_command = measured(finished(historical=True, stored=(stored_one("laps"),)))
    assert values(by_command, "HistoricalSessionsProcessed", "BackfillType") == {"runs": 1}
    assert {m.dimensions[2] for m in by_command if "Historical" in m.namespace} == {
        ("DAGType", "historical")
    }


def test_silver_and_gold() -> None:
    """Tables of silver and gold are counted; bronze ends with its last landing there."""
    run = finished(
        stored=(stored_one("laps", at=MONDAY - timedelta(seconds=100)),),
        other_assets={"silver": 3, "gold": 2, "scratch": 9},
    )
    metrics = measured(run)
    assert values(metrics, "SilverTablesCreated") == 3
    assert values(metrics, "AnalyticsTablesCreated") == 2
    assert values(metrics, "BronzeProcessingTime") == 140
    assert values(metrics, "TotalPipelineExecutionTime") == 240


def test_runs_of_others() -> None:
    """A run that has no bronze, silver or gold asset has no metrics; one of silver no bronze's."""
    assert measured(finished(RunEnd.FAILURE, datasets=(), other_assets={"scratch": 1})) == ()
    silver = measured(finished(datasets=(), other_assets={"silver": 1}))
    assert {m.namespace for m in silver} == {"F1Pipeline/DAG/EndToEnd"}


@pytest.mark.parametrize(
    ("by_status", "errors", "expected"),
    [
        ({"200": 9, "301": 1, "404": 3}, (), 0),
        ({"429": 1, "422": 1, "500": 2, "failed": 1, "unreached": 1, "timed_out": 1}, (), 7),
        ({"401": 2}, (), 2),
        ({"401": 2, "502": 1}, ("ClosedForLiveSession",), 1),
    ],
)
def test_api_errors(by_status: dict[str, int], errors: tuple[str, ...], expected: int) -> None:
    """Errors are what failed; no rows are none, and neither is an API that is closed."""
    run = finished(
        RunEnd.FAILURE,
        api={"calls": 12, "by_status": by_status},
        failed=tuple(missing("laps", error) for error in errors),
    )
    assert values(measured(run), "APIErrorCount") == expected


@pytest.mark.parametrize(
    "api",
    [
        {},
        {"calls": None, "retries": "x", "by_status": None},
        {"calls": float("nan"), "retries": -1, "by_status": {"500": "x"}},
    ],
)
def test_without_the_runs_sums(api: dict[str, Any]) -> None:
    """Where the run's sums are unknown or nonsense, calls are those of what landed."""
    run = finished(stored=(stored_one("laps", api_requests=5, api_retries=2),), api=api)
    assert values(measured(run), "APIRequestCount") == 5
    assert values(measured(run), "APIRetryCount") == 2
    assert values(measured(run), "APIErrorCount") == 0


def test_a_clock_that_went_back() -> None:
    """A run that seems to have ended before it began took no time."""
    assert values(measured(finished(seconds=-5)), "TotalPipelineExecutionTime") == 0


def test_same_run_same_metrics() -> None:
    """A run measured twice has the same metrics with the same ids, and another run has others."""
    assert measured(WEEKEND) == measured(WEEKEND)
    ids = [m.id for m in measured(WEEKEND)]
    assert len(set(ids)) == len(ids)
    other = finished(run_id="other", stored=WEEKEND.stored, checks=WEEKEND.checks, api=WEEKEND.api)
    assert len(measured(other)) == len(ids)
    assert not {m.id for m in measured(other)} & set(ids)


_SESSION_TYPES = st.sampled_from(["race", "sprint", "practice_1", "day_3", "warm_up", "shakedown"])


@st.composite
def _landings(draw: st.DrawFn) -> tuple[Any, ...]:
    names = st.sampled_from([dataset.name for dataset in DATASETS])
    keys = draw(st.lists(st.tuples(names, _SESSION_TYPES, st.booleans()), max_size=30))
    return tuple(
        stored_one(name, f"2026/round_{n}/{kind}", draw(st.integers(0, 2_000)), repeated=again)
        for n, (name, kind, again) in enumerate(keys)
    )


@given(_landings())
@settings(deadline=None)
def test_parts_make_the_whole(landings: tuple[Any, ...]) -> None:
    """Rows by dataset and by session type sum up to the whole, which is what landed now."""
    metrics = measured(finished(stored=landings))
    rows = sum(one.rows for one in landings if not one.repeated)
    assert values(metrics, "TotalRecordsExtracted") == rows
    for dimension in ("DataType", "SessionType"):
        assert sum(values(metrics, "TotalRecordsExtracted", dimension).values()) == rows
        sessions = sum(values(metrics, "SessionsProcessed", dimension).values())
        assert sessions == values(metrics, "SessionsProcessed")


def test_an_unheard_of_session_type() -> None:
    """A session type that OpenF1 invents makes no new series, it counts as other."""
    metrics = measured(finished(stored=(stored_one("laps", "2026/bahrain/warm_up", 7),)))
    assert values(metrics, "TotalRecordsExtracted", "SessionType") == {"other": 7}


def test_a_partition_of_two_datasets_is_one_session() -> None:
    """Six datasets of one race are one session."""
    run = finished(stored=tuple(stored_one(dataset.name, RACE, 1) for dataset in DATASETS))
    assert values(measured(run), "SessionsProcessed") == 1
    assert values(measured(run), "SessionsProcessed", "DataType") == dict.fromkeys(
        (dataset.name for dataset in DATASETS), 1
    )


def test_a_check_counts_by_its_own_end() -> None:
    """Only checks that did not pass are counted, by their severity."""
    run = finished(
        checks=(check("laps", passed=True), check("laps", passed=False, severity="ERROR"))
    )
    assert values(measured(run), "DataValidationFailures") == 1
    assert values(measured(run), "DataValidationWarnings") == 0
