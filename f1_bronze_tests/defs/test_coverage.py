"""The state of every dataset of every session, each reached as a user would reach it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.definitions import assemble
from f1_bronze.defs.monitoring.coverage import Cell, Coverage, read_coverage
from f1_bronze.defs.partitions import asset_key, register
from f1_bronze.defs.record.calendar_memory import SeenSession
from f1_bronze.defs.record.failure_causes import FailureHistory
from f1_bronze.defs.resources import Deployment
from f1_bronze.lake.changes import change_table
from f1_bronze.settings import Settings
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator
from f1_bronze_tests.judges import NoRules

from .calendars import remember
from .fake_judge import ROWS, FakeJudge

pytestmark = pytest.mark.slow

QUALIFYING, RACE = "2025/bahrain/qualifying", "2025/bahrain/race"
RACE_ENDED = datetime(2025, 4, 13, 17, 0, tzinfo=UTC)
DATASET = {dataset.name: dataset for dataset in DATASETS}

Materialize = Callable[..., dg.ExecuteInProcessResult]
Look = Callable[..., Coverage]


@pytest.fixture
def instance(disk_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """An instance that keeps the state of sensors, which an ephemeral one does not."""
    return disk_instance


@pytest.fixture(autouse=True)
def partitions(instance: dg.DagsterInstance) -> None:
    """A weekend is registered."""
    register(instance, [SessionPartition.parse(key) for key in (QUALIFYING, RACE)])


@pytest.fixture
def look(instance: dg.DagsterInstance, settings: Settings) -> Look:
    """The coverage of 2025 as it is now."""

    def look(*years: int, now: datetime | None = None, **how: Any) -> Coverage:
        eager = settings.model_copy(update={"ingest_new": True})
        deployment = Deployment(eager, clock=lambda: now or datetime.now(UTC))
        return read_coverage(instance, deployment, years or (2025,), **how)

    return look


def overdue(coverage: Coverage) -> set[tuple[str, str]]:
    """Partition key and dataset of what should be stored by now."""
    return {(cell.partition.key, cell.dataset.name) for cell in coverage.overdue}


def cell(coverage: Coverage, dataset: str, key: str = RACE) -> Cell:
    """One cell of it."""
    return coverage.cell(SessionPartition.parse(key), DATASET[dataset])


def states(coverage: Coverage, key: str = RACE) -> dict[str, str]:
    """The states of a session by dataset."""
    return {name: cell(coverage, name, key).state.value for name in DATASET}


def test_a_stored_weekend(materialize: Materialize, look: Look) -> None:
    """What is stored has its rows and its time; a qualifying has no stints and no pit stops."""
    began = datetime.now(UTC) - timedelta(seconds=1)
    materialize("bronze_sessions", QUALIFYING, RACE)
    materialize("bronze_races", RACE)
    coverage = look()
    assert states(coverage) == dict.fromkeys(DATASET, "landed")
    assert states(coverage, QUALIFYING) == dict.fromkeys(DATASET, "landed") | {
        "stints": "",
        "pit_stops": "",
    }
    assert coverage.counts() == {"landed": 10}
    assert [session.key for session in coverage.sessions] == [QUALIFYING, RACE]
    laps = cell(coverage, "laps")
    assert (laps.rows, laps.revision, laps.changes) == (1080, "new", None)
    assert (laps.error, laps.severity, laps.has_content) == (None, None, True)
    assert [check.check for check in laps.checks] == ["schema", "values", "racing"]
    assert laps.stored_at is not None
    assert began < laps.stored_at < datetime.now(UTC) + timedelta(seconds=1)
    assert coverage.ended_at[RACE] == RACE_ENDED
    assert coverage.overdue == []
    assert look(2024).sessions == ()


def test_rows_whose_checks_were_not_evaluated(
    materialize: Materialize, look: Look, instance: dg.DagsterInstance
) -> None:
    """A run that was killed before its checks has not finished: the state says so."""
    materialize("bronze_races", RACE, select=["stints"])
    [event] = [
        record.asset_materialization
        for record in instance.fetch_materializations(asset_key(DATASET["stints"]), limit=1).records
    ]
    instance.report_runless_asset_event(event)
    assert states(look())["stints"] == "unchecked"
    assert cell(look(), "stints").has_content


def test_nothing_is_stored(look: Look) -> None:
    """A session that is only registered is missing, and overdue once its year is over."""
    coverage = look()
    assert coverage.counts() == {"missing": 10}
    assert cell(coverage, "laps").rows is None
    assert look(now=datetime(2025, 12, 31, tzinfo=UTC)).overdue == []
    in_january = look(now=datetime(2026, 1, 1, tzinfo=UTC))
    assert len(in_january.overdue) == 10
    assert cell(in_january, "laps").label == "overdue"


def test_a_truly_empty_answer(materialize: Materialize, simulator: Simulator, look: Look) -> None:
    """A session of which OpenF1 has no rows is empty: stored, and not overdue."""
    simulator.control.add_faults(InjectedFault(kind="empty", endpoint="laps"))
    materialize("bronze_sessions", RACE, select=["sessions", "laps"])
    laps = cell(look(), "laps")
    assert (laps.state, laps.rows, laps.revision) == ("empty", 0, "empty")


def test_a_session_that_was_corrected(
    materialize: Materialize, simulator: Simulator, look: Look
) -> None:
    """What was stored before its session's own row was corrected is outdated, until it is stored
    again."""
    materialize("bronze_sessions", QUALIFYING, RACE, select=["sessions", "drivers"])
    row = {"session_key": 907047}
    simulator.control.add_faults(
        InjectedFault(kind="edit", endpoint="sessions", match=row, patch={"location": "x"})
    )
    materialize("bronze_sessions", QUALIFYING, RACE, select=["sessions"])
    coverage = look()
    assert coverage.counts() == {"landed": 3, "outdated": 1, "missing": 6}
    assert cell(coverage, "drivers").state == "outdated"
    sessions = cell(coverage, "sessions")
    assert sessions.revision == "changed"
    assert "| location | Sakhir | x |" in sessions.what_changed
    assert sessions.changes is not None
    assert change_table(DATASET["sessions"], sessions.changes) == [
        ("changed", "the row", "location", "Sakhir", "x")
    ]
    materialize("bronze_sessions", RACE, select=["drivers"])
    assert cell(look(), "drivers").state == "landed"


def test_columns_that_changed_since(
    materialize: Materialize, instance: dg.DagsterInstance, look: Look
) -> None:
    """What was stored under an older declaration of its columns is outdated."""
    materialize("bronze_sessions", RACE, select=["drivers"])
    older = dg.AssetMaterialization(
        asset_key(DATASET["drivers"]),
        partition=RACE,
        metadata={"dagster/row_count": 7},
        tags={"dagster/code_version": "0"},
    )
    instance.report_runless_asset_event(older)
    drivers = cell(look(), "drivers")
    assert (drivers.state, drivers.rows, drivers.run_id) == ("outdated", 7, "")


def test_an_answer_that_lost_rows(
    materialize: Materialize, simulator: Simulator, look: Look
) -> None:
    """A refused answer leaves the rows of the lake, and is shown with the whole of its remedy."""
    materialize("bronze_sessions", RACE, select=["sessions", "results"])
    simulator.control.add_faults(
        InjectedFault(kind="drop_rows", endpoint="session_result", rows_share=0.2)
    )
    refused = materialize("bronze_sessions", RACE, select=["results"])
    results = cell(look(), "results")
    assert (results.state, results.rows, results.run_id) == ("refused", 20, refused.run_id)
    assert results.error is not None
    assert results.error.startswith("OpenF1's answer lacks 4 rows that the lake has ({'session_key")
    assert results.error.endswith("(for stints and pit_stops: ingest_races).")
    assert results.has_content


def test_what_failed_and_was_then_stored(
    materialize: Materialize, simulator: Simulator, look: Look
) -> None:
    """A failed dataset says why, is overdue, and keeps what it had; storing it ends that."""
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="drivers"))
    failed = materialize("bronze_sessions", QUALIFYING, RACE, select=["sessions", "drivers"])
    coverage = look()
    drivers = cell(coverage, "drivers")
    assert (drivers.state, drivers.rows, drivers.run_id) == ("failed", None, failed.run_id)
    assert drivers.error is not None
    assert drivers.error.startswith("OpenF1 refused")
    assert not drivers.has_content
    on_monday = overdue(look(now=RACE_ENDED + timedelta(hours=25)))
    assert {(QUALIFYING, "drivers"), (RACE, "drivers")} <= on_monday
    assert (RACE, "sessions") not in on_monday
    two_hours_earlier = overdue(look(now=RACE_ENDED + timedelta(hours=23)))
    assert {key for key, _ in two_hours_earlier} == {QUALIFYING}
    simulator.control.set_faults([])
    materialize("bronze_sessions", QUALIFYING, RACE, select=["drivers"])
    assert states(look())["drivers"] == "landed"
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="drivers"))
    materialize("bronze_sessions", RACE, select=["drivers"])
    again = cell(look(), "drivers")
    assert (again.state, again.rows, again.has_content) == ("failed", 20, True)


class Cut:
    """Stands in for OpenF1 where the program itself breaks."""

    base_url = "http://127.0.0.1"

    def calendar(self, *args: object) -> None:
        """Breaks."""
        raise RuntimeError("the cable was cut")

    def settle(self) -> None:
        """Nothing to settle."""


def test_a_run_that_broke(settings: Settings, instance: dg.DagsterInstance, look: Look) -> None:
    """A run that broke without listing partitions is the cause for all that it was to store."""
    tags = {"dagster/partition": RACE}
    result = (
        assemble(settings, judge=NoRules(), openf1=Cut())
        .resolve_job_def("bronze_sessions")
        .execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    )
    assert not result.success
    coverage = look()
    assert coverage.counts() == {"failed": 4, "missing": 6}
    assert cell(coverage, "drivers").error == (
        "RuntimeError: the cable was cut The run broke unexpectedly and its log has more; "
        "materialize it again."
    )
    assert states(coverage)["stints"] == "missing"


def test_a_run_under_way_and_cancelled(
    definitions: dg.Definitions, instance: dg.DagsterInstance, look: Look
) -> None:
    """What a run is about to store is running; what it did not come to says so."""
    job = definitions.resolve_job_def("bronze_sessions")
    run = instance.create_run_for_job(
        job, tags={"dagster/partition": RACE}, status=dg.DagsterRunStatus.STARTED
    )
    coverage = look()
    assert coverage.counts() == {"running": 4, "missing": 6}
    assert (cell(coverage, "laps").error, cell(coverage, "laps").run_id) == (None, run.run_id)
    instance.report_run_canceled(run)
    laps = cell(look(), "laps")
    assert laps.state == "failed"
    assert laps.error == "The run was cancelled before it came to this. Materialize it again."


def test_a_run_that_ended_without_a_reason(
    definitions: dg.Definitions, instance: dg.DagsterInstance, look: Look
) -> None:
    """A run whose process died, and one that was deleted, still have a remedy."""
    job = definitions.resolve_job_def("bronze_sessions")
    run = instance.create_run_for_job(
        job, tags={"dagster/partition": RACE}, status=dg.DagsterRunStatus.STARTED
    )
    instance.report_run_failed(run)
    laps = cell(look(), "laps")
    assert laps.error == "The run ended before it came to this. Materialize it again."
    gone = FailureHistory(instance).failure("no such run", DATASET["laps"], RACE)
    assert gone is not None
    assert (gone.is_running, gone.error) == (
        False,
        "The run that was to make it was deleted from Dagster's record. Materialize it again.",
    )


def test_lake_and_record_differ(
    materialize: Materialize, look: Look, settings: Settings, tmp_path: Path
) -> None:
    """A file that was taken away is missing, one without a record unrecorded, and one of a
    session that is no partition is named."""
    materialize("bronze_sessions", RACE, select=["drivers"])
    (tmp_path / "other").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "other")) as other:
        unknown = read_coverage(other, Deployment(settings), (2025,))
        assert (unknown.sessions, unknown.cells) == ((), {})
        assert unknown.unregistered == (SessionPartition.parse(RACE),)
        register(other, [SessionPartition.parse(RACE)])
        unrecorded = read_coverage(other, Deployment(settings), (2025,))
        assert unrecorded.counts() == {"unrecorded": 1, "missing": 5}
        assert unrecorded.unregistered == ()
        assert cell(unrecorded, "drivers").has_content
    [file] = Path(settings.lake_uri, "bronze/drivers").rglob("*.parquet")
    file.unlink()
    coverage = look()
    assert states(coverage)["drivers"] == "missing"
    assert (RACE, "drivers") in overdue(coverage)


class Changing:
    """A judge that can be replaced for the next run."""

    def __init__(self) -> None:
        self.now = FakeJudge()

    def judge(self, *args: Any, **how: Any) -> Any:
        """As the judge of the moment does."""
        return self.now.judge(*args, **how)


def test_results_of_checks(
    settings: Settings, instance: dg.DagsterInstance, simulator: Simulator, look: Look
) -> None:
    """The worst failed rule makes the severity; rules come with their rows; a check that is
    planned again and not evaluated does not hide its last result."""
    judge = Changing()
    job = assemble(settings, judge=judge).resolve_job_def("bronze_sessions")

    def run(*broken: Severity) -> None:
        judge.now = FakeJudge(*broken, dataset="drivers")
        job.execute_in_process(
            instance=instance,
            tags={"dagster/partition": RACE},
            asset_selection=[asset_key(DATASET["drivers"])],
            raise_on_error=False,
        )

    run(Severity.WARN, Severity.ERROR)
    drivers = cell(look(), "drivers")
    assert (drivers.state, drivers.severity) == ("landed", "ERROR")
    assert [check.check for check in drivers.checks] == ["schema", "values", "racing"]
    schema, values, _ = drivers.checks
    assert (schema.severity, schema.rules) == (None, ())
    assert values.summary == "broken_error: 2 laps without a time (and 1 more)"
    assert [tuple(rows) for rows in values.unexpected_rows.values()] == [ROWS, ROWS]
    schema = cell(look(with_rules=True), "drivers").checks[0]
    assert [(rule["rule"], rule["passed"]) for rule in schema.rules] == [
        ("sound", True),
        ("unseen", None),
    ]
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="drivers"))
    run()
    again = cell(look(), "drivers")
    assert (again.state, again.severity) == ("failed", "ERROR")
    simulator.control.set_faults([])
    run(Severity.WARN)
    assert cell(look(), "drivers").severity == "WARN"
    run()
    fine = cell(look(), "drivers")
    assert (fine.severity, len(fine.checks)) == (None, 3)


def test_keys_added_by_hand(instance: dg.DagsterInstance, look: Look) -> None:
    """A key that names no session is no row of the matrix."""
    instance.add_dynamic_partitions("f1_sessions", ["foo", "2025/spa"])
    assert [session.key for session in look().sessions] == [QUALIFYING, RACE]


def test_ends_that_only_the_calendar_knows(instance: dg.DagsterInstance, look: Look) -> None:
    """What is missing is overdue a day after the end that the calendar sensor has seen."""
    end = datetime(2025, 4, 13, 18, 0, tzinfo=UTC)
    seen = SeenSession(key=RACE, name="Bahrain Race", start=end - timedelta(hours=2), end=end)
    remember(instance, {907047: seen})
    coverage = look()
    assert dict(coverage.ended_at) == {RACE: end}
    day = timedelta(hours=24)
    assert look(now=end + day - timedelta(seconds=1)).overdue == []
    assert overdue(look(now=end + day)) == {(RACE, name) for name in DATASET}
