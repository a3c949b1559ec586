"""The IO manager stores and loads the assets of users, and loads bronze."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.io_manager import ParquetLakeIOManager
from f1_bronze.defs.partitions import F1_SESSIONS, register
from f1_bronze.lake.landing import Candidate

QUALIFYING, RACE = "2025/bahrain/qualifying", "2025/bahrain/race"
DRIVERS = DATASETS[1]
BRONZE = dg.AssetKey(["bronze", "drivers"])


def driver(session_key: int, number: int) -> dict[str, Any]:
    """A record as the API gives it."""
    return {"session_key": session_key, "driver_number": number, "full_name": f"Driver {number}"}


@pytest.fixture
def io_manager(tmp_path: Path, instance: dg.DagsterInstance) -> ParquetLakeIOManager:
    """A lake in which the drivers of a qualifying are stored, and of the race two more."""
    made = ParquetLakeIOManager(lake_uri=str(tmp_path / "lake"))
    for key, session_key, numbers in ((QUALIFYING, 1, [4]), (RACE, 2, [16, 44])):
        made.land(
            Candidate(
                dataset=DRIVERS,
                partition=SessionPartition.parse(key),
                session_key=session_key,
                records=[driver(session_key, number) for number in numbers],
                source=f"drivers?session_key={session_key}",
                notes={},
            )
        )
    register(instance, [SessionPartition.parse(key) for key in (QUALIFYING, RACE)])
    return made


def run(
    asset: dg.AssetsDefinition,
    io_manager: ParquetLakeIOManager,
    instance: dg.DagsterInstance,
    **how: Any,
) -> dg.ExecuteInProcessResult:
    """Materialize one asset of a user's."""
    source = dg.AssetSpec(BRONZE, partitions_def=F1_SESSIONS)
    return dg.materialize(
        [asset, source],
        selection=[asset],
        resources={"io_manager": io_manager},
        instance=instance,
        raise_on_error=False,
        **how,
    )


def drivers_in(annotation: Any, **definition: Any) -> tuple[dg.AssetsDefinition, list[Any]]:
    """An asset that loads the drivers as that type, and the list in which it leaves them."""
    seen: list[Any] = []

    def load(drivers: Any) -> None:
        seen.append(drivers)

    load.__annotations__ = {"drivers": annotation, "return": None}
    asset = dg.asset(
        name="reader",
        ins={"drivers": dg.AssetIn(BRONZE, metadata=definition.pop("metadata", None))},
        **definition,
    )(load)
    return asset, seen


def test_one_partition_as_a_table(
    io_manager: ParquetLakeIOManager, instance: dg.DagsterInstance
) -> None:
    """An asset of the same partitions loads its own, with the partition columns in front."""
    asset, seen = drivers_in(pa.Table, partitions_def=F1_SESSIONS)
    assert run(asset, io_manager, instance, partition_key=RACE).success
    [table] = seen
    assert table.column_names[:4] == ["year", "grand_prix", "session_type", "session_key"]
    assert table.column("driver_number").to_pylist() == [16, 44]
    assert table.column("session_type").to_pylist() == ["race", "race"]


def test_all_partitions_as_a_frame(
    io_manager: ParquetLakeIOManager, instance: dg.DagsterInstance
) -> None:
    """An asset without partitions loads them all, one below the other."""
    asset, seen = drivers_in(pd.DataFrame)
    assert run(asset, io_manager, instance).success
    [frame] = seen
    assert isinstance(frame, pd.DataFrame)
    assert frame["driver_number"].tolist() == [4, 16, 44]
    assert frame["year"].tolist() == [2025, 2025, 2025]


def test_many_partitions_by_key(
    io_manager: ParquetLakeIOManager, instance: dg.DagsterInstance
) -> None:
    """A dict has one table for each partition key."""
    asset, seen = drivers_in(dict)
    assert run(asset, io_manager, instance).success
    assert {key: table.num_rows for key, table in seen[0].items()} == {QUALIFYING: 1, RACE: 2}


def test_records_as_the_api_gave_them(
    io_manager: ParquetLakeIOManager, instance: dg.DagsterInstance
) -> None:
    """A list has the very records, without columns that the API did not send."""
    asset, seen = drivers_in(list)
    assert run(asset, io_manager, instance).success
    assert seen == [[driver(1, 4), driver(2, 16), driver(2, 44)]]


