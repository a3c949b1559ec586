"""A run over partitions: what lands, what is recorded, and how one failure stays one failure."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.definitions import assemble
from f1_bronze.defs.partitions import register
from f1_bronze.defs.record.latest import read_latest
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Candidate
from f1_bronze.settings import Settings
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator
from f1_bronze_tests.judges import NoRules

QUALIFYING, RACE = "2025/bahrain/qualifying", "2025/bahrain/race"
NEXT = "2025/saudi_arabian/race"
KEYS = {QUALIFYING: 907043, RACE: 907047}
DATASET = {dataset.name: dataset for dataset in DATASETS}

Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(autouse=True)
def partitions(instance: dg.DagsterInstance) -> None:
    """Three sessions are registered."""
    register(instance, [SessionPartition.parse(key) for key in (QUALIFYING, RACE, NEXT)])


@pytest.fixture
def lake(settings: Settings) -> Lake:
    """The lake that the runs write to."""
    return Lake.at(settings.lake_uri)


def stored(result: dg.ExecuteInProcessResult) -> list[tuple[str, str]]:
    """Dataset and partition of each materialization, in order."""
    return [
        (event.asset_key.path[-1], event.partition)
        for event in result.all_events
        if event.is_step_materialization
    ]


def revisions(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], str]:
    """What each materialization says that became of the answer."""
    return {
        (event.asset_key.path[-1], event.partition): event.materialization.metadata[
            "revision"
        ].value
        for event in result.all_events
        if event.is_step_materialization
    }


def failure(result: dg.ExecuteInProcessResult) -> str:
    """The text of the failure that a run ended in."""
    [event] = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def statuses(instance: dg.DagsterInstance, dataset: str) -> tuple[set[str], set[str]]:
    """The partitions that Dagster shows as materialized, and as failed."""
    from dagster._core.storage.partition_status_cache import (
        get_and_update_asset_status_cache_value,
    )

    definition = dg.DynamicPartitionsDefinition(name="f1_sessions")
    key = dg.AssetKey(["bronze", dataset])
    value = get_and_update_asset_status_cache_value(instance, key, definition)
    return (
        set(value.deserialize_materialized_partition_subsets(definition).get_partition_keys()),
        set(value.deserialize_failed_partition_subsets(definition).get_partition_keys()),
    )


def test_a_weekend_is_stored_in_one_run(
    materialize: Materialize, simulator: Simulator, lake: Lake
) -> None:
    """Two sessions cost one call per dataset and two for the calendar, and every row is there."""
    result = materialize("bronze_sessions", QUALIFYING, RACE)
    assert result.success
    assert sorted(stored(result)) == sorted(
        (name, key)
        for name in ("sessions", "drivers", "results", "laps")
        for key in (QUALIFYING, RACE)
    )
    assert simulator.control.state()["by_endpoint"] == {
        "sessions": 1,
        "meetings": 1,
        "drivers": 1,
        "session_result": 1,
        "laps": 1,
    }
    race = SessionPartition.parse(RACE)
    assert lake.read(DATASET["drivers"], race).table.num_rows == 20
    assert lake.read(DATASET["laps"], race).table.num_rows > 900
    assert lake.read(DATASET["sessions"], race).records(DATASET["sessions"])[0]["year"] == 2025


def test_metadata_and_data_version(
    materialize: Materialize, instance: dg.DagsterInstance, settings: Settings
) -> None:
    """A materialization carries all that DESIGN.md names, and its content hash as data version."""
    result = materialize("bronze_sessions", QUALIFYING, RACE, select=["sessions", "laps"])
    [event] = [
        event
        for event in result.all_events
        if event.is_step_materialization
        and event.asset_key.path[-1] == "laps"
        and event.partition == RACE
    ]
    metadata = {name: value.value for name, value in event.materialization.metadata.items()}
    assert set(metadata) >= {
        "dagster/row_count",
        "dagster/uri",
        "dagster/column_schema",
        "session_key",
        "size_bytes",
        "content_sha256",
        "revision",
        "rows_added",
        "rows_removed",
        "rows_changed",
        "api_requests",
        "api_retries",
        "extract_seconds",
        "source_url",
        "preview",
    }
    path = Path(settings.lake_uri, "bronze/laps/year=2025/grand_prix=bahrain/session_type=race")
    file = path / f"laps_{KEYS[RACE]}.parquet"
    assert metadata["dagster/uri"] == f"file://{file}"
    assert metadata["size_bytes"] == file.stat().st_size
    assert metadata["session_key"] == KEYS[RACE]
    assert metadata["revision"] == "new"
    assert metadata["rows_added"] == metadata["dagster/row_count"] > 900
    assert metadata["source_url"] == f"{settings.openf1_url}/laps?session_key={KEYS[RACE]}"
    assert metadata["preview"].startswith("| driver_number | lap_number | date_start |")
    assert event.materialization.tags["dagster/data_version"] == metadata["content_sha256"]
    stored = instance.get_latest_data_version_record(
        dg.AssetKey(["bronze", "laps"]), partition_key=RACE
    )
    assert metadata["content_sha256"] in stored.event_log_entry.tags.values()


def test_calls_add_up(materialize: Materialize, simulator: Simulator) -> None:
    """The calls that the materializations record are the calls that were made, each partition with
    its share of those that it had in common with others."""
    result = materialize("bronze_sessions", QUALIFYING, RACE)
    metadata = [e.materialization.metadata for e in result.all_events if e.is_step_materialization]
    recorded = [each["api_requests"].value for each in metadata]
    assert sum(recorded) == simulator.control.state()["calls"] == 5
    assert recorded == [1.0, 1.0] + [0.5] * 6
    assert sum(each["api_requests_counted"].value for each in metadata) == 5


def test_the_same_again_writes_nothing(materialize: Materialize, settings: Settings) -> None:
    """A second run says `unchanged` and leaves every file as it was."""
    materialize("bronze_sessions", QUALIFYING, RACE)
    files = {f: f.stat().st_mtime_ns for f in Path(settings.lake_uri).rglob("*") if f.is_file()}
    again = materialize("bronze_sessions", QUALIFYING, RACE)
    assert set(revisions(again).values()) == {"unchanged"}
    after = {f: f.stat().st_mtime_ns for f in Path(settings.lake_uri).rglob("*") if f.is_file()}
    assert after == files


def test_races_need_no_calendar(
    materialize: Materialize, simulator: Simulator, settings: Settings
) -> None:
    """Once a session is stored, the lake knows its key: stints and pit stops cost a call each."""
    materialize("bronze_sessions", RACE, select=["sessions"])
    simulator.control.reset()
    result = materialize("bronze_races", RACE)
    assert result.success
    assert sorted(stored(result)) == [("pit_stops", RACE), ("stints", RACE)]
    assert simulator.control.state()["by_endpoint"] == {"stints": 1, "pit": 1}


def test_races_without_sessions_ask_the_calendar(
    materialize: Materialize, simulator: Simulator
) -> None:
    """Stints of a session that is not stored are found through the calendar."""
    result = materialize("bronze_races", RACE, select=["stints"])
    assert stored(result) == [("stints", RACE)]
    assert simulator.control.state()["by_endpoint"] == {"sessions": 1, "meetings": 1, "stints": 1}


def test_an_optional_dataset_fails_alone(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """Laps that cannot be had keep nothing else from being stored, and are not stored as empty."""
    simulator.control.add_faults(
        InjectedFault(kind="unknown_path", endpoint="laps"),
    )
    result = materialize("bronze_sessions", QUALIFYING, RACE)
    assert not result.success
    assert {name for name, _ in stored(result)} == {"sessions", "drivers", "results"}
    assert failure(result).startswith(f"{QUALIFYING} laps and 1 more (laps of 2 sessions): OpenF1")
    assert statuses(instance, "laps") == (set(), {QUALIFYING, RACE})
    assert statuses(instance, "drivers") == ({QUALIFYING, RACE}, set())


def test_one_session_fails_alone(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """A record without its key fails its own partition and dataset; the rest is stored."""
    simulator.control.add_faults(
        InjectedFault(
            kind="edit",
            endpoint="session_result",
            match={"session_key": KEYS[RACE], "position": 1},
            patch={"driver_number": None},
        )
    )
    result = materialize("bronze_sessions", QUALIFYING, RACE)
    assert not result.success
    assert ("results", QUALIFYING) in stored(result)
    assert ("results", RACE) not in stored(result)
    first_line = failure(result).splitlines()[0]
    assert first_line.startswith(f"{RACE} results: A record of results has no driver_number")
    assert statuses(instance, "results") == ({QUALIFYING}, {RACE})


def test_a_body_that_is_no_json_is_no_empty_answer(
    materialize: Materialize, simulator: Simulator, settings: Settings
) -> None:
    """HTML with status 200 is asked again, and the answer that follows is stored."""
    simulator.control.add_faults(InjectedFault(kind="html_200", endpoint="drivers", times=1))
    assert materialize("bronze_sessions", RACE).success
    materialized = Path(settings.lake_uri, "bronze/drivers").rglob("*.parquet")
    assert len(list(materialized)) == 1
    assert simulator.control.state()["by_endpoint"]["drivers"] == 2


def test_an_answer_without_rows_is_stored_as_empty(
    materialize: Materialize, simulator: Simulator, lake: Lake
) -> None:
    """It becomes a file with the full schema and no rows, and the revision is `empty`."""
    simulator.control.add_faults(InjectedFault(kind="empty", endpoint="laps"))
    result = materialize("bronze_sessions", RACE)
    assert result.success
    assert revisions(result)[("laps", RACE)] == "empty"
    table = lake.read(DATASET["laps"], SessionPartition.parse(RACE)).table
    assert table.num_rows == 0
    assert table.column_names == [*DATASET["laps"].column_names, "extra_fields"]


def test_a_correction_is_changed_and_a_loss_refused(
    materialize: Materialize, simulator: Simulator, lake: Lake
) -> None:
    """Corrected rows replace the file; an answer that lost rows fails and the file stays."""
    materialize("bronze_sessions", RACE, select=["sessions", "results"])
    race = SessionPartition.parse(RACE)
    simulator.control.set_faults(
        [
            InjectedFault(
                kind="edit", endpoint="session_result", match={"position": 3}, patch={"points": 0.0}
            )
        ]
    )
    corrected = materialize("bronze_sessions", RACE, select=["results"])
    assert revisions(corrected) == {("results", RACE): "changed"}
    before = lake.read(DATASET["results"], race).table
    simulator.control.set_faults(
        [InjectedFault(kind="drop_rows", endpoint="session_result", rows_share=0.2)]
    )
    refused = materialize("bronze_sessions", RACE, select=["results"])
    assert not refused.success
    assert f"{RACE} results: OpenF1's answer lacks 4 rows that the lake has" in failure(refused)
    assert lake.read(DATASET["results"], race).table.equals(before)
    config = {"ops": {"ingest_sessions": {"config": {"accept_loss": True}}}}
    accepted = materialize("bronze_sessions", RACE, select=["results"], run_config=config)
    assert revisions(accepted) == {("results", RACE): "changed"}
    assert lake.read(DATASET["results"], race).table.num_rows == 16
    kept = [entry.path for entry in lake.store.list("revisions/results/")]
    assert len([path for path in kept if path.endswith(".parquet")]) == 3  # two, and one refused


def test_a_correction_names_rows_and_columns(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """A correction's materialization shows which values changed, and has them as data."""
    first = materialize("bronze_sessions", RACE, select=["sessions", "results"])
    assert what_changed(first) == "All rows are new."
    simulator.control.set_faults(
        [
            InjectedFault(
                kind="edit",
                endpoint="session_result",
                match={"position": 1},
                patch={"points": 0.0, "dsq": True},
            )
        ]
    )
    corrected = what_changed(materialize("bronze_sessions", RACE, select=["results"]))
    head, _, points, dsq = corrected.splitlines()
    assert head == "| what | row | column | before | after |"
    assert re.fullmatch(r"\| changed \| driver_number \d+ \| points \| 2[56].0 \| 0.0 \|", points)
    assert re.fullmatch(r"\| changed \| driver_number \d+ \| dsq \| False \| True \|", dsq)
    recorded = read_latest(instance, DATASET["results"], {RACE})[RACE].changes(DATASET["results"])
    assert recorded is not None
    [row] = recorded.changed_values
    assert [(v.column, v.before, v.after) for v in row.values][1] == ("dsq", False, True)
    again = materialize("bronze_sessions", RACE, select=["results"])
    assert what_changed(again) == "Nothing."
    assert (
        read_latest(instance, DATASET["results"], {RACE})[RACE].changes(DATASET["results"]) is None
    )


