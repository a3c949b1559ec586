"""What runs, jobs and datasets are called in OpenLineage.

Belongs here: namespaces, names and run ids, as pure functions. Stays out: what is told of them
(events.py and the facets), and paths in the lake (paths.py).
"""

from importlib.metadata import PackageNotFoundError, version
from urllib.parse import unquote, urlsplit, urlunsplit
from uuid import UUID, uuid5

from f1_bronze import __version__

JOBS = "f1-pipeline"
"""Namespace of every job."""
API = "openf1-api"
"""Namespace of OpenF1's endpoints."""
OWNER = "team:f1-bronze"
PRODUCER = f"pkg:pypi/f1-bronze@{__version__}"
"""Who made the event: a package URL, the standard URI of a release of a package."""

_CHECKS = "checks"


def dagster_job(job: str) -> str:
    """Dagster's name of a job as it is told; its word for runs from the catalog loses the dashes.

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
    """The job that lands a dataset's partitions.

    >>> dataset_job("pit_stops")
    'bronze_pit_stops'
    """
    return f"bronze_{dataset}"


def checks_job(dataset: str) -> str:
    """The job that checks what was landed.

    >>> checks_job("laps")
    'bronze_laps_checks'
    """
    return f"{dataset_job(dataset)}_{_CHECKS}"


def landing_run_id(run_id: str, dataset: str, partition_key: str) -> str:
    """The id of one dataset partition's landing in a Dagster run; the same whenever asked.

    >>> landing_run_id("3f6f0d0e-6f0a-4c1e-9d3a-0d2f5b7a9c11", "laps", "2025/bahrain/race")
    'e3fe72d9-0ecd-56ef-be40-dcc1d8c7902b'
    """
    return str(uuid5(UUID(run_id), f"{dataset}/{partition_key}"))


def checks_run_id(run_id: str, dataset: str) -> str:
    """The id of a dataset's checks in a Dagster run."""
    return str(uuid5(UUID(run_id), f"{dataset}/{_CHECKS}"))


def dataset_name(uri: str) -> tuple[str, str]:
    """Namespace and name of a file of the lake, by OpenLineage's rules for S3 and local files.

    >>> dataset_name("s3://my-bucket/f1/bronze/laps/year=2025/laps_1.parquet")
    ('s3://my-bucket', 'f1/bronze/laps/year=2025/laps_1.parquet')
    >>> dataset_name("file:///srv/my%20lake/bronze/laps/laps_1.parquet")
    ('file', '/srv/my lake/bronze/laps/laps_1.parquet')
    """
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return "file", unquote(parts.path)
    return f"{parts.scheme}://{parts.netloc}", parts.path.removeprefix("/")


def plain_url(url: str) -> str:
    """The address of one session's rows without anything that could be a secret.

    >>> plain_url("https://me:pw@api.openf1.org/v1/laps?session_key=9472&token=t#x")
    'https://api.openf1.org/v1/laps?session_key=9472'
    """
    parts = urlsplit(url)
    asked = [part for part in parts.query.split("&") if part.startswith("session_key=")]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "&".join(asked), ""))


def release_of(package: str) -> str:
    """The installed release of a package; `unknown` where it is not installed as one.

    >>> release_of("a-package-that-nobody-has")
    'unknown'
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
