"""Names of Grands Prix and session types, as they stand in partition keys.

Belongs here: from OpenF1's names to slugs that are unique within a year. Stays out: how a text
becomes a slug (datasets/partition.py) and which sessions exist (calendar.py).
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from f1_bronze.datasets.partition import slug

_GRAND_PRIX = re.compile(r"\bgrand\s+prix\b", re.IGNORECASE)
_RENAMED_TYPES = {"sprint_shootout": "sprint_qualifying"}  # renamed upstream in January 2026
_UNKNOWN_START = datetime.max.replace(tzinfo=UTC)


def session_type_slug(session_name: str) -> str:
    """The slug of a session name; a Sprint Shootout is a sprint qualifying.

    >>> session_type_slug("Sprint Shootout")
    'sprint_qualifying'
    """
    type_slug = slug(session_name)
    return _RENAMED_TYPES.get(type_slug, type_slug)


def grand_prix_slugs(meetings: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Slug by meeting_key, for the meetings of one year, cancelled ones included.

    The name without "Grand Prix"; without a Latin letter in it the location, then the country,
    then `meeting_<key>`. Of several meetings with one slug the earliest (date_start, then
    meeting_key) keeps it and the others get `_<meeting_key>`. Records without an integer
    meeting_key are passed over; of several with the same key the first counts.
    """
    by_key: dict[int, Mapping[str, Any]] = {}
    for meeting in meetings:
        key = meeting.get("meeting_key")
        if type(key) is int:
            by_key.setdefault(key, meeting)
    in_order = sorted(by_key, key=lambda key: (_start(by_key[key]), key))
    plain = {key: _plain_slug(key, by_key[key]) for key in in_order}
    slugs: dict[int, str] = {}
    taken: set[str] = set()
    for key in in_order:
        name = plain[key]
        if name in taken:
            reserved = taken | set(plain.values())
            while name in reserved:
                name = f"{name}_{key}"
        taken.add(name)
        slugs[key] = name
    return slugs


def is_meeting(record: Mapping[str, Any]) -> bool:
    """Whether a record has what sessions are joined and named by.

    >>> is_meeting({"meeting_key": 1229, "meeting_name": "Bahrain Grand Prix"}), is_meeting({})
    (True, False)
    """
    name = record.get("meeting_name")
    return type(record.get("meeting_key")) is int and isinstance(name, str) and bool(name.strip())


def without_grand_prix(name: str) -> str:
    """The name without the words "Grand Prix".

    >>> without_grand_prix("São Paulo Grand Prix")
    'São Paulo'
    """
    return " ".join(_GRAND_PRIX.sub(" ", name).split())


def moment(value: object) -> datetime | None:
    """A timestamp of OpenF1 in UTC; None when it is none or does not say its offset."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.astimezone(UTC) if parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _plain_slug(key: int, meeting: Mapping[str, Any]) -> str:
    names = (meeting.get(field) for field in ("meeting_name", "location", "country_name"))
    slugs = (slug(without_grand_prix(name)) for name in names if isinstance(name, str))
    return next(filter(None, slugs), f"meeting_{abs(key)}")


def _start(meeting: Mapping[str, Any]) -> datetime:
    return moment(meeting.get("date_start")) or _UNKNOWN_START