def what_changed(result: dg.ExecuteInProcessResult) -> str:
    """What the materialization of the results says that changed."""
    [text] = [
        event.materialization.metadata["what_changed"].value
        for event in result.all_events
        if event.is_step_materialization and event.asset_key.path[-1] == "results"
    ]
    return text


def test_closed_for_a_live_session(materialize: Materialize, simulator: Simulator) -> None:
    """A closed API costs one call and ends in a failure that says when to come back."""
    simulator.control.change_behaviour(live=True)
    result = materialize("bronze_sessions", QUALIFYING, RACE)
    first_line = failure(result).splitlines()[0]
    assert first_line.startswith(
        f"{QUALIFYING} sessions and 7 more (sessions, drivers, results, laps of 2 sessions): "
        "OpenF1 is closed to free users"
    )
    assert "come back in 30 to 180 minutes" in first_line
    [event] = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data.user_failure_data
    assert data.metadata["retry_after_seconds"].value == 3600.0
    assert simulator.control.state()["calls"] == 1


def test_a_partition_without_a_session(
    materialize: Materialize, instance: dg.DagsterInstance
) -> None:
    """A key that the calendar does not have fails with the reason, and the others are stored."""
    register(instance, [SessionPartition.parse("2025/atlantis/race")])
    result = materialize("bronze_sessions", NEXT, "2025/atlantis/race", select=["sessions"])
    assert stored(result) == [("sessions", NEXT)]
    assert failure(result).startswith(
        "2025/atlantis/race sessions: OpenF1's calendar has no ended session of this name."
    )


