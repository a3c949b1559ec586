"""f1-bronze lineage, and the two questions of docs/guides/lineage.md through f1-bronze sql."""

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

from ..telemetry.lineage_examples import (
    BEGUN_AT,
    RUN_ID,
    check,
    finished,
    run_start,
    stored_one,
)
from ..weekend import DATASET, RACE, Weekend

SECOND_RUN = "9e107d9d-372b-4b3e-8f5a-1f2e3d4c5b6a"
PAGE = (Path(__file__).parents[2] / "docs/guides/lineage.md").read_text("utf-8")


def run_over(weekend: Weekend, run_id: str, at: datetime, **more: object) -> RunResult:
    """A run that stored laps and results of the race as the lake has them, and checked laps."""
    stored = []
    for name in ("results", "laps"):
        file = weekend.lake.read(DATASET[name], RACE)
        stored.append(
            stored_one(
                name,
                uri=weekend.file(name).as_uri().replace("%3D", "="),
                session_key=file.provenance.session_key,
                source_url=f"https://api.openf1.org/v1/{file.provenance.source}",
                rows=file.table.num_rows,
                content_sha256=file.provenance.content_sha256,
                at=at + timedelta(seconds=10),
            )
        )
    run = finished(
        start=run_start(run_id=run_id, started_at=at),
        ended_at=at + timedelta(minutes=1),
        stored=tuple(stored),
        failed=(),
        checks=(check(),),
    )
    return replace(run, **more)  # type: ignore[arg-type]


@pytest.fixture
def without_events(weekend: Weekend) -> Weekend:
    """The weekend without the events that the command wrote."""
    shutil.rmtree(weekend.folder / "lake/lineage")
    return weekend


@pytest.fixture
def with_events(without_events: Weekend) -> Weekend:
    """The weekend after a run that stored it and one that did not."""
    first = run_over(without_events, RUN_ID, BEGUN_AT)
    second = run_over(
        without_events,
        SECOND_RUN,
        BEGUN_AT + timedelta(days=7),
        stored=(),
        checks=(),
        failed=(FailedPartition(dataset="laps", partition_key=RACE.key, error="RowsWouldBeLost"),),
    )
    files = EventFiles(without_events.lake.store)
    for run in (first, second):
        files.write([*start_events(run.start), *end_events(run)])
    return without_events


def test_for_people(with_events: Weekend) -> None:
    """Source, run, rows, revisions, checks and the ends of events, each where a person looks."""
    ran = with_events.run(lineage, "laps", "2025/bahrain/race")
    assert ran.status == 0, ran.err
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[0] == "laps of 2025/bahrain/race"
    assert f"file {with_events.lake.store.uri('')}" in "\n".join(lines)
    assert "source https://api.openf1.org/v1/laps?session_key=907047" in lines
    assert "rows 1,080" in lines
    assert f"last run {RUN_ID}" in lines
    assert "racing/lap_number_in_range passed lap_number 1 to 57" in lines
    assert "racing/laps_contiguous failed (warn) 1 to 57" in lines
    assert f"2026-11-23T06:04:17+00:00 COMPLETE bronze_laps new 1,080 {RUN_ID}" in lines
    assert lines[-1] == (f"2026-11-30T06:05:07+00:00 FAIL bronze_laps {SECOND_RUN} RowsWouldBeLost")


