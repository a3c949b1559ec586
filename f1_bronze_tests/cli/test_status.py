"""f1-bronze status: the matrix as people and programs read it, and the exit status."""

import re
import shutil

import pytest
from rich.console import Console

from f1_bronze.cli.status_command import is_complete, print_coverage, status, to_json
from f1_bronze.defs.monitoring.coverage import Coverage

from ..defs.coverages import MISSING_ROWS, NASTY, all_well, every_state
from ..weekend import Weekend


def printed(
    coverage: Coverage, capsys: pytest.CaptureFixture[str], seasons: tuple[int, ...] = (2025,)
) -> list[str]:
    """The lines of the matrix and what follows it."""
    print_coverage(coverage, seasons)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_all_is_well(weekend: Weekend) -> None:
    """After an ingest every cell has its rows, and the exit status is 0."""
    ran = weekend.run(status, "2025")
    assert (ran.status, ran.err) == (0, "")
    head, qualifying, race, blank, landed = (line.split() for line in ran.out.splitlines())
    assert head == ["session", "sessions", "drivers", "results", "laps", "stints", "pit_stops"]
    assert qualifying == ["2025/bahrain/qualifying", "1", "20", "20", "297", "·", "·"]
    assert race == ["2025/bahrain/race", "1", "20", "20", "1,080", "50", "30"]
    assert (blank, landed) == ([], ["10", "landed"])


def test_for_programs(weekend: Weekend) -> None:
    """--json has each dataset of each session with its state, rows, run and checks."""
    data = weekend.run(status, "2025", "--json").data
    assert {name: data[name] for name in ("status", "seasons", "states", "overdue")} == {
        "status": 0,
        "seasons": [2025],
        "states": {"landed": 10},
        "overdue": 0,
    }
    assert data["lake"] == weekend.lake.store.uri("")
    qualifying, race = data["sessions"]
    assert (race["partition"], race["ended_at"]) == (
        "2025/bahrain/race",
        "2025-04-13T17:00:00+00:00",
    )
    assert list(qualifying["datasets"]) == ["sessions", "drivers", "results", "laps"]
    laps = race["datasets"]["laps"]
    assert (laps["state"], laps["rows"], laps["revision"], laps["error"]) == (
        "landed",
        1080,
        "new",
        None,
    )
    assert set(laps["checks"]) == {"schema", "values", "racing"}
    assert {check["failed"] for check in laps["checks"].values()} == {None}


def test_a_file_that_is_gone(weekend: Weekend) -> None:
    """What is missing long after its session stands out, with what stores it; exit status 1."""
    weekend.file("laps").unlink()
    ran = weekend.run(status, "2024-2025")
    assert ran.status == 1
    assert "2025/bahrain/race" in ran.out
    [race] = [line.split() for line in ran.out.splitlines() if line.startswith("2025/bahrain/race")]
    assert race == ["2025/bahrain/race", "1", "20", "20", "overdue", "50", "30"]
    assert "    1 overdue: not in the lake, and should be by now\n" in ran.out
    assert (
        "\nlaps of 2025/bahrain/race: The lake holds no file, and no run has reported a failure. "
        "`f1-bronze ingest 2025 --grand-prix bahrain --missing` stores it.\n"
    ) in ran.out
    assert "No session of 2024 is registered. f1-bronze ingest 2024 registers" in ran.out


def test_nothing_is_registered(weekend: Weekend) -> None:
    """Without a registered session it says how they come to be, and the exit status is 1."""
    ran = weekend.run(status, "2023,2024")
    assert ran.status == 1
    assert ran.out == (
        "No session of 2023, 2024 is registered. f1-bronze ingest 2023,2024 registers and ingests "
        "them (--dry-run lists them first); the sensor openf1_calendar registers those of the "
        "running season.\n"
    )
    shutil.rmtree(weekend.folder / "home")
    assert weekend.run(status, "2025").out == (
        "No session of 2025 is registered, but 2 are in the lake: f1-bronze verify 2025 "
        "--repair registers and records them.\n"
    )
    assert weekend.run(status, "soon").status == 2