def test_a_lake_that_breaks_spares_the_api(
    settings: Settings, instance: dg.DagsterInstance, simulator: Simulator, tmp_path: Path
) -> None:
    """When the lake cannot be written every partition fails of it and nothing more is asked."""
    season = tmp_path / "lake" / "bronze" / "drivers" / "year=2025"
    season.mkdir(parents=True)
    (season / "grand_prix=bahrain").write_text("in the way")
    result = (
        assemble(settings, judge=NoRules())
        .resolve_job_def("bronze_sessions")
        .execute_in_process(
            instance=instance,
            tags={
                "dagster/asset_partition_range_start": QUALIFYING,
                "dagster/asset_partition_range_end": RACE,
            },
            raise_on_error=False,
        )
    )
    assert not result.success
    assert {name for name, _ in stored(result)} == {"sessions"}
    assert "The lake folder cannot be used: could not " in failure(result).splitlines()[0]
    assert "and 5 more (drivers, results, laps of 2 sessions)" in failure(result).splitlines()[0]
    assert "laps" not in simulator.control.state()["by_endpoint"]


def test_a_second_attempt_asks_only_for_what_is_missing(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """Re-executed from failure, a run asks for what is not stored, and nothing stored turns red."""
    fault = InjectedFault(kind="unknown_path", endpoint="laps")
    simulator.control.add_faults(fault)
    first = materialize("bronze_sessions", QUALIFYING, RACE)
    again = {
        "dagster/root_run_id": first.run_id,
        "dagster/parent_run_id": first.run_id,
        "dagster/is_resume_retry": "true",
    }
    simulator.control.reset()
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="laps"))
    second = materialize("bronze_sessions", QUALIFYING, RACE, tags=again)
    assert simulator.control.state()["by_endpoint"] == {"laps": 1}
    assert statuses(instance, "drivers") == ({QUALIFYING, RACE}, set())
    repeated = [e.materialization.metadata for e in second.all_events if e.is_step_materialization]
    assert {each["told_again_from"].value for each in repeated} == {first.run_id}
    assert {each["api_requests"].value for each in repeated} == {0}
    assert {each["revision"].value for each in repeated} == {"new"}
    simulator.control.set_faults([])
    third = materialize(
        "bronze_sessions", QUALIFYING, RACE, tags={**again, "dagster/parent_run_id": second.run_id}
    )
    assert third.success
    assert statuses(instance, "laps") == ({QUALIFYING, RACE}, set())


