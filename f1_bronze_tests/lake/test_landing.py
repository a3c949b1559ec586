"""How an answer becomes the content of a partition: the same on a folder and on S3."""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.pit_stops import PIT_STOPS
from f1_bronze.lake.changes import NO_CHANGES, ChangedRow, ChangedValue, Changes, LostRows
from f1_bronze.lake.errors import ForeignFile, InvalidRecord, LakeUnavailable, PartitionOccupied
from f1_bronze.lake.landing import Landing, Revision
from f1_bronze.lake.parquet import read_file
from f1_bronze.lake.records import to_rows

from .candidates import put
from .examples import BAHRAIN, RACE_KEY, lap, multiset, pit_stop
from .fakes import RecordingStore, TickingClock

PATH = "bronze/laps/year=2025/grand_prix=bahrain/session_type=race/laps_10014.parquet"
KEPT = "revisions/laps/year=2025/grand_prix=bahrain/session_type=race/laps_10014/"
MARK = f"{KEPT}arrived_20250414T060000_000000Z"
TWO = [lap(1), lap(2)]
Land = Callable[..., Landing]
LOCAL = pytest.mark.parametrize("store", ["local"], indirect=True)
"""For what is decided by the records alone: once is enough."""


def key(lap_number: int | None) -> tuple[int, int, int | None]:
    return (RACE_KEY, 4, lap_number)


def lost(lap_number: int | None) -> LostRows:
    """The only row of a lap."""
    return LostRows(key=key(lap_number), rows=1, of=1)


def changed(lap_number: int, **values: tuple[Any, Any]) -> Changes:
    """The changes when one lap has other values: column = (before, after)."""
    row = ChangedRow(
        key=key(lap_number),
        values=tuple(
            ChangedValue(column=column, before=before, after=after)
            for column, (before, after) in values.items()
        ),
    )
    return Changes(changed=(key(lap_number),), changed_values=(row,))


def sha12(records: Sequence[dict[str, Any]], dataset: Dataset = LAPS) -> str:
    return to_rows(dataset, records).content_sha256[:12]


def kept(store: RecordingStore) -> list[str]:
    """The files that are kept, without marks of arrivals."""
    return [path for path in store.contents() if path.startswith(KEPT) and "arrived" not in path]


@pytest.fixture
def land_it(store: RecordingStore, clock: TickingClock) -> Land:
    """Lands records in Bahrain's race, a minute after the last."""

    def go(
        records: Sequence[dict[str, Any]],
        *,
        dataset: Dataset = LAPS,
        partition: SessionPartition = BAHRAIN,
        session_key: int = RACE_KEY,
        accept_loss: bool = False,
    ) -> Landing:
        return put(
            store,
            clock,
            records,
            dataset=dataset,
            partition=partition,
            session_key=session_key,
            notes={"run-id": "abc"},
            accept_loss=accept_loss,
        )

    return go


@pytest.fixture
def held(store: RecordingStore) -> Callable[[], list[dict[str, Any]]]:
    """The records that the partition holds now."""

    def read() -> list[dict[str, Any]]:
        return read_file(store.read(PATH) or b"", PATH).records(LAPS)

    return read


def test_revisions() -> None:
    """The five outcomes have these names."""
    assert {revision.value for revision in Revision} == {
        "new",
        "unchanged",
        "changed",
        "refused",
        "empty",
    }


def test_new(store: RecordingStore, land_it: Land, held: Callable[[], Any]) -> None:
    """The first answer is written to the one path of its partition, after an empty mark of the
    moment."""
    landing = land_it(TWO)
    assert landing.revision is Revision.NEW
    assert landing.uri == store.uri(PATH)
    assert landing.rows == 2
    assert landing.changes == Changes(added=(key(1), key(2)))
    assert landing.lost == ()
    assert landing.content_sha256 == to_rows(LAPS, TWO).content_sha256
    assert landing.absent_columns == ()
    assert store.written == [MARK, PATH]
    assert store.read(MARK) == b""
    assert store.notes == [{}, {"run-id": "abc", "content-sha256": landing.content_sha256}]
    assert landing.size_bytes == len(store.read(PATH) or b"")
    assert held() == TWO


