"""The main job on real answers: the recorded season through the stand-in with limits on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.lake import Lake
from f1_bronze.simulator.server import Simulator
from f1_bronze.simulator.sources import RecordedSeasons

from ..commands import Run
from ..conftest import RECORDINGS, needs_recordings

pytestmark = [needs_recordings, pytest.mark.slow]


SPRINTS = ("chinese", "miami", "austrian", "united_states", "sao_paulo", "qatar")


@pytest.fixture
def recorded() -> Iterator[Simulator]:
    """The recorded answers behind the free tier's limits."""
    with Simulator(RecordedSeasons(RECORDINGS), limits="3/1s,30/60s") as running:
        yield running


def records(dataset: Dataset, session_key: int) -> list[dict[str, Any]]:
    """What was recorded of a session; none where OpenF1 had no results."""
    file = RECORDINGS / dataset.endpoint / f"{session_key}.json"
    return json.loads(file.read_text()) if file.exists() else []


def lines(some: list[dict[str, Any]]) -> list[str]:
    """Records in an order and form in which they can be compared."""
    return sorted(json.dumps(record, sort_keys=True) for record in some)


def test_season_2024(run_process: Run, run: Run, recorded: Simulator, tmp_path: Path) -> None:
    """48 sessions land in at most 20 calls, record for record; the second time nothing of the
    sprint weekends changes, and their sprints are added beside the races."""
    first = run_process("ingest", "2024", "--json", OPENF1_URL=recorded.url)
    assert first.status == 0, first.err
    state = recorded.control.state()
    assert state["calls"] <= 20
    assert 429 not in map(int, state["by_status"])
    assert {row["dataset"]: row["sessions"] for row in first.data["datasets"]} == {
        "sessions": 48,
        "drivers": 48,
        "results": 48,
        "laps": 48,
        "stints": 24,
        "pit_stops": 24,
    }
    files = list(tmp_path.rglob("history/runs/*.db"))
    assert len(files) == 3  # two runs and the index
    # An event has the path of its file twice, and that of this test is longer than a user's.
    size = sum(file.stat().st_size for file in files) - 240 * 2 * len(str(tmp_path))
    # To the kB, for a materialization with its checks: times have more digits now and then.
    assert round(size / 240 / 1000) <= 30
    lake = Lake.at(str(tmp_path / "data/lake"))
    listed = {
        s["session_key"]: s for s in json.loads((RECORDINGS / "sessions/2024.json").read_text())
    }
    placed = lake.session_partitions([2024])
    assert len(placed) == 48
    for session_key, partition in placed.items():
        for dataset in DATASETS:
            if dataset.exists_for(partition.session_type):
                expected = records(dataset, session_key)
                if dataset.name == "sessions":
                    expected = [listed[session_key]]
                stored = lake.read(dataset, partition).records(dataset)
                assert lines(stored) == lines(expected), (dataset.name, partition.key)

    words = [word for place in SPRINTS for word in ("--grand-prix", place)]
    words += [
        word for kind in ("race", "qualifying", "sprint") for word in ("--session-type", kind)
    ]
    again = run("ingest", "2024", *words, "--json", OPENF1_URL=recorded.url)
    assert again.status == 0
    assert [row["unchanged"] for row in again.data["datasets"]] == [12, 12, 12, 12, 6, 6]
    assert [row["sessions"] for row in again.data["datasets"]] == [18, 18, 18, 18, 12, 12]
    types = [partition.session_type for partition in lake.session_partitions([2024]).values()]
    assert {kind: types.count(kind) for kind in set(types)} == {
        "race": 24,
        "qualifying": 24,
        "sprint": 6,
    }


def test_season_2026(run: Run, recorded: Simulator, tmp_path: Path) -> None:
    """The qualifying of 2026 has 22 drivers, cancelled rounds are left out, and places name
    the Grands Prix for which there is no meeting."""
    ran = run("ingest", "2026", "--json", "--dataset", "sessions", "--dataset", "drivers",
              OPENF1_URL=recorded.url)  # fmt: skip
    assert ran.status == 0
    assert "places name the Grands Prix" in ran.err
    lake = Lake.at(str(tmp_path / "data/lake"))
    placed = lake.session_partitions([2026])
    assert placed[11303] == SessionPartition.parse("2026/barcelona/qualifying")
    assert lake.read(DATASETS[1], placed[11303]).table.num_rows == 22
    listed = json.loads((RECORDINGS / "sessions/2026.json").read_text())
    cancelled = {s["session_key"] for s in listed if s["is_cancelled"]}
    assert len(cancelled) == 2
    assert not cancelled & set(placed)