def test_for_programs(with_events: Weekend) -> None:
    """The same for programs, every event with its address."""
    data = with_events.run(lineage, "laps", "2025/bahrain/race", "--json").data
    stored = with_events.lake.read(DATASET["laps"], RACE)
    assert (data["dataset"], data["partition"]) == ("laps", "2025/bahrain/race")
    assert (data["rows"], data["session_key"]) == (1_080, 907047)
    assert data["content_sha256"] == stored.provenance.content_sha256
    assert [one["rows"] for one in data["revisions"]] == [1_080]
    assert [(one["rule"], one["passed"]) for one in data["checks"]] == [
        ("racing/lap_number_in_range", True),
        ("racing/laps_contiguous", False),
    ]
    listed = [(one["job"], one["event_type"]) for one in data["events"]]
    assert listed == [
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
    ran = weekend.run(lineage, "stints", "2025/bahrain/race")
    assert [line.split()[1:3] for line in ran.out.splitlines() if " COMPLETE " in line] == [
        ["COMPLETE", "bronze_stints"],
        ["COMPLETE", "bronze_stints_checks"],
    ]


def test_before_any_event(without_events: Weekend) -> None:
    """What the lake itself knows is printed, and that there are no events."""
    ran = without_events.run(lineage, "stints", "2025/bahrain/race")
    assert ran.status == 0
    assert "stints?session_key=907047" in ran.out
    assert "There are no lineage events. The sensor openlineage_events writes them" in ran.out


def test_what_never_landed(weekend: Weekend) -> None:
    """A partition that only failed has a story too: its failures."""
    failed = FailedPartition(dataset="laps", partition_key="2025/monaco/race", error="Unreachable")
    run = run_over(weekend, RUN_ID, BEGUN_AT, stored=(), checks=(), failed=(failed,))
    EventFiles(weekend.lake.store).write(end_events(run))
    ran = weekend.run(lineage, "laps", "2025/monaco/race")
    assert ran.status == 0
    assert "The lake has never held it." in ran.out
    assert ran.out.splitlines()[-1].endswith(f"{RUN_ID}  Unreachable")
    data = weekend.run(lineage, "laps", "2025/monaco/race", "--json").data
    assert (data["file"], data["rows"], data["revisions"]) == (None, None, [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lap", "2025/bahrain/race"), "Did you mean laps? Choose from sessions,"),
        (("laps", "2025/bahrein/race"), "The lake has 2025/bahrain/race"),
        (("laps", "bahrain"), "write YEAR/GRAND_PRIX/SESSION_TYPE"),
    ],
)
def test_mistakes(weekend: Weekend, words: tuple[str, str], message: str) -> None:
    """A wrong name is wrong use, with the nearest right ones."""
    answer = weekend.run(lineage, *words)
    assert (answer.status, answer.out) == (2, "")
    assert message in " ".join(answer.err.split())


def questions() -> list[str]:
    """The queries of docs/guides/lineage.md."""
    return re.findall(r"^```sql\n(.*?)^```", PAGE, flags=re.M | re.S)


def test_all_sources_of_an_output(with_events: Weekend) -> None:
    """The endpoint with the address that was asked, and the table sessions."""
    sources, *_ = questions()
    ran = with_events.run(sql, sources, "--json")
    assert ran.status == 0, ran.err
    bronze = str(with_events.file("sessions")).partition("/sessions/year=")[0]
    assert ran.data == [
        {"namespace": "file", "name": f"{bronze}/sessions", "asked": None},
        {
            "namespace": "openf1-api",
            "name": "laps",
            "asked": "https://api.openf1.org/v1/laps?session_key=907047",
        },
    ]


def test_the_flow_of_a_session(with_events: Weekend) -> None:
    """Every landing, failure and check of the session in the order of time, and of no other."""
    other = run_over(
        with_events,
        "0e4f3b9a-1f0e-4f52-9a52-1d1b7a0d9b11",
        datetime(2026, 11, 24, tzinfo=UTC),
        stored=(stored_one(partition=SessionPartition.parse("2025/monaco/race")),),
        checks=(),
    )
    EventFiles(with_events.lake.store).write(end_events(other))
    _, flow, _ = questions()
    ran = with_events.run(sql, flow, "--json")
    assert ran.status == 0, ran.err
    rows = [(row["job"], row["eventType"], row["rows_written"], row["error"]) for row in ran.data]
    assert rows == [
        ("bronze_laps", "COMPLETE", 1_080, None),
        ("bronze_results", "COMPLETE", 20, None),
        ("bronze_laps_checks", "COMPLETE", None, None),
        ("bronze_laps", "FAIL", None, "RowsWouldBeLost"),
    ]
    table = str(with_events.file()).partition("/year=")[0]
    assert ran.data[0]["sources"] == ["laps", f"{table.removesuffix('laps')}sessions"]
    assert ran.data[0]["written"] == table
    assert ran.data[2]["sources"] == [table]
