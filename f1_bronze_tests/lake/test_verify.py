"""Verifying the lake: every kind of damage is found, and repaired only without inventing."""

import dataclasses
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.pit_stops import PIT_STOPS
from f1_bronze.datasets.results import RESULTS
from f1_bronze.lake import paths
from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.landing import Landing
from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.parquet import file_bytes, make_provenance, read_file
from f1_bronze.lake.records import content_sha256, to_rows
from f1_bronze.lake.stores import ObjectStore
from f1_bronze.lake.verify import (
    AT_WORK,
    Defect,
    LakeCheck,
    check_identity,
    check_lake,
    repair_finding,
)

from . import candidates
from .examples import BAHRAIN, MOTLEY, RACE_KEY, lap, pit_stop, records_for
from .fakes import MemoryStore, RecordingStore, TickingClock

MONACO = SessionPartition.parse("2024/monaco/race")
OTHER = SessionPartition.parse("2025/sakhir/race")
PATH = paths.file_path("laps", BAHRAIN, RACE_KEY)
KEPT = paths.revision_folder("laps", BAHRAIN, RACE_KEY)
TWO = [lap(1), lap(2)]
LATER = datetime(2025, 4, 14, 9, 0, tzinfo=UTC)
Put = Callable[..., Landing]


@pytest.fixture
def store() -> RecordingStore:
    """In memory: what the checks see of a store is the same in each."""
    return RecordingStore(MemoryStore())


@pytest.fixture
def put(store: RecordingStore, clock: TickingClock) -> Put:
    return partial(candidates.put, store, clock)


def kept(store: ObjectStore) -> list[str]:
    """The files that are kept, without marks of arrivals."""
    return [entry.path for entry in store.list(KEPT) if "arrived" not in entry.path]


def found(checked: LakeCheck) -> list[tuple[Defect, str]]:
    return [(finding.defect, finding.path) for finding in checked.findings]


def forged(records: list[dict[str, Any]], of: Dataset = LAPS, **says: Any) -> bytes:
    """A whole file whose metadata says something else than is true."""
    rows = to_rows(of, records)
    true = make_provenance(of, BAHRAIN, RACE_KEY, "laps", rows)
    return file_bytes(rows, dataclasses.replace(true, **says))


def test_sound_lake(store: RecordingStore, put: Put) -> None:
    """Files, corrections and refused answers of these seasons are read, others are left alone."""
    put(TWO)
    put([*TWO, lap(3)])
    put([lap(1)])
    put([lap(1, session=7)], partition=MONACO, session_key=7)
    checked = check_lake(store, [2025])
    assert checked.findings == ()
    assert (checked.files, checked.revisions) == (1, 2)
    [sound] = checked.sound
    assert (sound.dataset, sound.partition, sound.session_key) == ("laps", BAHRAIN, RACE_KEY)
    assert sound.path == PATH
    assert sound.size_bytes == len(store.read(PATH) or b"")
    assert sound.file.records(LAPS) == [*TWO, lap(3)]
    assert (check_lake(store, [2024, 2025]).files, check_lake(store, [2023]).files) == (2, 0)


def test_lake_that_is_not_there(store: RecordingStore) -> None:
    """Nothing is wrong with nothing."""
    assert check_lake(store, [2025]) == LakeCheck(sound=(), findings=(), files=0, revisions=0)


@settings(deadline=None)
@given(records=records_for(MOTLEY))
def test_hash_of_what_was_stored(records: list[dict[str, Any]]) -> None:
    """The hash taken anew from a file is the one that was taken of the records, whatever they
    hold: what nobody has altered is never called altered."""
    rows = to_rows(MOTLEY, [{**record, "session_key": 1} for record in records])
    data = file_bytes(rows, make_provenance(MOTLEY, BAHRAIN, 1, "x", rows))
    file = read_file(data, "x")
    assert content_sha256(MOTLEY, file.table, file.provenance.absent_columns) == rows.content_sha256


SAYS = {
    "torn": (lambda whole: whole[:-20], Defect.TORN, "It is no whole Parquet file."),
    "empty": (lambda whole: b"", Defect.TORN, "It is no whole Parquet file."),
    "other rows": (
        lambda whole: forged([lap(1)], content_sha256="ab" * 32),
        Defect.ALTERED,
        f"Its rows hash to {to_rows(LAPS, [lap(1)]).content_sha256[:12]}, its metadata says "
        "abababababab.",
    ),
    "rows in another order": (
        lambda whole: _turned(),
        Defect.ALTERED,
        "Its rows hash to ",
    ),
    "other partition": (
        lambda whole: forged(TWO, partition="2025/monaco/race"),
        Defect.ALTERED,
        "It says that it holds laps of 2025/monaco/race, session 10014, and lies where laps of "
        "2025/bahrain/race, session 10014 belongs.",
    ),
    "other session": (
        lambda whole: forged(TWO, session_key=7),
        Defect.ALTERED,
        "It says that it holds laps of 2025/bahrain/race, session 7, and lies where ",
    ),
    "other dataset": (
        lambda whole: forged(TWO, dataset="stints"),
        Defect.ALTERED,
        "It says that it holds stints of 2025/bahrain/race, session 10014, and lies where ",
    ),
    "other columns": (
        lambda whole: forged([{"session_key": 1, "driver_number": 4}], MOTLEY, dataset="laps"),
        Defect.ALTERED,
        "Its columns are not those of laps in schema version 1.",
    ),
    "other columns of another version": (
        lambda whole: forged(
            [{"session_key": 1, "driver_number": 4, "date": "2025-04-13T15:00:00+00:00"}],
            MOTLEY,
            dataset="laps",
            schema_version=0,
        ),
        Defect.ALTERED,
        "Its rows hash to ",
    ),
    "no metadata": (
        lambda whole: _without_metadata(),
        Defect.ALTERED,
        "It does not say what it holds.",
    ),
}


