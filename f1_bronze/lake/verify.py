"""Check the lake against itself: every file below `bronze/` and `revisions/` is read and hashed.

What can be repaired without inventing anything is repaired here. Comparing the lake with Dagster's
record is the verify command's work.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
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
from f1_bronze.lake.paths import KeptAs, KeptPath, Place, locate_sessions
from f1_bronze.lake.records import content_sha256
from f1_bronze.lake.stores import Fetched, ObjectStore

# What is unfinished for less may be the work of a writer that is still running.
AT_WORK = timedelta(hours=1)

_DATASETS = {dataset.name: dataset for dataset in DATASETS}


class Defect(StrEnum):
    """What can be wrong with something in the lake."""

    TORN = "torn"  # no whole Parquet file
    ALTERED = "altered"  # its content or place is not what its metadata says
    FOREIGN = "foreign"  # a name that this project gives to no file
    DOUBLE = "double"  # a partition that holds two sessions
    SCATTERED = "scattered"  # a session that is stored in two partitions
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
    """A current file that is whole and what its metadata says."""

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
    walk = _Walk(store, frozenset(years))
    walk.check_current()
    walk.check_kept()
    for left in store.unfinished():  # what no listing shows
        detail = f"A writer was ended while it wrote this; {left.size} bytes are of no use."
        walk.add(Defect.UNFINISHED, left.path, detail, since=left.modified)
    return LakeCheck(
        sound=tuple(walk.sound),
        findings=tuple(walk.findings),
        files=walk.files,
        revisions=walk.revisions,
    )


def check_identity(store: ObjectStore, years: Collection[int]) -> tuple[Finding, ...]:
    """Files of these seasons that break the rule of one partition for each session and one session
    for each partition, over all datasets: by their names alone, nothing is read.
    """
    places = {
        entry.path: place
        for year in years
        for dataset in DATASETS
        for entry in store.list(paths.dataset_folder(dataset.name, year))
        if (place := paths.parse_file_path(entry.path))
    }
    return tuple(_find_misplaced(store, places))


def _find_misplaced(store: ObjectStore, places: Mapping[str, Place]) -> Iterator[Finding]:
    home = locate_sessions(places.values())
    sessions: dict[SessionPartition, Counter[int]] = defaultdict(Counter)
    for _, partition, session_key in places.values():
        sessions[partition][session_key] += 1
    for path, (dataset, partition, session_key) in sorted(places.items()):
        here = sessions[partition]
        main = min(here, key=lambda key: (-here[key], key))
        if session_key == main and partition == home[session_key]:
            continue
        if session_key != main:
            defect, contradicts = Defect.DOUBLE, (partition, main)
            what = "The partition holds another session as well"
            remedy = "Move away the files of the wrong session."
        else:
            defect, contradicts = Defect.SCATTERED, (home[session_key], session_key)
            what = "The session is stored in another partition as well"
            remedy = "Move away the files of the wrong partition."
        others = [other for other, place in places.items() if place[1:] == contradicts]
        alike = [other for other in others if places[other][0] == dataset]
        yield Finding(
            defect=defect,
            path=path,
            detail=f"{what}: {store.uri(min(alike or others))}. {remedy}",
            dataset=dataset,
            partition=partition,
        )


def repair_finding(store: ObjectStore, finding: Finding, *, now: datetime) -> bool:
    """Repair what the lake can repair alone; whether that was done.

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
    place = paths.parse_file_path(finding.path)
    there = store.fetch(finding.path)
    if place is None or there is None or there.version != finding.version:
        return False
    folder = paths.revision_folder(*place)
    store.write(paths.altered_path(folder, sha256(there.data).hexdigest()), there.data, {})
    store.delete(finding.path, expected=finding.version)
    return True


