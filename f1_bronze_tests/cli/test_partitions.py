"""f1-bronze partitions: history becomes selectable in the UI without being ingested."""

from pathlib import Path

import pytest

from f1_bronze.defs.automation.instance import open_instance
from f1_bronze.defs.partitions import order_keys
from f1_bronze.simulator.server import Simulator

from ..commands import Run


def registered(name: str) -> list[str]:
    """The keys of a partition definition at `DAGSTER_HOME`."""
    with open_instance() as instance:
        return list(instance.get_dynamic_partitions(name))


def test_seasons_are_registered_in_order(
    run: Run,
    fast: dict[str, str],
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Two calls a command, nothing in the lake; an earlier season comes before what is there.

    In a season all qualifyings come before all races."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    later = run("partitions", "2025", "--json", **fast)
    assert later.status == 0
    assert later.data["seasons"] == [{"season": "2025", "sessions": 48, "new": 48}]
    assert simulator.control.state()["by_endpoint"] == {"sessions": 1, "meetings": 1}
    both = run("partitions", "2024-2025", "--json", **fast)
    assert both.data["seasons"] == [
        {"season": "2024", "sessions": 48, "new": 48},
        {"season": "2025", "sessions": 48, "new": 0},
    ]
    assert registered("f1_sessions") == order_keys([], both.data["partitions"])
    assert registered("f1_sessions")[24:26] == ["2024/bahrain/race", "2024/saudi_arabian/race"]
    assert registered("f1_sessions")[0] == "2024/bahrain/qualifying"
    assert registered("f1_race_sessions") == [
        key for key in both.data["partitions"] if key.endswith("/race")
    ]
    assert not (tmp_path / "data/lake/bronze").exists()


def test_types_are_chosen(
    run: Run, fast: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """--session-type takes the place of the setting; a table and the next step are printed."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    ran = run("partitions", "2025", "--session-type", "sprint", **fast)
    assert (ran.status, ran.out.split()) == (
        0,
        ["season", "sessions", "new", "2025", "6", "6", "total", "6", "6"],
    )
    assert (
        ran.err == "Backfill them in `f1-bronze ui`, or with f1-bronze ingest SEASONS --missing.\n"
    )
    assert registered("f1_sessions") == registered("f1_race_sessions")
    wrong = run("partitions", "2025", "--session-type", "sprnt", **fast)
    assert wrong.status == 2
    assert "Did you mean sprint?" in wrong.err
