"""Where everything lies in the lake: pure functions from names to paths and back.

Belongs here: every path below the lake's root, always relative and with `/`.
Stays out: the root itself and all reading and writing (stores.py).
"""

import re
from datetime import UTC, datetime

from f1_bronze.datasets.partition import PartitionKeyError, SessionPartition

BRONZE = "bronze"
REVISIONS = "revisions"

_FOLDER = r"year=(?P<year>[0-9]{4})/grand_prix=(?P<grand_prix>[^/]+)/session_type=(?P<type>[^/]+)"
_FILE = re.compile(
    rf"{BRONZE}/(?P<dataset>[a-z_]+)/{_FOLDER}/(?P=dataset)_(?P<session_key>[0-9]+)\.parquet"
)


def hive_folder(partition: SessionPartition) -> str:
    """The hive-style folders of a partition.

    >>> hive_folder(SessionPartition.parse("2025/bahrain/race"))
    'year=2025/grand_prix=bahrain/session_type=race'
    """
    return (
        f"year={partition.year}/grand_prix={partition.grand_prix}"
        f"/session_type={partition.session_type}"
    )


def dataset_folder(dataset: str, year: int | None = None) -> str:
    """The folder of a dataset, or of one of its seasons, ending in `/`.

    >>> dataset_folder("laps", 2025)
    'bronze/laps/year=2025/'
    """
    season = "" if year is None else f"year={year}/"
    return f"{BRONZE}/{dataset}/{season}"


def partition_folder(dataset: str, partition: SessionPartition) -> str:
    """The folder that holds a partition's one file, ending in `/`.

    >>> partition_folder("laps", SessionPartition.parse("2025/bahrain/race"))
    'bronze/laps/year=2025/grand_prix=bahrain/session_type=race/'
    """
    return f"{dataset_folder(dataset)}{hive_folder(partition)}/"


def file_path(dataset: str, partition: SessionPartition, session_key: int) -> str:
    """The one file of a partition.

    >>> file_path("laps", SessionPartition.parse("2025/bahrain/race"), 10014)
    'bronze/laps/year=2025/grand_prix=bahrain/session_type=race/laps_10014.parquet'
    """
    return f"{partition_folder(dataset, partition)}{dataset}_{session_key}.parquet"


def read_file_path(path: str) -> tuple[str, SessionPartition, int] | None:
    """Dataset, partition and session key of a path; None for anything else.

    >>> read_file_path(file_path("laps", SessionPartition.parse("2025/bahrain/race"), 10014))
    ('laps', SessionPartition(year=2025, grand_prix='bahrain', session_type='race'), 10014)
    >>> read_file_path("bronze/laps/notes.txt") is None
    True
    """
    match = _FILE.fullmatch(path)
    if match is None:
        return None
    try:
        partition = SessionPartition(
            year=int(match["year"]), grand_prix=match["grand_prix"], session_type=match["type"]
        )
    except PartitionKeyError:
        return None
    found = match["dataset"], partition, int(match["session_key"])
    return found if file_path(*found) == path else None  # laps_007 is not laps_7


def revision_folder(dataset: str, partition: SessionPartition, session_key: int) -> str:
    """The folder of what a partition's file once held, ending in `/`.

    >>> revision_folder("laps", SessionPartition.parse("2025/bahrain/race"), 10014)
    'revisions/laps/year=2025/grand_prix=bahrain/session_type=race/laps_10014/'
    """
    return f"{REVISIONS}/{dataset}/{hive_folder(partition)}/{dataset}_{session_key}/"


def revision_path(folder: str, replaced_at: datetime, content_sha256: str) -> str:
    """An earlier content, named by the moment it was replaced and what it held.

    >>> revision_path("r/", datetime(2025, 4, 14, 6, 0, 1, tzinfo=UTC), "ab" * 32)
    'r/20250414T060001_000000Z_abababababab.parquet'
    """
    moment = replaced_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S_%fZ")
    return f"{folder}{moment}_{content_sha256[:12]}.parquet"


def refused_path(folder: str, content_sha256: str) -> str:
    """A smaller answer that was kept aside; the same answer always has the same name.

    >>> refused_path("r/", "ab" * 32)
    'r/refused_abababababab.parquet'
    """
    return f"{folder}refused_{content_sha256[:12]}.parquet"
