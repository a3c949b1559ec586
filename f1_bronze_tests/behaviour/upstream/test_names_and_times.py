"""What a calendar can contradict itself in: names that look like numbers or stand for two meetings,
sessions that are listed twice."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

from f1_bronze_tests.behaviour.upstream.season import (
    MEETING_KEY,
    Record,
    meeting,
    race,
    results,
    serve,
)
from f1_bronze_tests.commands import Run
from f1_bronze_tests.conftest import RECORDINGS

RACES = ("ingest", "2025", "--session-type", "race", "--dataset")
AT_OTHER_TIME = race(date_start="2025-05-04T10:00:00+00:00", date_end="2025-05-04T12:00:00+00:00")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["1000 Grand Prix", "2025", "007 Grand Prix"])
def test_a_name_of_digits_stays_a_text(tmp_path: Path, run: Run, name: str) -> None:
    """Readers that guess the types of hive folders read the names of Grands Prix as texts, also
    where the lake has no other; the user may type the name as it is."""
    with serve(tmp_path / "season", meetings=[meeting(name)], session_result=results()) as openf1:
        ran = run(
            *(*RACES, "results", "--grand-prix", name),
            OPENF1_URL=openf1.url,
            OPENF1_LIMITS="1000/1s",
        )
    assert ran.status == 0
    table = ds.dataset(tmp_path / "data/lake/bronze/results", partitioning="hive").to_table()
    assert str(table.schema.field("grand_prix").type) == "string"
    assert table.num_rows == 6


@pytest.mark.slow
@pytest.mark.parametrize("cancelled_first", [True, False])
@pytest.mark.parametrize("typed", ["Test Grand Prix", "test", "Testville"])
def test_of_two_meetings_with_one_name_the_one_that_took_place(
    tmp_path: Path, run: Run, cancelled_first: bool, typed: str
) -> None:
    """A name that stands for a cancelled meeting and for one that was run means the latter, in
    whatever order they are listed."""
    cancelled = {"meeting_key": MEETING_KEY - 1, "is_cancelled": True}
    early = {"date_start": "2025-03-02T11:00:00+00:00", "date_end": "2025-03-02T13:00:00+00:00"}
    meetings = [meeting(**cancelled, date_start=early["date_start"]), meeting(is_cancelled=False)]
    sessions = [race(session_key=8999, **cancelled, **early), race(is_cancelled=False)]
    order = 1 if cancelled_first else -1
    with serve(
        tmp_path / "season",
        meetings=meetings[::order],
        sessions=sessions[::order],
        session_result=results(),
    ) as openf1:
        ran = run(
            *(*RACES, "results", "--grand-prix", typed, "--json"),
            OPENF1_URL=openf1.url,
            OPENF1_LIMITS="1000/1s",
        )
    assert (ran.status, ran.data["datasets"][0]["new"]) == (0, 1), ran.err


@pytest.mark.parametrize("listed", list(permutations([race(), AT_OTHER_TIME])))
def test_a_session_that_is_listed_twice(
    tmp_path: Path, run: Run, listed: tuple[Record, ...]
) -> None:
    """The contradiction is reported, and what is stored is the same in whatever order the session
    is listed: the later times, by which it has not ended before."""
    with serve(tmp_path / "season", sessions=listed) as openf1:
        ran = run(*RACES, "sessions", OPENF1_URL=openf1.url, OPENF1_LIMITS="1000/1s")
        stored = json.loads(run("sql", "SELECT date_start FROM sessions", "--json").out)
    assert ran.status == 0
    assert "OpenF1 lists session_key 9001 in 2 records with different date_end" in ran.err.replace(
        "\n", " "
    )
    assert [str(row["date_start"])[:13].replace("T", " ") for row in stored] == ["2025-05-04 13"]


_CASES = RECORDINGS.parent / "cases"


@pytest.mark.slow
@pytest.mark.skipif(not _CASES.is_dir(), reason="the cases are not part of the project")
@pytest.mark.parametrize(
    ("case", "words", "expected"),
    [
        (
            "name_of_digits",
            [("data", (*RACES, "results"))],
            [{"new": 1}],
        ),
        (
            "one_name_two_meetings",
            [("data", (*RACES, "results", "--grand-prix", "Test Grand Prix"))],
            [{"new": 1}],
        ),
        (
            "renamed_after_landing",
            [
                ("1_before", (*RACES, "results")),
                ("2_renamed", (*RACES, "results")),
                (
                    "2_renamed",
                    (*RACES, "results", "--grand-prix", "Testville-Riverside Grand Prix"),
                ),
            ],
            [{"new": 1}, {"new": 0, "unchanged": 1}, {"new": 0, "unchanged": 1}],
        ),
        (
            "session_listed_twice",
            [("1_old_first", (*RACES, "sessions")), ("2_new_first", (*RACES, "sessions"))],
            [{"new": 1}, {"unchanged": 1}],
        ),
        (
            "twin_row_healed",
            [("1_twin", (*RACES, "results")), ("2_healed", (*RACES, "results"))],
            [{"new": 1}, {"changed": 1, "refused": 0}],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_cases(
    tmp_path: Path,
    run: Run,
    case: str,
    words: list[tuple[str, tuple[str, ...]]],
    expected: list[dict[str, Any]],
) -> None:
    """Each case that was found outside goes right, step by step."""
    from f1_bronze.simulator.server import Simulator
    from f1_bronze.simulator.sources import RecordedSeasons

    for (folder, command), outcome in zip(words, expected, strict=True):
        with Simulator(RecordedSeasons(_CASES / case / folder), limits=None) as openf1:
            ran = run(*command, "--json", OPENF1_URL=openf1.url, OPENF1_LIMITS="1000/1s")
        [row] = ran.data["datasets"]
        assert ran.status == 0
        assert {name: row[name] for name in outcome} == outcome
