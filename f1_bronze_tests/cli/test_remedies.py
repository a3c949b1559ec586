"""Each command that the coverage recommends ends the problem that it is recommended for."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from f1_bronze.defs.monitoring.coverage_asset import on_time
from f1_bronze.defs.monitoring.overdue import overdue_sessions
from f1_bronze.defs.record.calendar_memory import SeenSession
from f1_bronze.defs.resources import Deployment
from f1_bronze.settings import Settings
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator
from f1_bronze.telemetry.alerts.wording import Wording

from ..commands import Run
from ..defs.calendars import remember
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


def forget_a_session(weekend: Weekend, simulator: Simulator) -> None:
    """A session of the lake is no partition any more."""
    with dg.DagsterInstance.from_config(str(weekend.folder / "home")) as instance:
        for definition in ("f1_sessions", "f1_race_sessions"):
            instance.delete_dynamic_partition(definition, "2025/bahrain/race")


def move_the_lake(weekend: Weekend, simulator: Simulator) -> None:
    """The setting names a folder that is no lake."""
    (weekend.folder / "lake").rename(weekend.folder / "elsewhere")


def never_store_it(weekend: Weekend, simulator: Simulator) -> None:
    """A lake in which the session was never stored."""
    shutil.rmtree(weekend.folder / "lake")
    lose_the_record(weekend, simulator)


SELECTION = "2025 --grand-prix bahrain --session-type race --dataset laps"
REFUSED = f"ingest {SELECTION}"
LAP_TIMES = 'sql "SELECT sum(lap_duration) FROM laps"'
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
            [LAP_TIMES, "status 2025", "verify 2025"],
        ),
        (
            damage_a_file,
            LAP_TIMES,
            ["f1-bronze verify 2025 --repair", INGEST_AGAIN],
            [LAP_TIMES, "status 2025", "verify 2025"],
        ),
        (
            forget_a_session,
            "status 2025",
            ["f1-bronze verify 2025 --repair"],
            ["status 2025", "verify 2025"],
        ),
        (move_the_lake, "verify 2025", ["f1-bronze ingest SEASONS"], ["verify 2025"]),
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
    # A session that is not registered is mentioned, and no problem of those that are.
    assert failed.status != 0 or cause is forget_a_session, said
    for command in commands:
        assert command in said
        typed = command.replace("…", SELECTION).replace("SEASONS", "2025 --grand-prix bahrain")
        ran = run(*shlex.split(typed)[1:], **settings)
        # What was moved aside is missing until the next command has stored it again.
        assert ran.status == int(command != commands[-1]), ran
    for words in ended:
        ran = run(*shlex.split(words), **settings)
        assert ran.status == 0, (words, ran)


def close_the_api(simulator: Simulator) -> None:
    """A live session is on."""
    simulator.control.change_behaviour(live=True)


def break_the_api(simulator: Simulator) -> None:
    """Every answer about laps is an error of the server."""
    simulator.control.set_faults([InjectedFault(kind="status", endpoint="laps", status=500)])


def mend_the_api(simulator: Simulator) -> None:
    """It answers again, to everybody."""
    simulator.control.set_faults([])
    simulator.control.change_behaviour(live=False)


@pytest.mark.parametrize(
    ("cause", "status", "says"),
    [(close_the_api, 3, "come back in 30 to 180 minutes"), (break_the_api, 1, "run this again")],
    ids=["closed", "broken"],
)
def test_missing_after_the_trouble(
    run: Run,
    simulator: Simulator,
    fast: dict[str, str],
    no_pauses: None,
    cause: Callable[[Simulator], None],
    status: int,
    says: str,
) -> None:
    """What an API that was closed or broken kept from being stored, `--missing` stores later."""
    cause(simulator)
    failed = run(*WEEKEND, **fast)
    assert failed.status == status, failed
    assert says in failed.err
    mend_the_api(simulator)
    assert run(*WEEKEND, "--missing", **fast).status == 0
    assert run("status", "2025", **fast).out.splitlines()[-1].split() == ["10", "landed"]


def test_the_remedy_of_a_failed_check(
    run: Run, run_process: Run, simulator: Simulator, fast: dict[str, str]
) -> None:
    """Materialized again once upstream has corrected the rows, the partition passes."""
    stop = InjectedFault(kind="edit", endpoint="pit", patch={"pit_duration": 0.4})
    simulator.control.set_faults([stop])
    words = (*WEEKEND, "--session-type", "race")
    failed = run_process(*words, **fast)
    assert failed.status == 1
    said = " ".join(failed.err.split())
    assert "materialize the partition again once upstream has corrected it." in said
    assert run("status", "2025", **fast).status == 1
    simulator.control.set_faults([])
    assert run_process(*words, **fast).status == 0
    assert run("status", "2025", **fast).status == 0


def test_the_remedy_of_overdue_sessions(
    run: Run,
    tmp_path: Path,
    simulator: Simulator,
    fast: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command of the alert, and of the check in the UI, stores what is overdue."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    assert run("partitions", "2025", **fast).status == 0
    end = datetime(2025, 4, 13, 17, tzinfo=UTC)
    race = SeenSession(key="2025/bahrain/race", name="Race", start=end, end=end)
    deployment = Deployment(Settings.read({"F1_BRONZE_INGEST_NEW": "true"}))
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        remember(instance, {RACE_KEY: race})
        now = end + timedelta(hours=25)
        overdue = overdue_sessions(instance, deployment, now)
        assert [session.key for session in overdue] == [race.key]
        alert = Wording(environment="production").describe_overdue(overdue, now).text
        [command] = re.findall(r"`(f1-bronze [^`]*)`", alert)
        assert command in str(on_time(overdue, True).description)
        assert run(*shlex.split(command)[1:], **fast).status == 0
        assert overdue_sessions(instance, deployment, now) == []


def test_remedies_of_doctor(
    run: Run, weekend: Weekend, fast: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool without a limit gets one by either of the commands that it names."""
    home = weekend.folder / "home"
    monkeypatch.setenv("DAGSTER_HOME", str(home))

    def doctor() -> dict[str, dict[str, str]]:
        return {one["check"]: one for one in run("doctor", "--json", **fast).data["checks"]}

    for place in range(2):
        with dg.DagsterInstance.from_config(str(home)) as instance:
            instance.event_log_storage.delete_concurrency_limit("openf1")
        check = doctor()["dagster pool"]
        assert check["state"] == "warning"
        command = re.findall("`([^`]*)`", check["remedy"])[place]
        program, *words = shlex.split(command)
        if program == "f1-bronze":
            ran = run(*words, *WEEKEND[1:], **fast, LAKE_URI=str(weekend.folder / "lake"))
            assert ran.status == 0, ran
        else:
            subprocess.run([Path(sys.executable).with_name(program), *words], check=True)
        assert doctor()["dagster pool"]["state"] == "ok"


