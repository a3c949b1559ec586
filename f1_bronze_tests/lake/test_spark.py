"""Spark over a mixed lake: Hive external tables from the same definitions as Glue's.

One test, because each Java machine costs ten seconds and tests may run in any process.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import ColumnType, Dataset
from f1_bronze.lake.catalog import dataset_table, hive_ddl
from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.sql import Views

from . import mixed_lake

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("java") is None, reason="Spark needs Java 17, which is not here"
    ),
]


@pytest.fixture
def spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Spark in one thread, its catalog in memory, its files below tmp_path, without a UI."""
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    monkeypatch.chdir(tmp_path)  # Derby writes its log to the working directory
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    no_trace = "-XX:-UsePerfData"  # else each Java machine leaves a file in /tmp
    monkeypatch.setenv("SPARK_LAUNCHER_OPTS", no_trace)
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        # A Java that lives for seconds has no time to optimise itself, nor Spark each query.
        "spark.driver.extraJavaOptions": (
            "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto "
            f"{no_trace} -Djava.io.tmpdir={tmp_path}"
        ),
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.local.dir": str(tmp_path / "spark"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.warehouse.dir": str(tmp_path / "warehouse"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:memory:tables;create=true",
    }
    builder = sql.SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.enableHiveSupport().getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    gateway = session.sparkContext._gateway
    yield session
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()  # Java ends when its standard input does
    gateway.proc.wait(30)
    sql.SparkSession.builder._options.clear()
    pyspark = pytest.importorskip("pyspark")
    pyspark.SparkContext._gateway = pyspark.SparkContext._jvm = None


def rows(frame: Any) -> list[tuple[Any, ...]]:
    """All rows; moments as microseconds, since Spark gives them in the machine's time zone."""
    columns = [
        f"unix_micros({name}) AS {name}" if kind == "timestamp" else name
        for name, kind in frame.dtypes
    ]
    return mixed_lake.comparable(frame.selectExpr(*columns).collect())


def in_duckdb(root: Path, dataset: Dataset) -> list[tuple[Any, ...]]:
    """All rows as `f1-bronze sql` sees them."""
    with Views(LocalStore(root)).answer(f"SELECT * FROM {dataset.name}") as relation:
        return mixed_lake.comparable(relation.fetchall())


def test_spark_reads_what_duckdb_reads(spark: Any, tmp_path: Path) -> None:
    """Every dataset: types, comments, partitions and rows; and a type changed in place fails."""
    lake = tmp_path / "lake"
    for dataset in DATASETS:
        mixed_lake.fill(lake, dataset)
        table = dataset_table(dataset)
        declared = [(c.name, c.type) for c in (*table.columns, *table.partition_keys)]

        spark.sql(hive_ddl(table, f"file://{lake}/"))
        spark.sql(f"MSCK REPAIR TABLE {dataset.name}")
        frame = spark.table(dataset.name)
        assert frame.dtypes == declared
        described = spark.sql(f"DESCRIBE {dataset.name}").collect()[: len(table.columns)]
        assert [row.comment for row in described] == [c.comment for c in table.columns]
        assert len(spark.sql(f"SHOW PARTITIONS {dataset.name}").collect()) == len(
            mixed_lake.PARTITIONS
        )
        expected = in_duckdb(lake, dataset)
        assert rows(frame) == expected
        assert rows(frame.select(*mixed_lake.columns_of_expected(dataset))) == mixed_lake.expected(
            dataset
        )
        files = [Path(file).name for file in frame.where("year = 2025").inputFiles()]
        assert files == [f"{dataset.name}_9004.parquet"]

    laps = DATASETS[3]
    declared = spark.table("laps").dtypes
    folder = str(lake / "bronze/laps")
    by_path = spark.read.schema(spark.table("laps").schema).parquet(folder)
    assert (by_path.dtypes, rows(by_path)) == (declared, in_duckdb(lake, laps))
    merged = spark.read.option("mergeSchema", "true").parquet(folder)
    assert dict(merged.dtypes) == {**dict(declared), "year": "int"}
    assert len(spark.read.parquet(folder).columns) == len(declared) - len(mixed_lake.unseen(laps))

    in_place = replace(
        laps,
        columns=tuple(
            replace(c, type=ColumnType.FLOAT) if c.name == "i1_speed" else c for c in laps.columns
        ),
    )
    spark.sql("DROP TABLE laps")
    spark.sql(hive_ddl(dataset_table(in_place), f"file://{lake}/"))
    spark.sql("MSCK REPAIR TABLE laps")
    with pytest.raises(Exception, match=r"(?s)FAILED_READ_FILE.*i1_speed"):
        spark.table("laps").select("i1_speed").collect()
