"""What a partition has held, and when: its revisions, told by the store alone.

Belongs here: the order of contents, the one of a moment, what changed from one to the next. Stays
out: how they came to be kept (landing.py), whether they are sound (verifying.py).

What was replaced is kept under the moment of its replacement, so each content was current from
the replacement of the one before it. When the first one arrived no file tells (Dagster's record
does): asked for a moment before the first replacement, the lake can only answer with its oldest
content. A copy that an interrupted writer left equals what follows it; the two are one content.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake import paths
from f1_bronze.lake.changes import Changes, compare
from f1_bronze.lake.errors import ForeignFile, NothingThere
from f1_bronze.lake.parquet import StoredFile, read_file
from f1_bronze.lake.paths import KeptAs, KeptPath
from f1_bronze.lake.stores import ObjectStore


@dataclass(frozen=True, kw_only=True)
class Content:
    """One content that a partition held.

    Attributes:
        number: 1 for the oldest.
        since: when it replaced the one before; None for the oldest, whose arrival no file tells.
        replaced_at: None for the current one.
        changes: against the one before; None for the oldest, and where one cannot be read.
        file: what the file holds; None when it cannot be read.
    """

    number: int
    path: str
    since: datetime | None
    replaced_at: datetime | None
    size_bytes: int
    changes: Changes | None
    file: StoredFile | None

    @property
    def is_current(self) -> bool:
        """Whether it is what the partition holds now."""
        return self.replaced_at is None


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """A file that was kept and never current: a refused answer, or one that others altered."""

    path: str
    kept_as: KeptAs
    size_bytes: int
    file: StoredFile | None


@dataclass(frozen=True, kw_only=True)
class History:
    """All that a partition has held, the oldest first, and what was kept aside."""

    name: str
    contents: tuple[Content, ...]
    aside: tuple[SetAside, ...]

    def numbered(self, number: int) -> Content:
        """The content of that number; `NothingThere` when there is none."""
        for content in self.contents:
            if content.number == number:
                return content
        raise NothingThere(
            f"{self.name} has no revision {number}. Choose from 1 to {len(self.contents)}."
        )

    def at(self, time: datetime) -> Content:
        """The content that was current at a moment, as far as the lake can tell.

        `NothingThere` when the partition held nothing then: its file had been moved away.
        """
        for content in self.contents:
            if content.replaced_at is None or time < content.replaced_at:
                return content
        raise NothingThere(
            f"{self.name} held nothing at {time.isoformat()}: its last content was replaced or "
            "moved away before. Choose an earlier moment, or land it again with `f1-bronze ingest "
            "SEASON --missing`."
        )


def history_of(store: ObjectStore, dataset: Dataset, partition: SessionPartition) -> History:
    """The revisions of a partition; `NothingThere` when the lake has never held it."""
    name = f"{dataset.name} of {partition.key}"
    kept = _kept(store, f"{paths.dataset_revisions(dataset.name)}{paths.hive_folder(partition)}/")
    current = [
        entry.path
        for entry in store.list(paths.partition_folder(dataset.name, partition))
        if paths.read_file_path(entry.path)
    ]
    revisions = [one for one in kept if one.kept_as is KeptAs.REVISION]
    if not current and not revisions:
        raise NothingThere(
            f"{name} is not in the lake. Land it with `f1-bronze ingest {partition.year} "
            f"--grand-prix {partition.grand_prix} --session-type {partition.session_type}`."
        )
    held: list[tuple[str, datetime | None, bytes]] = []
    for path, replaced_at in [
        *((one.path, one.replaced_at) for one in revisions),
        *((path, None) for path in current[:1]),
    ]:
        data = store.read(path)
        if data is None:
            continue  # removed since it was listed
        if held and held[-1][2] == data:
            held.pop()
        held.append((path, replaced_at, data))
    contents = _contents(store, dataset, held)
    return History(name=name, contents=contents, aside=_aside(store, kept, contents))


def paths_as_of(store: ObjectStore, dataset: Dataset, time: datetime) -> list[str]:
    """The file of each partition that was current at a moment, in the order of the partitions.

    Two listings and no read. A partition whose first content arrived after the moment is there
    all the same, with that content: no file tells when it arrived.
    """
    replaced: dict[SessionPartition, list[KeptPath]] = defaultdict(list)
    for one in _kept(store, paths.dataset_revisions(dataset.name)):
        if one.kept_as is KeptAs.REVISION:
            replaced[one.partition].append(one)
    found: dict[SessionPartition, str] = {}
    for entry in store.list(paths.dataset_folder(dataset.name)):
        if file := paths.read_file_path(entry.path):
            found.setdefault(file[1], entry.path)
    for partition, revisions in replaced.items():
        later = [one.path for one in revisions if one.replaced_at and time < one.replaced_at]
        if later:
            found[partition] = later[0]
    return [path for _, path in sorted(found.items())]


def _kept(store: ObjectStore, folder: str) -> list[KeptPath]:
    """What lies below a folder of `revisions/`, revisions in the order of their replacement."""
    read = (paths.read_kept_path(entry.path) for entry in store.list(folder))
    kept = [one for one in read if one is not None]
    # By moment before session: a partition may have held the files of two sessions.
    return sorted(kept, key=lambda one: (one.path.rpartition("/")[2], one.path))


def _contents(
    store: ObjectStore, dataset: Dataset, held: list[tuple[str, datetime | None, bytes]]
) -> tuple[Content, ...]:
    contents: list[Content] = []
    for number, (path, replaced_at, data) in enumerate(held, start=1):
        file = _read(store, path, data)
        before = contents[-1] if contents else None
        changes = None
        if file is not None and before is not None and before.file is not None:
            changes = compare(dataset, before.file.records(dataset), file.records(dataset))
        contents.append(
            Content(
                number=number,
                path=path,
                since=before.replaced_at if before else None,
                replaced_at=replaced_at,
                size_bytes=len(data),
                changes=changes,
                file=file,
            )
        )
    return tuple(contents)


def _aside(
    store: ObjectStore, kept: list[KeptPath], contents: tuple[Content, ...]
) -> tuple[SetAside, ...]:
    """What was kept aside, but for refused answers that were accepted since."""
    accepted = {content.file.provenance.content_sha256 for content in contents if content.file}
    aside = []
    for one in kept:
        data = None if one.kept_as is KeptAs.REVISION else store.read(one.path)
        if data is None:
            continue
        file = _read(store, one.path, data)
        if one.kept_as is KeptAs.REFUSED and file and file.provenance.content_sha256 in accepted:
            continue
        aside.append(SetAside(path=one.path, kept_as=one.kept_as, size_bytes=len(data), file=file))
    return tuple(aside)


def _read(store: ObjectStore, path: str, data: bytes) -> StoredFile | None:
    try:
        return read_file(data, store.uri(path))
    except ForeignFile:
        return None
