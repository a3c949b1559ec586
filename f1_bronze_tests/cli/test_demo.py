"""f1-bronze demo: data of its own, marked as simulated; its charts, example queries and UI."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from xml.etree import ElementTree

import dagster as dg
import pytest
from click.testing import CliRunner

from f1_bronze.charts.dataset_charts import NEEDED
from f1_bronze.cli import main
from f1_bronze.cli.chart_command import SEASON, chart
from f1_bronze.cli.history_command import history
from f1_bronze.cli.report_command import report
from f1_bronze.cli.sql_command import sql
from f1_bronze.cli.sql_examples import EXAMPLES, Example
from f1_bronze.cli.status_command import status
from f1_bronze_tests.commands import Ran, Run
from f1_bronze_tests.once import made_once
from f1_bronze_tests.weekend import Weekend

pytestmark = pytest.mark.slow

LAPS = dg.AssetKey(["bronze", "laps"])


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the demo has been run once; it is only read."""

    def make(folder: Path) -> None:
        folder.mkdir()
        environ = {
            **os.environ,
            "F1_BRONZE_LAKE_URI": str(folder / "mine"),
            "F1_BRONZE_SESSION_TYPES": "nonsense",
            "DAGSTER_HOME": str(folder / "my_home"),
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }
        words = [sys.executable, "-m", "f1_bronze.cli", "demo", "--json"]
        printed = subprocess.run(words, cwd=folder, env=environ, check=True, capture_output=True)
        (folder / "data/demo/printed.json").write_bytes(printed.stdout)

    return made_once(tmp_path_factory, "demo", make)


def test_the_demo_keeps_to_its_folder(demo_folder: Path) -> None:
    """Whatever is set, lake and Dagster home of the demo are below data/demo, and nothing else."""
    assert [path.name for path in demo_folder.iterdir()] == ["data"]
    files = sorted(p.name for p in (demo_folder / "data/demo/lake/bronze").rglob("laps_*"))
    assert files == [f"laps_{key}.parquet" for key in (907043, 907047, 907069, 907557)]


def test_the_story(demo_folder: Path) -> None:
    """One check of one race is red and names its row, a correction shows what changed, a session
    is overdue and then arrives; all of it on purpose, so that the exit status is 0."""
    printed = json.loads((demo_folder / "data/demo/printed.json").read_text("utf-8"))
    right, defect, correction, overdue, arrival = printed["chapters"]
    assert printed["status"] == 0
    assert all(chapter["as_planned"] for chapter in printed["chapters"])
    assert right["outcome"]["checks"]["failed"] == 0
    assert defect["outcome"]["checks"]["failed"] == 1
    assert "RED, on purpose: the check of pit_stops, values:" in defect["text"]
    row = "the row: session_key 907557, driver_number 84, name_acronym GAR, lap_number 16"
    assert any(f"{row}, pit_duration 0.4" in line for line in defect["text"])
    assert "  driver 11: position 4 → 3, points 12.0 → 15.0" in correction["text"]
    assert "OpenF1 is closed to free users" in overdue["text"][0]
    assert len(overdue["overdue"]) == 6
    assert arrival["outcome"]["status"] == 0
    assert all(chapter["look"] for chapter in (right, defect, correction, arrival))


def test_what_the_story_leaves(demo_folder: Path) -> None:
    """By the record nothing is overdue, and the impossible pit stop alone is red."""
    done = CliRunner().invoke(status, ["2025", "--json"], env=home_of(demo_folder))
    found = json.loads(done.stdout)
    assert (done.exit_code, found["overdue"], found["states"]) == (1, 0, {"landed": 22})
    red = [
        (session["partition"], name, check)
        for session in found["sessions"]
        for name, cell in session["datasets"].items()
        for check, one in cell["checks"].items()
        if one["failed"] == "ERROR"
    ]
    assert red == [("2025/saudi_arabian/race", "pit_stops", "values")]
    words = ["results", "2025/bahrain/race", "--json"]
    revisions = json.loads(CliRunner().invoke(history, words, env=home_of(demo_folder)).stdout)[
        "revisions"
    ]
    assert [len((one["changes"] or {}).get("changed", ())) for one in revisions] == [0, 2]