def test_a_missing_partition_is_an_error(
    io_manager: ParquetLakeIOManager, instance: dg.DagsterInstance
) -> None:
    """What has not landed is not silently left out, unless the input says that it may be."""
    register(instance, [SessionPartition.parse("2025/saudi_arabian/race")])
    strict, _ = drivers_in(pa.Table)
    result = run(strict, io_manager, instance)
    assert not result.success
    lenient, seen = drivers_in(pa.Table, metadata={"allow_missing_partitions": True})
    assert run(lenient, io_manager, instance).success
    assert seen[0].num_rows == 3


ROWS = [{"driver_number": 4, "best": 91.5}]


@pytest.mark.parametrize(
    "made", [pa.Table.from_pylist(ROWS), pd.DataFrame(ROWS), ROWS], ids=["arrow", "pandas", "list"]
)
def test_a_users_asset_lands_by_partition(
    made: Any, io_manager: ParquetLakeIOManager, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """An ordinary partitioned asset is written hive-style, whatever kind of table it returns."""

    @dg.asset(key=["silver", "best_laps"], partitions_def=F1_SESSIONS)
    def best_laps() -> Any:
        return made

    result = run(best_laps, io_manager, instance, partition_key=RACE)
    assert result.success
    path = tmp_path / "lake/silver/best_laps/year=2025/grand_prix=bahrain/session_type=race"
    assert pq.ParquetFile(path / "best_laps.parquet").read().to_pylist() == ROWS
    [event] = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert metadata["dagster/row_count"].value == 1
    assert metadata["dagster/uri"].value == f"file://{path}/best_laps.parquet"


def test_a_users_asset_is_loaded_again(
    io_manager: ParquetLakeIOManager, instance: dg.DagsterInstance
) -> None:
    """What a user's asset wrote for other partitions and without any is read back."""
    days = dg.StaticPartitionsDefinition(["2025-04-13", "a|b"])
    seen = []

    @dg.asset(key=["silver", "days"], partitions_def=days)
    def per_day(context: dg.AssetExecutionContext) -> list[dict[str, str]]:
        return [{"day": context.partition_key}]

    @dg.asset
    def one(per_day: list) -> pd.DataFrame:  # type: ignore[type-arg] # the bare type is meant
        return pd.DataFrame(per_day)

    @dg.asset
    def two(one: pd.DataFrame) -> None:
        seen.append(one["day"].tolist())

    one = dg.asset(ins={"per_day": dg.AssetIn(["silver", "days"])})(one.op.compute_fn.decorated_fn)
    how = {"resources": {"io_manager": io_manager}, "instance": instance}
    for key in days.get_partition_keys():
        assert dg.materialize([per_day], partition_key=key, **how).success
    assert dg.materialize([per_day, one, two], selection=[one, two], **how).success
    assert seen == [["2025-04-13", "a|b"]]


def test_one_table_for_many_partitions_is_refused(
    io_manager: ParquetLakeIOManager, instance: dg.DagsterInstance
) -> None:
    """A run over a range must return a table for each partition."""

    @dg.asset(
        key=["silver", "x"],
        partitions_def=F1_SESSIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def x() -> Any:
        return ROWS

    tags = {
        "dagster/asset_partition_range_start": QUALIFYING,
        "dagster/asset_partition_range_end": RACE,
    }
    result = run(x, io_manager, instance, tags=tags)
    assert "Return a dict of tables by partition key" in str(result.all_events)


def test_bronze_keys_are_taken(
    io_manager: ParquetLakeIOManager, instance: dg.DagsterInstance
) -> None:
    """Nobody else writes to the bronze datasets."""

    @dg.asset(key=["bronze", "laps"], partitions_def=F1_SESSIONS)
    def laps() -> Any:
        return ROWS

    result = run(laps, io_manager, instance, partition_key=RACE)
    assert "stored from OpenF1 only" in str(result.all_events)


def test_an_s3_resource_of_dagster_aws(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `s3` the lake is reached by the client of that resource, not by the standard chain."""
    from dagster_aws.s3 import S3Resource
    from moto import mock_aws

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    with mock_aws():
        s3 = S3Resource(
            region_name="eu-central-1", aws_access_key_id="key", aws_secret_access_key="secret"
        )
        s3.get_client().create_bucket(
            Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        io_manager = ParquetLakeIOManager(lake_uri="s3://lake/f1", s3=s3)

        @dg.asset
        def teams() -> pa.Table:
            return pa.table({"team": ["Ferrari"]})

        resources = {"io_manager": io_manager}
        assert dg.materialize([teams], resources=resources, instance=instance).success
        listed = s3.get_client().list_objects_v2(Bucket="lake")["Contents"]
    assert [found["Key"] for found in listed] == ["f1/teams/teams.parquet"]
