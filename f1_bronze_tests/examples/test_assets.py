"""The silver tables themselves: their values, where they lie, and what they refuse."""

from collections.abc import Callable

import dagster as dg
import pyarrow as pa
import pytest

from examples.silver.alone import assemble as assemble_silver
from examples.silver.assets import DRIVER_PACE, TYRE_PACE, query
from examples.silver.fitness import held_back
from f1_bronze.datasets.dataset import Severity
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.stints import STINTS
from f1_bronze.definitions import assemble
from f1_bronze.defs.partitions import register
from f1_bronze.defs.record.runs import read_run_result
from f1_bronze.lake.lake import Lake
from f1_bronze.settings import Settings
from f1_bronze_tests.defs.fake_judge import FakeJudge

from .deployment import QUALIFYING, RACE, Deployment, bronze, silver

Land = Callable[..., None]


@pytest.fixture
def land(settings: Settings, instance: dg.DagsterInstance) -> Land:
    """Ingest what silver needs of a race in this process; its checks find this."""
    register(instance, [SessionPartition.parse(key) for key in (QUALIFYING, RACE)])

    def run(*broken: Severity, job: str = "bronze_sessions") -> None:
        names = {"bronze_sessions": ("laps", "results"), "bronze_races": ("stints",)}[job]
        assemble(settings, judge=FakeJudge(*broken)).resolve_job_def(job).execute_in_process(
            instance=instance,
            raise_on_error=False,
            partition_key=RACE,
            asset_selection=[bronze(name) for name in names],
        )

    return run


def make(settings: Settings, instance: dg.DagsterInstance, asset: str) -> dg.ExecuteInProcessResult:
    """Materialize a silver asset for the race, as the UI would."""
    job = assemble_silver(settings).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance,
        raise_on_error=False,
        partition_key=RACE,
        asset_selection=[silver(asset)],
    )


def test_through_the_lake(land: Land, settings: Settings, instance: dg.DagsterInstance) -> None:
    """Bronze is loaded and silver written by the IO manager, and Dagster notes what it came from.

    Metrics count it as an asset of the group silver. An automation that is new to it finds it in
    step, until bronze changes.
    """
    land()
    land(job="bronze_races")
    for asset in ("driver_pace", "tyre_pace"):
        assert make(settings, instance, asset).success
    lake = Lake.at(settings.lake_uri)
    folder = "year=2025/grand_prix=bahrain/session_type=race"
    drivers = lake.read_table(f"silver/driver_pace/{folder}/driver_pace.parquet").to_pylist()
    tyres = lake.read_table(f"silver/tyre_pace/{folder}/tyre_pace.parquet").to_pylist()
    laps = lake.table(LAPS, [SessionPartition.parse(RACE)]).to_pylist()
    assert sum(row["laps"] for row in drivers) == len(laps)
    times = [row["lap_duration"] for row in laps if row["lap_duration"] is not None]
    assert min(row["best_lap"] for row in drivers if row["best_lap"]) == min(times)
    stints = lake.table(STINTS, [SessionPartition.parse(RACE)]).to_pylist()
    assert sum(row["stints"] for row in tyres) == len(stints)
    [made] = instance.fetch_materializations(silver("driver_pace"), limit=1).records
    [laps_made] = instance.fetch_materializations(
        dg.AssetRecordsFilter(bronze("laps"), asset_partitions=[RACE]), limit=1
    ).records
    pointer = made.event_log_entry.tags["dagster/input_event_pointer/bronze/laps"]
    assert pointer == str(laps_made.storage_id)
    run = instance.get_run_by_id(made.run_id)
    groups = read_run_result(instance, run, group_of=lambda key: "silver").other_assets
    assert groups == {"silver": 1}
    afresh = Deployment(instance, settings)
    assert [afresh.tick(), afresh.tick("tyre_pace")] == [[], []]
    land()  # again, unchanged
    assert afresh.tick() == Deployment(instance, settings).tick() == []
    afresh.lands_well("corrected", RACE)
    assert afresh.tick() == Deployment(instance, settings).tick() == [RACE]


