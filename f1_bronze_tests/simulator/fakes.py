"""Fakes at the simulator's seams: a clock to turn by hand and a source of three sessions."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from f1_bronze.simulator.sources import Record

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()


class HandClock:
    """A clock that stands still until it is turned; sleeping turns it."""

    def __init__(self) -> None:
        self.now = NOON
        self.slept: list[float] = []
        self.due: list[tuple[float, Callable[[], None]]] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        for entry in [entry for entry in self.due if entry[0] <= self.now]:
            self.due.remove(entry)
            entry[1]()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Act when a sleep has turned the clock so far."""
        self.due.append((self.now + seconds, action))


class TinySource:
    """Three sessions: 1 and 2 long past, 3 ending at noon; four laps each."""

    def sessions(self) -> Sequence[Record]:
        ends = {1: "2026-05-01T12:00:00", 2: "2026-05-02T12:00:00", 3: "2026-06-01T12:00:00"}
        return [
            {
                "session_key": key,
                "meeting_key": 10 + key % 2,
                "session_name": "Race",
                "country_code": "MON",
                "year": 2026,
                "date_start": end.replace("T12", "T10") + "+00:00",
                "date_end": end + "+00:00",
                "is_cancelled": False,
            }
            for key, end in ends.items()
        ]

    def meetings(self) -> Sequence[Record]:
        return [{"meeting_key": 10, "meeting_name": "São Paulo Grand Prix", "year": 2026}]

    def rows(self, endpoint: str, session_key: int) -> Sequence[Record]:
        if endpoint == "pit" or session_key not in (1, 2, 3):
            return []
        return [
            {
                "session_key": session_key,
                "meeting_key": 10 + session_key % 2,
                "driver_number": number,
                "name_acronym": "MAR",
                "lap_duration": None if number == 4 else 90.0 + number,
            }
            for number in (1, 2, 3, 4)
        ]
