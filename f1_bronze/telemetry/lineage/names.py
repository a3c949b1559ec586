"""What runs, jobs and datasets are called in OpenLineage, and where events are in the lake."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from urllib.parse import unquote, urlsplit

from f1_bronze import __version__

JOBS = "f1-pipeline"
"""Namespace of every job."""

API = "openf1-api"
"""Namespace of OpenF1's endpoints."""

OWNER = "team:f1-bronze"

PRODUCER = f"pkg:pypi/f1-bronze@{__version__}"
"""Who made the event: a package URL, the standard URI of a release of a package."""

LINEAGE = "lineage"

EVENTS = f"{LINEAGE}/events/"

OF_THE_RUN = "run"
"""Stands in an event's path where no dataset does: the event is about the whole run."""

_CHECKS = "checks"

_DIGITS = 13

_MOMENT = "%Y%m%d_%H%M%S"

_EVENT = re.compile(
    rf"{EVENTS}year=(?P<year>\d{{4}})/month=(?P<month>\d\d)/day=(?P<day>\d\d)/"
    rf"event_(?P<job>[a-z0-9_]+)_(?P<moment>\d{{8}}_\d{{6}})_(?P<dataset>[a-z_]+)_(?P<n>\d+)\.json"
)

_PARTITION = re.compile(r"/year=[^/]*/.*$")


def dagster_job(job: str) -> str:
    """Dagster's name of a job as paths have it; `__ASSET_JOB` loses its dashes.

    >>> dagster_job("bronze_races"), dagster_job("__ASSET_JOB")
    ('bronze_races', 'asset_job')
    """
    return job.strip("_").lower()


def run_job(job: str) -> str:
    """The job of a Dagster run. It must differ from `bronze_sessions`, which is a dataset's.

    >>> run_job("bronze_sessions")
    'dagster_bronze_sessions'
    """
    return f"dagster_{dagster_job(job)}"


def dataset_job(dataset: str) -> str:
    """The job that materializes a dataset's partitions.

    >>> dataset_job("pit_stops")
    'bronze_pit_stops'
    """
    return f"bronze_{dataset}"


def checks_job(dataset: str) -> str:
    """The job that checks what was stored.

    >>> checks_job("laps")
    'bronze_laps_checks'
    """
    return f"{dataset_job(dataset)}_{_CHECKS}"


def lineage_run_id(dagster_run_id: str, started_at: datetime, *parts: str) -> str:
    """The id of a Dagster run, or of a part of it, in OpenLineage: a UUID v7, always the same.

    Args:
        dagster_run_id: Dagster's, a UUID v4.
        started_at: when the Dagster run started, UTC.
        parts: of a part of the run the dataset, and its partition key or `checks`.

    >>> lineage_run_id(
    ...     "3f6f0d0e-6f0a-4c1e-9d3a-0d2f5b7a9c11",
    ...     datetime(2026, 11, 23, 6, 4, 7, tzinfo=UTC),
    ...     *("laps", "2025/bahrain/race"),
    ... )
    '01a20701-2bd8-7bc2-933c-3e9ea05d366f'
    """
    from openlineage.client.uuid import generate_static_uuid

    return str(generate_static_uuid(started_at, "/".join((dagster_run_id, *parts)).encode()))


def table_name(uri: str) -> tuple[str, str]:
    """Namespace and name of the table that a file of the lake belongs to.

    By OpenLineage's rules for S3 and local files, and as its Java client names what Spark reads:
    without the folders `key=value` of a partition.

    >>> table_name("s3://my-bucket/f1/bronze/laps/year=2025/grand_prix=bahrain/laps_1.parquet")
    ('s3://my-bucket', 'f1/bronze/laps')
    >>> table_name("file:///srv/my%20lake/bronze/laps/year=2025/laps_1.parquet")
    ('file', '/srv/my lake/bronze/laps')
    """
    parts = urlsplit(_PARTITION.sub("", uri))
    if parts.scheme == "file":
        return "file", unquote(parts.path)
    return f"{parts.scheme}://{parts.netloc}", parts.path.removeprefix("/")


def sibling_table(name: str, dataset: str) -> str:
    """The name of another dataset's table beside this one.

    >>> sibling_table("f1/bronze/laps", "sessions")
    'f1/bronze/sessions'
    """
    return f"{name.rpartition('/')[0]}/{dataset}"


def moment(at: datetime) -> str:
    """A moment as OpenLineage writes it, with microseconds.

    >>> moment(datetime(2026, 11, 23, 6, 4, 7, tzinfo=UTC))
    '2026-11-23T06:04:07.000000Z'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def day_folder(day: date) -> str:
    """The folder of a day's events, UTC, ending in `/`.

    >>> day_folder(date(2026, 11, 3))
    'lineage/events/year=2026/month=11/day=03/'
    """
    return f"{EVENTS}{_hive_day(day)}"


def event_path(*, job: str, at: datetime, dataset: str, run_id: str, event_type: str) -> str:
    """The file of an event, or of several, named by the first of them.

    `job` is Dagster's. The number at the end is made from run id and type, which together are the
    event's identity: made again it has the same path, and no two events share one. Events that
    share a file have such a path too, as the name that they are known by.

    >>> at = datetime(2026, 11, 23, 6, 4, 7, tzinfo=UTC)
    >>> path = event_path(
    ...     job="bronze_races", at=at, dataset="stints", run_id="3f6f", event_type="START"
    ... )
    >>> path.removeprefix(day_folder(at))
    'event_bronze_races_20261123_060407_stints_5315458819566.json'
    """
    at = at.astimezone(UTC)
    identity = sha256(f"{run_id}/{event_type}".encode()).digest()
    number = int.from_bytes(identity[:8], "big") % 10**_DIGITS
    return (
        f"{day_folder(at.date())}event_{job}_{at.strftime(_MOMENT)}"
        f"_{dataset}_{number:0{_DIGITS}}.json"
    )


@dataclass(frozen=True, kw_only=True)
class EventPath:
    """The parts of an event's path; `dataset` is `run` for events of a whole run."""

    path: str
    day: date
    job: str
    at: datetime
    dataset: str


def parse_event_path(path: str) -> EventPath | None:
    """The parts of an event's path; None for any other path.

    >>> day = "lineage/events/year=2026/month=11/day=23/"
    >>> found = parse_event_path(day + "event_bronze_races_20261123_060407_pit_stops_12.json")
    >>> found.job, found.dataset, found.at.isoformat()
    ('bronze_races', 'pit_stops', '2026-11-23T06:04:07+00:00')
    >>> parse_event_path(day + "notes.json") is None
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


def read_event_path(path: str) -> EventPath:
    """The parts of a path that `event_path` has made; ValueError for any other."""
    if (found := parse_event_path(path)) is None:
        raise ValueError(f"{path} is not the path of a lineage event.")
    return found


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
    return f"{LINEAGE}/summaries/{_hive_day(day)}lineage_summary_{day:%Y%m%d}.parquet"


def _hive_day(day: date) -> str:
    return f"year={day.year:04}/month={day.month:02}/day={day.day:02}/"
