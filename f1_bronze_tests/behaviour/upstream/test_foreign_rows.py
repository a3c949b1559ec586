"""Rows that are another session's, whatever their answer says: not stored, named, and healed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from f1_bronze_tests.behaviour.upstream.season import (
    MEETING_KEY,
    SESSION_KEY,
    Record,
    drivers,
    meeting,
    race,
    results,
    serve,
)
from f1_bronze_tests.commands import Ran, Run

pytestmark = pytest.mark.slow

OTHER = {"session_key": SESSION_KEY + 1, "meeting_key": MEETING_KEY + 1}
PLACES = {"location": "Riverside", "circuit_short_name": "Riverside", "country_name": "Riverside"}
DATES = {"date_start": "2025-05-18T13:00:00+00:00", "date_end": "2025-05-18T15:00:00+00:00"}
CALENDAR: dict[str, Any] = {
    "meetings": [
        meeting(),
        meeting("Riverside Grand Prix", meeting_key=MEETING_KEY + 1, **PLACES, **DATES),
    ],
    "sessions": [race(), race(**OTHER, **PLACES, **DATES)],
}
PARTITIONS = ["2025/test/race", "2025/riverside/race"]


def both(records: Iterable[Record]) -> list[Record]:
    """The same rows of both races."""
    own = list(records)
    return [*own, *({**record, **OTHER} for record in own)]


def with_meetings(records: Iterable[Record], swapped: Iterable[int]) -> list[Record]:
    """The rows at these places with the other race's meeting_key."""
    places = set(swapped)
    keys = {MEETING_KEY: MEETING_KEY + 1, MEETING_KEY + 1: MEETING_KEY}
    return [
        {**record, "meeting_key": keys[record["meeting_key"]]} if place in places else record
        for place, record in enumerate(records)
    ]


def failed(ran: Ran) -> list[tuple[str, str, str]]:
    """What is not stored, and the name of its error."""
    return sorted((f["dataset"], f["partition"], f["error"]) for f in ran.data["failed"])


@pytest.mark.parametrize(
    ("swapped", "foreign"),
    [
        # The rows of two sessions of one batch.
        pytest.param(range(12), PARTITIONS, marks=pytest.mark.slow),
        (range(6), PARTITIONS[:1]),  # all rows of one
        pytest.param([9], PARTITIONS[1:], marks=pytest.mark.slow),  # one row of one
    ],
)
def test_rows_of_another_meeting_are_not_stored(
    tmp_path: Path, run: Run, swapped: Iterable[int], foreign: list[str]
) -> None:
    """The partitions with such rows fail and are named, everything else is stored; with the right
    rows they are stored by the same command."""
    wrong = with_meetings(both(results()), swapped)
    words = ("ingest", "2025", "--dataset", "sessions", "--dataset", "drivers", "--dataset")
    with serve(
        tmp_path / "wrong", **CALENDAR, session_result=wrong, drivers=both(drivers())
    ) as openf1:
        fast = {"OPENF1_URL": openf1.url, "OPENF1_LIMITS": "1000/1s"}
        first = run(*words, "results", "--json", **fast)
        again = run(*words, "results", "--missing", **fast)
    assert first.status == again.status == 1
    assert failed(first) == sorted(("results", key, "ForeignRows") for key in foreign)
    assert {row["dataset"]: row["new"] for row in first.data["datasets"]} == {
        "sessions": 2,
        "drivers": 2,
        "results": 2 - len(foreign),
    }
    assert f"{foreign[0]} results: The results of session" in again.err
    assert "came with rows of another meeting" in again.err
    with serve(
        tmp_path / "right", **CALENDAR, session_result=both(results()), drivers=both(drivers())
    ) as openf1:
        healed = run(*words, "results", "--json", OPENF1_URL=openf1.url, OPENF1_LIMITS="1000/1s")
    assert healed.status == 0
    assert healed.data["datasets"][2]["new"] == len(foreign)


@pytest.mark.slow
def test_a_session_that_moves_to_another_meeting_is_refused(tmp_path: Path, run: Run) -> None:
    """Where the calendar swaps the meetings of two sessions, the stored ones stay and both are
    refused by name, with their rows; a person can accept what the calendar says now."""
    rows = {"session_result": both(results())}
    swapped = {**CALENDAR, "sessions": with_meetings(CALENDAR["sessions"], range(2))}
    words = ("ingest", "2025", "--dataset", "sessions", "--dataset", "results", "--json")
    with serve(tmp_path / "right", **CALENDAR, **rows) as openf1:
        fast = {"OPENF1_URL": openf1.url, "OPENF1_LIMITS": "1000/1s"}
        assert run(*words, **fast).status == 0
    with serve(tmp_path / "swapped", **swapped, **rows) as openf1:
        fast = {"OPENF1_URL": openf1.url, "OPENF1_LIMITS": "1000/1s"}
        second = run(*words, **fast)
        accepted = run(*words[:4], "--accept-loss", "--json", **fast)
    assert failed(second) == sorted(
        [
            *(("results", key, "ForeignRows") for key in PARTITIONS),
            *(("sessions", key, "RowsMissing") for key in PARTITIONS),
        ]
    )
    [message] = {f["message"] for f in second.data["failed"] if f["partition"] == PARTITIONS[0]} - {
        f["message"] for f in second.data["failed"] if f["dataset"] == "results"
    }
    assert "with the meeting_key that is stored" in message
    assert (accepted.status, accepted.data["datasets"][0]["changed"]) == (0, 2)
