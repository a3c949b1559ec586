"""Events in the lake: where they are, what happens when the lake fails, and their summaries."""

import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest

from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.sql import SUMMARY_SCHEMA, Views
from f1_bronze.telemetry.lineage import events
from f1_bronze.telemetry.lineage import names as paths
from f1_bronze.telemetry.lineage.event_files import EventFiles, read_event
from f1_bronze.telemetry.lineage.events import end_events, start_events
from f1_bronze.telemetry.lineage.partition_lineage import read_lineage
from f1_bronze.telemetry.lineage.summaries import Summaries
from f1_bronze.telemetry.run_results import RunEnd

from ..lake.fakes import MemoryStore, RecordingStore
from .lineage_examples import BEGUN_AT, RACE, RUN_ID, finished, run_start, stored_one

DAY, NEXT_DAY = date(2026, 11, 23), date(2026, 11, 24)
ALL = [*start_events(run_start()), *end_events(finished())]


def rows_of(store: MemoryStore, day: date = DAY) -> list[dict[str, Any]]:
    """The rows of a day's summary."""
    return pq.read_table(io.BytesIO(store.objects[paths.summary_path(day)])).to_pylist()


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_written_and_read(kind: str, tmp_path: Path) -> None:
    """Events of a dataset share a file, a line each; a day and a dataset find theirs again."""
    store = MemoryStore() if kind == "memory" else LocalStore(tmp_path)
    files = EventFiles(store)
    assert files.write(ALL) == {DAY}
    assert sorted(files.of_day(DAY)) == sorted((event.path, event.data) for event in ALL)
    paths_of_laps = {event.path for event in ALL if "_laps_" in event.path}
    assert len(paths_of_laps) == 1
    assert files.of_day(NEXT_DAY) == []
    of_laps = [read_event(path, data) for path, data in files.of_dataset("laps")]
    assert {event.job for event in of_laps if event} == {"bronze_laps", "bronze_laps_checks"}
    assert len(of_laps) == 6


def test_written_again() -> None:
    """Events that are made again leave the lake as it is, byte for byte."""
    store = MemoryStore()
    EventFiles(store).write(ALL)
    before = dict(store.objects)
    EventFiles(store).write([*start_events(run_start()), *end_events(finished())])
    assert store.objects == before
    assert len(before) == 4  # the run's start and end, laps, results


def test_a_lake_that_fails() -> None:
    """The lake's own error is passed on, and writing all of them again mends it."""
    store = RecordingStore(MemoryStore())
    store.fail_after(3)
    with pytest.raises(LakeUnavailable):
        EventFiles(store).write(ALL)
    EventFiles(store).write(ALL)
    contents: dict[str, bytes] = {}
    for event in ALL:
        contents[event.path] = contents.get(event.path, b"") + event.data
    assert store.contents() == contents


def test_a_run_over_midnight() -> None:
    """Its events lie in the folders of both days, and both are named."""
    at = BEGUN_AT.replace(hour=23, minute=59, second=55)
    one = stored_one(at=at + timedelta(seconds=1))
    run = finished(
        start=run_start(started_at=at), ended_at=at + timedelta(minutes=1), stored=(one,)
    )
    store = MemoryStore()
    assert EventFiles(store).write(end_events(run)) == {DAY, NEXT_DAY}
    assert len(EventFiles(store).of_day(DAY)) + len(EventFiles(store).of_day(NEXT_DAY)) == 7