def test_what_was_stored_since_is_not_hidden(
    materialize: Materialize, simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    """A further attempt of an old run does not repeat what another run has corrected since."""
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="laps"))
    old = materialize("bronze_sessions", RACE, RACE)
    correction = InjectedFault(
        kind="edit", endpoint="session_result", match={"position": 1}, patch={"points": 0.0}
    )
    simulator.control.set_faults([correction])
    materialize("bronze_sessions", RACE, RACE, select=["results"])
    again = {"dagster/parent_run_id": old.run_id, "dagster/is_resume_retry": "true"}
    further = materialize("bronze_sessions", RACE, RACE, tags=again)
    assert revisions(further)[("results", RACE)] == "unchanged"
    repeated = {
        event.asset_key.path[-1]
        for event in further.all_events
        if event.is_step_materialization and "told_again_from" in event.materialization.metadata
    }
    assert repeated == {"sessions", "drivers"}


def test_re_executing_all_asks_for_everything(
    materialize: Materialize, simulator: Simulator
) -> None:
    """A run that is re-executed as a whole is no further attempt: corrections are picked up."""
    first = materialize("bronze_sessions", RACE, RACE)
    simulator.control.reset()
    again = {"dagster/root_run_id": first.run_id, "dagster/parent_run_id": first.run_id}
    assert materialize("bronze_sessions", RACE, RACE, tags=again).success
    assert simulator.control.state()["calls"] == 5