@LOCAL
@pytest.mark.parametrize(
    "again",
    [
        pytest.param(TWO, id="same"),
        pytest.param([lap(2), lap(1)], id="another order"),
        pytest.param([lap(1, st_speed=301.0), lap(2, lap_number=2.0)], id="25 and 25.0"),
        pytest.param([dict(reversed(lap(n).items())) for n in (1, 2)], id="fields turned"),
    ],
)
def test_unchanged(store: RecordingStore, land_it: Land, again: list[dict[str, Any]]) -> None:
    """The same content is not written again, however it came."""
    first = land_it(TWO)
    before = store.contents()
    store.clear()
    landing = land_it(again)
    assert landing.revision is Revision.UNCHANGED
    assert landing.uri == first.uri
    assert landing.content_sha256 == first.content_sha256
    assert landing.changes == NO_CHANGES
    assert store.written == []
    assert store.contents() == before


def test_changed(store: RecordingStore, land_it: Land, held: Callable[[], Any]) -> None:
    """A correction keeps the old file byte for byte, and only then replaces it."""
    land_it(TWO)
    old = store.read(PATH)
    store.clear()
    corrected = [lap(1), lap(2, lap_duration=93.0)]
    landing = land_it(corrected)
    copy = f"{KEPT}20250414T060100_000000Z_{sha12(TWO)}.parquet"
    assert landing.revision is Revision.CHANGED
    assert landing.uri == store.uri(PATH)
    assert landing.changes == changed(2, lap_duration=(94.35, 93.0))
    assert store.written == [copy, PATH]
    assert store.read(copy) == old
    assert held() == corrected


def test_added_rows_only(store: RecordingStore, land_it: Land, held: Callable[[], Any]) -> None:
    """An answer that has all rows and one more replaces the file."""
    land_it(TWO)
    landing = land_it([lap(3), *TWO])
    assert landing.revision is Revision.CHANGED
    assert landing.changes == Changes(added=(key(3),))
    assert store.written == [MARK, PATH, *kept(store), PATH]
    assert held() == [*TWO, lap(3)]


def test_refused(store: RecordingStore, land_it: Land) -> None:
    """An answer with rows missing is kept aside, and the file stays byte for byte."""
    land_it([*TWO, lap(3)])
    old = store.read(PATH)
    store.clear()
    landing = land_it([lap(2, st_speed=1), lap(4)])
    aside = f"{KEPT}refused_{sha12([lap(2, st_speed=1), lap(4)])}.parquet"
    assert landing.revision is Revision.REFUSED
    assert landing.lost == (lost(1), lost(3))
    assert landing.changes == dataclasses.replace(
        changed(2, st_speed=(301, 1)),
        added=(key(4),),
        removed=(key(1), key(3)),
        lost=(lost(1), lost(3)),
    )
    assert landing.uri == store.uri(aside)
    assert landing.rows == 2
    assert store.written == [aside]
    assert store.read(PATH) == old
    assert read_file(store.read(aside) or b"", aside).records(LAPS) == [
        lap(2, st_speed=1),
        lap(4),
    ]


@LOCAL
@pytest.mark.parametrize("more", [[lap(3)], [lap(3), lap(4)]], ids=["as many rows", "more rows"])
def test_lost_row_is_refused_whatever_came_instead(
    land_it: Land, held: Callable[[], Any], more: list[dict[str, Any]]
) -> None:
    """An answer as large or larger is refused as well when a row of ours is missing."""
    land_it(TWO)
    landing = land_it([lap(1), *more])
    assert landing.revision is Revision.REFUSED
    assert landing.lost == (lost(2),)
    assert held() == TWO