def test_simulated_data_says_so(
    demo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the tags of runs, in the metadata, in the chart and in the report."""
    monkeypatch.setenv("DAGSTER_HOME", str(demo_folder / "data/demo/dagster_home"))
    with dg.DagsterInstance.get() as instance:
        assert {run.tags["f1_bronze/simulated"] for run in instance.get_runs()} == {"true"}
        records = instance.fetch_materializations(LAPS, limit=2).records
        for record in records:
            assert record.asset_materialization is not None
            metadata = record.asset_materialization.metadata
            assert str(metadata["simulated"].value).startswith("Invented by the simulator")
            assert "(simulated data)" in str(metadata["picture"].value)
    page = tmp_path / "page.html"
    (tmp_path / "lake").symlink_to(demo_folder / "data/demo/lake")
    (tmp_path / "home").symlink_to(demo_folder / "data/demo/dagster_home")
    assert Weekend(tmp_path).run(report, "2025", "--output", str(page)).status == 0
    assert "4 of 4 sessions are <strong>simulated</strong>" in page.read_text("utf-8")
    words = ("2025", "--charts", "1", "--output", str(page))
    assert Weekend(tmp_path).run(report, *words).status == 0
    labels = re.findall(r'<svg xmlns.*? aria-label="(.*?)"', page.read_text("utf-8"))
    assert len(labels) == 7
    assert all(label.endswith(" (simulated data)") for label in labels)
    assert [label for label in labels if "Miami 2025, race" not in label] == [
        "Season 2025 (simulated data)"
    ]


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        ("history results 2025/bahrain/race", ()),
        ("history results 2025/bahrain/race --revision 1", ("results of 2025/bahrain/race, ",)),
        ("history laps 2025/bahrain/race", ()),
        ("lineage results 2025/bahrain/race", ("  file  ", "  content sha256 ")),
        ("status 2025", ("✗ 2025/saudi", "! 2025/saudi")),
        ("verify 2025", ("22 current files and 1 revisions read in file://",)),
        ("metrics", ()),
        ("settings", ()),
        ("report 2025 --output page.html", ("Written: ",)),
        ("chart season 2025 --output season.svg", ("Written: ",)),
        ("sql --examples", ()),
        ("ingest 2025 --offline --dry-run", ("Plan: ",)),
    ],
)
def test_tables_fit_80_columns(
    words: str,
    sentences: tuple[str, ...],
    demo_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Piped, no line is longer but sentences and addresses, which a terminal wraps itself."""
    monkeypatch.chdir(tmp_path)
    environ = home_of(demo_folder) | {"COLUMNS": None}
    done = CliRunner().invoke(main, words.split(), env=environ)
    lines = done.stdout.splitlines()
    assert lines, done.stderr
    assert [one for one in lines if len(one) > 80 and not one.startswith(sentences)] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.question)
def test_sql_examples(example: Example, demo_folder: Path) -> None:
    """Each example of `sql --examples` answers on the demo's lake, most of them with rows."""
    done = CliRunner().invoke(sql, [example.sql, "--json"], env=lake_of(demo_folder))
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)
    assert rows
    assert all(value is not None for row in rows[:1] for value in row.values())


def test_printed_examples() -> None:
    """They are printed as SQL that can be pasted, or as JSON; no query at all is wrong use."""
    printed = CliRunner().invoke(sql, ["--examples"]).stdout
    assert printed.count(";\n") == len(EXAMPLES) == 12
    assert f"-- {EXAMPLES[0].question}\nSELECT " in printed
    assert json.loads(CliRunner().invoke(sql, ["--examples", "--json"]).stdout)[3] == {
        "question": EXAMPLES[3].question,
        "sql": EXAMPLES[3].sql,
    }
    missing = CliRunner().invoke(sql, [])
    assert (missing.exit_code, "Give a query, or --examples" in missing.stderr) == (2, True)


