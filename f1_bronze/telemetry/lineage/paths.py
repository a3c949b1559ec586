"""Where lineage lies in the lake: pure functions from events and days to paths and back.

Belongs here: every path below `lineage/`. Stays out: reading and writing (event_files.py).
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256

LINEAGE = "lineage"
EVENTS = f"{LINEAGE}/events/"
OF_THE_RUN = "run"
"""Stands in an event's path where no dataset does: the event tells of the whole run."""

_DIGITS = 13
_MOMENT = "%Y%m%d_%H%M%S"
_EVENT = re.compile(
    rf"{EVENTS}year=(?P<year>\d{{4}})/month=(?P<month>\d\d)/day=(?P<day>\d\d)/"
    rf"event_(?P<job>[a-z0-9_]+)_(?P<moment>\d{{8}}_\d{{6}})_(?P<dataset>[a-z_]+)_(?P<n>\d+)\.json"
)


def _hive_day(day: date) -> str:
    return f"year={day.year:04}/month={day.month:02}/day={day.day:02}/"


def day_folder(day: date) -> str:
    """The folder of a day's events, UTC, ending in `/`.

    >>> day_folder(date(2026, 11, 3))
    'lineage/events/year=2026/month=11/day=03/'
    """
    return f"{EVENTS}{_hive_day(day)}"


def event_path(*, job: str, at: datetime, dataset: str, run_id: str, event_type: str) -> str:
    """The one file of an event.

    `job` is Dagster's. The number at the end is made from run id and type, which together are the
    event's identity: told again it has the same path, and no two events share one.

    >>> at = datetime(2026, 11, 23, 6, 4, 7, tzinfo=UTC)
    >>> path = event_path(
    ...     job="bronze_races", at=at, dataset="stints", run_id="3f6f", event_type="START"
    ... )
    >>> path.removeprefix(day_folder(at))
    'event_bronze_races_20261123_060407_stints_5315458819566.json'
    """
    moment = at.astimezone(UTC)
    identity = sha256(f"{run_id}/{event_type}".encode()).digest()
    number = int.from_bytes(identity[:8], "big") % 10**_DIGITS
    return (
        f"{day_folder(moment.date())}event_{job}_{moment.strftime(_MOMENT)}"
        f"_{dataset}_{number:0{_DIGITS}}.json"
    )


@dataclass(frozen=True, kw_only=True)
class EventPath:
    """What an event's path tells; `dataset` is `run` for events of a whole run."""

    path: str
    day: date
    job: str
    at: datetime
    dataset: str


def read_event_path(path: str) -> EventPath | None:
    """What an event's path tells; None for anything else.

    >>> day = "lineage/events/year=2026/month=11/day=23/"
    >>> found = read_event_path(day + "event_bronze_races_20261123_060407_pit_stops_12.json")
    >>> found.job, found.dataset, found.at.isoformat()
    ('bronze_races', 'pit_stops', '2026-11-23T06:04:07+00:00')
    >>> read_event_path(day + "notes.json") is None
    True
    """
    match = _EVENT.fullmatch(path)
    if match is None:
        return None
    try:
        day = date(int(match["year"]), int(match["month"]), int(match["day"]))
        at = datetime.strptime(match["moment"], _MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return None
    return EventPath(path=path, day=day, job=match["job"], at=at, dataset=match["dataset"])


def refused_path(event_path: str) -> str:
    """The note on an event that the consumer will never take.

    >>> refused_path("lineage/events/year=2026/month=11/day=23/event_x.json")
    'lineage/refused/year=2026/month=11/day=23/event_x.json'
    """
    return f"{LINEAGE}/refused/{event_path.removeprefix(EVENTS)}"


def summary_path(day: date) -> str:
    """The summary of a day's events.

    >>> summary_path(date(2026, 11, 3))
    'lineage/summaries/year=2026/month=11/day=03/lineage_summary_20261103.parquet'
    """
    name = f"lineage_summary_{day.strftime('%Y%m%d')}.parquet"
    return f"{LINEAGE}/summaries/{_hive_day(day)}{name}"
