"""A run is read back from Dagster's record as telemetry needs it, however it ended."""

from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
import pytest

from f1_bronze.datasets.dataset import Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.definitions import assemble
from f1_bronze.defs.partitions import register
from f1_bronze.defs.record.runs import read_run_result
from f1_bronze.settings import Settings
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator
from f1_bronze.telemetry.run_results import FailedPartition, RunEnd, RunResult, Trigger
from f1_bronze_tests.defs.fake_judge import FakeJudge

QUALIFYING, RACE = "2025/bahrain/qualifying", "2025/bahrain/race"
Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(autouse=True)
def partitions(instance: dg.DagsterInstance) -> None:
    """A weekend is registered."""
    register(instance, [SessionPartition.parse(key) for key in (QUALIFYING, RACE)])


def record(instance: dg.DagsterInstance, run_id: str) -> RunResult:
    """The run as telemetry sees it."""
    run = instance.get_run_by_id(run_id)
    return read_run_result(instance, run, group_of=lambda key: None)


def test_a_run_that_succeeded(
    materialize: Materialize, instance: dg.DagsterInstance, simulator: Simulator
) -> None:
    """What was stored is there with its materialization's metadata, and the run's calls."""
    result = materialize("bronze_sessions", QUALIFYING, RACE)
    run = record(instance, result.run_id)
    assert (run.end, run.error, run.failed) == (RunEnd.SUCCESS, None, ())
    assert run.start.run_id == run.start.root_run_id == result.run_id
    assert run.start.datasets == ("sessions", "drivers", "results", "laps")
    assert run.start.partition_keys == (QUALIFYING, RACE)
    assert run.start.trigger is Trigger.MANUAL
    assert len(run.stored) == 8
    [laps] = [x for x in run.stored if x.dataset == "laps" and x.partition.key == RACE]
    assert (laps.session_key, laps.revision, laps.rows_added) == (907047, "new", laps.rows)
    assert laps.rows > 900
    assert laps.uri.endswith("session_type=race/laps_907047.parquet")
    assert laps.source_url == f"{simulator.url}/laps?session_key=907047"
    assert laps.session_end == datetime(2025, 4, 13, 17, 0, tzinfo=UTC)
    assert laps.session_start < laps.session_end
    assert run.api["calls"] == simulator.control.state()["calls"] == 5
    assert run.api["calls"] == sum(one.api_requests for one in run.stored)
    assert 0 < run.seconds < 600


def test_times_of_a_session_that_was_stored_before(
    materialize: Materialize, instance: dg.DagsterInstance
) -> None:
    """A run of races alone knows when the sessions were, from what an earlier run recorded."""
    materialize("bronze_sessions", RACE, RACE, select=["sessions"])
    result = materialize("bronze_races", RACE, RACE)
    starts = {one.dataset: one.session_start for one in record(instance, result.run_id).stored}
    assert set(starts) == {"stints", "pit_stops"}
    assert starts["stints"] == starts["pit_stops"]
    assert starts["stints"].tzinfo is UTC


def test_a_run_in_which_one_failed(
    materialize: Materialize, instance: dg.DagsterInstance, simulator: Simulator
) -> None:
    """What is not stored is listed with its error, and the failure's first line is kept."""
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="laps"))
    result = materialize("bronze_sessions", RACE, RACE)
    run = record(instance, result.run_id)
    assert run.end is RunEnd.FAILURE
    [failed] = run.failed
    assert (failed.dataset, failed.partition_key) == ("laps", RACE)
    assert (failed.error, failed.status) == ("Refused", 404)
    assert failed.cause.startswith("OpenF1 refused http://")
    assert run.error.startswith(f"{RACE} laps: ")
    assert {one.dataset for one in run.stored} == {"sessions", "drivers", "results"}
    assert run.api["calls"] == simulator.control.state()["calls"]


def test_a_run_that_was_cancelled(
    materialize: Materialize, instance: dg.DagsterInstance, simulator: Simulator
) -> None:
    """Where no failure lists what is missing, it is all that was planned and is not stored."""
    result = materialize("bronze_sessions", QUALIFYING, RACE, select=["sessions", "drivers"])
    run = instance.get_run_by_id(result.run_id)
    instance.report_run_canceled(run)
    ended = record(instance, result.run_id)
    assert ended.end is RunEnd.CANCELED
    assert ended.failed == ()  # all was stored before it was cancelled
    planned = instance.create_run_for_job(
        assemble(Settings.read({})).resolve_job_def("bronze_sessions"),
        tags={"dagster/partition": RACE},
        asset_selection={dg.AssetKey(["bronze", "laps"])},
    )
    instance.report_run_canceled(planned)
    nothing = record(instance, planned.run_id)
    assert nothing.failed == (
        FailedPartition(dataset="laps", partition_key=RACE, error="Canceled"),
    )


