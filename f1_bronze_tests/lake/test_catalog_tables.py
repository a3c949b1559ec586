"""The table definitions: derived, accepted by CloudFormation, and what a catalog then says."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import yaml
from botocore.config import Config

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition, session_type_slug
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.lake.catalog import (
    GRANDS_PRIX,
    SESSION_TYPES,
    YEARS,
    dataset_table,
    hive_ddl,
    tables,
    unlisted,
    unlisted_values,
)
from f1_bronze.lake.sql import SUMMARY_SCHEMA
from f1_bronze.openf1.partition_names import grand_prix_slugs
from f1_bronze_tests.conftest import RECORDINGS, needs_recordings
from tools.glue_template import template, template_text

from ..servers import ROOT as LOGIN
from ..servers import serve_ministack

ROOT = Path(__file__).parents[2]
PARAMETERS = {"Bucket": "lake-bucket", "Prefix": "f1/"}
HIVE_TYPES = {
    "int64": "bigint",
    "double": "double",
    "string": "string",
    "bool": "boolean",
    "timestamp[us, tz=UTC]": "timestamp",
    "list<element: int64>": "array<bigint>",
}
PINNED = {
    "sessions": (1, "f58f1be4"),
    "drivers": (1, "3aa528da"),
    "results": (1, "60d8a9b0"),
    "laps": (1, "539c1a97"),
    "stints": (1, "2c6f6268"),
    "pit_stops": (1, "42af3c01"),
}
"""Schema version and fingerprint of the columns, as files in lakes have them."""


def test_the_template_is_derived() -> None:
    """deploy/aws/tables.yaml is what the declarations say; `make docs` writes it."""
    assert (ROOT / "deploy/aws/tables.yaml").read_text("utf-8") == template_text()


def test_the_template_is_yaml() -> None:
    """What is written reads as the template, to the last value and its type."""
    assert yaml.safe_load(template_text()) == template()


def test_the_names_of_tables() -> None:
    """Six datasets and lineage, under names that queries rely on."""
    names = [table.name for table in tables()]
    assert names == [
        *("sessions", "drivers", "results", "laps", "stints", "pit_stops"),
        *("lineage", "lineage_events", "lineage_summaries"),
    ]


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_columns_are_those_of_the_files(dataset: Any) -> None:
    """Each column of a file is a column of the table, in order and in Hive's type for it."""
    columns = [(column.name, column.type) for column in dataset_table(dataset).columns]
    stored = [(field.name, HIVE_TYPES[str(field.type)]) for field in arrow_schema(dataset)]
    assert columns == stored


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: dataset.name)
def test_columns_say_what_they_mean(dataset: Any) -> None:
    """Comments come from the declarations, unit included, and fit Glue's 255 letters."""
    comments = {column.name: column.comment for column in dataset_table(dataset).columns}
    for column in dataset.columns:
        assert comments[column.name].startswith(column.meaning)
        assert not column.unit or comments[column.name].endswith(f"[{column.unit}]")
    assert max(map(len, comments.values())) <= 255


def test_a_change_of_columns_raises_the_version() -> None:
    """Files in lakes have these columns: change one, and schema_version and this pin change too.

    The policy is in docs/guides/reading.md: a column is added, or gets a new name with its new
    type; the type of a name never changes.
    """
    found = {}
    for dataset in DATASETS:
        text = ",".join(f"{column.name} {column.type.value}" for column in dataset.columns)
        fingerprint = hashlib.sha256(text.encode()).hexdigest()[:8]
        found[dataset.name] = (dataset.schema_version, fingerprint)
    assert found == PINNED


def test_partitions_are_projected() -> None:
    """Athena computes every partition from three properties; nothing is to be crawled."""
    laps, pit_stops = (
        template()["Resources"][name]["Properties"]["TableInput"]["Parameters"]
        for name in ("LapsTable", "PitStopsTable")
    )
    assert {key: value for key, value in laps.items() if key.startswith("projection.")} == {
        "projection.enabled": "true",
        "projection.year.type": "integer",
        "projection.year.range": {"Fn::Sub": "${FirstYear},${LastYear}"},
        "projection.grand_prix.type": "enum",
        "projection.grand_prix.values": {"Fn::Join": [",", {"Ref": "GrandsPrix"}]},
        "projection.session_type.type": "enum",
        "projection.session_type.values": {"Fn::Join": [",", {"Ref": "SessionTypes"}]},
    }
    assert pit_stops["projection.session_type.values"] == "race,sprint"


@needs_recordings
def test_recorded_sessions_are_listed() -> None:
    """What Athena looks for holds each Grand Prix and session type of the recorded season."""
    meetings = json.loads((RECORDINGS / "meetings/2024.json").read_bytes())
    assert set(grand_prix_slugs(meetings).values()) - set(GRANDS_PRIX) == set()
    sessions = json.loads((RECORDINGS / "sessions/2024.json").read_bytes())
    types = {session_type_slug(session["session_name"]) for session in sessions}
    assert types - set(SESSION_TYPES) == set()


@pytest.mark.parametrize("year", [2018, 2023, 2026, 2030])
def test_simulated_grands_prix_are_listed(year: int, seasons: Any) -> None:
    """So does every season of the simulator, but for names that carry a meeting's key."""
    meetings = [one for one in seasons.meetings() if one["year"] == year]
    assert len(meetings) > 20
    slugs = set(grand_prix_slugs(meetings).values())
    unknown = {slug for slug in slugs - set(GRANDS_PRIX) if not slug[-5:].isdigit()}
    assert unknown == set()


