"""The benchmark: it runs at its smallest, and its comparison of outputs finds what differs."""

import json
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

from benchmarks.figures import AS_TITLED, to_markdown, to_svg
from benchmarks.outputs import DifferentOutputs, compare, expected_records
from benchmarks.processes import ProgramFailed, measure
from f1_bronze.simulator.invented import InventedSeasons

ROOT = Path(__file__).parents[2]
ABOUT = {
    "date": "2026-11-28",
    "machine": "m",
    "python": "3",
    "dagster": "1",
    "rounds": "1",
    "sessions": AS_TITLED,
    "load": "0.1",
}


def row(program: str, wall: float, **more: object) -> dict[str, object]:
    """A row of results."""
    plain = {"case": "season", "rounds": 1, "cpu": wall, "memory": 1.0, "calls": 8, "records": 30}
    return {**plain, "program": program, "wall": wall, "requests": {}, **more}


@pytest.mark.slow
def test_the_smallest_benchmark(tmp_path: Path) -> None:
    """Every program stores the same records as the API has; figures are written in each form."""
    pytest.importorskip("dlt")
    pytest.importorskip("orjson")
    command = [sys.executable, "-m", "benchmarks", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    by_program = {one["program"]: one for one in results["rows"]}
    assert set(by_program) == {
        "bare script",
        "straightforward script",
        "dlt",
        "f1-bronze ingest",
        "f1-bronze ingest, nothing changed",
        "Dagster's floor, its storage",
        "Dagster's floor, our storage",
    }
    assert {one["records"] for one in by_program.values()} - {None} == {2_601}
    assert all(one["wall"] > 0 and one["cpu"] > 0 for one in by_program.values())
    ours, script = by_program["f1-bronze ingest"], by_program["straightforward script"]
    assert ours["calls"] < script["calls"] == 31
    assert "| f1-bronze ingest |" in (tmp_path / "results.md").read_text()
    assert (tmp_path / "season.svg").read_text().startswith("<svg")


def test_outputs_are_compared_record_for_record() -> None:
    """A record that lacks, or that differs in one value, is an error that shows it."""
    expected = expected_records(InventedSeasons(), [2025], "sprint")
    whole = {
        name: [json.loads(one) for one in counted.elements()] for name, counted in expected.items()
    }
    assert compare("a script", expected, whole) == sum(map(len, whole.values())) > 1_000
    whole["laps"][7] = {**whole["laps"][7], "lap_duration": 1.5}
    with pytest.raises(
        DifferentOutputs, match=r"a script has (\d+) records of laps in place of \1: "
    ):
        compare("a script", expected, whole)
    del whole["stints"][0]
    with pytest.raises(DifferentOutputs, match="lacks 1, such as "):
        compare("a script", expected, whole)


def test_a_program_that_fails_has_no_figures(tmp_path: Path) -> None:
    """Its own words are passed on."""
    with pytest.raises(ProgramFailed, match="no such thing"):
        measure([sys.executable, "-c", "raise SystemExit('no such thing')"], {}, tmp_path)


def test_a_process_is_measured_whole(tmp_path: Path) -> None:
    """Its wall time, its CPU and its most memory."""
    program = "import time; x = bytearray(80_000_000); sum(range(3_000_000)); time.sleep(0.2)"
    used = measure([sys.executable, "-c", program], {}, tmp_path)
    assert used.wall >= 0.2
    assert 0 < used.cpu < 30
    assert used.memory >= 80
    little = measure([sys.executable, "-c", "import time; time.sleep(0.2)"], {}, tmp_path)
    assert little.memory < 60  # and not that of the process that measures


def test_figures_as_a_table_and_as_a_chart() -> None:
    """The table has the ratio to each, the requirements their targets, the chart every program."""
    rows = [
        row("bare script", 1.0),
        row("dlt", 4.0),
        row("f1-bronze ingest", 12.0, event_log_kb=29.3),
        row("Dagster's floor, its storage", 9.0, calls=None, records=None),
        row("a season of two types, new, beside nothing else", 10.0, case="flat", partitions=240),
        row("ingest, 10 partitions", 5.0, case="flat", partitions=10),
        row("ingest, 110 partitions", 7.0, case="flat", partitions=110),
        row("a season of two types, new, beside all that", 11.0, case="flat", partitions=240),
        row("folder, new", 10.0, case="s3"),
        row("S3, new", 12.5, case="s3", requests={"write partition files": 3}),
    ]
    text = to_markdown(rows, ABOUT)
    assert "| dlt | 4.00 | 4.00 | 1 | 8 | 3.00 |" in text
    assert "| a season: ours / dlt, wall | 3.00 | ≤ 4 |" in text
    assert "| a season: ours / (bare script + Dagster's floor), wall | 1.20 | ≤ 1.3 |" in text
    assert "| S3 at 30 ms / folder, new, wall | 1.25 | ≤ 1.3 |" in text
    assert "| write partition files | 3 |" in text
    assert "30 records, the same in each program's files as in the API." in text
    assert "a season: event log a materialization with its checks | 29.3 kB | ≤ 30 kB |" in text
    assert "| CPU of a partition, from 10 to 110 | 20 ms |  |" in text
    new = "a season of two types, new: beside all that / beside nothing else, CPU"
    assert f"| {new} | 1.10 | ≤ 1.2 |" in text
    assert text.index("### What is to hold") < text.index("### A season, qualifying and race")
    assert "busy" not in text
    assert "busy with other work (load 9.5)" in to_markdown(rows, {**ABOUT, "load": "9.5"})
    svg = to_svg(rows, "season", "seen")
    assert all(str(one["program"]) in unescape(svg) for one in rows if one["case"] == "season")
