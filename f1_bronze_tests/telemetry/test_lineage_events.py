"""From a run to OpenLineage events: which there are, when, and what they say."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.telemetry.lineage.events import end_events, start_events
from f1_bronze.telemetry.lineage.names import lineage_run_id
from f1_bronze.telemetry.run_results import FailedPartition, RunEnd

from .lineage_examples import (
    BEGUN_AT,
    QUALIFYING,
    RACE,
    RUN_ID,
    SHA,
    bodies,
    check,
    finished,
    only,
    run_start,
    stored_one,
)

RUN = lineage_run_id(RUN_ID, BEGUN_AT)
LAPS_OF_THE_RACE = lineage_run_id(RUN_ID, BEGUN_AT, "laps", "2025/bahrain/race")
FILE = (
    "s3://my-bucket/f1/bronze/laps/year=2025/grand_prix=bahrain/session_type=race/laps_9472.parquet"
)
TABLE, SESSIONS_TABLE = (
    ("s3://my-bucket", "f1/bronze/laps"),
    ("s3://my-bucket", "f1/bronze/sessions"),
)
OF_THE_RACE = {
    "type": "partition",
    "partitions": [
        {
            "identifier": "2025/bahrain/race",
            "dimensions": {"year": "2025", "grand_prix": "bahrain", "session_type": "race"},
        }
    ],
}


def test_a_run_that_starts() -> None:
    """Its START has the time of the start and a job that no dataset's job is called like."""
    [body] = bodies(start_events(run_start(backfill_id="kqyetzgw", historical=True)))
    assert (body["eventType"], body["run"]["runId"]) == ("START", RUN)
    assert body["eventTime"] == "2026-11-23T06:04:07.250000Z"
    assert (body["job"]["namespace"], body["job"]["name"]) == (
        "f1-pipeline",
        "dagster_bronze_sessions",
    )
    assert (body["inputs"], body["outputs"]) == ([], [])
    tags = {tag["key"]: tag["value"] for tag in body["run"]["facets"]["tags"]["tags"]}
    assert tags == {
        "dagster_run_id": RUN_ID,
        "trigger": "scheduled",
        "historical": "true",
        "backfill_id": "kqyetzgw",
        "datasets": "results,laps",
        "partitions": "2",
    }


def test_a_run_that_ends() -> None:
    """One pair of events for each dataset and session, one for the checks, the run's end last."""
    found = [(b["job"]["name"], b["eventType"]) for b in bodies(end_events(finished()))]
    assert found == [
        ("bronze_laps", "START"),
        ("bronze_laps", "COMPLETE"),
        ("bronze_results", "START"),
        ("bronze_results", "COMPLETE"),
        ("bronze_laps", "START"),
        ("bronze_laps", "FAIL"),
        ("bronze_laps_checks", "START"),
        ("bronze_laps_checks", "COMPLETE"),
        ("dagster_bronze_sessions", "FAIL"),
    ]


@pytest.mark.parametrize(
    ("end", "event_type", "of_what_did_not_land"),
    [
        (RunEnd.SUCCESS, "COMPLETE", "FAIL"),
        (RunEnd.FAILURE, "FAIL", "FAIL"),
        (RunEnd.CANCELED, "ABORT", "ABORT"),
    ],
)
def test_how_a_run_ends(end: RunEnd, event_type: str, of_what_did_not_land: str) -> None:
    """COMPLETE, FAIL or ABORT; a cancelled run aborts what it did not land."""
    events = bodies(end_events(finished(end=end)))
    assert events[-1]["eventType"] == event_type
    assert [b["eventType"] for b in events if "FAIL" in b["eventType"] or "ABO" in b["eventType"]][
        :1
    ] == [of_what_did_not_land]
    assert ("errorMessage" in events[-1]["run"]["facets"]) is (end is not RunEnd.SUCCESS)


