"""Invented seasons: real calendars, invented drivers, made when asked for (by `season/`)."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from f1_bronze.simulator.season.entrants import driver_rows
from f1_bronze.simulator.season.outcome import SessionOutcome
from f1_bronze.simulator.season.practice_and_qualifying import practice, qualifying
from f1_bronze.simulator.season.race import race
from f1_bronze.simulator.season.race_weekends import season, year_of
from f1_bronze.simulator.season.rounds import FIRST_YEAR, LAST_YEAR
from f1_bronze.simulator.season.rows import pit_rows, result_rows, stint_rows, weather_rows
from f1_bronze.simulator.sources import SESSION_ENDPOINTS, Record

_OUTCOMES = {  # by session name; any other is a practice or a test
    "Race": race,
    "Sprint": race,
    "Qualifying": qualifying,
    "Sprint Qualifying": qualifying,
}
_ROWS = {"session_result": result_rows, "stints": stint_rows, "pit": pit_rows}


@dataclass
class _MadeSession:
    """One session's outcome and the rows made from it so far; the lock makes each only once."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    outcome: SessionOutcome | None = None
    rows: dict[str, tuple[Record, ...]] = field(default_factory=dict)


class InventedSeasons:
    """A source of invented seasons, the same for the same seed in every process.

    seed: another seed gives other results; calendar and keys stay.
    years: the seasons that are listed, 2018 to 2030.
    keep: how many sessions stay in memory, those used last (about 1 MB each).
    Raises ValueError for a year outside that range.
    """

    def __init__(
        self,
        seed: int = 1,
        *,
        years: Iterable[int] = range(FIRST_YEAR, LAST_YEAR + 1),
        keep: int = 80,
    ) -> None:
        self.seed = seed
        self.years = tuple(sorted(set(years)))
        if not all(FIRST_YEAR <= year <= LAST_YEAR for year in self.years):
            raise ValueError(f"seasons are made for {FIRST_YEAR} to {LAST_YEAR}, not {self.years}")
        self._keep = keep
        self._lock = threading.Lock()
        self._made: OrderedDict[int, _MadeSession] = OrderedDict()
        self._all_sessions: tuple[Record, ...] | None = None

    def sessions(self) -> Sequence[Record]:
        """Every session of every year, by date_start; a few milliseconds the first time."""
        if self._all_sessions is None:
            self._all_sessions = tuple(s.row for year in self.years for s in season(year).sessions)
        return self._all_sessions

    def meetings(self) -> Sequence[Record]:
        """Every meeting of every year, by date_start."""
        return [meeting for year in self.years for meeting in season(year).meetings]

    def rows(self, endpoint: str, session_key: int) -> Sequence[Record]:
        """The rows of a session, made now or remembered; empty for an unknown key."""
        if endpoint not in SESSION_ENDPOINTS:
            raise ValueError(f"{endpoint!r} has no rows by session")
        year = year_of(session_key)
        session = season(year).by_key.get(session_key) if year in self.years else None
        if session is None or (session.cancelled and endpoint != "drivers"):
            return ()
        if endpoint == "drivers":
            return driver_rows(self.seed, session)
        if endpoint == "weather":
            return weather_rows(self.seed, session)
        made = self._remembered(session_key)
        with made.lock:
            if made.outcome is None:
                made.outcome = _OUTCOMES.get(session.name, practice)(self.seed, session)
                made.rows["laps"] = tuple(made.outcome.laps)
            if endpoint not in made.rows:
                made.rows[endpoint] = _ROWS[endpoint](self.seed, session, made.outcome)
            return made.rows[endpoint]

    def _remembered(self, session_key: int) -> _MadeSession:
        with self._lock:
            made = self._made.setdefault(session_key, _MadeSession())
            self._made.move_to_end(session_key)
            while len(self._made) > self._keep:
                self._made.popitem(last=False)
            return made
