"""Once a month what is stored of the running seasons is compared with OpenF1, without noise."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from f1_bronze.definitions import assemble, defs
from f1_bronze.defs.automation.reconcile import openf1_reopened
from f1_bronze.defs.record.tags import CLOSED_RUN_TAG, RETRY_AT_TAG
from f1_bronze.defs.schedules import EVERY_ASSET
from f1_bronze.settings import Settings
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator

from .ticks import Ticks, launch, rechecked, utc

pytestmark = pytest.mark.slow

APRIL, MAY, SECOND_OF_MAY = utc(2025, 4, 7, 6), utc(2025, 5, 5, 6), utc(2025, 5, 12, 6)
QUALIFYING, RACE, RACE_KEY = "2025/australian/qualifying", "2025/australian/race", 907017
OF_SESSIONS = ["sessions", "drivers", "results", "laps"]
RECHECKS = [
    ("bronze_sessions", OF_SESSIONS, "2025"),
    ("bronze_races", ["stints", "pit_stops"], "2025"),
]
Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def instance(disk_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """An instance on disk, since a schedule's tick opens it by reference."""
    return disk_instance


@pytest.fixture
def ticks(instance: dg.DagsterInstance, settings: Settings, materialize: Materialize) -> Ticks:
    """The first Monday of May 2025; the first race weekend of the season is stored."""
    made = Ticks(instance, settings, utc(2025, 3, 17, 6))
    made.calendar()
    assert materialize("bronze_sessions", QUALIFYING, RACE).success
    assert materialize("bronze_races", RACE).success
    made.now = MAY
    return made


@pytest.fixture
def recheck(
    ticks: Ticks, settings: Settings, simulator: Simulator
) -> Callable[[], dg.ExecuteInProcessResult]:
    """Make the first of the runs that the first Monday of May requests, with all rules."""
    ticks.settings = settings
    request = next(one for one in ticks.weekly(MAY).run_requests if "f1_bronze/recheck" in one.tags)
    simulator.control.reset()

    def run(**tags: str) -> dg.ExecuteInProcessResult:
        job = assemble(settings).resolve_job_def(request.job_name)
        return job.get_subset(
            asset_selection=set(request.asset_selection),
            asset_check_selection=set(request.asset_check_keys),
        ).execute_in_process(
            instance=ticks.instance,
            run_config=request.run_config,
            tags={**request.tags, **tags},
            raise_on_error=False,
        )

    return run


def events(result: dg.ExecuteInProcessResult) -> Counter[str]:
    """How many materializations and checks a run recorded, by dataset and partition."""
    found: Counter[str] = Counter()
    for made in result.get_asset_materialization_events():
        event = made.materialization
        found[f"{event.asset_key.path[-1]} of {event.partition}"] += 1
    for check in result.get_asset_check_evaluations():
        found[f"check of {check.asset_key.path[-1]} of {check.partition}"] += 1
    return found


def test_on_the_first_monday_of_a_month(ticks: Ticks) -> None:
    """Only then the season is rechecked, in one run a job, besides the runs of the week."""
    ticks.now = SECOND_OF_MAY
    assert rechecked(ticks.weekly(MAY).run_requests) == RECHECKS
    assert rechecked(ticks.weekly(SECOND_OF_MAY).run_requests) == []
    requests = [r for r in ticks.weekly(MAY).run_requests if "f1_bronze/recheck" in r.tags]
    assert [request.run_key for request in requests] == [
        "2025-05-05/bronze_sessions/recheck/2025",
        "2025-05-05/bronze_races/recheck/2025",
    ]
    for request in requests:
        assert request.tags["f1_bronze/week"] == "2025-05-05"
        assert request.asset_check_keys == []
        # The daemon launches them by the job of the schedule.
        job = defs.resolve_job_def(EVERY_ASSET).get_subset(
            asset_selection=set(request.asset_selection), asset_check_selection=set()
        )
        dg.validate_run_config(job, request.run_config)