def test_every_run_id_starts_once_and_ends_once() -> None:
    """OpenLineage's own law: one START and one end for each run id."""
    events = bodies([*start_events(run_start()), *end_events(finished())])
    by_id: dict[str, list[str]] = {}
    for body in sorted(events, key=lambda b: b["eventTime"]):
        by_id.setdefault(str(UUID(body["run"]["runId"])), []).append(body["eventType"])
    assert len(by_id) == 5
    assert {UUID(run_id).version for run_id in by_id} == {7}
    assert all(types[0] == "START" and len(types) == 2 for types in by_id.values()), by_id


def test_made_again_it_is_the_same() -> None:
    """The same run gives the same paths and bytes; another run gives others."""
    assert end_events(finished()) == end_events(finished())
    other = replace(run_start(), run_id="9e107d9d-372b-4b3e-8f5a-1f2e3d4c5b6a")
    mine = {event.path for event in end_events(finished())}
    assert mine.isdisjoint(event.path for event in end_events(finished(start=other)))


def test_a_partition_that_is_stored() -> None:
    """From OpenF1's endpoint and the table sessions to the table, whose subset is the partition."""
    body = only(end_events(finished(failed=())), "bronze_laps")
    assert body["run"]["runId"] == LAPS_OF_THE_RACE
    assert body["eventTime"] == "2026-11-23T06:04:17.250000Z"
    [source, sessions], [table] = body["inputs"], body["outputs"]
    assert (source["namespace"], source["name"]) == ("openf1-api", "laps")
    assert (sessions["namespace"], sessions["name"]) == SESSIONS_TABLE
    assert sessions["inputFacets"]["subset"]["inputCondition"] == OF_THE_RACE
    assert source["facets"]["dataSource"]["uri"] == (
        "https://api.openf1.org/v1/laps?session_key=9472"
    )
    assert (table["namespace"], table["name"]) == TABLE
    assert table["outputFacets"]["subset"]["outputCondition"] == OF_THE_RACE
    facets = table["facets"]
    assert facets["version"]["datasetVersion"] == SHA
    assert facets["lifecycleStateChange"]["lifecycleStateChange"] == "CREATE"
    assert facets["dataSource"]["uri"] == "s3://my-bucket/f1/bronze/laps"
    assert facets["ownership"]["owners"] == [{"name": "team:f1-bronze", "type": "MAINTAINER"}]
    assert facets["documentation"]["description"].startswith("One row per driver and lap")
    assert [level["name"] for level in facets["hierarchy"]["hierarchy"]] == [
        "bronze",
        "laps",
    ]
    written = table["outputFacets"]["outputStatistics"]
    assert (written["rowCount"], written["size"], written["fileCount"]) == (1_080, 34_567, 1)


def test_run_facets_of_a_stored_partition() -> None:
    """The session's own times, the Dagster run as parent and root, and what has no other facet."""
    facets = only(end_events(finished(failed=())), "bronze_laps")["run"]["facets"]
    assert facets["nominalTime"]["nominalStartTime"] == "2025-04-13T15:00:00.000000Z"
    assert facets["nominalTime"]["nominalEndTime"] == "2025-04-13T17:00:00.000000Z"
    job = {"namespace": "f1-pipeline", "name": "dagster_bronze_sessions"}
    for above in (facets["parent"], facets["parent"]["root"]):
        assert above["run"]["runId"] == RUN
        assert {name: above["job"][name] for name in job} == job
    assert facets["processing_engine"]["name"] == "Dagster"
    assert facets["processing_engine"]["version"].startswith("1.13.")
    tags = {tag["key"]: tag["value"] for tag in facets["tags"]["tags"]}
    assert (tags["dagster_run_id"], tags["partition"]) == (RUN_ID, "2025/bahrain/race")
    assert tags["file"] == FILE
    assert (tags["session_key"], tags["revision"], tags["api_retries"]) == ("9472", "new", "2")


def test_job_facets() -> None:
    """A job says what it is, whose, and how it runs."""
    facets = only(end_events(finished(failed=())), "bronze_laps")["job"]["facets"]
    kind = facets["jobType"]
    assert (kind["processingType"], kind["integration"], kind["jobType"]) == (
        "BATCH",
        "DAGSTER",
        "ASSET",
    )
    assert facets["ownership"]["owners"][0]["name"] == "team:f1-bronze"
    assert "from OpenF1's endpoint laps" in facets["documentation"]["description"]