@LOCAL
def test_refused_twice(store: RecordingStore, land_it: Land) -> None:
    """The same smaller answer again is refused again and leaves one file, not two."""
    land_it(TWO)
    first = land_it([lap(1)])
    there = store.contents()
    second = land_it([lap(1)])
    assert second.revision is Revision.REFUSED
    assert second.uri == first.uri
    assert store.contents() == there
    assert len(there) == 3


@LOCAL
def test_whole_answer_after_a_refused_one(store: RecordingStore, land_it: Land) -> None:
    """When the lost rows are back nothing is written, and the refused file is no revision."""
    land_it(TWO)
    land_it([lap(1)])
    store.clear()
    assert land_it(TWO).revision is Revision.UNCHANGED
    assert store.written == []
    assert land_it([*TWO, lap(3)]).revision is Revision.CHANGED
    assert store.written == [f"{KEPT}20250414T060300_000000Z_{sha12(TWO)}.parquet", PATH]


def test_accepted_loss(store: RecordingStore, land_it: Land, held: Callable[[], Any]) -> None:
    """A loss that a person accepts is a change like any other: the larger file is kept."""
    land_it([*TWO, lap(3)])
    old = store.read(PATH)
    assert land_it(TWO).revision is Revision.REFUSED
    store.clear()
    landing = land_it(TWO, accept_loss=True)
    copy = f"{KEPT}20250414T060200_000000Z_{sha12([*TWO, lap(3)])}.parquet"
    assert landing.revision is Revision.CHANGED
    assert landing.uri == store.uri(PATH)
    assert landing.changes == Changes(removed=(key(3),), lost=(lost(3),))
    assert landing.lost == ()
    assert store.written == [copy, PATH]
    assert store.read(copy) == old
    assert held() == TWO


@LOCAL
def test_accepted_loss_of_everything(land_it: Land, held: Callable[[], Any]) -> None:
    """Also an empty answer can be accepted; where nothing is lost, accepting changes nothing."""
    assert land_it(TWO, accept_loss=True).revision is Revision.NEW
    assert land_it(TWO, accept_loss=True).revision is Revision.UNCHANGED
    landing = land_it([], accept_loss=True)
    assert landing.revision is Revision.CHANGED
    assert landing.changes == Changes(removed=(key(1), key(2)), lost=(lost(1), lost(2)))
    assert held() == []


def test_clock_that_goes_back(store: RecordingStore, land_it: Land, clock: TickingClock) -> None:
    """The revisions are in the order of the replacements and behind the arrival, whatever the clock
    says."""
    contents = [[lap(1, st_speed=speed)] for speed in range(4)]
    for content in contents:
        land_it(content)
        clock.now -= timedelta(hours=1)
    assert kept(store) == [
        f"{KEPT}20250414T060000_00000{number}Z_{sha12(content)}.parquet"
        for number, content in enumerate(contents[:3], start=1)
    ]


def test_empty(store: RecordingStore, land_it: Land, held: Callable[[], Any]) -> None:
    """No rows are stored as a file without rows, once."""
    landing = land_it([])
    assert landing.revision is Revision.EMPTY
    assert landing.rows == 0
    assert landing.changes == NO_CHANGES
    assert store.written == [MARK, PATH]
    assert held() == []
    assert land_it([]).revision is Revision.UNCHANGED
    assert store.written == [MARK, PATH]


@LOCAL
def test_empty_after_rows_is_refused(
    store: RecordingStore, land_it: Land, held: Callable[[], Any]
) -> None:
    """An empty answer never replaces rows."""
    land_it(TWO)
    landing = land_it([])
    assert landing.revision is Revision.REFUSED
    assert landing.lost == (lost(1), lost(2))
    assert held() == TWO


@LOCAL
def test_rows_after_empty(store: RecordingStore, land_it: Land, held: Callable[[], Any]) -> None:
    """Rows that come later replace an empty file."""
    land_it([])
    landing = land_it(TWO)
    assert landing.revision is Revision.CHANGED
    assert landing.changes == Changes(added=(key(1), key(2)))
    assert held() == TWO


