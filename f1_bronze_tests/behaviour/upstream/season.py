"""A season of one race with six invented drivers, as OpenF1 would answer, and ways to change it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from f1_bronze.simulator.server import Simulator
from f1_bronze.simulator.sources import RecordedSeasons

YEAR = 2025
SESSION_KEY, MEETING_KEY = 9001, 7001
PARTITION = "2025/test/race"

Record = dict[str, Any]

_PLACE = {
    "circuit_key": 1,
    "circuit_short_name": "Testville",
    "country_key": 1,
    "country_code": "XXX",
    "country_name": "Testville",
    "location": "Testville",
    "gmt_offset": "00:00:00",
    "year": YEAR,
}


def meeting(name: str = "Test Grand Prix", **changes: Any) -> Record:
    """The meeting."""
    return {
        "meeting_key": MEETING_KEY,
        "meeting_code": "XXX",
        "meeting_name": name,
        "meeting_official_name": name,
        "date_start": "2025-05-02T11:00:00+00:00",
        **_PLACE,
        **changes,
    }


def race(**changes: Any) -> Record:
    """Its race."""
    return {
        "session_key": SESSION_KEY,
        "meeting_key": MEETING_KEY,
        "session_type": "Race",
        "session_name": "Race",
        "date_start": "2025-05-04T13:00:00+00:00",
        "date_end": "2025-05-04T15:00:00+00:00",
        **_PLACE,
        **changes,
    }


_POINTS = (25.0, 18.0, 15.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0, 1.0, *(0.0,) * 10)
EVERYBODY = len(_POINTS)


def results(cars: int = 6) -> list[Record]:
    """The race's results: six, or of so many cars."""
    return [
        {
            "session_key": SESSION_KEY,
            "meeting_key": MEETING_KEY,
            "position": place + 1,
            "driver_number": 11 + place,
            "number_of_laps": 50,
            "points": points,
            "dnf": False,
            "dns": False,
            "dsq": False,
            "gap_to_leader": 2.5 * place if place else 0,
            "duration": 5000.0 + 2.5 * place,
        }
        for place, points in enumerate(_POINTS[:cars])
    ]


def drivers(cars: int = 6) -> list[Record]:
    """The race's drivers: six, or so many."""
    return [
        {
            "session_key": SESSION_KEY,
            "meeting_key": MEETING_KEY,
            "driver_number": 11 + number,
            "broadcast_name": f"D DRIVER{number}",
            "full_name": f"Dan DRIVER{number}",
            "name_acronym": f"DR{ascii_uppercase[number]}",
            "team_name": f"Team {number // 2}",
            "team_colour": "000000",
            "first_name": "Dan",
            "last_name": f"Driver{number}",
            "headshot_url": None,
            "country_code": None,
        }
        for number in range(cars)
    ]


@contextmanager
def serve(
    folder: Path,
    *,
    meetings: Iterable[Mapping[str, Any]] = (meeting(),),
    sessions: Iterable[Mapping[str, Any]] = (race(),),
    **rows: Iterable[Mapping[str, Any]],
) -> Iterator[Simulator]:
    """OpenF1 with this season; `rows` are of its sessions, by endpoint (`session_result`, …)."""
    files = {f"meetings/{YEAR}": list(meetings), f"sessions/{YEAR}": list(sessions)}
    for endpoint, records in rows.items():
        files[f"{endpoint}/{SESSION_KEY}"] = []
        for record in records:
            files.setdefault(f"{endpoint}/{record['session_key']}", []).append(record)
    for name, records in files.items():
        file = folder / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(records))
    with Simulator(RecordedSeasons(folder), limits=None) as running:
        yield running