def test_when_a_partition_started() -> None:
    """It began as long before its end as the asking took, and never before the run."""
    quick, slow = (
        stored_one(extract_seconds=4),
        stored_one("results", extract_seconds=99),
    )
    events = end_events(finished(stored=(quick, slow), failed=(), checks=()))
    starts = [body["eventTime"] for body in bodies(events) if body["eventType"] == "START"]
    assert starts == ["2026-11-23T06:04:13.250000Z", "2026-11-23T06:04:07.250000Z"]


@pytest.mark.parametrize(
    ("revision", "change"),
    [("new", "CREATE"), ("empty", "CREATE"), ("changed", "OVERWRITE"), ("unchanged", None)],
)
def test_what_became_of_the_file(revision: str, change: str | None) -> None:
    """What was found to be the same was not written, and its rows are stated all the same."""
    run = finished(stored=(stored_one(revision=revision),), failed=(), checks=())
    [file] = only(end_events(run), "bronze_laps")["outputs"]
    state = file["facets"].get("lifecycleStateChange", {}).get("lifecycleStateChange")
    assert state == change
    assert ("outputStatistics" in file["outputFacets"]) is (change is not None)
    assert file["facets"]["dataQualityMetrics"]["rowCount"] == 1_080


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda d: d.name)
def test_columns(dataset) -> None:  # type: ignore[no-untyped-def]
    """Schema and column lineage follow from the declaration, under OpenF1's own field names."""
    run = finished(stored=(stored_one(dataset.name),), failed=(), checks=())
    body = only(end_events(run), f"bronze_{dataset.name}")
    assert body["inputs"][0]["name"] == dataset.endpoint
    facets = body["outputs"][0]["facets"]
    named = [(field["name"], field["type"]) for field in facets["schema"]["fields"]]
    assert named[:-1] == [(column.name, column.type.value) for column in dataset.columns]
    assert named[-1] == ("extra_fields", "string")
    by_column = facets["columnLineage"]["fields"]
    assert {name: field["inputFields"][0]["field"] for name, field in by_column.items()} == {
        column.name: column.field for column in dataset.columns
    }
    kinds = {
        name: field["inputFields"][0]["transformations"][0]["subtype"]
        for name, field in by_column.items()
    }
    assert kinds["session_key"] == "IDENTITY"
    assert {n for n, k in kinds.items() if k == "TRANSFORMATION"} == {
        c.name for c in dataset.columns if c.type.name in ("JSON", "TIMESTAMP")
    }
    asked = {field["name"] for field in body["inputs"][0]["facets"]["schema"]["fields"]}
    assert asked == {column.field for column in dataset.columns}


def test_checks() -> None:
    """Assertions are about the table's partition; a rule that was not checked asserts nothing."""
    body = only(end_events(finished()), "bronze_laps_checks")
    [table] = body["inputs"]
    assert (table["namespace"], table["name"]) == TABLE
    assert table["inputFacets"]["subset"]["inputCondition"] == OF_THE_RACE
    held, broken = table["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (held["assertion"], held["success"], held["severity"], held["column"]) == (
        "lap_number_in_range",
        True,
        "error",
        "lap_number",
    )
    assert (broken["name"], broken["success"], broken["severity"]) == (
        "racing/laps_contiguous",
        False,
        "warn",
    )
    assert broken["params"] == {
        "partition": "2025/bahrain/race",
        "unexpected_count": 3,
        "rows_seen": 1_080,
    }
    assert "column" not in broken
    assert body["run"]["runId"] == lineage_run_id(RUN_ID, BEGUN_AT, "laps", "checks")


