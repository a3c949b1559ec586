"""Whether the lake is what it says: every file below `bronze/` and `revisions/` read and hashed.

Belongs here: the checks that need the lake alone, and what can be mended without inventing
anything. Stays out: comparing with Dagster's record (commands/verify.py).
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.schema import arrow_schema
from f1_bronze.lake import paths
from f1_bronze.lake.errors import Conflict, ForeignFile, TornFile
from f1_bronze.lake.parquet import StoredFile, read_file
from f1_bronze.lake.paths import KeptAs, KeptPath
from f1_bronze.lake.records import content_sha256
from f1_bronze.lake.stores import Fetched, ObjectStore

AT_WORK = timedelta(hours=1)

"""What is unfinished for less may be the work of a writer who is still at it."""

_DATASET = {dataset.name: dataset for dataset in DATASETS}


class Defect(StrEnum):
    """What can be wrong with something in the lake."""

    TORN = "torn"  # no whole Parquet file
    ALTERED = "altered"  # its content or place is not what its metadata says
    FOREIGN = "foreign"  # of a name that this project gives to no file
    DOUBLE = "double"  # a partition with two files
    UNFINISHED = "unfinished"  # left by a writer that was ended while it wrote
    LEFTOVER = "leftover"  # a copy for a replacement that did not follow


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something in the lake that is not as it should be.

    Attributes:
        since: for what an interrupted writer left, when that was.
        version: of the object as it was checked.
    """

    defect: Defect
    path: str
    detail: str
    dataset: str = ""
    partition: SessionPartition | None = None
    since: datetime | None = None
    version: str = ""

    def may_be_at_work(self, now: datetime) -> bool:
        """Whether a writer may still be about to finish it."""
        return self.since is not None and now - self.since < AT_WORK


@dataclass(frozen=True, kw_only=True)
class SoundFile:
    """A current file that is whole and what it says of itself."""

    dataset: str
    partition: SessionPartition
    session_key: int
    path: str
    size_bytes: int
    file: StoredFile


@dataclass(frozen=True, kw_only=True)
class LakeCheck:
    """The lake of some seasons: what is sound, what is not, and how many files were read."""

    sound: tuple[SoundFile, ...]
    findings: tuple[Finding, ...]
    files: int
    revisions: int


def check_lake(store: ObjectStore, years: Collection[int]) -> LakeCheck:
    """Read every file of these seasons, and list what belongs to none."""
    check = _Check(store, frozenset(years))
    check.current()
    check.kept()
    check.unfinished()
    return LakeCheck(
        sound=tuple(check.sound),
        findings=tuple(check.findings),
        files=check.files,
        revisions=check.revisions,
    )


def repair_finding(store: ObjectStore, finding: Finding, *, now: datetime) -> bool:
    """Mend what the lake can mend alone; whether that was done.

    - a current file that is torn or altered is moved aside, so that it is missing and asked for
      again; no earlier content takes its place, for nobody knows that it is the true one;
    - what interrupted writers left is removed when it is old enough.
    """
    try:
        if finding.defect in (Defect.TORN, Defect.ALTERED):
            return _move_aside(store, finding)
        if finding.defect in (Defect.UNFINISHED, Defect.LEFTOVER):
            if finding.may_be_at_work(now):
                return False
            store.delete(finding.path)
            return True
    except Conflict:  # another writer has put something else there
        return False
    return False


def _move_aside(store: ObjectStore, finding: Finding) -> bool:
    placed = paths.parse_file_path(finding.path)
    there = store.fetch(finding.path)
    if placed is None or there is None or there.version != finding.version:
        return False
    folder = paths.revision_folder(*placed)
    store.write(paths.altered_path(folder, sha256(there.data).hexdigest()), there.data, {})
    store.delete(finding.path, expected=finding.version)
    return True