def test_a_key_added_by_hand_fails_alone(
    materialize: Materialize, instance: dg.DagsterInstance
) -> None:
    """A key that is no session's fails with what to do; the others are stored."""
    instance.add_dynamic_partitions("f1_sessions", ["foo"])
    result = materialize("bronze_sessions", NEXT, "foo", select=["sessions"])
    assert stored(result) == [("sessions", NEXT)]
    assert failure(result).startswith("foo sessions: 'foo' is no session's key. ")
    register(instance, [SessionPartition.parse("2024/bahrain/race")])
    assert instance.get_dynamic_partitions("f1_sessions") == [
        "2024/bahrain/race",
        QUALIFYING,
        RACE,
        NEXT,
        "foo",
    ]


def test_each_cause_has_one_line(materialize: Materialize, simulator: Simulator) -> None:
    """However many partitions fail of one cause, another cause is not hidden behind them."""
    simulator.control.add_faults(
        InjectedFault(kind="unknown_path", endpoint="drivers"),
        InjectedFault(kind="unknown_path", endpoint="laps"),
    )
    drivers, laps = failure(materialize("bronze_sessions", QUALIFYING, RACE)).splitlines()
    assert drivers.startswith(f"{QUALIFYING} drivers and 1 more (drivers of 2 sessions): OpenF1")
    assert laps.startswith(f"{QUALIFYING} laps and 1 more (laps of 2 sessions): OpenF1 refused")


