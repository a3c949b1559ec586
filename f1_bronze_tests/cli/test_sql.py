"""f1-bronze sql: forms of results, exit statuses, a lake on S3, and the queries of the docs."""

import csv
import io
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from f1_bronze.cli.sql_command import ROWS_SHOWN, sql
from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.lake import Lake
from f1_bronze_tests.lake.candidates import candidate
from f1_bronze_tests.lake.examples import lap
from f1_bronze_tests.lake.fakes import TickingClock

PAGE = (Path(__file__).parents[2] / "docs/guides/reading.md").read_text("utf-8")
LAPS = DATASETS[3]
CODES = "[2048, 2049, null, 2051]"


def put(uri: str, records: list[dict[str, Any]], clock: Any = None) -> None:
    """Land laps of one race."""
    Lake(Lake.at(uri).store, clock=clock or TickingClock()).land(candidate(records))


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A local lake with two laps, which the command reads."""
    uri = str(tmp_path / "lake")
    monkeypatch.setenv("F1_BRONZE_LAKE_URI", uri)
    put(uri, [lap(1), lap(2, st_speed=None, tyre="SOFT")])
    return uri


def ask(*words: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(sql, list(words))


def test_table(lake: str) -> None:
    """People get a table: names, numbers to the right, nothing for null."""
    done = ask("SELECT lap_number, st_speed, lap_duration, grand_prix FROM laps ORDER BY 1")
    assert (done.exit_code, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines() if "─" not in line] == [
        ["lap_number", "st_speed", "lap_duration", "grand_prix"],
        ["1", "301", "94.35", "bahrain"],
        ["2", "94.35", "bahrain"],
    ]


def test_wide_tables_are_whole(lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No value is cut, however many columns there are: the last column of all is there."""
    monkeypatch.delenv("COLUMNS", raising=False)
    header, _, first, *_ = ask("SELECT * FROM laps ORDER BY lap_number").stdout.splitlines()
    assert header.split()[-1] == "session_type"
    assert "[2048, 2049, null, 2051]" in first
    assert first.split()[-3:] == ["2025", "bahrain", "race"]


