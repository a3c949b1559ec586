"""Recorded seasons are served as they are."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from f1_bronze.simulator.server import Simulator
from f1_bronze.simulator.sources import RecordedSeasons

RECORDINGS = Path(__file__).parents[3] / "shared" / "openf1_recordings"
recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason=f"no recordings beside the repository at {RECORDINGS}"
)
Simulate = Callable[..., Simulator]


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def test_files_are_read_when_asked_for(tmp_path: Path) -> None:
    """Listings come by year, rows by session; a missing file is no results."""
    write(tmp_path / "sessions/2025.json", [{"session_key": 2, "date_start": "2025-03-01"}])
    write(tmp_path / "sessions/2024.json", [{"session_key": 1, "date_start": "2024-03-01"}])
    write(tmp_path / "laps/1.json", [{"session_key": 1, "lap_number": 1}])
    source = RecordedSeasons(tmp_path)
    assert [s["session_key"] for s in source.sessions()] == [1, 2]
    assert list(source.rows("laps", 1)) == [{"session_key": 1, "lap_number": 1}]
    assert list(source.rows("laps", 2)) == []
    assert list(source.meetings()) == []


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    """No folder, an unknown endpoint or a file that is no array is an error with its path."""
    with pytest.raises(NotADirectoryError, match="nowhere"):
        RecordedSeasons(tmp_path / "nowhere")
    write(tmp_path / "laps/1.json", {"detail": "No results found."})
    with pytest.raises(ValueError, match=r"laps.1\.json is not a JSON array"):
        RecordedSeasons(tmp_path).rows("laps", 1)
    with pytest.raises(ValueError, match="position"):
        RecordedSeasons(tmp_path).rows("position", 1)


def test_an_unlisted_session_can_be_asked_for_by_key(simulate: Simulate, tmp_path: Path) -> None:
    """A recording without its calendar is served all the same."""
    write(tmp_path / "laps/7.json", [{"session_key": 7, "lap_number": n} for n in (1, 2)])
    sim = simulate(RecordedSeasons(tmp_path))
    answer = requests.get(f"{sim.url}/laps?session_key=7&lap_number=2", timeout=5)
    assert answer.json() == [{"session_key": 7, "lap_number": 2}]


DATELESS = {"session_key": 5, "meeting_key": 9, "year": 2024}


def test_dates_that_are_none_harm_no_other_session(simulate: Simulate, tmp_path: Path) -> None:
    """A damaged calendar is served as it is, and so are the rows of all its sessions."""
    ends = ["yesterday", None, "2024-03-02T17:00:00", "2024-03-02T17:00:00+00:00"]
    calendar = [
        {"session_key": key, "meeting_key": 9, "year": 2024, "date_start": end, "date_end": end}
        for key, end in enumerate(ends, start=1)
    ]
    write(tmp_path / "sessions/2024.json", [*calendar, DATELESS])
    for key in range(1, 6):
        write(tmp_path / f"laps/{key}.json", [{"session_key": key, "lap_number": 1}])
    sim = simulate(RecordedSeasons(tmp_path))
    asked = "&".join(f"session_key={key}" for key in range(1, 6))
    answer = requests.get(f"{sim.url}/laps?{asked}", timeout=5)
    assert (answer.status_code, len(answer.json())) == (200, 5)
    assert len(requests.get(f"{sim.url}/sessions?year=2024", timeout=5).json()) == 5


@recordings
def test_a_recorded_race_is_served_whole(simulate: Simulate) -> None:
    """Melbourne 2024: 998 laps of 19 drivers, equal to the file row by row."""
    sim = simulate(RecordedSeasons(RECORDINGS))
    laps = requests.get(f"{sim.url}/laps", params={"session_key": 9488}, timeout=5).json()
    assert laps == json.loads((RECORDINGS / "laps/9488.json").read_text())
    assert len(laps) == 998
    drivers = requests.get(f"{sim.url}/drivers", params={"session_key": 9488}, timeout=5).json()
    assert len(drivers) == 19


@recordings
def test_the_recorded_calendar_is_listed(simulate: Simulate) -> None:
    """2024 has 24 races among 123 sessions; a session without laps answers 404."""
    sim = simulate(RecordedSeasons(RECORDINGS))
    sessions = requests.get(f"{sim.url}/sessions", params={"year": 2024}, timeout=5).json()
    assert len(sessions) == 123
    assert sum(s["session_name"] == "Race" for s in sessions) == 24
    answer = requests.get(f"{sim.url}/laps", params={"session_key": 9468}, timeout=5)
    assert answer.json() == {"detail": "No results found."}


@recordings
def test_recorded_batches_answer_every_session(simulate: Simulate) -> None:
    """All 2024 races' results in one call, none lost."""
    sim = simulate(RecordedSeasons(RECORDINGS))
    races = requests.get(
        f"{sim.url}/sessions", params={"year": 2024, "session_name": "Race"}, timeout=5
    ).json()
    keys = [s["session_key"] for s in races]
    rows = requests.get(f"{sim.url}/session_result", params={"session_key": keys}, timeout=5)
    assert {row["session_key"] for row in rows.json()} == set(keys)
