"""Read the earlier contents of a partition, and when each was current, from the store alone.

What was replaced is kept under the moment of its replacement, so each content was current from
the replacement of the one before it. One that came where there was none has a mark of its arrival;
of several marks the last counts, for those before it were followed by nothing, or by a file that
was moved away. Without a mark (a lake that was written before there were any, or whose marks have
expired) no file says when it arrived: asked for a moment before, the lake answers with it.
A copy that an interrupted writer left equals what follows it; the two are one content.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake import paths
from f1_bronze.lake.changes import Changes, compare
from f1_bronze.lake.errors import ForeignFile, NotInLake
from f1_bronze.lake.parquet import StoredFile, read_file
from f1_bronze.lake.paths import KeptAs, KeptPath
from f1_bronze.lake.stores import ObjectStore


@dataclass(frozen=True, kw_only=True)
class Content:
    """One content that a partition held.

    Attributes:
        number: 1 for the oldest.
        since: when it arrived or replaced the one before; None where no file says so.
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
        """The content of that number; `NotInLake` when there is none."""
        for content in self.contents:
            if content.number == number:
                return content
        raise NotInLake(
            f"{self.name} has no revision {number}. Choose from 1 to {len(self.contents)}."
        )

    def at(self, time: datetime) -> Content:
        """The content that was current at a moment, as far as the lake can tell.

        `NotInLake` when the partition held nothing then: none had arrived yet, or its file had
        been moved away.
        """
        if content := _current_at(self.contents, time):
            return content
        for content in self.contents:
            if content.since is not None and time < content.since:
                raise NotInLake(
                    f"{self.name} held nothing at {time.isoformat()} that is kept: revision "
                    f"{content.number} arrived at {content.since.isoformat()}. Choose that moment "
                    "or a later one."
                )
        raise NotInLake(
            f"{self.name} held nothing at {time.isoformat()}: its last content was replaced or "
            "moved away before. Choose an earlier moment, or ingest it again with `f1-bronze "
            "ingest SEASON --missing`."
        )


@dataclass(frozen=True, kw_only=True)
class _Span:
    """A kept or current file and when it was current; `arrived` where nothing was there before."""

    path: str
    since: datetime | None
    replaced_at: datetime | None
    arrived: bool


_Held = TypeVar("_Held", Content, _Span)


def read_history(store: ObjectStore, dataset: Dataset, partition: SessionPartition) -> History:
    """The revisions of a partition; `NotInLake` when the lake has never held it."""
    name = f"{dataset.name} of {partition.key}"
    folder = f"{paths.dataset_revisions(dataset.name)}{paths.hive_folder(partition)}/"
    kept = _list_kept(store, folder)
    listed = store.list(paths.partition_folder(dataset.name, partition))
    current = [entry.path for entry in listed if paths.parse_file_path(entry.path)]
    spans = _to_spans(kept, current[0] if current else None)
    if not spans:
        raise NotInLake(
            f"{name} is not in the lake. Ingest it with `f1-bronze ingest {partition.year} "
            f"--grand-prix {partition.grand_prix} --session-type {partition.session_type}`."
        )
    held: list[tuple[_Span, bytes]] = []
    for span in spans:
        data = store.read(span.path)
        if data is None:
            continue  # removed since it was listed
        if held and held[-1][1] == data and not span.arrived:
            span = replace(span, since=held.pop()[0].since)
        held.append((span, data))
    contents: list[Content] = []
    for number, (span, data) in enumerate(held, start=1):
        file = _read(store, span.path, data)
        before = contents[-1].file if contents else None
        changes = None
        if file is not None and before is not None:
            changes = compare(dataset, before.records(dataset), file.records(dataset))
        contents.append(
            Content(
                number=number,
                path=span.path,
                since=span.since,
                replaced_at=span.replaced_at,
                size_bytes=len(data),
                changes=changes,
                file=file,
            )
        )
    return History(
        name=name, contents=tuple(contents), aside=tuple(_read_aside(store, kept, contents))
    )


def paths_as_of(store: ObjectStore, dataset: Dataset, time: datetime) -> list[str]:
    """The file of each partition that was current at a moment, in the order of the partitions.

    Two listings and no read. A partition whose first content has no mark of its arrival is there
    with that content, however early the moment.
    """
    kept: dict[SessionPartition, list[KeptPath]] = defaultdict(list)
    for one in _list_kept(store, paths.dataset_revisions(dataset.name)):
        kept[one.partition].append(one)
    current: dict[SessionPartition, str] = {}
    for entry in store.list(paths.dataset_folder(dataset.name)):
        if file := paths.parse_file_path(entry.path):
            current.setdefault(file[1], entry.path)
    then = (
        _current_at(_to_spans(kept.get(partition, ()), current.get(partition)), time)
        for partition in sorted(kept.keys() | current.keys())
    )
    return [span.path for span in then if span is not None]


def _list_kept(store: ObjectStore, folder: str) -> list[KeptPath]:
    """What lies below a folder of `revisions/`, revisions in the order of their replacement."""
    parsed = (paths.parse_kept_path(entry.path) for entry in store.list(folder))
    kept = [one for one in parsed if one is not None]
    # By moment before session: a partition may have held the files of two sessions.
    return sorted(kept, key=lambda one: (one.path.rpartition("/")[2], one.path))


def _to_spans(kept: Iterable[KeptPath], current: str | None) -> list[_Span]:
    """The files that a partition has held, in order, each with when it was current.

    A mark belongs to the content that was replaced next after it.
    """
    kept = list(kept)
    marks = [one.arrived_at for one in kept if one.arrived_at is not None]
    ends = [(one.path, one.replaced_at) for one in kept if one.kept_as is KeptAs.REVISION]
    spans: list[_Span] = []
    before: datetime | None = None
    for path, end in [*ends, *([(current, None)] if current else [])]:
        arrivals = [m for m in marks if (not before or before < m) and (not end or m < end)]
        since = max(arrivals, default=before)
        spans.append(_Span(path=path, since=since, replaced_at=end, arrived=bool(arrivals)))
        before = end
    return spans


def _current_at(held: Sequence[_Held], time: datetime) -> _Held | None:
    """The one that was current at a moment; each was from when it came until it was replaced."""
    for one in held:
        if one.replaced_at is None or time < one.replaced_at:
            return one if one.since is None or one.since <= time else None
    return None


def _read_aside(
    store: ObjectStore, kept: Iterable[KeptPath], contents: Iterable[Content]
) -> list[SetAside]:
    """What was kept aside, but for refused answers that were accepted since."""
    accepted = {content.file.provenance.content_sha256 for content in contents if content.file}
    aside = []
    for one in kept:
        if one.kept_as not in (KeptAs.REFUSED, KeptAs.ALTERED):
            continue
        data = store.read(one.path)
        if data is None:
            continue  # removed since it was listed
        file = _read(store, one.path, data)
        if one.kept_as is KeptAs.REFUSED and file and file.provenance.content_sha256 in accepted:
            continue
        aside.append(SetAside(path=one.path, kept_as=one.kept_as, size_bytes=len(data), file=file))
    return aside


def _read(store: ObjectStore, path: str, data: bytes) -> StoredFile | None:
    try:
        return read_file(data, store.uri(path))
    except ForeignFile:
        return None
