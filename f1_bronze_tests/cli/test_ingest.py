"""f1-bronze ingest: what it stores, what it prints, how it ends."""

from pathlib import Path

import dagster as dg
import pyarrow.dataset as ds
import pytest

from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator
from f1_bronze.simulator.sources import RecordedSeasons

from ..commands import Run
from ..conftest import RECORDINGS, needs_recordings
from ..weekend import Weekend

WEEKEND = ("ingest", "2025", "--grand-prix", "bahrain")


def test_offline_weekend(ingested_weekend: Weekend) -> None:
    """Without any server or setting a simulated weekend is stored as the demo, and recorded."""
    out, err = ingested_weekend.printed
    assert err == "Simulated data from the embedded simulator.\n"
    lines = out.splitlines()
    assert lines[0].split()[:4] == ["dataset", "sessions", "rows", "new"]
    assert [line.split()[0] for line in lines[1:8]] == [
        "sessions",
        "drivers",
        "results",
        "laps",
        "stints",
        "pit_stops",
        "total",
    ]
    race = "year=2025/grand_prix=bahrain/session_type=race"
    assert f"  bronze/pit_stops/{race}/pit_stops_907047.parquet" in lines
    assert lines[-1].startswith("7 API calls for 7 batches (0 retries, ")
    folder = ingested_weekend.folder
    assert ds.dataset(folder / "lake/bronze/drivers", partitioning="hive").count_rows() == 40
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        jobs = sorted(record.job_name for record in instance.get_runs())
        assert jobs == ["bronze_races", "bronze_sessions"]
        assert instance.get_dynamic_partitions("f1_sessions") == [
            "2025/bahrain/qualifying",
            "2025/bahrain/race",
        ]
        assert instance.get_dynamic_partitions("f1_race_sessions") == ["2025/bahrain/race"]
        key = dg.AssetKey(["bronze", "laps"])
        assert instance.get_materialized_partitions(key) == {
            "2025/bahrain/qualifying",
            "2025/bahrain/race",
        }


def test_json_and_the_second_time(run: Run, fast: dict[str, str]) -> None:
    """--json says all in one object; the second time everything is unchanged."""
    first = run(*WEEKEND, "--json", **fast)
    assert first.status == first.data["status"] == 0
    assert first.data["api"]["calls"] == 7
    assert {row["dataset"]: row["new"] for row in first.data["datasets"]} == {
        "sessions": 2,
        "drivers": 2,
        "results": 2,
        "laps": 2,
        "stints": 1,
        "pit_stops": 1,
    }
    again = run(*WEEKEND, "--json", **fast)
    assert [row["unchanged"] for row in again.data["datasets"]] == [2, 2, 2, 2, 1, 1]
    assert sum(row["new"] + row["changed"] + row["empty"] for row in again.data["datasets"]) == 0


def test_missing_asks_only_for_what_has_not_landed(
    run: Run, fast: dict[str, str], simulator: Simulator
) -> None:
    """After a failure --missing asks for that dataset of that session alone, and ends with 0."""
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="stints"))
    failed = run(*WEEKEND, **fast)
    assert failed.status == 1
    assert "failed: 2025/bahrain/race stints: OpenF1 refused " in failed.err
    simulator.control.reset()
    after = run(*WEEKEND, "--missing", "--json", **fast)
    assert after.status == 0
    assert simulator.control.state()["by_endpoint"] == {"sessions": 1, "meetings": 1, "stints": 1}
    nothing = run(*WEEKEND, "--missing", **fast)
    assert nothing.status == 0
    assert "Nothing to ingest" in nothing.err


