"""f1-bronze lineage, and the two questions of docs/lineage.md through f1-bronze sql."""

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from f1_bronze.cli.lineage_command import lineage
from f1_bronze.cli.sql_command import sql
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.telemetry.lineage.event_files import EventFiles
from f1_bronze.telemetry.lineage.events import end_events, start_events
from f1_bronze.telemetry.run_results import FailedPartition, RunResult

from ..telemetry.lineage_examples import BEGUN_AT, RUN_ID, begun, check, finished, landed
from .weekend import DATASET, RACE, Weekend, ingested_weekend, weekend

__all__ = ["ingested_weekend", "weekend"]  # fixtures

SECOND_RUN = "9e107d9d-372b-4b3e-8f5a-1f2e3d4c5b6a"
PAGE = (Path(__file__).parents[2] / "docs/lineage.md").read_text("utf-8")


def run_over(weekend: Weekend, run_id: str, at: datetime, **more: object) -> RunResult:
    """A run that landed laps and results of the race as the lake has them, and checked laps."""
    told = []
    for name in ("results", "laps"):
        stored = weekend.lake.read(DATASET[name], RACE)
        told.append(
            landed(
                name,
                uri=weekend.file(name).as_uri().replace("%3D", "="),
                session_key=stored.provenance.session_key,
                source_url=f"https://api.openf1.org/v1/{stored.provenance.source}",
                rows=stored.table.num_rows,
                content_sha256=stored.provenance.content_sha256,
                at=at + timedelta(seconds=10),
            )
        )
    run = finished(
        start=begun(run_id=run_id, started_at=at),
        ended_at=at + timedelta(minutes=1),
        stored=tuple(told),
        failed=(),
        checks=(check(),),
    )
    return replace(run, **more)  # type: ignore[arg-type]


@pytest.fixture
def untold(weekend: Weekend) -> Weekend:
    """The weekend without the events that the command wrote."""
    shutil.rmtree(weekend.folder / "lake/lineage")
    return weekend


@pytest.fixture
def told(untold: Weekend) -> Weekend:
    """The weekend after a run that landed it and one that did not."""
    first = run_over(untold, RUN_ID, BEGUN_AT)
    second = run_over(
        untold,
        SECOND_RUN,
        BEGUN_AT + timedelta(days=7),
        stored=(),
        checks=(),
        failed=(FailedPartition(dataset="laps", partition_key=RACE.key, error="RowsWouldBeLost"),),
    )
    files = EventFiles(untold.lake.store)
    for run in (first, second):
        files.write([*start_events(run.start), *end_events(run)])
    return untold


def test_a_story(told: Weekend) -> None:
    """Source, run, rows, revisions, checks and the ends of events, each where a person looks."""
    said = told.say(lineage, "laps", "2025/bahrain/race")
    assert said.status == 0, said.err
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert lines[0] == "laps of 2025/bahrain/race"
    assert f"file {told.lake.store.uri('')}" in "\n".join(lines)
    assert "source https://api.openf1.org/v1/laps?session_key=907047" in lines
    assert "rows 1,080" in lines
    assert f"last run {RUN_ID}" in lines
    assert "racing/lap_number_in_range passed lap_number 1 to 57" in lines
    assert "racing/laps_contiguous failed (warn) 1 to 57" in lines
    assert f"2026-11-23T06:04:17.250000+00:00 COMPLETE bronze_laps new 1,080 {RUN_ID}" in lines
    assert lines[-1] == (
        f"2026-11-30T06:05:07.250000+00:00 FAIL bronze_laps {SECOND_RUN} RowsWouldBeLost"
    )


def test_a_story_as_json(told: Weekend) -> None:
    """The same for programs, every event with its address."""
    data = told.say(lineage, "laps", "2025/bahrain/race", "--json").data
    stored = told.lake.read(DATASET["laps"], RACE)
    assert (data["dataset"], data["partition"]) == ("laps", "2025/bahrain/race")
    assert (data["rows"], data["session_key"]) == (1_080, 907047)
    assert data["content_sha256"] == stored.provenance.content_sha256
    assert [one["rows"] for one in data["revisions"]] == [1_080]
    assert [(one["rule"], one["passed"]) for one in data["checks"]] == [
        ("racing/lap_number_in_range", True),
        ("racing/laps_contiguous", False),
    ]
    told_of = [(one["job"], one["event_type"]) for one in data["events"]]
    assert told_of == [
        ("bronze_laps", "START"),
        ("bronze_laps", "COMPLETE"),
        ("bronze_laps_checks", "START"),
        ("bronze_laps_checks", "COMPLETE"),
        ("bronze_laps", "START"),
        ("bronze_laps", "FAIL"),
    ]
    assert all(Path(one["uri"].removeprefix("file://")).is_file() for one in data["events"])
    assert data["events"][1]["content_sha256"] == data["content_sha256"]


