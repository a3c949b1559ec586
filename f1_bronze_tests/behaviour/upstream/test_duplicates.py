"""Rows that upstream sends twice, and later once."""

from pathlib import Path

import pytest

from f1_bronze_tests.behaviour.upstream.season import EVERYBODY, PARTITION, drivers, results, serve
from f1_bronze_tests.commands import Run

INGEST = (
    "ingest",
    "2025",
    "--session-type",
    "race",
    "--dataset",
    "results",
    "--dataset",
    "drivers",
)


@pytest.mark.slow
def test_twins_heal(tmp_path: Path, run_process: Run) -> None:
    """A row that stands twice fails its check; once its twin is gone the content has changed,
    nothing was lost, and no check fails any more."""
    ranks, names = results(EVERYBODY), drivers(EVERYBODY)
    twins = {"session_result": [*ranks, ranks[2]], "drivers": [*names, names[2]]}
    with serve(tmp_path / "twins", **twins) as openf1:
        first = run_process(*INGEST, "--json", OPENF1_URL=openf1.url, OPENF1_LIMITS="1000/1s")
    assert first.status == 1
    assert {row["dataset"]: row["rows"] for row in first.data["datasets"]} == {
        "results": EVERYBODY + 1,
        "drivers": EVERYBODY + 1,
    }
    with serve(tmp_path / "healed", session_result=ranks, drivers=names) as openf1:
        second = run_process(*INGEST, "--json", OPENF1_URL=openf1.url, OPENF1_LIMITS="1000/1s")
    assert second.status == 0, second.out
    assert [(row["changed"], row["refused"]) for row in second.data["datasets"]] == [(1, 0)] * 2


@pytest.mark.slow
def test_different_rows_of_one_key(tmp_path: Path, run: Run) -> None:
    """Of two different rows of one key none goes unnoticed: the answer with one of them is refused,
    and the message says how many rows are lost and in what they differ."""
    other = {**results()[2], "points": 0.0}
    with serve(tmp_path / "both", session_result=[*results(), other]) as openf1:
        run(*INGEST[:-2], OPENF1_URL=openf1.url, OPENF1_LIMITS="1000/1s")
    with serve(tmp_path / "one", session_result=results()) as openf1:
        second = run(*INGEST[:-2], OPENF1_URL=openf1.url, OPENF1_LIMITS="1000/1s")
    assert second.status == 1
    assert (
        f"{PARTITION} results: OpenF1's answer lacks 1 row that the lake has "
        "({'session_key': 9001, 'driver_number': 13}: 1 of 2 rows, which differ in points)."
    ) in " ".join((second.out + second.err).split())