def _turned() -> bytes:
    rows = to_rows(LAPS, TWO)
    provenance = make_provenance(LAPS, BAHRAIN, RACE_KEY, "laps", rows)
    return file_bytes(dataclasses.replace(rows, table=rows.table.take([1, 0])), provenance)


def _without_metadata() -> bytes:
    from f1_bronze.lake.parquet import table_bytes

    return table_bytes(to_rows(LAPS, TWO).table)


@pytest.mark.parametrize("damage", SAYS)
def test_damaged_file(store: RecordingStore, put: Put, damage: str) -> None:
    """A current file that is not what it says is found; repairing moves it aside, byte for byte,
    and leaves the partition to be asked for again."""
    change, trouble, detail = SAYS[damage]
    put(TWO)
    put([*TWO, lap(3)])
    damaged = change(store.read(PATH) or b"")
    store.inner.write(PATH, damaged, {})
    checked = check_lake(store, [2025])
    assert found(checked) == [(trouble, PATH)]
    assert checked.sound == ()
    [finding] = checked.findings
    assert finding.detail.startswith(detail)
    assert (finding.dataset, finding.partition) == ("laps", BAHRAIN)
    assert repair_finding(store, finding, now=LATER)
    assert store.read(PATH) is None
    [aside] = [path for path in store.contents() if "altered_" in path]
    assert aside.startswith(KEPT)
    assert store.read(aside) == damaged
    assert check_lake(store, [2025]).findings == ()
    put([*TWO, lap(3)])
    assert check_lake(store, [2025]).sound[0].file.records(LAPS) == [*TWO, lap(3)]


def test_damaged_file_that_was_replaced_meanwhile(store: RecordingStore, put: Put) -> None:
    """What another writer has put there since is not moved aside."""
    put(TWO)
    whole = store.read(PATH) or b""
    store.inner.write(PATH, b"torn", {})
    [finding] = check_lake(store, [2025]).findings
    store.inner.write(PATH, whole, {})
    assert not repair_finding(store, finding, now=LATER)
    assert store.read(PATH) == whole


@pytest.mark.parametrize(
    ("what", "trouble", "detail"),
    [
        (b"torn", Defect.TORN, "It is no whole Parquet file."),
        (forged(TWO, content_sha256="ab" * 32), Defect.ALTERED, "Its name says "),
        (forged([lap(9)]), Defect.ALTERED, "Its name says "),
    ],
)
def test_damaged_revision(
    store: RecordingStore, put: Put, what: bytes, trouble: Defect, detail: str
) -> None:
    """A revision that was damaged is reported, and cannot be repaired."""
    put(TWO)
    put([*TWO, lap(3)])
    [path] = kept(store)
    store.inner.write(path, what, {})
    checked = check_lake(store, [2025])
    assert found(checked) == [(trouble, path)]
    assert checked.findings[0].detail.startswith(detail)
    assert not repair_finding(store, checked.findings[0], now=LATER)
    assert store.read(path) == what


@pytest.mark.parametrize(
    "path",
    [
        "bronze/notes.txt",
        "bronze/laps/year=2025/grand_prix=bahrain/session_type=race/_SUCCESS",
        "bronze/lapz/year=2025/grand_prix=bahrain/session_type=race/lapz_7.parquet",
        "bronze/laps/year=2025/grand_prix=Monaco GP/session_type=race/laps_7.parquet",
        "bronze/laps/year=2025/grand_prix=bahrain/session_type=race/laps_007.parquet",
        f"{KEPT}notes.txt",
        f"{KEPT}20251399T060000_000000Z_abababababab.parquet",
        f"{KEPT}arrived_20251399T060000_000000Z",
        paths.arrival_path(KEPT, LATER).replace("laps", "lapz"),
    ],
)
def test_foreign_file(store: RecordingStore, put: Put, path: str) -> None:
    """A file of a name that is none of ours is reported and left where it is."""
    put(TWO)
    store.inner.write(path, b"x", {})
    checked = check_lake(store, [2025])
    assert found(checked) == [(Defect.FOREIGN, path)]
    assert not repair_finding(store, checked.findings[0], now=LATER)
    assert store.read(path) == b"x"
    assert len(checked.sound) == 1