def test_rows_wider_than_the_terminal(lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In 80 columns a row that does not fit is a line for each value, and none is left out."""
    monkeypatch.setenv("COLUMNS", "80")
    done = ask("SELECT * FROM laps ORDER BY lap_number")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line.startswith("─ row ")] == [
        "─ row 1 ────────────────────────────────",
        "─ row 2 ────────────────────────────────",
    ]
    assert "segments_sector_1  [2048, 2049, null, 2051]" in lines
    assert lines[-1] == "session_type       race"
    narrow = ask("SELECT lap_number, st_speed FROM laps").stdout.splitlines()
    assert narrow[0].split() == ["lap_number", "st_speed"]


def test_long_tables_say_what_is_left_out(lake: str) -> None:
    """A long result shows its beginning, and says how many rows there are."""
    done = ask("SELECT * FROM range(1234)")
    assert len(done.stdout.splitlines()) == 2 + ROWS_SHOWN
    assert done.stderr == "100 of 1,234 rows; --csv prints them all.\n"


def test_csv(lake: str) -> None:
    """CSV has a line of names, every row, ISO moments, lists as JSON, and nothing for null."""
    done = ask(
        "SELECT lap_number, date_start, segments_sector_1, st_speed, is_pit_out_lap, extra_fields "
        "FROM laps ORDER BY 1",
        "--csv",
    )
    names, *rows = csv.reader(io.StringIO(done.stdout))
    assert names[:2] + names[-1:] == ["lap_number", "date_start", "extra_fields"]
    assert rows == [
        ["1", "2025-04-13T15:01:00.123000+00:00", CODES, "301", "false", ""],
        ["2", "2025-04-13T15:02:00.123000+00:00", CODES, "", "false", '{"tyre":"SOFT"}'],
    ]


def test_json(lake: str) -> None:
    """JSON is a list of rows with JSON's own types; equal names are numbered."""
    done = ask(
        "SELECT lap_number, st_speed, segments_sector_1 AS s, sum(lap_number) OVER () AS total, "
        "date_start::DATE AS day, 1.5::DECIMAL(3, 1) AS d, 'nan'::DOUBLE AS n, 1 AS d "
        "FROM laps ORDER BY 1 DESC LIMIT 1",
        "--json",
    )
    assert json.loads(done.stdout) == [
        {
            "lap_number": 2,
            "st_speed": None,
            "s": [2048, 2049, None, 2051],
            "total": 3,
            "day": "2025-04-13",
            "d": 1.5,
            "n": "nan",
            "d_1": 1,
        }
    ]


def test_no_rows(lake: str) -> None:
    """A result without rows is an empty list, or the names alone."""
    query = "SELECT lap_number FROM laps WHERE year = 1999"
    assert ask(query, "--json").stdout == "[]\n"
    assert ask(query, "--csv").stdout == "lap_number\n"
    assert ask(query).stdout.split()[0] == "lap_number"


def test_parquet(lake: str, tmp_path: Path) -> None:
    """A Parquet file has the rows in the types of the lake."""
    file = tmp_path / "out.parquet"
    done = ask("SELECT * FROM laps ORDER BY lap_number", "--parquet", str(file))
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("2 rows in ")
    table = pq.read_table(file)
    assert table.column("lap_number").to_pylist() == [1, 2]
    assert str(table.schema.field("date_start").type) == "timestamp[us, tz=UTC]"
    assert table.column_names[-3:] == ["year", "grand_prix", "session_type"]


def test_parquet_that_cannot_be_written(lake: str, tmp_path: Path) -> None:
    """A file in no folder is a sentence and exit status 2."""
    done = ask("SELECT 1", "--parquet", str(tmp_path / "no" / "x.parquet"))
    assert done.exit_code == 2
    assert "No such file or directory" in done.stderr


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT nope FROM laps", 'Referenced column "nope" not found'),
        ("SELECT * FROM lapse", "Did you mean"),
        ("COPY laps TO 'x.csv'", "COPY is not possible: the views can only be read."),
        ("SELECT 'x'::INT FROM laps", "Could not convert string 'x' to INT32"),
        ("SELECT 1; SELECT 2", "Give one statement"),
    ],
)
def test_a_wrong_query(lake: str, query: str, message: str) -> None:
    """A wrong query is DuckDB's own message and exit status 2, without a traceback."""
    done = ask(query)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("f1-bronze: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_one_form(lake: str) -> None:
    """Two forms at once are wrong use."""
    assert ask("SELECT 1", "--csv", "--json").exit_code == 2


def test_an_empty_lake_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a dataset has no file the answer is empty, and standard error says why."""
    monkeypatch.setenv("F1_BRONZE_LAKE_URI", str(tmp_path / "nothing"))
    done = ask("SELECT count(*) AS n FROM laps JOIN stints USING (session_key)", "--json")
    assert json.loads(done.stdout) == [{"n": 0}]
    assert done.stderr == f"file://{tmp_path}/nothing/ has no files of laps, stints.\n"
    assert not (tmp_path / "nothing").exists()


def test_as_of(lake: str) -> None:
    """--as-of shows the content that was replaced later, and before the first landing nothing,
    which it says; a time without offset is UTC."""
    clock = TickingClock(datetime(2025, 5, 1, tzinfo=UTC))
    put(lake, [lap(1, st_speed=1), lap(2, st_speed=2)], clock)
    query = "SELECT st_speed FROM laps ORDER BY lap_number"
    now = json.loads(ask(query, "--json").stdout)
    for time in ("2025-04-14T06:00:00", "2025-04-30T23:59:59", "2025-05-01T01:59:00+02:00"):
        then = json.loads(ask(query, "--json", "--as-of", time).stdout)
        assert [row["st_speed"] for row in then] == [301, None]
    assert [row["st_speed"] for row in now] == [1, 2]
    assert json.loads(ask(query, "--json", "--as-of", "2025-05-02").stdout) == now
    before = ask(query, "--json", "--as-of", "2025-04-14T05:59:59")
    assert (before.exit_code, json.loads(before.stdout)) == (0, [])
    assert before.stderr == f"file://{lake}/ has no files of laps at 2025-04-14 05:59:59+00:00.\n"


def test_no_time(lake: str) -> None:
    """A word that is no time is wrong use, and says what to write."""
    done = ask("SELECT 1", "--as-of", "yesterday")
    assert done.exit_code == 2
    assert "write 2025-04-14" in done.stderr


def test_a_wrong_query_as_json(lake: str) -> None:
    """Programs that asked for JSON get the error as JSON too."""
    done = ask("SELECT nope FROM laps", "--json")
    assert done.exit_code == 2
    error = json.loads(done.stdout)
    assert (error["status"], error["error"]) == (2, "BinderException")
    assert error["message"].startswith("Binder Error: Referenced column")


@pytest.fixture
def aws(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard AWS chain points at the server, and a bucket is there."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    boto3.client("s3").create_bucket(Bucket="lake-bucket")


def test_a_lake_on_s3(aws: None, lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same lake in a bucket gives the same answer, by the credentials of the AWS chain."""
    put("s3://lake-bucket/f1", [lap(1), lap(2, st_speed=None, tyre="SOFT")])
    query = "SELECT * FROM laps WHERE year = 2025 ORDER BY lap_number"
    local = ask(query, "--json").stdout
    monkeypatch.setenv("F1_BRONZE_LAKE_URI", "s3://lake-bucket/f1")
    done = ask(query, "--json")
    assert (done.exit_code, done.stdout) == (0, local)
    assert len(json.loads(local)) == 2


def test_a_bucket_that_is_not_there(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake that cannot be read is a sentence with a remedy and exit status 1."""
    monkeypatch.setenv("F1_BRONZE_LAKE_URI", "s3://elsewhere")
    done = ask("SELECT count(*) FROM laps")
    assert done.exit_code == 1
    assert done.stderr.startswith("f1-bronze: S3 answered NoSuchBucket: could not list s3://else")


@pytest.mark.parametrize("damage", ["torn", "overwritten"])
def test_a_damaged_file_is_a_sentence(lake: str, damage: str) -> None:
    """A process that met a damaged file says its one sentence, and DuckDB nothing at its end."""
    [file] = Path(lake).rglob("laps_*.parquet")
    data = file.read_bytes()
    kept = {"torn": data[:50], "overwritten": data[:4] + bytes(len(data) - 12) + data[-8:]}
    file.write_bytes(kept[damage])
    program = "from f1_bronze.cli.sql_command import sql; sql()"
    words = [sys.executable, "-c", program, "SELECT * FROM laps"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("f1-bronze: ")
    assert file.name in line
    assert "`f1-bronze verify 2025 --repair` moves it aside, then `f1-bronze ingest 2025 --" in line


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language in docs/guides/reading.md."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.M | re.S)


@pytest.fixture
def weekend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seasons: Any) -> Path:
    """data/lake in a folder: a simulated weekend, a correction of it and a lineage event."""
    monkeypatch.chdir(tmp_path)
    lake = Lake.at("data/lake")
    for session in seasons.sessions():
        if session["year"] != 2025 or session["circuit_short_name"] != "Sakhir":
            continue
        key, session_type = session["session_key"], session["session_name"].lower()
        if session_type not in ("race", "qualifying"):
            continue
        partition = SessionPartition(year=2025, grand_prix="bahrain", session_type=session_type)
        for dataset in DATASETS:
            if dataset.exists_for(session_type):
                alone = dataset.name == "sessions"
                records = [session] if alone else list(seasons.rows(dataset.endpoint, key))
                first = [{**records[0], "points": 99}, *records[1:]]
                for answer in (first, records) if dataset.name == "results" else (records,):
                    lake.land(
                        candidate(answer, dataset=dataset, partition=partition, session_key=key)
                    )
    written = {"type": "partition", "partitions": [{"identifier": "2025/bahrain/race"}]}
    event = {
        "eventTime": "2025-04-14T06:00:00Z",
        "eventType": "COMPLETE",
        "run": {"runId": "4f6f"},
        "job": {"namespace": "f1_bronze", "name": "bronze_sessions"},
        "inputs": [],
        "outputs": [
            {
                "namespace": "file",
                "name": str(tmp_path / "data/lake/bronze/laps"),
                "outputFacets": {"subset": {"outputCondition": written}},
            }
        ],
    }
    path = "lineage/events/year=2025/month=04/day=14/event_x.json"
    lake.store.write(path, json.dumps(event, separators=(",", ":")).encode(), {})
    return tmp_path


def test_queries_of_the_docs(weekend: Path) -> None:
    """Each SQL block of docs/guides/reading.md answers with rows."""
    queries = blocks("sql")
    assert len(queries) >= 6
    for query in queries:
        done = ask(query, "--json")
        assert done.exit_code == 0, done.stderr
        assert json.loads(done.stdout), query


def test_python_of_the_docs(weekend: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each Python block of docs/guides/reading.md runs, and prints a number of rows."""
    programs = blocks("python")
    assert len(programs) >= 3
    for program in programs:
        exec(compile(program, "docs/guides/reading.md", "exec"), {})
        assert int(capsys.readouterr().out) > 0, program