def test_checks_of_many_sessions() -> None:
    """A dataset's sessions are checked in one run, each assertion about its own partition; a check
    without rules is one assertion, and one of a file that nobody can name is none."""
    elsewhere = SessionPartition.parse("2024/monaco/race")
    plain = check(partition=QUALIFYING, rules=(), passed=True, severity="ERROR", check="schema")
    named = check(partition=elsewhere, rules=(), uri=FILE.replace("2025", "2024"))
    nameless = check(partition=SessionPartition.parse("2024/spanish/race"))
    run = finished(
        stored=(stored_one(), stored_one(partition=QUALIFYING)),
        failed=(),
        checks=(check(), plain, named, nameless),
    )
    [table] = only(end_events(run), "bronze_laps_checks")["inputs"]
    asserted = table["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [one["params"]["partition"] for one in asserted] == [
        *(RACE.key, RACE.key, QUALIFYING.key),
        elsewhere.key,
    ]
    whole = asserted[2]
    assert (whole["assertion"], whole["success"], whole["severity"]) == ("schema", True, "error")
    read = table["inputFacets"]["subset"]["inputCondition"]["partitions"]
    assert [one["identifier"] for one in read] == [elsewhere.key, QUALIFYING.key, RACE.key]


def test_execute_check_alone() -> None:
    """A run that stores nothing and checks what an earlier run stored gives assertions, with the
    column of a rule that has one."""
    run = finished(
        start=run_start(datasets=()),
        stored=(),
        failed=(),
        checks=(check(uri=FILE),),
        end=RunEnd.SUCCESS,
    )
    assert [b["job"]["name"] for b in bodies(end_events(run))] == [
        *("bronze_laps_checks", "bronze_laps_checks"),
        "dagster_bronze_sessions",
    ]
    [table] = only(end_events(run), "bronze_laps_checks")["inputs"]
    assert (table["namespace"], table["name"]) == TABLE
    assertions = table["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(one["name"], one.get("column")) for one in assertions] == [
        ("racing/lap_number_in_range", "lap_number"),
        ("racing/laps_contiguous", None),
    ]


def test_a_spark_job_meets_the_same_node() -> None:
    """OpenLineage's Java client names what Spark reads from …/bronze/laps by bucket and path,
    without the folders key=value, and by the Glue table: both are the node that we write."""
    arn = "arn:aws:glue:eu-west-1:123456789012:database/f1_bronze"
    events = end_events(finished(failed=()), glue_database=arn)
    [table] = only(events, "bronze_laps")["outputs"]
    read_by_spark = re.sub(r"(/[^/=]+=[^/]+)+(/.*)?$", "", FILE.removeprefix("s3://my-bucket/"))
    assert (table["namespace"], table["name"]) == ("s3://my-bucket", read_by_spark)
    [glue] = table["facets"]["symlinks"]["identifiers"]
    assert glue == {
        "namespace": "arn:aws:glue:eu-west-1:123456789012",
        "name": "table/f1_bronze/laps",
        "type": "TABLE",
    }


def test_a_partition_that_failed() -> None:
    """It has a FAIL with its cause, the error's name and status, its source, and no output."""
    failed = FailedPartition(
        dataset="laps",
        partition_key=QUALIFYING.key,
        error="Unavailable",
        cause="OpenF1 answered 503 three times; run this again later.",
        status=503,
    )
    body = only(end_events(finished(failed=(failed,))), "bronze_laps", "FAIL")
    assert body["run"]["facets"]["errorMessage"]["message"] == failed.cause
    tags = {tag["key"]: tag["value"] for tag in body["run"]["facets"]["tags"]["tags"]}
    assert (tags["partition"], tags["error"], tags["status"]) == (
        *(QUALIFYING.key, "Unavailable"),
        "503",
    )
    assert (body["inputs"][0]["name"], body["outputs"]) == ("laps", [])


def test_a_cause_that_is_not_on_record() -> None:
    """What an older release recorded has the error's name alone."""
    body = only(end_events(finished()), "bronze_laps", "FAIL")
    assert body["run"]["facets"]["errorMessage"]["message"] == "RowsWouldBeLost"


def test_what_an_earlier_attempt_stored() -> None:
    """It has no events: the attempt that stored it has emitted them."""
    run = finished(stored=(stored_one(repeated=True),), failed=(), checks=(), end=RunEnd.SUCCESS)
    [end] = bodies(end_events(run))
    assert end["job"]["name"] == "dagster_bronze_sessions"