def test_checks_are_read_back(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Each evaluation with its rules; a check that failed is not a dataset that failed."""
    result = (
        assemble(settings, judge=FakeJudge(Severity.ERROR, dataset="drivers"))
        .resolve_job_def("bronze_sessions")
        .execute_in_process(
            instance=instance, raise_on_error=False, tags={"dagster/partition": RACE}
        )
    )
    run = record(instance, result.run_id)
    assert run.end is RunEnd.FAILURE
    assert run.failed == ()
    assert len(run.checks) == 12
    [failed] = [check for check in run.checks if not check.passed]
    assert (failed.dataset, failed.check, failed.severity) == ("drivers", "values", "ERROR")
    assert [(rule["rule"], rule["passed"]) for rule in failed.rules] == [
        ("sound", True),
        ("unseen", None),
        ("broken_error", False),
    ]
    assert failed.rules[2]["unexpected_count"] == 2


def test_checks_alone_name_the_file_that_they_checked(
    settings: Settings, instance: dg.DagsterInstance, materialize: Materialize
) -> None:
    """ "Execute check" stores nothing; its results refer to the file that an earlier run stored."""
    first = record(instance, materialize("bronze_sessions", RACE, RACE).run_id)
    definitions = assemble(settings, judge=FakeJudge())
    job = dg.define_asset_job(
        "only_checks", selection=dg.AssetSelection.checks_for_assets(*definitions.assets[:1])
    )
    alone = dg.Definitions(
        assets=definitions.assets,
        jobs=[job],
        resources=definitions.resources,
        executor=dg.in_process_executor,
    )
    result = alone.resolve_job_def("only_checks").execute_in_process(
        instance=instance, tags={"dagster/partition": RACE}
    )
    run = record(instance, result.run_id)
    assert run.stored == ()
    uris = {one.dataset: one.uri for one in first.stored}
    assert {check.dataset: check.uri for check in run.checks} == uris


def test_a_further_attempt_records_again(
    materialize: Materialize, instance: dg.DagsterInstance, simulator: Simulator
) -> None:
    """What an earlier attempt stored is marked, and the parent is known."""
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="laps"))
    first = materialize("bronze_sessions", RACE, RACE)
    simulator.control.reset()
    tags = {
        "dagster/parent_run_id": first.run_id,
        "dagster/root_run_id": first.run_id,
        "dagster/is_resume_retry": "true",
    }
    run = record(instance, materialize("bronze_sessions", RACE, RACE, tags=tags).run_id)
    assert (run.start.parent_run_id, run.start.root_run_id) == (first.run_id, first.run_id)
    assert {one.dataset for one in run.stored if not one.repeated} == {"laps"}
    assert {one.dataset for one in run.stored if one.repeated} == {
        "sessions",
        "drivers",
        "results",
    }


@pytest.mark.parametrize(
    ("tags", "trigger"),
    [
        ({"dagster/schedule_name": "weekly_bronze"}, Trigger.SCHEDULED),
        ({"dagster/sensor_name": "openf1_reopened"}, Trigger.SCHEDULED),
        ({"dagster/backfill": "abc"}, Trigger.MANUAL),
        ({}, Trigger.MANUAL),
    ],
)
@pytest.mark.parametrize("year", [2025, datetime.now(UTC).year])
def test_who_asked_and_for_which_season(
    materialize: Materialize,
    instance: dg.DagsterInstance,
    tags: dict[str, str],
    trigger: Trigger,
    year: int,
) -> None:
    """Tags say whether a clock or a person asked; whether it is history, the sessions alone."""
    key = f"{year}/bahrain/race"
    register(instance, [SessionPartition.parse(key)])
    result = materialize("bronze_sessions", key, key, select=["sessions"], tags=tags)
    begun = record(instance, result.run_id).start
    assert (begun.trigger, begun.historical) == (trigger, year == 2025)
    assert begun.backfill_id == tags.get("dagster/backfill")


def test_assets_of_others_are_counted_by_group(
    instance: dg.DagsterInstance,
) -> None:
    """Silver and gold assets that a run made are counted by their group."""

    @dg.asset(group_name="silver")
    def tyres() -> None: ...

    @dg.asset(key_prefix="gold")
    def points() -> None: ...

    result = dg.materialize([tyres, points], instance=instance)
    run = instance.get_run_by_id(result.run_id)
    groups = {tyres.key: "silver"}
    found = read_run_result(instance, run, group_of=groups.get)
    assert found.other_assets == {"silver": 1, "gold": 1}
    assert (found.start.datasets, found.stored) == ((), ())