def test_back_and_forth(store: RecordingStore, land_it: Land, held: Callable[[], Any]) -> None:
    """A content that comes back is a change as well: every step is kept."""
    other = [lap(1), lap(2, st_speed=1)]
    for records in (TWO, other, TWO, other):
        land_it(records)
    assert kept(store) == [
        f"{KEPT}20250414T060100_000000Z_{sha12(TWO)}.parquet",
        f"{KEPT}20250414T060200_000000Z_{sha12(other)}.parquet",
        f"{KEPT}20250414T060300_000000Z_{sha12(TWO)}.parquet",
    ]
    assert held() == other


@LOCAL
def test_new_schema_version_rewrites(
    store: RecordingStore, land_it: Land, held: Callable[[], Any]
) -> None:
    """The same content under a newer schema is written anew, the old file kept."""
    land_it(TWO)
    old = store.read(PATH)
    landing = land_it(TWO, dataset=dataclasses.replace(LAPS, schema_version=2))
    assert landing.revision is Revision.CHANGED
    assert landing.changes == NO_CHANGES
    assert store.read(PATH) != old
    assert read_file(store.read(PATH) or b"", PATH).provenance.schema_version == 2
    assert store.read(kept(store)[0]) == old
    assert held() == TWO


@LOCAL
def test_correction_after_a_new_schema_version(store: RecordingStore, land_it: Land) -> None:
    """Each file that is replaced is kept byte for byte, also one of the same content."""
    newer = dataclasses.replace(LAPS, schema_version=2)
    land_it(TWO)
    first = store.read(PATH)
    land_it(TWO, dataset=newer)
    second = store.read(PATH)
    land_it([*TWO, lap(3)], dataset=newer)
    assert [store.read(path) for path in kept(store)] == [first, second]


@LOCAL
def test_columns_that_the_answer_lacks(land_it: Land) -> None:
    """Declared fields that no record has are listed, those that one record has are not."""
    old = land_it([pit_stop(10), pit_stop(20)], dataset=PIT_STOPS)
    assert old.absent_columns == ("lane_duration", "stop_duration")
    corrected = [pit_stop(10, lane_duration=22.5), pit_stop(20)]
    assert land_it(corrected, dataset=PIT_STOPS).absent_columns == ("stop_duration",)


@LOCAL
def test_rows_that_share_a_key(store: RecordingStore, land_it: Land) -> None:
    """Pit stops of one key: one of them lost is refused, one corrected is a change."""
    two = [pit_stop(10, pit_duration=20.0), pit_stop(10, pit_duration=21.0)]
    assert land_it(two, dataset=PIT_STOPS).revision is Revision.NEW
    refused = land_it([pit_stop(10, pit_duration=20.0)], dataset=PIT_STOPS)
    assert refused.revision is Revision.REFUSED
    assert refused.lost == (LostRows(key=key(10), rows=1, of=2, differ_in=("pit_duration",)),)
    corrected = [pit_stop(10, pit_duration=20.0), pit_stop(10, pit_duration=22.0)]
    landing = land_it(corrected, dataset=PIT_STOPS)
    assert landing.revision is Revision.CHANGED
    assert landing.changes == Changes(changed=(key(10),))


@LOCAL
def test_equal_rows(store: RecordingStore, land_it: Land) -> None:
    """A row that came twice is stored twice; that its twin goes loses nothing, the row itself
    would."""
    twice = [pit_stop(None), pit_stop(None)]
    assert land_it(twice, dataset=PIT_STOPS).rows == 2
    assert land_it(twice, dataset=PIT_STOPS).revision is Revision.UNCHANGED
    healed = land_it([pit_stop(None)], dataset=PIT_STOPS)
    assert (healed.revision, healed.rows) == (Revision.CHANGED, 1)
    assert healed.changes == Changes(removed=(key(None),))
    refused = land_it([], dataset=PIT_STOPS)
    assert refused.revision is Revision.REFUSED
    assert refused.lost == (lost(None),)