class _Walk:
    """One walk through the lake."""

    def __init__(self, store: ObjectStore, years: frozenset[int]) -> None:
        self._store, self._years = store, years
        self.sound: list[SoundFile] = []
        self.findings: list[Finding] = []
        self.files = self.revisions = 0
        self._versions: dict[tuple[str, SessionPartition], str] = {}

    def check_current(self) -> None:
        """Every file below `bronze/`."""
        places: dict[str, Place] = {}
        for entry in self._store.list(f"{paths.BRONZE}/"):
            place = paths.parse_file_path(entry.path)
            if place is None or place[0] not in _DATASETS:
                self._add_foreign(entry.path)
                continue
            dataset, partition, session_key = place
            if partition.year not in self._years:
                continue
            there = self._store.fetch(entry.path)
            if there is None:
                continue  # removed since it was listed
            self.files += 1
            places[entry.path] = place
            self._versions[dataset, partition] = there.version
            if file := self._check_file(entry.path, there, place):
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
        self.findings += _find_misplaced(self._store, places)

    def check_kept(self) -> None:
        """Every file below `revisions/`."""
        chains: dict[tuple[str, SessionPartition], list[tuple[KeptPath, str]]] = defaultdict(list)
        for entry in self._store.list(f"{paths.REVISIONS}/"):
            one = paths.parse_kept_path(entry.path)
            if one is None or one.dataset not in _DATASETS:
                self._add_foreign(entry.path)
                continue
            if one.partition.year not in self._years:
                continue
            if one.kept_as in (KeptAs.ALTERED, KeptAs.ARRIVED):
                continue  # reported when it was moved; a mark is its name, and harmless alone
            there = self._store.fetch(entry.path)
            if there is None:
                continue  # removed since it was listed
            self.revisions += 1
            place = one.dataset, one.partition, one.session_key
            self._check_file(entry.path, there, place, one.sha256)
            if one.kept_as is KeptAs.REVISION:
                chains[one.dataset, one.partition].append((one, there.version))
        for current, chain in chains.items():
            chain.sort(key=lambda link: link[0].path.rpartition("/")[2])
            following = [*(version for _, version in chain[1:]), self._versions.get(current, "")]
            for (one, version), after in zip(chain, following, strict=True):
                if version == after:
                    detail = (
                        "A copy for a replacement that did not follow; the same content is kept "
                        "after it."
                    )
                    place = one.dataset, one.partition, one.session_key
                    self.add(Defect.LEFTOVER, one.path, detail, place, since=one.replaced_at)

    def add(
        self,
        defect: Defect,
        path: str,
        detail: str,
        place: Place | None = None,
        *,
        version: str = "",
        since: datetime | None = None,
    ) -> None:
        """Note what is wrong with something."""
        self.findings.append(
            Finding(
                defect=defect,
                path=path,
                detail=detail,
                dataset=place[0] if place else "",
                partition=place[1] if place else None,
                since=since,
                version=version,
            )
        )

    def _add_foreign(self, path: str) -> None:
        detail = "No file of this project has this name. Move it elsewhere."
        self.add(Defect.FOREIGN, path, detail)

    def _check_file(
        self, path: str, there: Fetched, place: Place, sha256_in_name: str = ""
    ) -> StoredFile | None:
        """The file if it is sound; else what is wrong is a finding."""
        try:
            file = read_file(there.data, self._store.uri(path))
        except TornFile:
            detail = "It is no whole Parquet file."
            self.add(Defect.TORN, path, detail, place, version=there.version)
            return None
        except ForeignFile:
            detail = "It does not say what it holds."
            self.add(Defect.ALTERED, path, detail, place, version=there.version)
            return None
        if contradiction := _contradiction(file, place, sha256_in_name):
            self.add(Defect.ALTERED, path, contradiction, place, version=there.version)
            return None
        return file


def _contradiction(file: StoredFile, place: Place, sha256_in_name: str) -> str:
    """How the file's metadata, name, place and rows contradict each other; empty if they do not."""
    dataset, partition, session_key = place
    says = file.provenance
    held = f"{says.dataset} of {says.partition}, session {says.session_key}"
    belongs = f"{dataset} of {partition.key}, session {session_key}"
    if held != belongs:
        return f"It says that it holds {held}, and lies where {belongs} belongs."
    if not says.content_sha256.startswith(sha256_in_name):
        return f"Its name says {sha256_in_name}, its metadata {says.content_sha256[:12]}."
    declared = _DATASETS[dataset]
    same_version = says.schema_version == declared.schema_version
    if same_version and file.table.schema != arrow_schema(declared):
        return f"Its columns are not those of {dataset} in schema version {says.schema_version}."
    try:
        found = content_sha256(declared, file.table, says.absent_columns)
    except (AttributeError, KeyError, TypeError, ValueError):
        return "Its rows are none that this project writes."
    if found != says.content_sha256:
        return f"Its rows hash to {found[:12]}, its metadata says {says.content_sha256[:12]}."
    return ""
