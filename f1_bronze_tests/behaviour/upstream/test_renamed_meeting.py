"""A Grand Prix that upstream calls differently after its sessions were stored."""

import json
import shutil
from pathlib import Path

import pytest

from f1_bronze_tests.behaviour.upstream.season import (
    PARTITION,
    SESSION_KEY,
    drivers,
    meeting,
    results,
    serve,
)
from f1_bronze_tests.commands import Run

pytestmark = pytest.mark.slow

RACES = ("ingest", "2025", "--session-type", "race")
RENAMED = meeting("Testville-Riverside Grand Prix")


@pytest.mark.parametrize("first", ["results", "drivers", "sessions"])
def test_session_keeps_its_partition(tmp_path: Path, run: Run, first: str) -> None:
    """Whichever dataset was stored first, the session stays where it is under the new name, and
    nothing of it is stored twice; verify finds nothing wrong."""
    rows = {"session_result": results(), "drivers": drivers()}
    with serve(tmp_path / "before", **rows) as openf1:
        fast = {"OPENF1_URL": openf1.url, "OPENF1_LIMITS": "1000/1s"}
        assert run(*RACES, "--dataset", first, **fast).status == 0
    with serve(tmp_path / "renamed", meetings=[RENAMED], **rows) as openf1:
        fast = {"OPENF1_URL": openf1.url, "OPENF1_LIMITS": "1000/1s"}
        again = run(*RACES, "--dataset", first, "--json", **fast)
        assert [(row["new"], row["unchanged"]) for row in again.data["datasets"]] == [(0, 1)]
        others = run(*RACES, "--dataset", "results", "--dataset", "drivers", **fast)
        assert (again.status, others.status) == (0, 0)
        query = "SELECT DISTINCT year, grand_prix, session_type, session_key FROM results"
        stored = json.loads(run("sql", query, "--json").out)
        verified = run("verify", "2025", "--json")
    assert ["/".join(map(str, list(row.values())[:3])) for row in stored] == [PARTITION]
    assert [row["session_key"] for row in stored] == [SESSION_KEY]
    assert (verified.status, verified.data["findings"]) == (0, [])


def test_session_that_is_stored_twice_is_reported(tmp_path: Path, run: Run) -> None:
    """A lake in which a session has two partitions, left by a version that did not know, is not
    well: verify and status name the file, and exit with 1."""
    with serve(tmp_path / "before", session_result=results()) as openf1:
        fast = {"OPENF1_URL": openf1.url, "OPENF1_LIMITS": "1000/1s"}
        assert run(*RACES, "--dataset", "sessions", "--dataset", "results", **fast).status == 0
    lake = tmp_path / "data/lake/bronze/results/year=2025"
    shutil.copytree(lake / "grand_prix=test", lake / "grand_prix=riverside")
    for command in ("verify", "status"):
        found = run(command, "2025", "--json").data
        findings = found["findings" if command == "verify" else "misplaced"]
        assert found["status"] == 1
        assert [
            (one["dataset"], one["partition"]) for one in findings if one["trouble"] == "scattered"
        ] == [("results", "2025/riverside/race")]
        assert "The session is stored in another partition as well" in run(command, "2025").out