def test_same_rows_same_version(
    land: Land, settings: Settings, instance: dg.DagsterInstance
) -> None:
    """Made twice of the same rows, silver has one data version: gold has no reason to run."""
    land()
    versions = set()
    for _ in range(2):
        make(settings, instance, "driver_pace")
        [made] = instance.fetch_materializations(silver("driver_pace"), limit=1).records
        versions.add(made.event_log_entry.tags["dagster/data_version"])
    assert len(versions) == 1


def test_by_hand_too(land: Land, settings: Settings, instance: dg.DagsterInstance) -> None:
    """A person who materializes over a failed ERROR check learns why not, and what to do."""
    land(Severity.ERROR)
    result = make(settings, instance, "driver_pace")
    assert not result.success
    data = result.failure_data_for_node("silver__driver_pace").user_failure_data
    assert data.description == (
        f"{RACE} bronze/laps: the check rules found rows that must not be used "
        "(values: broken_error: 2 laps without a time). Look at its evidence; materialize the "
        "bronze partition again once OpenF1 has corrected it."
    )
    assert held_back(instance, bronze("laps"), [RACE]) == {RACE: data.description}
    assert held_back(instance, bronze("results"), [RACE]) == {}
    land()
    assert make(settings, instance, "driver_pace").success


def test_a_warning_is_used(land: Land, settings: Settings, instance: dg.DagsterInstance) -> None:
    """Rows of which a check only warned are used."""
    land(Severity.WARN)
    assert make(settings, instance, "driver_pace").success


def test_a_plan_that_came_to_nothing(
    land: Land, settings: Settings, instance: dg.DagsterInstance
) -> None:
    """A run that was cancelled before its checks leaves the last result as it is."""
    land()
    definitions = assemble(settings)
    run = instance.create_run_for_job(
        definitions.resolve_job_def("bronze_sessions"), tags={"dagster/partition": RACE}
    )
    instance.report_run_canceled(run)
    assert held_back(instance, bronze("laps"), [RACE]) == {}


def test_never_checked(instance: dg.DagsterInstance) -> None:
    """Rows that no check has seen are not used."""
    reasons = held_back(instance, bronze("laps"), [RACE])
    assert reasons[RACE].startswith(f"{RACE} bronze/laps: the check rules was not evaluated.")
    assert held_back(instance, silver("driver_pace"), [RACE]) == {}


def test_driver_pace() -> None:
    """Laps, best, median and pit stops per driver; who did not drive has none."""
    laps = pa.table(
        {
            "session_key": [1] * 5,
            "driver_number": [4, 4, 4, 4, 16],
            "lap_number": [1, 2, 3, 4, 1],
            "lap_duration": [None, 90.0, 92.0, 95.5, 91.25],
            "is_pit_out_lap": [True, False, False, True, False],
        }
    )
    results = pa.table(
        {"session_key": [1] * 3, "driver_number": [16, 4, 44], "position": [2, 1, None]}
    )
    rows = query(DRIVER_PACE, laps=laps, results=results).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (1, 4, 1, 4, 90.0, 92.0, 1),
        (1, 16, 2, 1, 91.25, 91.25, 0),
        (1, 44, None, 0, None, None, 0),
    ]


def test_tyre_pace() -> None:
    """Stints, laps and the median per compound; a stint without laps counts as a stint."""
    laps = pa.table(
        {
            "session_key": [1] * 4,
            "driver_number": [4, 4, 4, 16],
            "lap_number": [1, 2, 3, 1],
            "lap_duration": [95.0, 91.0, 92.0, 93.0],
        }
    )
    stints = pa.table(
        {
            "session_key": [1] * 4,
            "driver_number": [4, 4, 16, 44],
            "stint_number": [1, 2, 1, 1],
            "lap_start": [1, 3, 1, 1],
            "lap_end": [2, 3, 1, 1],
            "compound": ["SOFT", "HARD", "SOFT", "HARD"],
        }
    )
    rows = query(TYRE_PACE, laps=laps, stints=stints).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (1, "HARD", 2, 1, 92.0),
        (1, "SOFT", 2, 3, 93.0),
    ]


def test_query_closes_what_it_opens() -> None:
    """The rows of a statement outlive its connection."""
    table = query("SELECT a + 1 AS b FROM t", t=pa.table({"a": [1, 2]}))
    assert table.to_pydict() == {"b": [2, 3]}