@pytest.mark.parametrize("kind", [*NEEDED, SEASON])
def test_charts(kind: str, demo_folder: Path, tmp_path: Path) -> None:
    """Each kind is written as SVG below 40 kB; its title says that the data is simulated."""
    what = "2025/bahrain/qualifying" if kind == "qualifying-gaps" else "2025/bahrain/race"
    words = [kind, "2025" if kind == SEASON else what, "--output", str(tmp_path / "a.svg")]
    done = CliRunner().invoke(chart, words, env=lake_of(demo_folder))
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(f"Written: {tmp_path / 'a.svg'} (")
    svg = (tmp_path / "a.svg").read_text("ascii")
    assert len(svg) < 40_000
    assert "(simulated data)" in str(ElementTree.fromstring(svg).attrib["aria-label"])


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("race-trace", "2025/bahrain/qualifying"), 1, "There is no race-trace chart of 2025/bahr"),
        (("tyres", "2025/bahrein/race"), 2, "The lake has 2025/bahrain/race"),
        (("season", "2025/bahrain/race"), 2, "the chart of a season takes a year"),
        (("season", "1999"), 1, "There is no season chart of 1999"),
        (("pie", "2025/bahrain/race"), 2, "'pie' is not one of 'lap-times'"),
    ],
)
def test_charts_that_cannot_be_drawn(
    words: tuple[str, ...], status: int, message: str, demo_folder: Path
) -> None:
    """What there is nothing to draw of, and what does not exist, is a sentence."""
    done = CliRunner().invoke(chart, words, env=lake_of(demo_folder))
    assert done.exit_code == status
    assert message in " ".join(done.stderr.split())


def home_of(folder: Path) -> dict[str, str]:
    """The variables with which a command reads the demo's lake and record."""
    return lake_of(folder) | {"DAGSTER_HOME": str(folder / "data/demo/dagster_home")}


def lake_of(folder: Path) -> dict[str, str]:
    """The variables with which a command reads the demo's lake."""
    return {"F1_BRONZE_LAKE_URI": str(folder / "data/demo/lake")}


def test_reset(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--reset starts again; without it everything is unchanged."""
    monkeypatch.setenv("DAGSTER_HOME", "elsewhere")
    first, second = run("demo", "--json"), run("demo", "--json")
    third = run("demo", "--reset", "--json")

    def counts(ran: Ran, revision: str) -> list[list[int]]:
        outcomes = [one["outcome"] for one in ran.data["chapters"] if "outcome" in one]
        return [[row[revision] for row in outcome["datasets"]] for outcome in outcomes]

    new = [[2, 2, 2, 2, 1, 1], [1] * 6, [0], [1] * 6]
    assert (counts(first, "new"), counts(first, "changed")[2]) == (new, [1])
    assert counts(second, "unchanged") == [[2, 2, 2, 2, 1, 1], [2] * 6]
    assert counts(third, "new") == new
    # Without rules the defect is not seen, which is not what the story has.
    assert [first.status, second.status, third.status] == [1, 0, 1]
    assert not first.data["chapters"][1]["as_planned"]
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"demo"}


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A command that serves the UI, started as a script's background job is: deaf to interrupts."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "f1_bronze.cli", *words, "--port", str(port)]
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process, port
    finally:
        if process.poll() is None:  # with its daemon and servers
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [("demo", "--ui"), ("ui",)], ids=lambda words: words[0])
def test_the_ui_ends(
    words: tuple[str, ...], how: signal.Signals, demo_folder: Path, tmp_path: Path
) -> None:
    """It prints its address and no warning of Dagster's, and ends on INT and on TERM."""
    folder = tmp_path / "copy"
    shutil.copytree(demo_folder, folder)
    with serving(folder, *words) as (process, port):
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(2 + (words[0] == "demo"))]
        address = f"http://127.0.0.1:{port}"
        assert printed[-1] == f"Dagster UI: {address} (once it has started; Ctrl-C ends it)\n"
        for line in process.stdout:
            printed.append(line)
            if "Serving dagster-webserver" in line:
                break
        time.sleep(1)
        process.send_signal(how)
        rest = process.communicate(timeout=300)[0]
        assert process.returncode == 0, rest
    assert "SupersessionWarning" not in "".join(printed)


def test_a_port_that_is_taken(run: Run) -> None:
    """A port that something else uses is a sentence."""
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ran = run("ui", "--port", str(other.getsockname()[1]))
    assert ran.status == 1
    assert "cannot be used (Address already in use). Choose another one with --port." in ran.err