def test_live_sessions_are_no_partitions(settings: Settings) -> None:
    """The calendar that a run reads leaves out what has not ended."""
    from f1_bronze.defs.resources import openf1_resource
    from f1_bronze.openf1.shared_requests import OpenF1

    made = openf1_resource(settings)
    openf1 = OpenF1(
        made.make_client,
        base_url=made.url,
        clock=lambda: datetime(2025, 4, 13, 16, 0, tzinfo=UTC),  # an hour into the Bahrain race
    )
    keys = [session.partition.key for session in openf1.calendar([2025], {}).sessions]
    assert keys[-1] == QUALIFYING
    openf1.close()


def staleness(instance: dg.DagsterInstance, definitions: dg.Definitions, dataset: str) -> list[str]:
    """Why Dagster shows a race's dataset as out of sync; nothing when it is fresh."""
    from dagster._core.definitions.data_version import CachingStaleStatusResolver
    from dagster._core.loader import LoadingContextForTest

    resolver = CachingStaleStatusResolver(
        instance=instance,
        asset_graph=definitions.resolve_asset_graph(),
        loading_context=LoadingContextForTest(instance),
    )
    causes = resolver.get_stale_causes(dg.AssetKey(["bronze", dataset]), RACE)
    return [cause.reason for cause in causes]


def test_partitions_are_in_sync_until_their_upstream_changes(
    materialize: Materialize,
    simulator: Simulator,
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
) -> None:
    """Dagster calls what was stored fresh, also when the session is stored again unchanged, and out
    of sync when the session's own row was corrected, until it is stored again."""
    materialize("bronze_sessions", QUALIFYING, RACE)
    materialize("bronze_races", RACE)
    for dataset in DATASET:
        assert staleness(instance, definitions, dataset) == []
    materialize("bronze_sessions", QUALIFYING, RACE, select=["sessions"])
    assert staleness(instance, definitions, "laps") == []
    simulator.control.add_faults(
        InjectedFault(
            kind="edit",
            endpoint="sessions",
            match={"session_key": KEYS[RACE]},
            patch={"location": "Manama"},
        )
    )
    materialize("bronze_sessions", QUALIFYING, RACE, select=["sessions"])
    assert staleness(instance, definitions, "laps") == ["has a new dependency data version"]
    assert staleness(instance, definitions, "stints") == ["has a new dependency data version"]
    materialize("bronze_sessions", RACE, select=["laps"])
    assert staleness(instance, definitions, "laps") == []


def test_rows_of_another_meeting_than_the_lake_knows(
    materialize: Materialize, simulator: Simulator, lake: Lake
) -> None:
    """Without the calendar, what the lake has of a session says which meeting its rows belong to:
    those of another one are not stored, and the other session's are."""
    materialize("bronze_sessions", QUALIFYING, RACE, select=["sessions"])
    race = SessionPartition.parse(RACE)
    [record] = lake.read(DATASET["sessions"], race).records(DATASET["sessions"])
    lake.land(
        Candidate(
            dataset=DATASET["sessions"],
            partition=race,
            session_key=KEYS[RACE],
            records=[{**record, "meeting_key": 7}],
            source="a test",
            notes={},
        ),
        accept_loss=True,
    )
    simulator.control.reset()
    result = materialize("bronze_sessions", QUALIFYING, RACE, select=["results"])
    assert stored(result) == [("results", QUALIFYING)]
    assert simulator.control.state()["by_endpoint"] == {"session_result": 1}
    assert f"{RACE} results: The results of session {KEYS[RACE]} came with rows of another" in (
        failure(result)
    )