class _Check:
    """One walk through the lake."""

    def __init__(self, store: ObjectStore, years: frozenset[int]) -> None:
        self._store, self._years = store, years
        self.sound: list[SoundFile] = []
        self.findings: list[Finding] = []
        self.files = self.revisions = 0
        self._hashes: dict[tuple[str, SessionPartition], str] = {}

    def current(self) -> None:
        """Every file below `bronze/`."""
        seen: dict[tuple[str, SessionPartition], str] = {}
        for entry in self._store.list(f"{paths.BRONZE}/"):
            placed = paths.parse_file_path(entry.path)
            if placed is None or placed[0] not in _DATASET:
                self._foreign(entry.path)
                continue
            dataset, partition, session_key = placed
            if partition.year not in self._years:
                continue
            there = self._store.fetch(entry.path)
            if there is None:
                continue  # removed since it was listed
            self.files += 1
            if (dataset, partition) in seen:
                self._found(
                    Defect.DOUBLE,
                    entry.path,
                    f"The partition holds {self._store.uri(seen[dataset, partition])} as well. "
                    "Move away the one of the wrong session.",
                    placed,
                )
            seen.setdefault((dataset, partition), entry.path)
            self._hashes[dataset, partition] = there.version
            file = self._read(entry.path, there, placed)
            if file is not None:
                self.sound.append(
                    SoundFile(
                        dataset=dataset,
                        partition=partition,
                        session_key=session_key,
                        path=entry.path,
                        size_bytes=len(there.data),
                        file=file,
                    )
                )

    def kept(self) -> None:
        """Every file below `revisions/`."""
        chains: dict[tuple[str, SessionPartition], list[tuple[KeptPath, str]]] = defaultdict(list)
        for entry in self._store.list(f"{paths.REVISIONS}/"):
            one = paths.parse_kept_path(entry.path)
            if one is None or one.dataset not in _DATASET:
                self._foreign(entry.path)
                continue
            if one.partition.year not in self._years:
                continue
            if one.kept_as in (KeptAs.ALTERED, KeptAs.ARRIVED):
                continue  # told when it was moved; a mark is its name, and harmless without a file
            there = self._store.fetch(entry.path)
            if there is None:
                continue  # removed since it was listed
            self.revisions += 1
            self._read(entry.path, there, (one.dataset, one.partition, one.session_key), one.sha256)
            if one.kept_as is KeptAs.REVISION:
                chains[one.dataset, one.partition].append((one, there.version))
        for place, chain in chains.items():
            self._leftovers(sorted(chain, key=lambda c: c[0].path.rpartition("/")[2]), place)

    def unfinished(self) -> None:
        """What no listing shows."""
        for left in self._store.unfinished():
            self._found(
                Defect.UNFINISHED,
                left.path,
                f"A writer was ended while it wrote this; {left.size} bytes are of no use.",
                since=left.modified,
            )

    def _leftovers(
        self, chain: list[tuple[KeptPath, str]], place: tuple[str, SessionPartition]
    ) -> None:
        following = [version for _, version in chain[1:]] + [self._hashes.get(place, "")]
        for (one, version), after in zip(chain, following, strict=True):
            if version == after:
                self._found(
                    Defect.LEFTOVER,
                    one.path,
                    "A copy for a replacement that did not follow; the same content is kept "
                    "after it.",
                    (one.dataset, one.partition, one.session_key),
                    since=one.replaced_at,
                )

    def _read(
        self,
        path: str,
        there: Fetched,
        placed: tuple[str, SessionPartition, int],
        named: str = "",
    ) -> StoredFile | None:
        """The file if it is sound; else what is wrong is a finding."""
        try:
            file = read_file(there.data, self._store.uri(path))
        except ForeignFile as error:
            torn = isinstance(error, TornFile)
            defect = Defect.TORN if torn else Defect.ALTERED
            detail = "It is no whole Parquet file." if torn else "It does not say what it holds."
            self._found(defect, path, detail, placed, there.version)
            return None
        for wrong in _contradictions(file, placed, named):
            self._found(Defect.ALTERED, path, wrong, placed, there.version)
            return None
        return file

    def _foreign(self, path: str) -> None:
        self._found(
            Defect.FOREIGN, path, "No file of this project has this name. Move it elsewhere."
        )

    def _found(
        self,
        defect: Defect,
        path: str,
        detail: str,
        placed: tuple[str, SessionPartition, int] | None = None,
        version: str = "",
        *,
        since: datetime | None = None,
    ) -> None:
        self.findings.append(
            Finding(
                defect=defect,
                path=path,
                detail=detail,
                dataset=placed[0] if placed else "",
                partition=placed[1] if placed else None,
                since=since,
                version=version,
            )
        )


def _contradictions(
    file: StoredFile, placed: tuple[str, SessionPartition, int], named: str
) -> Iterator[str]:
    dataset, partition, session_key = placed
    says = file.provenance
    told, lies = (
        f"{says.dataset} of {says.partition}, session {says.session_key}",
        f"{dataset} of {partition.key}, session {session_key}",
    )
    if told != lies:
        yield f"It says that it holds {told}, and lies where {lies} belongs."
    if named and not says.content_sha256.startswith(named):
        yield f"Its name says {named}, its metadata {says.content_sha256[:12]}."
    declared = _DATASET[dataset]
    if says.schema_version == declared.schema_version and file.table.schema != arrow_schema(
        declared
    ):
        yield f"Its columns are not those of {dataset} in schema version {says.schema_version}."
    try:
        found = content_sha256(declared, file.table, says.absent_columns)
    except (AttributeError, KeyError, TypeError, ValueError):
        yield "Its rows are none that this project writes."
    else:
        if found != says.content_sha256:
            yield f"Its rows hash to {found[:12]}, its metadata says {says.content_sha256[:12]}."