def test_every_state(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell says its state; failed checks are marked, and counted states explained."""
    monkeypatch.setenv("COLUMNS", "240")
    lines = printed(every_state(), capsys)
    assert [line.split() for line in lines[1:7]] == [
        ["2025/australian/qualifying", "1", "20", "20", "empty", "·", "·"],
        ["2025/australian/race", "1", "20!", "20", "400✗", "20", "20"],
        ["2025/bahrain/qualifying", "1", "20!", "20", "1,080", "·", "·"],
        ["2025/bahrain/race", "1", "outdated", "20", "refused", "running", "unrecorded"],
        ["2025/monaco/qualifying", "1", "20", "failed", "1,080", "·", "·"],
        ["2025/monaco/race", *["overdue"] * 6],
    ]
    counted = [line.split(":")[0].strip() for line in lines[8:16]]
    assert counted == [
        "18 landed",
        "1 empty",
        "1 outdated",
        "1 refused",
        "1 failed",
        "1 running",
        "1 unrecorded",
        "6 overdue",
    ]
    assert lines[17:] == [
        "✗ 2025/australian/race laps.values: lap_number 1 to 100: 2 of 20 rows fail",
        f"results of 2025/monaco/qualifying: It broke {NASTY}. Try again.",
        f"laps of 2025/bahrain/race: {MISSING_ROWS}",
        "sessions of 2025/monaco/race and 5 more: The lake holds no file, and no run has reported "
        "a failure. `f1-bronze ingest 2025 --grand-prix monaco --missing` stores it.",
        "! 2025/australian/race and 1 more drivers.values: name_acronym three capitals: "
        "2 of 20 rows fail",
        "drivers of 2025/bahrain/race: It was stored before its session or its columns changed. "
        "`f1-bronze ingest 2025 --grand-prix bahrain --dataset drivers` renews it.",
        "pit_stops of 2025/bahrain/race: The lake holds a file that is not in Dagster's record. "
        "`f1-bronze verify 2025 --repair` records it.",
    ]


def test_complete_is_what_needs_no_action() -> None:
    """Warnings, outdated and running cells are no failure; a failed ERROR check is one."""
    assert is_complete(all_well())
    assert not is_complete(every_state())
    coverage = every_state()
    kept = {
        place: cell
        for place, cell in coverage.cells.items()
        if cell.severity != "ERROR" and cell.state in ("landed", "empty", "outdated", "running", "")
    }
    assert is_complete(Coverage(sessions=coverage.sessions, cells=kept, ended_at={}))
    assert not is_complete(Coverage(sessions=(), cells={}, ended_at={}))


def test_overdue_for_programs() -> None:
    """--json marks what is overdue, and says why something failed."""
    coverage = every_state()
    data = to_json(coverage)
    by_key = {one["partition"]: one["datasets"] for one in data["sessions"]}
    assert data["overdue"] == 7
    assert by_key["2025/monaco/race"]["laps"]["overdue"] is True
    assert by_key["2025/bahrain/race"]["laps"] == {
        "state": "refused",
        "overdue": False,
        "rows": 1080,
        "landed_at": "2025-12-01T06:00:00+00:00",
        "revision": "new",
        "error": MISSING_ROWS,
        "run": "0f2c7e1a",
        "checks": {"schema": {"failed": None, "summary": "1 rules hold"}},
    }


@pytest.mark.parametrize(
    ("width", "overdue", "lost"), [(80, "!!", "⊘"), (100, "overdue", "refused")]
)
def test_in_a_terminal(
    width: int,
    overdue: str,
    lost: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In colour, a session a line; a narrow terminal has signs for states and says which."""
    console = Console(width=width, force_terminal=True, color_system="standard", highlight=False)
    monkeypatch.setattr("f1_bronze.cli.console.stdout", lambda: console)
    coverage = every_state()
    print_coverage(coverage, (2025,))
    out = capsys.readouterr().out
    assert re.search(rf"\x1b\[1;31m +{overdue}", out)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()
    assert [line.split()[0] for line in plain[1:7]] == [s.key for s in coverage.sessions]
    assert max(len(line) for line in plain[:7]) <= width
    assert plain[4].split()[4] == lost
    assert ("    1 refused ⊘: OpenF1's" in out) == (width == 80)