def test_the_season_before_in_january(ticks: Ticks) -> None:
    """In January the season that is over is rechecked once more, in February no more."""
    ticks.now = utc(2026, 2, 2, 6)
    assert rechecked(ticks.weekly(utc(2026, 1, 5, 6)).run_requests) == RECHECKS
    assert rechecked(ticks.weekly(ticks.now).run_requests) == []


def test_nothing_old_is_stored(instance: dg.DagsterInstance, settings: Settings) -> None:
    """Where nothing is stored there is nothing to compare."""
    assert rechecked(Ticks(instance, settings, APRIL).weekly(APRIL).run_requests) == []


def test_unchanged_partitions_leave_no_event(
    recheck: Callable[[], dg.ExecuteInProcessResult], simulator: Simulator, ticks: Ticks
) -> None:
    """Two sessions are compared in five calls; nothing has changed, and no event says so."""
    result = recheck()
    assert result.success
    assert simulator.control.state()["by_endpoint"] == {
        "sessions": 1,
        "meetings": 1,
        "drivers": 1,
        "session_result": 1,
        "laps": 1,
    }
    assert events(result) == {}
    of_checks = dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
    assert ticks.instance.get_records_for_run(result.run_id, of_type=of_checks).records == []


def test_a_correction_is_recorded_and_checked(
    recheck: Callable[[], dg.ExecuteInProcessResult], simulator: Simulator
) -> None:
    """What OpenF1 has corrected since is recorded with its checks, and nothing else is."""
    corrected = {"position": 1}
    simulator.control.add_faults(
        InjectedFault(
            kind="edit",
            endpoint="session_result",
            session_key=RACE_KEY,
            match=corrected,
            patch={"points": 24.0},
        )
    )
    result = recheck()
    assert result.success
    found = events(result)
    assert found.pop(f"results of {RACE}") == 1
    assert set(found) == {f"check of results of {RACE}"}
    [made] = result.get_asset_materialization_events()
    assert made.materialization.metadata["revision"].value == "changed"
    assert made.materialization.metadata["rows_changed"].value == 1
    assert events(recheck()) == {}


def test_what_depends_on_a_corrected_session(
    recheck: Callable[[], dg.ExecuteInProcessResult], simulator: Simulator
) -> None:
    """Where the session's own row was corrected its datasets are recorded anew: they are based on
    the corrected one, although their rows are the same."""
    simulator.control.add_faults(
        InjectedFault(
            kind="edit",
            endpoint="sessions",
            match={"session_key": RACE_KEY},
            patch={"location": "x"},
        )
    )
    made = recheck().get_asset_materialization_events()
    revisions = {
        one.materialization.asset_key.path[-1]: one.materialization.metadata["revision"].value
        for one in made
    }
    assert revisions == {
        "sessions": "changed",
        "drivers": "unchanged",
        "results": "unchanged",
        "laps": "unchanged",
    }
    assert {one.materialization.partition for one in made} == {RACE}


def test_a_closed_api(
    recheck: Callable[[], dg.ExecuteInProcessResult], simulator: Simulator, ticks: Ticks
) -> None:
    """A recheck that meets the closed API is resumed later, as what it is."""
    simulator.control.change_behaviour(live=True)
    assert RETRY_AT_TAG in ticks.instance.get_run_by_id(recheck().run_id).tags
    simulator.control.reset()
    request = next(one for one in ticks.weekly(MAY).run_requests if "f1_bronze/recheck" in one.tags)
    run = launch(ticks.instance, request, run_config=request.run_config)
    past = datetime.now(UTC) - timedelta(seconds=1)
    tags = {RETRY_AT_TAG: past.isoformat(), CLOSED_RUN_TAG: run.run_id}
    ticks.instance.add_run_tags(run.run_id, tags)
    ticks.instance.report_run_failed(run)
    with dg.build_sensor_context(instance=ticks.instance, definitions=defs) as context:
        [resumed] = openf1_reopened.evaluate_tick(context).run_requests
    assert (resumed.run_key, resumed.run_config) == (run.run_id, request.run_config)
    assert resumed.tags["f1_bronze/recheck"] == "2025"