PAGES = Path(__file__).parents[2] / "docs" / "operations"
EXAMPLES = {
    "2023-2026": "2025",
    "2026-05-25": "2099-05-25",
    " 2026": " 2025",
    "monaco": "bahrain",
    "SEASONS": "2025",
    "SEASON": "2025",
    "DATASET PARTITION": "laps 2025/bahrain/race",
    "SELECT …": "SELECT count(*) FROM laps",
}
"""What a page has for what the reader puts in → what the weekend has."""


def test_commands_of_the_operations_pages(
    run: Run,
    weekend: Weekend,
    fast: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every whole command that these pages recommend succeeds where nothing is wrong."""
    text = "\n".join(page.read_text("utf-8") for page in sorted(PAGES.glob("*.md")))
    commands = dict.fromkeys(re.findall(r"`(f1-bronze \w+ [^`]+)`", text))
    assert len(commands) > 15
    monkeypatch.setenv("DAGSTER_HOME", str(weekend.folder / "home"))
    settings = fast | {"LAKE_URI": str(weekend.folder / "lake")}
    for command in commands:
        typed = command
        for example, value in EXAMPLES.items():
            typed = typed.replace(example, value)
        if typed.split()[1] == "ingest":
            typed = typed.replace("ingest 2025", "ingest 2025 --grand-prix bahrain")
        ran = run(*shlex.split(typed)[1:], **settings)
        assert ran.status == 0, (command, ran)
