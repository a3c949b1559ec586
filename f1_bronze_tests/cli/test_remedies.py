"""Each command that the coverage recommends ends the problem that it is recommended for."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator

from ..commands import Run
from ..weekend import Weekend

pytestmark = pytest.mark.slow

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


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ("status 2025", 1, "No session of 2025 is registered."),
        ("verify 2025", 1, "There is no lake in file://"),
        ("history laps 2025/bahrain/race", 2, "2025/bahrain/race is not in the lake."),
        ("lineage laps 2025/bahrain/race", 2, "2025/bahrain/race"),
        ("chart lap-times 2025/bahrain/race", 2, "Materialize bronze/laps for this partition"),
        ("chart season 2025", 1, "There is no season chart of 2025"),
        ("metrics", 0, "There are no metrics of the last 30 days"),
        ("settings", 0, "F1_BRONZE_LAKE_URI"),
        ('sql "SELECT count(*) AS laps FROM laps"', 0, "laps"),
        ("sql --examples", 0, "SELECT"),
        ("ingest 2025 --missing --dry-run", 0, "Plan: "),
        ("backfill 2025 --dry-run", None, ""),
    ],
    ids=lambda value: str(value).split(" ")[0] if isinstance(value, str) else "",
)
def test_reading_makes_no_folder(
    run: Run, tmp_path: Path, fast: dict[str, str], words: str, status: int | None, says: str
) -> None:
    """Where nothing was ingested, commands that read say so, and leave nothing behind."""
    ran = run(*shlex.split(words), **fast)
    assert status in (None, ran.status), ran.out + ran.err
    assert says in ran.out + ran.err
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("rate")] == []


def test_a_report_makes_no_folder(run: Run, tmp_path: Path) -> None:
    """The page is all that `report` leaves."""
    assert run("report", "2025").status == 0
    assert [file.name for file in tmp_path.iterdir()] == ["f1_bronze_report_2025.html"]


@pytest.mark.parametrize("words", ["status 2025", "settings", "sql --examples", "metrics"])
def test_a_misspelt_setting(run: Run, words: str) -> None:
    """Each command warns of a variable that is no setting, and says which one may be meant."""
    ran = run(*words.split(), LAKE_URL="s3://lake")
    message = "warning: F1_BRONZE_LAKE_URL is set, but there is no such setting. Did you mean "
    assert f"{message}F1_BRONZE_LAKE_URI?" in ran.err
    assert "warning" not in run(*words.split()).err


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


def lose_the_record(weekend: Weekend, simulator: Simulator) -> None:
    """Dagster's record is gone, the lake is not."""
    shutil.rmtree(weekend.folder / "home")
    (weekend.folder / "home").mkdir()


def delete_a_file(weekend: Weekend, simulator: Simulator) -> None:
    """A recorded file is not in the lake any more."""
    weekend.file("laps").unlink()


def damage_a_file(weekend: Weekend, simulator: Simulator) -> None:
    """A file is half of what it was."""
    file = weekend.file("laps")
    file.write_bytes(file.read_bytes()[:2000])


def lose_rows(weekend: Weekend, simulator: Simulator) -> None:
    """OpenF1 answers with fewer rows than before."""
    dropped = InjectedFault(
        kind="drop_rows", endpoint="laps", session_key=RACE_KEY, rows_share=0.05
    )
    simulator.control.add_faults(dropped)


def never_store_it(weekend: Weekend, simulator: Simulator) -> None:
    """A lake in which the session was never stored."""
    shutil.rmtree(weekend.folder / "lake")
    lose_the_record(weekend, simulator)


SELECTION = "2025 --grand-prix bahrain --session-type race --dataset laps"
REFUSED = f"ingest {SELECTION}"
INGEST_AGAIN = "f1-bronze ingest 2025 --grand-prix bahrain --session-type race --missing"


@pytest.mark.parametrize(
    ("cause", "shows", "commands", "ended"),
    [
        (
            lose_the_record,
            "status 2025",
            ["f1-bronze verify 2025 --repair"],
            ["status 2025", "verify 2025"],
        ),
        (
            delete_a_file,
            "verify 2025",
            [INGEST_AGAIN],
            ["verify 2025", "status 2025"],
        ),
        (
            damage_a_file,
            "verify 2025 --repair",
            [INGEST_AGAIN],
            ['sql "SELECT sum(lap_duration) FROM laps"', "status 2025", "verify 2025"],
        ),
        (lose_rows, REFUSED, ["f1-bronze ingest … --accept-loss"], ["status 2025", REFUSED]),
        (
            never_store_it,
            "history laps 2025/bahrain/race",
            ["f1-bronze ingest 2025 --grand-prix bahrain --session-type race"],
            ["history laps 2025/bahrain/race", "status 2025"],
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_remedies_of_messages(
    run: Run,
    weekend: Weekend,
    simulator: Simulator,
    fast: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    cause: Callable[[Weekend, Simulator], None],
    shows: str,
    commands: list[str],
    ended: list[str],
) -> None:
    """A command that fails says which commands help; after these it succeeds."""
    monkeypatch.setenv("DAGSTER_HOME", str(weekend.folder / "home"))
    settings = fast | {"LAKE_URI": str(weekend.folder / "lake")}
    cause(weekend, simulator)
    failed = run(*shlex.split(shows), **settings)
    said = " ".join((failed.out + failed.err).split())
    assert failed.status != 0, said
    for command in commands:
        assert command in said
        ran = run(*shlex.split(command.replace("…", SELECTION))[1:], **settings)
        assert ran.status == 0, ran
    for words in ended:
        ran = run(*shlex.split(words), **settings)
        assert ran.status == 0, (words, ran)