def test_other_folders_are_not_ours_to_check(store: RecordingStore, put: Put) -> None:
    """Lineage, metrics and users' own assets lie in the same lake."""
    put(TWO)
    store.inner.write("gold/standings.parquet", b"x", {})
    assert check_lake(store, [2025]).findings == ()


def test_two_files_in_a_partition(store: RecordingStore, put: Put) -> None:
    """Two sessions in one place is for a person to decide."""
    put(TWO)
    second = paths.file_path("laps", BAHRAIN, 20000)
    rows = to_rows(LAPS, [lap(1, session=20000)])
    provenance = make_provenance(LAPS, BAHRAIN, 20000, "laps", rows)
    store.inner.write(second, file_bytes(rows, provenance), {})
    checked = check_lake(store, [2025])
    assert found(checked) == [(Defect.DOUBLE, second)]
    assert store.uri(PATH) in checked.findings[0].detail
    assert not repair_finding(store, checked.findings[0], now=LATER)


def test_session_in_two_partitions(store: RecordingStore, put: Put) -> None:
    """A session that is stored in two partitions is reported, whichever datasets they are."""
    put(TWO)
    put([pit_stop(10)], dataset=PIT_STOPS)
    put([{"session_key": RACE_KEY, "driver_number": 4}], dataset=RESULTS, partition=OTHER)
    checked = check_lake(store, [2025])
    path = paths.file_path("results", OTHER, RACE_KEY)
    assert found(checked) == [(Defect.SCATTERED, path)]
    assert (
        f"is stored in another partition as well: {store.uri(PATH)}." in checked.findings[0].detail
    )
    assert not repair_finding(store, checked.findings[0], now=LATER)
    assert check_identity(store, [2025]) == checked.findings
    assert check_identity(store, [2024]) == ()


def test_two_sessions_in_a_partition(store: RecordingStore, put: Put) -> None:
    """A partition in which two datasets have two sessions is reported."""
    put(TWO)
    put([pit_stop(10)], dataset=PIT_STOPS)
    put([{"session_key": 7, "driver_number": 4}], dataset=RESULTS, session_key=7)
    checked = check_lake(store, [2025])
    path = paths.file_path("results", BAHRAIN, 7)
    assert found(checked) == [(Defect.DOUBLE, path)]
    assert f"holds another session as well: {store.uri(PATH)}." in checked.findings[0].detail


def test_leftover_copies(store: RecordingStore, put: Put) -> None:
    """Copies of attempts that were interrupted are reported with their age, and removed when old;
    what the partition has held stays as it was."""
    put(TWO)
    for _ in range(2):
        store.fail_after(1)
        with pytest.raises(LakeUnavailable):
            put([*TWO, lap(3)])
    first, second = kept(store)
    assert found(check_lake(store, [2025])) == [
        (Defect.LEFTOVER, first),
        (Defect.LEFTOVER, second),
    ]
    put([*TWO, lap(3)])
    checked = check_lake(store, [2025])
    assert found(checked) == [(Defect.LEFTOVER, first), (Defect.LEFTOVER, second)]
    now = (checked.findings[0].since or LATER) + AT_WORK
    assert [finding.may_be_at_work(now) for finding in checked.findings] == [False, True]
    assert [repair_finding(store, finding, now=now) for finding in checked.findings] == [
        True,
        False,
    ]
    assert found(check_lake(store, [2025])) == [(Defect.LEFTOVER, second)]
    assert len(kept(store)) == 2


@pytest.mark.parametrize("writes", [1, 2])
def test_marks_of_arrivals(store: RecordingStore, put: Put, writes: int) -> None:
    """A mark is no file of somebody else's and none that was left, whether its file followed or
    its writer was stopped before."""
    store.fail_after(writes)
    with suppress(LakeUnavailable):
        put(TWO)
    assert [path for path in store.contents() if "arrived" in path] == [
        f"{KEPT}arrived_20250414T060000_000000Z"
    ]
    files = writes - 1
    checked = check_lake(store, [2025])
    assert (checked.files, checked.revisions, checked.findings) == (files, 0, ())


def test_unfinished_files(tmp_path: Path) -> None:
    """What a killed writer left in any folder is reported, and removed after an hour."""
    store: ObjectStore = LocalStore(tmp_path)
    candidates.put(store, TickingClock(), TWO)
    for name in ("bronze/laps/.unfinished-a", "lineage/.unfinished-b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    os.utime(tmp_path / "bronze/laps/.unfinished-a", (0, 0))
    checked = check_lake(store, [2025])
    assert found(checked) == [
        (Defect.UNFINISHED, "bronze/laps/.unfinished-a"),
        (Defect.UNFINISHED, "lineage/.unfinished-b"),
    ]
    now = datetime.now(UTC)
    assert [repair_finding(store, finding, now=now) for finding in checked.findings] == [
        True,
        False,
    ]
    assert [left.path for left in store.unfinished()] == ["lineage/.unfinished-b"]
    assert repair_finding(store, checked.findings[1], now=now + timedelta(hours=2))
    assert list(store.unfinished()) == []
