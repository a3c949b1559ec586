"""The seam between what is served and how: a source of OpenF1 records."""

import json
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

Record = Mapping[str, Any]
"""One JSON object as the API answers it. Shared between answers: never change one in place."""

LISTINGS = ("sessions", "meetings")
"""Endpoints that list the calendar; they have no row per session."""

SESSION_ENDPOINTS = ("drivers", "session_result", "laps", "stints", "pit", "weather")
"""Endpoints whose every row belongs to one session."""


class SeasonSource(Protocol):
    """Records by session, made or read only when asked for.

    A source decides what a session has: a cancelled one answers drivers and nothing else.
    It does not know the time: hiding sessions that have not ended yet is the API's part.
    """

    def sessions(self) -> Sequence[Record]:
        """All rows of the sessions endpoint, by date_start."""

    def meetings(self) -> Sequence[Record]:
        """All rows of the meetings endpoint, by date_start."""

    def rows(self, endpoint: str, session_key: int) -> Sequence[Record]:
        """The rows of one of SESSION_ENDPOINTS for one session; empty when it has none."""


class RecordedSeasons:
    """A source over `<endpoint>/<session_key>.json`, for sessions and meetings `<year>.json`.

    Each file is one JSON array as the API answers it; a missing file is no results. Files
    are read when first asked for; the last `keep` files of sessions stay in memory.
    Raises NotADirectoryError when there is no such folder, ValueError for a file that is
    not a JSON array of objects.
    """

    def __init__(self, path: Path | str, *, keep: int = 256) -> None:
        self._path = Path(path)
        if not self._path.is_dir():
            raise NotADirectoryError(f"no folder of recorded seasons at {self._path}")
        self._lock = threading.Lock()
        self._listings: dict[str, tuple[Record, ...]] = {}
        self._read_cached = lru_cache(maxsize=keep)(self._read)

    def sessions(self) -> Sequence[Record]:
        """All recorded sessions, by date_start."""
        return self._listing("sessions")

    def meetings(self) -> Sequence[Record]:
        """All recorded meetings, by date_start."""
        return self._listing("meetings")

    def rows(self, endpoint: str, session_key: int) -> Sequence[Record]:
        """The recorded rows; empty when the session's file is missing."""
        if endpoint not in SESSION_ENDPOINTS:
            raise ValueError(f"{endpoint!r} has no rows by session")
        return self._read_cached(endpoint, str(session_key))

    def _listing(self, endpoint: str) -> tuple[Record, ...]:
        assert endpoint in LISTINGS
        with self._lock:
            if endpoint not in self._listings:
                files = sorted((self._path / endpoint).glob("*.json"))
                rows = [row for file in files for row in self._read(endpoint, file.stem)]
                rows.sort(key=lambda row: str(row.get("date_start")))
                self._listings[endpoint] = tuple(rows)
            return self._listings[endpoint]

    def _read(self, endpoint: str, name: str) -> tuple[Record, ...]:
        file = self._path / endpoint / f"{name}.json"
        try:
            rows: Any = json.loads(file.read_bytes())
        except FileNotFoundError:
            return ()
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError(f"{file} is not a JSON array of objects")
        return tuple(rows)