def test_runs_of_others() -> None:
    """A run that has to do with no bronze dataset has no events."""
    theirs = run_start(datasets=(), job="silver")
    run = finished(start=theirs, stored=(), failed=(), checks=())
    assert (start_events(theirs), end_events(run)) == ([], [])


def test_a_dataset_that_is_no_more() -> None:
    """What an older release has recorded of a dataset that is gone breaks nothing."""
    run = finished(
        stored=(replace(stored_one(), dataset="weather"),),
        failed=(FailedPartition(dataset="weather", partition_key=RACE.key, error="X"),),
        checks=(check("weather", uri="file:///x"),),
    )
    assert [b["job"]["name"] for b in bodies(end_events(run))] == ["dagster_bronze_sessions"]


def test_a_local_lake() -> None:
    """A table in a folder is named by its absolute path."""
    run = finished(stored=(stored_one(root="file:///srv/my%20lake"),), failed=(), checks=())
    [file] = only(end_events(run), "bronze_laps")["outputs"]
    assert file["namespace"] == "file"
    assert file["name"] == "/srv/my lake/bronze/laps"


def test_no_secret_is_shown() -> None:
    """Credentials in addresses, errors and tags of a run reach no event."""
    run = finished(
        start=run_start(tags={"password": "hunter2"}),
        stored=(
            stored_one(
                source_url="https://me:hunter2@api.openf1.org/v1/laps?session_key=1&token=hunter2#hunter2"
            ),
        ),
        error="401 from https://me:hunter2@host/x?access_token=hunter2 {'password': 'hunter2'} "
        "Authorization: Bearer hunter2",
    )
    events = [*start_events(run.start), *end_events(run)]
    assert not [event.path for event in events if b"hunter2" in event.data]
    message = bodies(events)[-1]["run"]["facets"]["errorMessage"]["message"]
    assert message.startswith("401 from https://host/x?access_token=…")


def test_one_line_of_ascii() -> None:
    """An event is one line, which Athena reads as one row, and in ASCII."""
    error = "São Paulo\nfailed twice"
    for event in [*start_events(run_start()), *end_events(finished(error=error))]:
        assert event.data.endswith(b"}\n")
        assert (event.data.count(b"\n"), event.data.isascii()) == (1, True)


def test_paths() -> None:
    """An event lies in the folder of its day, under Dagster's job, its second and dataset; events
    of a run about one dataset and day share a file, those of the run itself have their own."""
    at = BEGUN_AT.replace(day=30, hour=23, minute=59, second=30)
    keys = [f"2025/gp_{n}/race" for n in range(100)]
    run = finished(
        start=run_start(started_at=at, job="__ASSET_JOB"),
        ended_at=at + timedelta(minutes=1),
        stored=tuple(
            stored_one(
                partition=SessionPartition.parse(key),
                at=at + timedelta(milliseconds=400),
                extract_seconds=0.1,  # begun and ended within one second
            )
            for key in keys
        ),
        checks=(),
    )
    paths = [event.path for event in end_events(run)]
    assert len(paths) == 203
    assert sorted(Counter(paths).values()) == [1, 1, 201]
    assert paths[0].startswith(
        "lineage/events/year=2026/month=11/day=30/event_asset_job_20261130_235930_laps_"
    )
    assert paths[-1].startswith(
        "lineage/events/year=2026/month=12/day=01/event_asset_job_20261201_000030_run_"
    )


def test_the_producer_is_an_address() -> None:
    """Producer and schema of the event and of every facet are URIs, as the standard demands."""
    body = json.loads(end_events(finished())[1].data)
    facets = [*body["run"]["facets"].values(), *body["outputs"][0]["facets"].values()]
    for uri in [body["producer"], *(f["_producer"] for f in facets)]:
        assert uri.startswith("pkg:pypi/f1-bronze@")
    assert {urlsplit(f["_schemaURL"]).netloc for f in facets} == {"openlineage.io"}