def test_the_command_has_told_its_own(weekend: Weekend) -> None:
    """After an ingest by the command the events are there, without a daemon."""
    said = weekend.say(lineage, "stints", "2025/bahrain/race")
    assert [line.split()[1:3] for line in said.out.splitlines() if " COMPLETE " in line] == [
        ["COMPLETE", "bronze_stints"],
        ["COMPLETE", "bronze_stints_checks"],
    ]


def test_before_any_event(untold: Weekend) -> None:
    """What the lake itself knows is told, and that no event does is said."""
    said = untold.say(lineage, "stints", "2025/bahrain/race")
    assert said.status == 0
    assert "stints?session_key=907047" in said.out
    assert "No lineage events. The sensor openlineage_events writes them" in said.out


def test_what_never_landed(weekend: Weekend) -> None:
    """A partition that only failed has a story too: its failures."""
    failed = FailedPartition(dataset="laps", partition_key="2025/monaco/race", error="Unreachable")
    run = run_over(weekend, RUN_ID, BEGUN_AT, stored=(), checks=(), failed=(failed,))
    EventFiles(weekend.lake.store).write(end_events(run))
    said = weekend.say(lineage, "laps", "2025/monaco/race")
    assert said.status == 0
    assert "It has never landed." in said.out
    assert said.out.splitlines()[-1].endswith(f"{RUN_ID}  Unreachable")
    data = weekend.say(lineage, "laps", "2025/monaco/race", "--json").data
    assert (data["file"], data["rows"], data["revisions"]) == (None, None, [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lap", "2025/bahrain/race"), "Did you mean laps? Choose from sessions,"),
        (("laps", "2025/bahrein/race"), "In the lake are 2025/bahrain/race"),
        (("laps", "bahrain"), "write YEAR/GRAND_PRIX/SESSION_TYPE"),
    ],
)
def test_mistakes(weekend: Weekend, words: tuple[str, str], said: str) -> None:
    """A wrong name is wrong use, with the nearest right ones."""
    answer = weekend.say(lineage, *words)
    assert (answer.status, answer.out) == (2, "")
    assert said in " ".join(answer.err.split())


def questions() -> list[str]:
    """The queries of docs/lineage.md."""
    return re.findall(r"^```sql\n(.*?)^```", PAGE, flags=re.M | re.S)


def test_all_sources_of_an_output(told: Weekend) -> None:
    """The endpoint, and the address that was asked."""
    sources, _ = questions()
    said = told.say(sql, sources, "--json")
    assert said.status == 0, said.err
    assert said.data == [
        {
            "namespace": "openf1-api",
            "name": "laps",
            "asked": "https://api.openf1.org/v1/laps?session_key=907047",
        }
    ]


def test_the_flow_of_a_session(told: Weekend) -> None:
    """Every landing, failure and check of the session in the order of time, and of no other."""
    other = run_over(
        told,
        "0e4f3b9a-1f0e-4f52-9a52-1d1b7a0d9b11",
        datetime(2026, 11, 24, tzinfo=UTC),
        stored=(landed(partition=SessionPartition.parse("2025/monaco/race")),),
        checks=(),
    )
    EventFiles(told.lake.store).write(end_events(other))
    _, flow = questions()
    said = told.say(sql, flow, "--json")
    assert said.status == 0, said.err
    rows = [(row["job"], row["eventType"], row["rows_written"], row["error"]) for row in said.data]
    assert rows == [
        ("bronze_laps", "COMPLETE", 1_080, None),
        ("bronze_results", "COMPLETE", 20, None),
        ("bronze_laps_checks", "COMPLETE", None, None),
        ("bronze_laps", "FAIL", None, "RowsWouldBeLost"),
    ]
    assert said.data[0]["sources"] == ["laps"]
    assert said.data[0]["file"] == str(told.file())
    assert said.data[2]["sources"] == [str(told.file())]
