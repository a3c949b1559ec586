"""What the UI shows of a change."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.metadata import show_changes
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Candidate

PIT_STOPS = DATASETS[5]


def stop(lane: float) -> dict[str, Any]:
    """One visit of the same driver on the same lap as the others."""
    return {"session_key": 1, "driver_number": 4, "lap_number": 9, "lane_duration": lane}


def test_rows_that_share_a_key_are_listed_as_changed(tmp_path: Path) -> None:
    """Where no one can say which row became which, the key is listed all the same."""
    lake = Lake.at(str(tmp_path))

    def land(*lanes: float) -> str:
        candidate = Candidate(
            dataset=PIT_STOPS,
            partition=SessionPartition.parse("2025/bahrain/race"),
            session_key=1,
            records=[stop(lane) for lane in lanes],
            source="pit?session_key=1",
            notes={"fetched": datetime(2025, 4, 14, tzinfo=UTC).isoformat()},
        )
        return show_changes(PIT_STOPS, lake.land(candidate).changes)

    land(21.0, 22.0)
    lines = land(21.0, 23.5).splitlines()
    assert lines[2:] == ["| changed | driver_number 4, lap_number 9 |  |  |  |"]
