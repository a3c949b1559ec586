"""f1-bronze verify: lake and record compared, and what --repair mends of either."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pytest

from f1_bronze.cli.verify_command import verify
from f1_bronze.datasets.partition import SessionPartition

from .weekend import DATASET, RACE, Said, Weekend, ingested_weekend, weekend

__all__ = ["ingested_weekend", "weekend"]  # fixtures

LAPS = dg.AssetKey(["bronze", "laps"])
QUALIFYING = SessionPartition.parse("2025/bahrain/qualifying")


@contextmanager
def record_of(weekend: Weekend) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(weekend.folder / "home")) as instance:
        yield instance


def findings(said: Said) -> list[tuple[str, str, str, str]]:
    return [
        (one["trouble"], one["state"], one["dataset"], one["partition"])
        for one in said.data["findings"]
    ]


def test_all_is_well(weekend: Weekend) -> None:
    """After an ingest lake and record agree: nothing to tell, exit status 0, nothing changed."""
    said = weekend.say(verify, "2025")
    assert (said.status, said.err) == (0, "")
    assert said.out == (
        f"10 files and 0 kept ones read in {weekend.lake.store.uri('')}: all is well.\n"
    )
    again = weekend.say(verify, "2024-2025", "--repair", "--json")
    assert again.data == {
        "status": 0,
        "lake": weekend.lake.store.uri(""),
        "files": 10,
        "revisions": 0,
        "findings": [],
    }


def test_missing_file(weekend: Weekend) -> None:
    """A file that was recorded and is gone is told with the command that lands it again; that
    cannot be mended here."""
    weekend.file("laps").unlink()
    for words in ([], ["--repair"]):
        said = weekend.say(verify, "2025", "--json", *words)
        assert said.status == said.data["status"] == 1
        assert findings(said) == [("missing", "wrong", "laps", "2025/bahrain/race")]
        [finding] = said.data["findings"]
        assert finding["detail"].endswith("f1-bronze ingest 2025 --session-type race --missing")
    assert weekend.say(verify, "2024").status == 0


def test_altered_file(weekend: Weekend) -> None:
    """A damaged file is moved aside by --repair, and is missing from then on."""
    file = weekend.file("laps")
    damaged = file.read_bytes()[:-10]
    file.write_bytes(damaged)
    said = weekend.say(verify, "2025")
    assert said.status == 1
    assert "torn (wrong): laps 2025/bahrain/race: It is no whole Parquet file." in said.out
    assert file.exists()
    mended = weekend.say(verify, "2025", "--repair", "--json")
    assert mended.status == 1
    assert findings(mended) == [
        ("torn", "mended", "laps", "2025/bahrain/race"),
        ("missing", "wrong", "laps", "2025/bahrain/race"),
    ]
    assert not file.exists()
    [aside] = (weekend.folder / "lake/revisions").rglob("altered_*.parquet")
    assert aside.read_bytes() == damaged
    assert findings(weekend.say(verify, "2025", "--json")) == [
        ("missing", "wrong", "laps", "2025/bahrain/race")
    ]


def test_lost_record(weekend: Weekend) -> None:
    """With an empty record --repair registers the partitions in order of their sessions and
    records every file with what the file can tell."""
    shutil.rmtree(weekend.folder / "home")
    said = weekend.say(verify, "2025", "--json")
    assert said.status == 1
    troubles = [finding[0] for finding in findings(said)]
    assert troubles == ["unregistered"] * 2 + ["unrecorded"] * 10
    mended = weekend.say(verify, "2025", "--repair")
    assert mended.status == 0
    assert "0 wrong, 12 mended." in mended.out
    assert weekend.say(verify, "2025").out.endswith(": all is well.\n")
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
        }


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
    said = weekend.say(verify, "2025", "--json")
    assert findings(said) == [("unrecorded", "wrong", "stints", "2025/bahrain/race")]
    assert said.data["findings"][0]["detail"] == f"The record tells of another content ({old})."
    assert said.data["revisions"] == 1
    assert weekend.say(verify, "2025", "--repair").status == 0
    assert weekend.say(verify, "2025", "--json").data["findings"] == []


@pytest.mark.parametrize("age", [10, 7200])
def test_unfinished_file(weekend: Weekend, age: int) -> None:
    """What is young may be the work of another writer: it is told, is nothing wrong, and stays."""
    import os
    import time

    left = weekend.folder / "lake/bronze/.unfinished-x"
    left.write_bytes(b"12345")
    os.utime(left, (time.time() - age, time.time() - age))
    said = weekend.say(verify, "2025", "--json")
    [finding] = said.data["findings"]
    assert finding["trouble"] == "unfinished"
    assert (finding["state"], said.status) == (
        ("may be at work", 0) if age < 3600 else ("wrong", 1)
    )
    mended = weekend.say(verify, "2025", "--repair", "--json")
    assert mended.status == 0
    assert left.exists() == (age < 3600)


def test_foreign_file(weekend: Weekend) -> None:
    """Somebody else's file is told by its address and left where it is."""
    (weekend.folder / "lake/bronze/laps/notes.txt").write_text("mine")
    said = weekend.say(verify, "2025", "--repair")
    assert said.status == 1
    uri = weekend.lake.store.uri("bronze/laps/notes.txt")
    assert f"foreign (wrong): {uri}: No file of this project has this name." in said.out
    assert "1 wrong, 0 mended." in said.out


def test_wrong_use(ingested_weekend: Weekend) -> None:
    """Seasons that are none are exit status 2."""
    assert ingested_weekend.say(verify, "soon").status == 2
