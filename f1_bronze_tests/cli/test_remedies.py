"""Each command that the coverage recommends ends the problem that it is recommended for."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator

from ..commands import Run

WEEKEND = ("ingest", "2025", "--grand-prix", "bahrain")
RACE_KEY = 907047


def remove(run: Run, folder: Path, simulator: Simulator, fast: dict[str, str]) -> None:
    """A file is taken away."""
    [file] = folder.glob("data/lake/bronze/laps/**/session_type=race/*.parquet")
    file.unlink()


def name_a_practice(run: Run, folder: Path, simulator: Simulator, fast: dict[str, str]) -> None:
    """A session of a type that is not ingested by default is stored in part."""
    words = ("--session-type", "practice_1", "--dataset", "sessions")
    assert run(*WEEKEND, *words, **fast).status == 0


def correct(run: Run, folder: Path, simulator: Simulator, fast: dict[str, str]) -> None:
    """The session's own row is corrected after its drivers were stored."""
    row = {"session_key": RACE_KEY}
    simulator.control.add_faults(
        InjectedFault(kind="edit", endpoint="sessions", match=row, patch={"location": "x"})
    )
    assert run(*WEEKEND, "--dataset", "sessions", **fast).status == 0


def test_reading_makes_no_folder(run: Run, tmp_path: Path) -> None:
    """Where nothing was ingested, `status` and `report` say so and leave nothing but the page."""
    assert "No session of 2025 is registered." in run("status", "2025").out
    assert list(tmp_path.iterdir()) == []
    assert run("report", "2025").status == 0
    assert [file.name for file in tmp_path.iterdir()] == ["f1_bronze_report_2025.html"]


@pytest.mark.parametrize(
    ("cause", "label", "command"),
    [
        (remove, "overdue", "f1-bronze ingest 2025 --grand-prix bahrain --missing"),
        (
            name_a_practice,
            "missing",
            "f1-bronze ingest 2025 --grand-prix bahrain --session-type practice_1 --missing",
        ),
        (correct, "outdated", "f1-bronze ingest 2025 --grand-prix bahrain --dataset drivers"),
    ],
    ids=["missing", "practice", "outdated"],
)
def test_the_recommended_command_ends_it(
    run: Run,
    tmp_path: Path,
    simulator: Simulator,
    fast: dict[str, str],
    cause: Callable[..., None],
    label: str,
    command: str,
) -> None:
    """Until nothing is wrong, what `status` recommends is done, each command once."""
    assert run(*WEEKEND, **fast).status == 0
    assert run("status", "2025").out.splitlines()[-1].split() == ["10", "landed"]
    cause(run, tmp_path, simulator, fast)
    shown = run("status", "2025").out
    assert f" {label}: " in shown
    commands = dict.fromkeys(re.findall(r"`(f1-bronze [^`]*)`", shown))
    assert next(iter(commands)) == command
    for recommended in commands:
        assert run(*shlex.split(recommended)[1:], **fast).status == 0
    after = run("status", "2025")
    assert (after.status, "`f1-bronze" in after.out) == (0, False)