def test_unlisted_partitions_are_named() -> None:
    """A partition that Athena would pass over in silence is named, whichever part it is, and which
    parameter of the stack lacks what."""
    keys = ("2025/bahrain/race", "2025/thai/race", "2041/bahrain/race", "2025/bahrain/warm_up")
    passed_over = unlisted(SessionPartition.parse(key) for key in keys)
    assert [one.key for one in passed_over] == [
        "2025/bahrain/warm_up",
        "2025/thai/race",
        "2041/bahrain/race",
    ]
    keys = (*keys, "2017/thai/sprint", "2017/finnish/race")
    assert unlisted_values(SessionPartition.parse(key) for key in keys) == {
        "FirstYear": ["2017"],
        "LastYear": ["2041"],
        "GrandsPrix": ["finnish", "thai"],
        "SessionTypes": ["warm_up"],
    }
    assert unlisted_values([SessionPartition.parse("2025/bahrain/race")]) == {}


def test_a_query_looks_in_few_places() -> None:
    """A season of a dataset is less than 300 projected partitions; Athena takes a million."""
    per_season = len(GRANDS_PRIX) * len(SESSION_TYPES)
    assert per_season < 300
    assert per_season * (YEARS[1] - YEARS[0] + 1) < 10_000


def test_ddl_quotes_what_has_quotes() -> None:
    """An apostrophe of a comment does not end the comment."""
    assert r"COMMENT 'OpenF1\'s identifier of the session" in hive_ddl(tables()[0], "s3://b/")


@pytest.fixture
def ministack(tmp_path: Path) -> Iterator[str]:
    """A server with CloudFormation and Glue."""
    with serve_ministack(tmp_path) as address:
        yield address


def client(service: str, address: str) -> Any:
    """A client of that server, as its root."""
    return boto3.client(
        service,
        endpoint_url=address,
        region_name="eu-west-1",
        config=Config(retries={"total_max_attempts": 2}),
        **LOGIN,
    )


def test_cloudformation_makes_the_tables(ministack: str) -> None:
    """A stack of the template is a database whose tables are as declared."""
    formation, name = client("cloudformation", ministack), f"tables-{uuid4().hex[:8]}"
    formation.create_stack(
        StackName=name,
        TemplateBody=template_text(),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in PARAMETERS.items()],
    )
    waiter = formation.get_waiter("stack_create_complete")
    waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    check_catalog(client("glue", ministack))
    formation.delete_stack(StackName=name)


def test_glue_takes_the_tables(s3_address: str) -> None:
    """Glue's own API (moto) takes each table input as it stands in the template."""
    glue = client("glue", s3_address)
    glue.create_database(DatabaseInput={"Name": "f1_bronze"})
    for resource in template()["Resources"].values():
        if resource["Type"] == "AWS::Glue::Table":
            given = resolved(resource["Properties"]["TableInput"])
            glue.create_table(DatabaseName="f1_bronze", TableInput=given)
    check_catalog(glue)
    glue.delete_database(Name="f1_bronze")


def resolved(value: Any) -> Any:
    """A part of the template with its functions computed, as CloudFormation would."""
    declared = template()["Parameters"]
    given = {**{k: str(v.get("Default", "")) for k, v in declared.items()}, **PARAMETERS}
    if isinstance(value, list):
        return [resolved(part) for part in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::Sub"}:
        text = value["Fn::Sub"]
        for name, setting in given.items():
            text = text.replace(f"${{{name}}}", setting)
        return text
    if set(value) == {"Fn::Join"}:
        return given[value["Fn::Join"][1]["Ref"]]
    return {key: resolved(part) for key, part in value.items()}


def check_catalog(glue: Any) -> None:
    """The catalog says of every table what the declarations say."""
    found = {
        table["Name"]: table for table in glue.get_tables(DatabaseName="f1_bronze")["TableList"]
    }
    assert set(found) == {table.name for table in tables()}
    for dataset in DATASETS:
        table = found[dataset.name]
        stored = table["StorageDescriptor"]
        declared = {column.name: column for column in dataset.columns}
        for field, column in zip(arrow_schema(dataset), stored["Columns"], strict=True):
            assert (column["Name"], column["Type"]) == (field.name, HIVE_TYPES[str(field.type)])
            if field.name in declared:
                assert column["Comment"] == declared[field.name].description
        keys = [(key["Name"], key["Type"]) for key in table["PartitionKeys"]]
        assert keys == [("year", "bigint"), ("grand_prix", "string"), ("session_type", "string")]
        assert stored["Location"] == f"s3://lake-bucket/f1/bronze/{dataset.name}/"
        assert stored["SerdeInfo"]["SerializationLibrary"].endswith("ParquetHiveSerDe")
        settings = table["Parameters"]
        assert settings["projection.year.range"] == "2018,2040"
        types = ",".join(sorted(dataset.session_types or SESSION_TYPES))
        assert settings["projection.session_type.values"] == types
        assert settings["projection.grand_prix.values"].startswith("abu_dhabi,australian,")
    summaries = found["lineage_summaries"]["StorageDescriptor"]
    assert summaries["Location"] == "s3://lake-bucket/f1/lineage/summaries/"
    # The column `day` of the files is the partition's: a table cannot have it twice.
    assert [column["Name"] for column in summaries["Columns"]] == SUMMARY_SCHEMA.names[1:]
    lineage = found["lineage_events"]
    assert lineage["StorageDescriptor"]["Location"] == "s3://lake-bucket/f1/lineage/events/"
    assert [key["Name"] for key in lineage["PartitionKeys"]] == ["year", "month", "day"]
    assert lineage["Parameters"]["projection.month.digits"] == "2"
