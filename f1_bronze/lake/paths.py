"""Every path in the lake: pure functions from names to paths and back.

Paths are relative to the lake's root, with `/` between the parts.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from f1_bronze.datasets.partition import PartitionKeyError, SessionPartition

# Dataset, partition and session key of a file.
Place = tuple[str, SessionPartition, int]

BRONZE = "bronze"
REVISIONS = "revisions"
VALIDATIONS = "validations"

_FOLDER = r"year=(?P<year>[0-9]{4})/grand_prix=(?P<grand_prix>[^/]+)/session_type=(?P<type>[^/]+)"
_TIME = "[0-9]{8}T[0-9]{6}_[0-9]{6}Z"
_FILE = re.compile(
    rf"{BRONZE}/(?P<dataset>[a-z_]+)/{_FOLDER}/(?P=dataset)_(?P<session_key>[0-9]+)\.parquet"
)
_KEPT = re.compile(
    rf"{REVISIONS}/(?P<dataset>[a-z_]+)/{_FOLDER}/(?P=dataset)_(?P<session_key>[0-9]+)/"
    rf"(?:(?:(?P<replaced>{_TIME})|(?P<aside>refused|altered))_(?P<sha256>[0-9a-f]{{12}})\.parquet"
    rf"|arrived_(?P<arrived>{_TIME}))"
)
_MOMENT = "%Y%m%dT%H%M%S_%fZ"


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


def parse_file_path(path: str) -> Place | None:
    """Dataset, partition and session key of a path; None for anything else.

    >>> parse_file_path(file_path("laps", SessionPartition.parse("2025/bahrain/race"), 10014))
    ('laps', SessionPartition(year=2025, grand_prix='bahrain', session_type='race'), 10014)
    >>> parse_file_path("bronze/laps/notes.txt") is None
    True
    """
    match = _FILE.fullmatch(path)
    if match is None or (partition := _partition(match)) is None:
        return None
    found = match["dataset"], partition, int(match["session_key"])
    return found if file_path(*found) == path else None  # laps_007 is not laps_7


def locate_sessions(places: Iterable[Place]) -> dict[int, SessionPartition]:
    """The partition of each session that has files in these places.

    Should a session have several, that of its file of `sessions` is taken, else that of most
    files, else the first in order.
    """
    votes: dict[int, Counter[SessionPartition]] = defaultdict(Counter)
    for dataset, partition, session_key in places:
        votes[session_key][partition] += 100 if dataset == "sessions" else 1
    return {
        session_key: min(found, key=lambda partition: (-found[partition], partition))
        for session_key, found in votes.items()
    }


def dataset_revisions(dataset: str) -> str:
    """The folder of earlier contents of a dataset's files, ending in `/`.

    >>> dataset_revisions("laps")
    'revisions/laps/'
    """
    return f"{REVISIONS}/{dataset}/"


def revision_folder(dataset: str, partition: SessionPartition, session_key: int) -> str:
    """The folder of earlier contents of a partition's file, ending in `/`.

    >>> revision_folder("laps", SessionPartition.parse("2025/bahrain/race"), 10014)
    'revisions/laps/year=2025/grand_prix=bahrain/session_type=race/laps_10014/'
    """
    return f"{dataset_revisions(dataset)}{hive_folder(partition)}/{dataset}_{session_key}/"


def revision_path(folder: str, replaced_at: datetime, content_sha256: str) -> str:
    """An earlier content, named by the moment it was replaced and what it held.

    >>> revision_path("r/", datetime(2025, 4, 14, 6, 0, 1, tzinfo=UTC), "ab" * 32)
    'r/20250414T060001_000000Z_abababababab.parquet'
    """
    moment = replaced_at.astimezone(UTC).strftime(_MOMENT)
    return f"{folder}{moment}_{content_sha256[:12]}.parquet"


def arrival_path(folder: str, arrived_at: datetime) -> str:
    """The mark of a content that arrived where there was none: an empty object, all in its name.

    >>> arrival_path("r/", datetime(2025, 4, 14, 6, 0, 1, tzinfo=UTC))
    'r/arrived_20250414T060001_000000Z'
    """
    return f"{folder}arrived_{arrived_at.astimezone(UTC).strftime(_MOMENT)}"


def refused_path(folder: str, content_sha256: str) -> str:
    """A smaller answer that was kept aside; the same answer always has the same name.

    >>> refused_path("r/", "ab" * 32)
    'r/refused_abababababab.parquet'
    """
    return f"{folder}refused_{content_sha256[:12]}.parquet"


def altered_path(folder: str, file_sha256: str) -> str:
    """A file that was moved aside because others had altered it, named by the hash of its bytes.

    >>> altered_path("r/", "ab" * 32)
    'r/altered_abababababab.parquet'
    """
    return f"{folder}altered_{file_sha256[:12]}.parquet"


def validation_path(dataset: str, run_id: str, at: datetime) -> str:
    """Where the validation library's own result of one run is kept.

    >>> validation_path("laps", "0f2c", datetime(2025, 4, 14, 6, 0, tzinfo=UTC))
    'validations/year=2025/month=04/day=14/laps_0f2c.json'
    """
    day = at.astimezone(UTC)
    return f"{VALIDATIONS}/year={day:%Y}/month={day:%m}/day={day:%d}/{dataset}_{run_id}.json"


class KeptAs(StrEnum):
    """Why an object lies under `revisions/`."""

    REVISION = "revision"
    REFUSED = "refused"
    ALTERED = "altered"
    ARRIVED = "arrived"  # a mark, and no file


@dataclass(frozen=True, kw_only=True)
class KeptPath:
    """What the name of an object under `revisions/` says.

    Attributes:
        replaced_at: UTC; None for what was never replaced.
        arrived_at: UTC; None for all but the marks of arrivals.
        sha256: the first 12 letters of the content's hash; of the bytes' where it was altered;
            empty for marks.
    """

    path: str
    dataset: str
    partition: SessionPartition
    session_key: int
    kept_as: KeptAs
    replaced_at: datetime | None
    arrived_at: datetime | None
    sha256: str

    @property
    def moment(self) -> datetime | None:
        """The moment in its name, if there is one."""
        return self.replaced_at or self.arrived_at


def parse_kept_path(path: str) -> KeptPath | None:
    """What a path under `revisions/` says; None for anything else.

    >>> folder = revision_folder("laps", SessionPartition.parse("2025/bahrain/race"), 10014)
    >>> moment = datetime(2025, 4, 14, 6, 0, 1, tzinfo=UTC)
    >>> parse_kept_path(revision_path(folder, moment, "ab" * 32)).replaced_at == moment
    True
    >>> parse_kept_path(refused_path(folder, "ab" * 32)).kept_as
    <KeptAs.REFUSED: 'refused'>
    >>> parse_kept_path(folder + "notes.txt") is None
    True
    """
    match = _KEPT.fullmatch(path)
    if match is None or (partition := _partition(match)) is None:
        return None
    try:
        replaced_at, arrived_at = _moment(match["replaced"]), _moment(match["arrived"])
    except ValueError:  # no such day or hour
        return None
    session_key = int(match["session_key"])
    if not path.startswith(revision_folder(match["dataset"], partition, session_key)):
        return None  # laps_007 is not laps_7
    return KeptPath(
        path=path,
        dataset=match["dataset"],
        partition=partition,
        session_key=session_key,
        kept_as=KeptAs(match["aside"] or (KeptAs.ARRIVED if arrived_at else KeptAs.REVISION)),
        replaced_at=replaced_at,
        arrived_at=arrived_at,
        sha256=match["sha256"] or "",
    )


def _partition(match: re.Match[str]) -> SessionPartition | None:
    try:
        return SessionPartition(
            year=int(match["year"]), grand_prix=match["grand_prix"], session_type=match["type"]
        )
    except PartitionKeyError:
        return None


def _moment(text: str | None) -> datetime | None:
    return datetime.strptime(text, _MOMENT).replace(tzinfo=UTC) if text else None