@LOCAL
def test_twin_that_goes_with_another_row(store: RecordingStore, land_it: Land) -> None:
    """An answer without a twin and without another row is refused for the other row alone."""
    land_it([lap(1), lap(1), lap(2)])
    refused = land_it([lap(1)])
    assert refused.revision is Revision.REFUSED
    assert refused.changes.removed == (key(1), key(2))
    assert refused.lost == (lost(2),)


@LOCAL
def test_keys_that_came_as_floats(store: RecordingStore, land_it: Land) -> None:
    """A key that JSON wrote as 1.0 is reported as the 1 that is stored."""
    landing = land_it([lap(1, lap_number=1.0, driver_number=4.0)])
    assert landing.changes == Changes(added=(key(1),))


def test_partition_of_another_session(store: RecordingStore, land_it: Land) -> None:
    """Where another session's file lies nothing is written: two sources share a lake."""
    land_it(TWO)
    before = store.contents()
    store.clear()
    with pytest.raises(PartitionOccupied) as raised:
        land_it([lap(1, session=77)], session_key=77)
    message = str(raised.value)
    assert "2025/bahrain/race already holds" in message
    assert store.uri(PATH) in message
    assert "77" in message
    assert "use another F1_BRONZE_LAKE_URI" in message
    assert store.written == []
    assert store.contents() == before


def test_same_session_in_another_partition(store: RecordingStore, land_it: Land) -> None:
    """Partitions do not disturb each other, not even where one slug begins like the other."""
    land_it(TWO)
    other = SessionPartition(year=2025, grand_prix="bahrain", session_type="race_2")
    assert land_it([lap(1, session=77)], session_key=77, partition=other).revision is Revision.NEW
    assert land_it(TWO).revision is Revision.UNCHANGED


@LOCAL
@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(lap(3, session=9999), id="another session"),
        pytest.param({"driver_number": 4, "lap_number": 3}, id="no session"),
        pytest.param(lap(3, session_key=None), id="null"),
        pytest.param(lap(3, session_key="10014"), id="text"),
    ],
)
@pytest.mark.parametrize("earlier", [None, TWO], ids=["nothing there", "rows there"])
def test_record_of_another_session(
    store: RecordingStore,
    land_it: Land,
    earlier: list[dict[str, Any]] | None,
    stranger: dict[str, Any],
) -> None:
    """One record of another session and nothing at all is written."""
    if earlier:
        land_it(earlier)
    before = store.contents()
    store.clear()
    with pytest.raises(InvalidRecord) as raised:
        land_it([*TWO, stranger])
    assert "laps" in str(raised.value)
    assert repr(stranger.get("session_key")) in str(raised.value)
    assert "10014 was asked" in str(raised.value)
    assert store.written == []
    assert store.contents() == before


@LOCAL
def test_record_without_a_key(store: RecordingStore, land_it: Land) -> None:
    """A record that cannot be distinguished from others stops the partition before any write."""
    with pytest.raises(InvalidRecord, match="A record of laps has no lap_number"):
        land_it([lap(1), lap(2, lap_number=None)])
    assert store.written == []


def test_crash_between_copy_and_replacement(
    store: RecordingStore, land_it: Land, held: Callable[[], Any]
) -> None:
    """A crash after the copy leaves the old file; the next attempt completes with its own copy,
    named by the moment at which the file was really replaced."""
    corrected = [*TWO, lap(3)]
    land_it(TWO)
    old = store.read(PATH)
    store.fail_after(1)
    with pytest.raises(LakeUnavailable):
        land_it(corrected)
    assert store.read(PATH) == old
    landing = land_it(corrected)
    assert landing.revision is Revision.CHANGED
    assert held() == corrected
    assert {path: store.read(path) for path in kept(store)} == {
        f"{KEPT}20250414T060100_000000Z_{sha12(TWO)}.parquet": old,
        f"{KEPT}20250414T060200_000000Z_{sha12(TWO)}.parquet": old,
    }