def test_sprints_are_kept_apart(run: Run, fast: dict[str, str], tmp_path: Path) -> None:
    """A sprint is not the race, though OpenF1 gives both the same type."""
    chinese = ("ingest", "2025", "--grand-prix", "chinese", "--dataset", "results")
    assert run(*chinese, **fast).status == 0
    only = run(*chinese, "--session-type", "sprint", "--json", **fast)
    assert [row["sessions"] for row in only.data["datasets"]] == [1]
    results = tmp_path / "data/lake/bronze/results/year=2025/grand_prix=chinese"
    files = {path.name: len(list(path.iterdir())) for path in results.iterdir()}
    assert files == {
        "session_type=qualifying": 1,
        "session_type=race": 1,
        "session_type=sprint": 1,
    }


def test_dry_run_asks_for_the_calendar_alone(
    run: Run, fast: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    """--dry-run prints sessions, calls and time, and leaves nothing behind."""
    ran = run("ingest", "2025", "--dry-run", "--json", **fast)
    assert ran.status == 0
    assert len(ran.data["partitions"]) == 48
    assert ran.data["partitions"][:2] == ["2025/australian/qualifying", "2025/australian/race"]
    assert ran.data["api_calls"] == 6
    assert simulator.control.state()["by_endpoint"] == {"sessions": 1, "meetings": 1}
    assert not (tmp_path / ".dagster_home").exists()
    assert not list((tmp_path / "data").rglob("*.parquet"))


def test_recent_takes_what_ended_lately(run: Run, fast: dict[str, str]) -> None:
    """--recent leaves out what ended longer ago."""
    ran = run("ingest", "2024", "--recent", "15", "--dry-run", "--json", **fast)
    assert (ran.status, ran.data["partitions"]) == (0, [])


def test_closed_api(run: Run, fast: dict[str, str], simulator: Simulator) -> None:
    """Closed for a live session is exit status 3, one call, and says when to come back."""
    simulator.control.change_behaviour(live=True)
    ran = run(*WEEKEND, **fast)
    assert ran.status == 3
    assert "come back in 30 to 180 minutes" in ran.err
    assert simulator.control.state()["calls"] == 1


def test_closed_in_mid_run(run: Run, fast: dict[str, str], simulator: Simulator) -> None:
    """What is closed half-way keeps what is stored, and is exit status 3 as well."""
    simulator.control.add_faults(InjectedFault(kind="live", endpoint="laps"))
    ran = run(*WEEKEND, "--json", **fast)
    assert ran.status == 3
    by_name = {row["dataset"]: row for row in ran.data["datasets"]}
    assert by_name["drivers"]["new"] == 2
    assert (by_name["laps"]["failed"], by_name["laps"]["empty"]) == (2, 0)
    assert {failed["error"] for failed in ran.data["failed"]} == {"ClosedForLiveSession"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("1999",), "OpenF1 lists no sessions of 1999; ask for a season from 2023 on"),
        (("last",), "'last' is not a season; write 2025, 2023-2025 or 2023,2025."),
        (("2025", "--grand-prix", "bahrein"), "did you mean bahrain?"),
        (("2025", "--session-type", "sprnt"), "Did you mean sprint"),
        (("2025", "--dataset", "lap"), "Did you mean laps"),
        (("2025", "--missing", "--all"), "exclude each other; give one."),
    ],
    ids=["season", "no season", "grand prix", "session type", "dataset", "two selections"],
)
def test_wrong_use(
    words: tuple[str, ...], sentence: str, run: Run, fast: dict[str, str], tmp_path: Path
) -> None:
    """Wrong use is exit status 2 and a sentence that helps; nothing is written."""
    ran = run("ingest", *words, **fast)
    assert ran.status == 2
    assert sentence in ran.err
    assert "Traceback" not in ran.err
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize(
    ("settings", "status", "sentence"),
    [
        ({"OPENF1_URL": "ftp://x"}, 2, "F1_BRONZE_OPENF1_URL is not an http(s) address"),
        ({"LAKE_URI": "gs://bucket"}, 2, "Use a folder or s3://bucket/prefix."),
        ({"LAKE_URI": "/proc/lake"}, 1, "The lake folder cannot be used"),
        ({"OPENF1_LIMITS": "often"}, 2, "write calls/seconds"),
        ({"RATE_STORE": "carrier pigeon"}, 2, "is not a place for the call budget"),
        ({"SESSION_TYPES": ","}, 2, "F1_BRONZE_SESSION_TYPES is ','"),
        ({"ENVIRONMENT": "moon"}, 2, "it takes one of dev, staging, production."),
        ({"OPENF1_USERNAME": "me"}, 2, "set both or none."),
        ({"OPENF1_BREAKER_FAILURES": "0"}, 2, "it takes a whole number above 0."),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_settings_that_cannot_be_used(
    settings: dict[str, str], status: int, sentence: str, run: Run, fast: dict[str, str]
) -> None:
    """A setting that cannot be used is a sentence that names it."""
    ran = run(*WEEKEND, **(fast | settings))
    assert ran.status == status
    assert sentence in ran.err
    assert "Traceback" not in ran.err


def test_unreachable_api(run: Run, no_pauses: None) -> None:
    """An API that is not there is exit status 1, its address and what to check."""
    ran = run(*WEEKEND, OPENF1_URL="http://127.0.0.1:9/v1")
    assert ran.status == 1
    assert (
        "f1-bronze: OpenF1 could not be reached for http://127.0.0.1:9/v1/sessions?year=2025"
        in ran.err
    )
    assert "Traceback" not in ran.err


def test_a_home_that_cannot_be_written(
    run: Run, fast: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Dagster home that cannot be made is a sentence, before anything is stored."""
    monkeypatch.setenv("DAGSTER_HOME", "/proc/home")
    ran = run(*WEEKEND, **fast)
    assert ran.status == 1
    assert "The Dagster home /proc/home cannot be used" in ran.err
    assert "Traceback" not in ran.err


def test_json_when_nothing_can_be_asked(
    run: Run, fast: dict[str, str], simulator: Simulator
) -> None:
    """With --json an error that ends the command is JSON as well."""
    simulator.control.change_behaviour(live=True)
    ran = run(*WEEKEND, "--json", **fast)
    assert (ran.status, ran.data["status"]) == (3, 3)
    assert ran.data["error"] == "ClosedForLiveSession"


def test_a_session_that_cannot_be_placed_is_reported(
    run: Run, fast: dict[str, str], simulator: Simulator
) -> None:
    """A calendar row that cannot be read is a gap: the rest is stored and the exit status is 1."""
    simulator.control.add_faults(
        InjectedFault(
            kind="edit",
            endpoint="sessions",
            match={"session_key": 907043},
            patch={"session_name": None},
        )
    )
    ran = run(*WEEKEND, "--json", **fast)
    assert ran.status == 1
    assert [row["new"] for row in ran.data["datasets"]] == [1, 1, 1, 1, 1, 1]
    assert ran.data["crashes"][0].startswith(
        "session 907043 (unnamed) of the calendar cannot be read and was left out, because "
        "session_name is None; run this again later"
    )


@needs_recordings
def test_invented_and_real_data_do_not_mix(run: Run, fast: dict[str, str]) -> None:
    """A lake with an invented weekend refuses the real one aloud, and gives it no new name."""
    weekend = ("ingest", "2024", "--grand-prix", "bahrain")
    assert run(*weekend, "--offline", LAKE_URI="data/lake").status == 0
    with Simulator(RecordedSeasons(RECORDINGS), limits=None) as recorded:
        ran = run(
            *weekend,
            OPENF1_URL=recorded.url,
            OPENF1_LIMITS="1000/1s",
        )
    assert ran.status == 1
    assert (
        "failed: 2024/bahrain/qualifying sessions and 3 more (sessions, drivers, results, laps of "
        "1 session): 2024/bahrain/qualifying already holds"
    ) in ran.err
    assert "use another F1_BRONZE_LAKE_URI" in ran.err
