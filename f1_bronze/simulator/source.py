"""The seam between what is served and how: a source of OpenF1 records.

Belongs here: the protocol and the names of the endpoints. Stays out: every implementation.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Record = Mapping[str, Any]
"""One JSON object as the API answers it. Shared between answers: never change one in place."""

LISTINGS = ("sessions", "meetings")
"""Endpoints that list the calendar; they have no row per session."""

SESSION_ENDPOINTS = ("drivers", "session_result", "laps", "stints", "pit")
"""Endpoints whose every row belongs to one session."""


class Source(Protocol):
    """Records by session, made or read only when asked for.

    A source decides what a session has: a cancelled one answers drivers and nothing else.
    It does not know the time: hiding sessions that have not ended yet is the API's part.
    """

    def sessions(self) -> Sequence[Record]:
        """All rows of the sessions endpoint, by date_start."""
        ...

    def meetings(self) -> Sequence[Record]:
        """All rows of the meetings endpoint, by date_start."""
        ...

    def rows(self, endpoint: str, session_key: int) -> Sequence[Record]:
        """The rows of one of SESSION_ENDPOINTS for one session; empty when it has none."""
        ...