def test_crash_beside_a_refused_file(store: RecordingStore, land_it: Land) -> None:
    """A refused file in the same folder is no copy: its name is not read as a moment."""
    land_it(TWO)
    land_it([lap(1)])
    store.fail_after(1)
    with pytest.raises(LakeUnavailable):
        land_it([*TWO, lap(3)])
    assert land_it([*TWO, lap(3)]).revision is Revision.CHANGED
    assert kept(store) == [
        f"{KEPT}20250414T060200_000000Z_{sha12(TWO)}.parquet",
        f"{KEPT}20250414T060300_000000Z_{sha12(TWO)}.parquet",
        f"{KEPT}refused_{sha12([lap(1)])}.parquet",
    ]


def test_crash_before_the_copy(
    store: RecordingStore, land_it: Land, held: Callable[[], Any]
) -> None:
    """A crash before the first write leaves everything as it was."""
    land_it(TWO)
    before = store.contents()
    store.fail_after(0)
    with pytest.raises(LakeUnavailable):
        land_it([*TWO, lap(3)])
    assert store.contents() == before
    assert held() == TWO


@pytest.mark.parametrize("writes", [0, 1])
def test_crash_with_the_first_file(store: RecordingStore, land_it: Land, writes: int) -> None:
    """A new partition that could not be written is new again the next time; a mark that was left
    stays beside the one of the content that came."""
    store.fail_after(writes)
    with pytest.raises(LakeUnavailable):
        land_it(TWO)
    assert store.contents() == ({MARK: b""} if writes else {})
    assert land_it(TWO).revision is Revision.NEW
    marks = [path.removeprefix(KEPT) for path in store.contents() if "arrived" in path]
    assert marks == [f"arrived_20250414T060{minute}00_000000Z" for minute in (0, 1)[1 - writes :]]


@LOCAL
def test_marks_are_empty(store: RecordingStore, land_it: Land) -> None:
    """However often a session is landed, one empty object more than its contents is written."""
    for records in (TWO, TWO, [*TWO, lap(3)], [*TWO, lap(3)], TWO, []):
        land_it(records)
    marks = {path: data for path, data in store.contents().items() if "arrived" in path}
    assert marks == {MARK: b""}


def test_foreign_file_in_the_partition(store: RecordingStore, land_it: Land) -> None:
    """A file of our name that is none of ours is never overwritten."""
    store.inner.write(PATH, b"not Parquet", {})
    with pytest.raises(ForeignFile) as raised:
        land_it(TWO)
    assert store.uri(PATH) in str(raised.value)
    assert store.read(PATH) == b"not Parquet"
    assert store.written == []


def test_notes_do_not_change_the_file(store: RecordingStore, clock: TickingClock) -> None:
    """Who fetched it and when is beside the file, never in it."""
    stored = []
    for run, revision in (("one", Revision.NEW), ("two", Revision.UNCHANGED)):
        notes = {"run-id": run, "fetched-at": f"2025-01-01 {run}"}
        assert put(store, clock, TWO, notes=notes).revision is revision
        stored.append(store.read(PATH))
    assert stored[0] == stored[1]
    assert b"run-id" not in (stored[0] or b"")


def test_everything_that_ever_landed_can_be_read(store: RecordingStore, land_it: Land) -> None:
    """After a season of corrections each answer, refused ones too, is still in the lake."""
    answers = [TWO, [*TWO, lap(3)], [lap(1)], [*TWO, lap(3, st_speed=9)], []]
    for answer in answers:
        land_it(answer)
    found = [
        read_file(store.read(path) or b"", path).records(LAPS) for path in [PATH, *kept(store)]
    ]
    assert sorted(map(len, found)) == sorted(map(len, answers))
    for answer in answers:
        assert multiset(answer) in [multiset(records) for records in found]