def test_a_dataset_of_many_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file has so many events at most; each path is one that the lake promises, and no two runs
    share one."""
    monkeypatch.setattr(events, "_MOST_IN_FILE", 3)
    stores = [MemoryStore(), MemoryStore()]
    for store, run_id in zip(stores, (RUN_ID, str(UUID(int=7, version=4))), strict=True):
        EventFiles(store).write(end_events(finished(start=run_start(run_id=run_id))))
        assert sorted(len(data.splitlines()) for data in store.objects.values()) == [1, 2, 3, 3]
        assert all(paths.parse_event_path(path) for path in store.objects)
    assert not stores[0].objects.keys() & stores[1].objects.keys()


def test_an_upgrade_in_mid_run() -> None:
    """Events that an older release has written, each into a file of its own, are counted once when
    this one writes them into their shared files."""
    store = MemoryStore()
    for event in ALL:
        store.write(event.id, event.data, {})
    assert EventFiles(store).find(ALL[2].id) == ALL[2].data
    EventFiles(store).write(ALL)
    assert sorted(data for _, data in EventFiles(store).of_day(DAY)) == sorted(
        event.data for event in ALL
    )
    with Views(store).answer("SELECT count(*), count(DISTINCT event) FROM lineage") as found:
        assert found.fetchall() == [(len(ALL), len(ALL))]


def test_an_event_is_found_by_its_id() -> None:
    """Each event of a shared file is known by its id; what the lake does not have is None."""
    store = MemoryStore()
    EventFiles(store).write(ALL)
    assert [EventFiles(store).find(event.id) for event in ALL] == [event.data for event in ALL]
    assert EventFiles(store).find(ALL[0].id.replace("run_", "run_9")) is None
    assert EventFiles(store).find("notes.json") is None


def test_no_events() -> None:
    """Nothing to write is nothing written."""
    store = MemoryStore()
    assert EventFiles(store).write([]) == set()
    assert store.objects == {}


def test_a_summary() -> None:
    """A row for each job and dataset: runs, ends, rows and bytes written, checks, times."""
    store = MemoryStore()
    days = EventFiles(store).write(ALL)
    assert Summaries(store).refresh(days) == [
        "lineage/summaries/year=2026/month=11/day=23/lineage_summary_20261123.parquet"
    ]
    rows = {row["job"]: row for row in rows_of(store)}
    assert list(rows) == [
        "bronze_laps",
        "bronze_laps_checks",
        "bronze_results",
        "dagster_bronze_sessions",
    ]
    assert rows["bronze_laps"] == {
        "day": DAY,
        "job": "bronze_laps",
        "dataset": "laps",
        "runs": 2,
        "completed": 1,
        "failures": 1,
        "aborted": 0,
        "rows": 1_080,
        "bytes": 34_567,
        "files": 1,
        "assertions": 0,
        "failed_assertions": 0,
        "events": 4,
        "first_event": BEGUN_AT,
        "last_event": BEGUN_AT + timedelta(minutes=1),
    }
    checks, run = rows["bronze_laps_checks"], rows["dagster_bronze_sessions"]
    assert (checks["assertions"], checks["failed_assertions"]) == (2, 1)
    assert (run["dataset"], run["runs"], run["failures"], run["events"]) == (None, 1, 1, 2)
    assert rows["bronze_results"]["rows"] == 20


def test_a_summary_grows() -> None:
    """A later run of the day is added, a day without news is not written again."""
    store = RecordingStore(MemoryStore())
    summaries = Summaries(store)
    summaries.refresh(EventFiles(store).write(ALL))
    later = replace(
        finished(end=RunEnd.CANCELED),
        start=run_start(run_id="9e107d9d-372b-4b3e-8f5a-1f2e3d4c5b6a"),
        ended_at=BEGUN_AT + timedelta(hours=2),
    )
    store.clear()
    [changed] = summaries.refresh(EventFiles(store).write(end_events(later)))
    assert store.written[-1] == changed
    [laps] = [r for r in rows_of(store.inner) if r["job"] == "bronze_laps"]  # type: ignore[arg-type]
    assert (laps["runs"], laps["rows"], laps["aborted"], laps["failures"]) == (4, 2_160, 1, 1)
    assert laps["last_event"] == BEGUN_AT + timedelta(hours=2)
    store.clear()
    assert summaries.refresh([DAY]) == []
    assert store.written == []


def test_what_is_no_event(caplog: pytest.LogCaptureFixture) -> None:
    """A file that is no event is left out of the summary, which says so, and hides no other."""
    store = MemoryStore()
    EventFiles(store).write(ALL)
    store.objects[ALL[0].path] = b"{torn"
    store.objects[f"{paths.day_folder(DAY)}notes.json"] = b"{}"
    Summaries(store).refresh([DAY])
    assert [row["events"] for row in rows_of(store)] == [4, 2, 2, 1]
    assert len(caplog.messages) == 2
    assert ALL[0].path in "".join(caplog.messages)


def test_reading_an_event() -> None:
    """What is no event is None; an event whose parts are of other types reads as empty."""
    assert [read_event("x", data) for data in (b"", b"[]", b"null", b"{}", b"\xff")] == [None] * 5
    strange = {
        "eventTime": "2026-11-23T06:04:07",
        "eventType": "COMPLETE",
        "run": {"runId": "r", "facets": {"tags": {"tags": 3}}},
        "job": {"name": "j"},
        "inputs": [3],
        "outputs": {"a": 1},
    }
    event = read_event("x", json.dumps(strange).encode())
    assert event is not None
    assert (event.tags, event.inputs, event.outputs) == ({}, [], [])
    assert event.at == datetime(2026, 11, 23, 6, 4, 7, tzinfo=UTC)


def test_summaries_in_sql() -> None:
    """The view over all summaries has their rows and columns, and is empty without any."""
    store = MemoryStore()
    question = "SELECT job, dataset, runs, rows FROM lineage_summaries ORDER BY job LIMIT 1"
    with Views(store).answer(question) as none:
        assert none.fetchall() == []
    Summaries(store).refresh(EventFiles(store).write(ALL))
    with Views(store).answer(question) as found:
        assert found.fetchall() == [("bronze_laps", "laps", 2, 1_080)]
    [path] = [path for path in store.objects if path.startswith("lineage/summaries/")]
    assert pq.read_schema(io.BytesIO(store.objects[path])).equals(SUMMARY_SCHEMA)


def test_events_in_sql() -> None:
    """The view `lineage_events` has every event, as `lineage` has."""
    store = MemoryStore()
    EventFiles(store).write(ALL)
    for name in ("lineage", "lineage_events"):
        with Views(store).answer(f"SELECT count(*) FROM {name}") as found:
            assert found.fetchall() == [(len(ALL),)]


def test_events_of_an_older_release() -> None:
    """Events that named files as datasets, with Dagster's run id as their own, are still read."""
    folder = "bronze/laps/year=2025/grand_prix=bahrain/session_type=race/"
    file = {"namespace": "file", "name": f"/srv/lake/{folder}laps_9472.parquet"}
    assertion = {"assertion": "values", "name": "values/x", "success": False, "severity": "error"}
    checked = {"dataQualityAssertions": {"assertions": [assertion]}}
    parent = {"run": {"runId": RUN_ID}}
    tags = [{"key": "partition", "value": RACE.key}]
    written = {
        "eventTime": "2026-11-20T06:00:00Z",
        "eventType": "COMPLETE",
        "run": {"runId": "1", "facets": {"tags": {"tags": tags}, "parent": parent}},
        "job": {"name": "bronze_laps"},
        "outputs": [{**file, "facets": {"dataQualityMetrics": {"rowCount": 7}}}],
    }
    checks = {
        "eventTime": "2026-11-20T06:01:00Z",
        "eventType": "COMPLETE",
        "run": {"runId": "2", "facets": {"parent": parent}},
        "job": {"name": "bronze_laps_checks"},
        "inputs": [{**file, "inputFacets": checked}],
    }
    files = [(str(n), json.dumps(one).encode()) for n, one in enumerate((written, checks))]
    found = read_lineage(RACE.key, f"/{folder}", files)
    assert [(one.job, one.dagster_run_id) for one in found.events] == [
        ("bronze_laps", RUN_ID),
        ("bronze_laps_checks", RUN_ID),
    ]
    assert (found.events[0].output, found.events[0].rows) == (file["name"], 7)
    assert [(one.rule, one.passed) for one in found.checks] == [("values/x", False)]
