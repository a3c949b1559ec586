"""One session, one place: from the record too, with an unreadable folder, and with two writers."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.errors import LakeUnavailable, PartitionOccupied, StoredElsewhere
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Candidate
from f1_bronze.lake.stores import StoredObject
from f1_bronze_tests.behaviour.upstream.season import (
    PARTITION,
    SESSION_KEY,
    drivers,
    meeting,
    results,
    serve,
)
from f1_bronze_tests.commands import Run

RACES = ("ingest", "2025", "--session-type", "race", "--dataset", "results", "--json")
RENAMED = meeting("Testville-Riverside Grand Prix")


def test_a_session_keeps_the_partition_on_record(tmp_path: Path, run: Run) -> None:
    """Where the lake has lost all files of a session, Dagster's record says where it belongs, also
    under a new name."""
    rows = {"session_result": results(), "drivers": drivers()}
    with serve(tmp_path / "before", **rows) as openf1:
        assert run(*RACES, OPENF1_URL=openf1.url, OPENF1_LIMITS="1000/1s").status == 0
    shutil.rmtree(tmp_path / "data/lake/bronze")
    with serve(tmp_path / "renamed", meetings=[RENAMED], **rows) as openf1:
        fast = {"OPENF1_URL": openf1.url, "OPENF1_LIMITS": "1000/1s"}
        again = run(*RACES, **fast)
        stored = json.loads(run("sql", "SELECT DISTINCT grand_prix FROM results", "--json").out)
    assert (again.status, again.data["datasets"][0]["new"]) == (0, 1)
    assert stored == [{"grand_prix": PARTITION.split("/")[1]}]


def test_an_unreadable_folder_of_another_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One dataset's folder that cannot be listed stops no other dataset; two are an outage."""
    lake = Lake.at(str(tmp_path))
    lake.land(_candidate(PARTITION, SESSION_KEY))
    unreadable = ["bronze/drivers/"]
    list_folder = lake.store.list

    def list_some(prefix: str) -> Iterator[StoredObject]:
        if prefix.startswith(tuple(unreadable)):
            raise LakeUnavailable("no access")
        return list_folder(prefix)

    monkeypatch.setattr(lake.store, "list", list_some)
    assert lake.session_partitions([2025]) == {SESSION_KEY: SessionPartition.parse(PARTITION)}
    with pytest.raises(StoredElsewhere):
        lake.land(_candidate("2025/riverside/race", SESSION_KEY))
    unreadable.append("bronze/laps/")
    with pytest.raises(LakeUnavailable):
        lake.session_partitions([2025])


def _candidate(partition: str, session_key: int) -> Candidate:
    from f1_bronze.datasets.results import RESULTS

    records = [{**record, "session_key": session_key} for record in results()]
    return Candidate(
        dataset=RESULTS,
        partition=SessionPartition.parse(partition),
        session_key=session_key,
        records=records,
        source="session_result",
        notes={},
    )


@pytest.mark.parametrize(
    ("other", "error"),
    [
        (("2025/riverside/race", SESSION_KEY), StoredElsewhere),
        ((PARTITION, SESSION_KEY + 1), PartitionOccupied),
    ],
)
def test_two_writers_that_did_not_see_each_other(
    tmp_path: Path, other: tuple[str, int], error: type[Exception]
) -> None:
    """Two writers that put one session into two partitions, or two sessions into one, both having
    looked before the other wrote: the one that looks after it has written finds it."""
    mine, theirs = Lake.at(str(tmp_path)), Lake.at(str(tmp_path))
    for lake in (mine, theirs):
        assert lake.session_partitions([2025]) == {}
    mine.land(_candidate(PARTITION, SESSION_KEY))
    written = {SessionPartition.parse(other[0]): other[1]}
    if error is PartitionOccupied:  # of another dataset, or the folder itself would show it
        place = tmp_path / "bronze/drivers/year=2025/grand_prix=test/session_type=race"
        place.mkdir(parents=True)
        (place / f"drivers_{other[1]}.parquet").write_bytes(b"")
        written = {SessionPartition.parse(PARTITION): SESSION_KEY}
    else:
        theirs.land(_candidate(*other))
    [(partition, found)] = theirs.find_contradictions(written)
    assert (partition in written, type(found)) == (True, error)
