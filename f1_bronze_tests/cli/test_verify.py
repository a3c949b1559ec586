"""f1-bronze verify: lake and record compared, and what --repair mends of either."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pytest

from f1_bronze.cli.status_command import status
from f1_bronze.cli.verify_command import verify
from f1_bronze.datasets.partition import SessionPartition

from ..commands import Ran
from ..weekend import DATASET, RACE, Weekend

LAPS = dg.AssetKey(["bronze", "laps"])
QUALIFYING = SessionPartition.parse("2025/bahrain/qualifying")


@contextmanager
def record_of(weekend: Weekend) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(weekend.folder / "home")) as instance:
        yield instance


def findings(ran: Ran) -> list[tuple[str, str, str, str]]:
    return [
        (one["trouble"], one["state"], one["dataset"], one["partition"])
        for one in ran.data["findings"]
    ]


def test_all_is_well(weekend: Weekend) -> None:
    """After an ingest lake and record agree: nothing to report, exit status 0, nothing changed."""
    ran = weekend.run(verify, "2025")
    assert (ran.status, ran.err) == (0, "")
    uri = weekend.lake.store.uri("")
    assert ran.out == f"10 current files and 0 revisions read in {uri}: nothing is wrong.\n"
    again = weekend.run(verify, "2024-2025", "--repair", "--json")
    assert again.data == {
        "status": 0,
        "lake": weekend.lake.store.uri(""),
        "files": 10,
        "revisions": 0,
        "findings": [],
    }


def test_missing_file(weekend: Weekend) -> None:
    """A file that was recorded and is gone is reported with the command that ingests it again; that
    cannot be repaired here."""
    weekend.file("laps").unlink()
    for words in ([], ["--repair"]):
        ran = weekend.run(verify, "2025", "--json", *words)
        assert ran.status == ran.data["status"] == 1
        assert findings(ran) == [("missing", "wrong", "laps", "2025/bahrain/race")]
        [finding] = ran.data["findings"]
        assert finding["detail"].endswith(
            "f1-bronze ingest 2025 --grand-prix bahrain --session-type race --missing"
        )
    assert weekend.run(verify, "2024").status == 0


def test_altered_file(weekend: Weekend) -> None:
    """A damaged file is moved aside by --repair, and is missing from then on."""
    file = weekend.file("laps")
    damaged = file.read_bytes()[:-10]
    file.write_bytes(damaged)
    ran = weekend.run(verify, "2025")
    assert ran.status == 1
    assert "torn (wrong): laps 2025/bahrain/race: It is no whole Parquet file." in ran.out
    assert file.exists()
    repaired = weekend.run(verify, "2025", "--repair", "--json")
    assert repaired.status == 1
    assert findings(repaired) == [
        ("torn", "repaired", "laps", "2025/bahrain/race"),
        ("missing", "wrong", "laps", "2025/bahrain/race"),
    ]
    assert not file.exists()
    [aside] = (weekend.folder / "lake/revisions").rglob("altered_*.parquet")
    assert aside.read_bytes() == damaged
    assert findings(weekend.run(verify, "2025", "--json")) == [
        ("missing", "wrong", "laps", "2025/bahrain/race")
    ]


def test_lost_record(weekend: Weekend) -> None:
    """With an empty record --repair registers the partitions in order of their sessions and
    records every file with what the file says of itself."""
    shutil.rmtree(weekend.folder / "home")
    ran = weekend.run(verify, "2025", "--json")
    assert ran.status == 1
    troubles = [finding[0] for finding in findings(ran)]
    assert troubles == ["unregistered"] * 2 + ["unrecorded"] * 10
    repaired = weekend.run(verify, "2025", "--repair")
    assert repaired.status == 0
    assert "0 wrong, 12 repaired." in repaired.out
    assert weekend.run(verify, "2025").out.endswith(": nothing is wrong.\n")
    assert weekend.run(status, "2025").status == 0  # every partition was checked as well
    stored = weekend.lake.read(DATASET["laps"], RACE)
    with record_of(weekend) as instance:
        keys = ["2025/bahrain/qualifying", "2025/bahrain/race"]
        assert instance.get_dynamic_partitions("f1_sessions") == keys
        assert instance.get_dynamic_partitions("f1_race_sessions") == keys[1:]
        filtered = dg.AssetRecordsFilter(asset_key=LAPS, asset_partitions=[RACE.key])
        [record] = instance.fetch_materializations(filtered, limit=5).records
        event = record.asset_materialization
        assert event is not None
        assert event.tags is not None
        metadata = {name: value.value for name, value in event.metadata.items()}
        assert record.run_id == ""
        assert event.tags["dagster/data_version"] == stored.provenance.content_sha256
        assert event.tags["dagster/code_version"] == "1"
        assert {name: metadata[name] for name in metadata if name != "dagster/column_schema"} == {
            "dagster/row_count": 1080,
            "dagster/uri": weekend.lake.store.uri(
                "bronze/laps/year=2025/grand_prix=bahrain/session_type=race/laps_907047.parquet"
            ),
            "session_key": 907047,
            "size_bytes": weekend.file("laps").stat().st_size,
            "content_sha256": stored.provenance.content_sha256,
            "revision": "unchanged",
            "preview": metadata["preview"],
            "fastest_lap_seconds": min(
                lap for lap in stored.table["lap_duration"].to_pylist() if lap is not None
            ),
        }


def test_a_run_killed_before_its_checks(weekend: Weekend) -> None:
    """What is recorded and not checked is found, and checked by --repair without a call."""
    with record_of(weekend) as instance:
        filtered = dg.AssetRecordsFilter(asset_key=LAPS, asset_partitions=[RACE.key])
        [record] = instance.fetch_materializations(filtered, limit=1).records
        instance.report_runless_asset_event(record.asset_materialization)
    found = weekend.run(verify, "2025", "--json")
    assert found.status == 1
    assert findings(found) == [("unchecked", "wrong", "laps", "2025/bahrain/race")]
    assert weekend.run(status, "2025").status == 1
    repaired = weekend.run(verify, "2025", "--repair", "--json")
    assert repaired.status == 0
    assert findings(repaired) == [("unchecked", "repaired", "laps", "2025/bahrain/race")]
    assert weekend.run(status, "2025").status == 0


def test_record_of_another_content(weekend: Weekend) -> None:
    """A file that is newer than its record, as after a run that was killed in between, is
    recorded as it is."""
    from f1_bronze.lake.landing import Candidate

    stored = weekend.lake.read(DATASET["stints"], RACE)
    records = stored.records(DATASET["stints"])
    records[0]["compound"] = "HYPERSOFT"
    weekend.lake.land(
        Candidate(
            dataset=DATASET["stints"],
            partition=RACE,
            session_key=907047,
            records=records,
            source=stored.provenance.source,
            notes={},
        )
    )
    old = stored.provenance.content_sha256[:12]
    ran = weekend.run(verify, "2025", "--json")
    assert findings(ran) == [("unrecorded", "wrong", "stints", "2025/bahrain/race")]
    assert ran.data["findings"][0]["detail"] == f"Dagster's record has another content ({old})."
    assert ran.data["revisions"] == 1
    assert weekend.run(verify, "2025", "--repair").status == 0
    assert weekend.run(verify, "2025", "--json").data["findings"] == []


@pytest.mark.parametrize("age", [10, 7200])
def test_unfinished_file(weekend: Weekend, age: int) -> None:
    """A young file may be the work of another writer: it is reported, is not wrong, and stays."""
    import os
    import time

    left = weekend.folder / "lake/bronze/.unfinished-x"
    left.write_bytes(b"12345")
    os.utime(left, (time.time() - age, time.time() - age))
    ran = weekend.run(verify, "2025", "--json")
    [finding] = ran.data["findings"]
    assert finding["trouble"] == "unfinished"
    assert (finding["state"], ran.status) == (
        ("may still be in use", 0) if age < 3600 else ("wrong", 1)
    )
    repaired = weekend.run(verify, "2025", "--repair", "--json")
    assert repaired.status == 0
    assert left.exists() == (age < 3600)


def test_foreign_file(weekend: Weekend) -> None:
    """Somebody else's file is reported by its address and left where it is."""
    (weekend.folder / "lake/bronze/laps/notes.txt").write_text("mine")
    ran = weekend.run(verify, "2025", "--repair")
    assert ran.status == 1
    uri = weekend.lake.store.uri("bronze/laps/notes.txt")
    assert f"foreign (wrong): {uri}: No file of this project has this name." in ran.out
    assert "1 wrong, 0 repaired." in ran.out


def test_wrong_use(ingested_weekend: Weekend) -> None:
    """Seasons that are none are exit status 2."""
    assert ingested_weekend.run(verify, "soon").status == 2
