"""Many answers stored at once: how many requests that takes on S3, and what errors do to the rest.

The counts are the ceiling: a request takes some 30 ms at a usual distance, whatever it does.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import boto3
import pytest

from benchmarks.s3_proxy import S3Proxy, serve_proxy
from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake import lake as lakes
from f1_bronze.lake import paths
from f1_bronze.lake.errors import InvalidRecord, LakeUnavailable, PartitionOccupied
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Candidate, Landing, Revision
from f1_bronze.lake.s3 import S3Store, S3Writes
from f1_bronze.lake.stores import ObjectStore

from .candidates import candidate
from .examples import lap
from .fakes import MemoryStore, RecordingStore, TickingClock

SESSIONS = 12
IDENTITY = {"list partition files": 6}
"""Asked once a season: which session is stored where, in each dataset."""


@pytest.fixture
def proxy(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Proxy]:
    """The way to moto's server, which counts."""
    with serve_proxy(aws, delay=0.01) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        yield running


@pytest.fixture
def lake(proxy: S3Proxy, bucket: str) -> Lake:
    """A lake behind it whose client is made here: nothing was asked yet."""
    proxy.take()
    client = boto3.client("s3")
    return Lake(S3Store(bucket=bucket, prefix="f1", client=lambda: client), clock=TickingClock())


def place(number: int) -> SessionPartition:
    return SessionPartition.parse(f"2025/circuit_{number}/race")


def answers(speed: int = 300, sessions: int = SESSIONS) -> list[Candidate]:
    """Laps of so many sessions, which came together."""
    return [
        candidate(
            [lap(1, session=100 + number, st_speed=speed)],
            partition=place(number),
            session_key=100 + number,
        )
        for number in range(sessions)
    ]


def revisions(landings: Sequence[object]) -> set[Revision]:
    assert all(isinstance(one, Landing) for one in landings), landings
    return {one.revision for one in landings if isinstance(one, Landing)}


def test_requests_of_new_partitions(lake: Lake, proxy: S3Proxy) -> None:
    """Two requests each, the mark and the file, ten at a time; one listing for all of them."""
    assert revisions(list(lake.land_all(answers()))) == {Revision.NEW}
    assert proxy.take() == {
        "write arrival marks": SESSIONS,
        "write partition files": SESSIONS,
        "list partition files": 6 + 1,
    }
    assert 2 <= proxy.most_at_once <= 10


def test_requests_of_unchanged_partitions(lake: Lake, proxy: S3Proxy) -> None:
    """None each: what the listing says of a file proves that it holds the same bytes."""
    stored = list(lake.land_all(answers()))
    proxy.take()
    again = list(lake.land_all(answers()))
    assert revisions(again) == {Revision.UNCHANGED}
    assert proxy.take() == {"list partition files": 1}
    assert [(one.uri, one.content_sha256) for one in again if isinstance(one, Landing)] == [
        (one.uri, one.content_sha256) for one in stored if isinstance(one, Landing)
    ]


def test_requests_of_changed_partitions(lake: Lake, proxy: S3Proxy) -> None:
    """Five each: the file is read, its revisions listed, read once more, kept, and replaced."""
    list(lake.land_all(answers()))
    proxy.take()
    assert revisions(list(lake.land_all(answers(speed=301)))) == {Revision.CHANGED}
    assert proxy.take() == {
        "read partition files": 2 * SESSIONS,
        "list revisions": SESSIONS,
        "write revisions": SESSIONS,
        "write partition files": SESSIONS,
        "list partition files": 1,
    }


def test_a_listing_that_proves_nothing(
    lake: Lake, proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where ETags are no hashes, as with KMS, an unchanged file is read: one request each."""
    list(lake.land_all(answers()))
    proxy.take()
    monkeypatch.setattr("f1_bronze.lake.landing.md5", lambda *_, **__: _NoHash())
    assert revisions(list(lake.land_all(answers()))) == {Revision.UNCHANGED}
    assert proxy.take() == {"read partition files": SESSIONS, "list partition files": 1}


class _NoHash:
    def hexdigest(self) -> str:
        return "no object has it"


def test_an_altered_file_is_not_taken_for_unchanged(lake: Lake) -> None:
    """The hash of the object's metadata is believed by nobody: a damaged file is found."""
    list(lake.land_all(answers()))
    path = paths.file_path("laps", place(3), 103)
    lake.store.write(path, b"PAR1 torn", {"content-sha256": "as before"})
    outcome = list(lake.land_all(answers()))
    assert "is no whole Parquet file" in str(outcome.pop(3))
    assert revisions(outcome) == {Revision.UNCHANGED}


def test_recent_files_are_bounded() -> None:
    """The oldest go when there is too much; the same content is there once."""
    recent = lakes._RecentFiles(10)
    for md5, data in (("a", b"1234"), ("b", b"5678"), ("b", b"5678"), ("c", b"90")):
        recent.keep(md5, data)
    assert [recent.find(md5) for md5 in "abc"] == [b"1234", b"5678", b"90"]
    recent.keep("d", b"1")
    assert [recent.find(md5) for md5 in "abcd"] == [None, b"5678", b"90", b"1"]
    recent.keep("e", b"x" * 11)
    assert [recent.find(md5) for md5 in "abcde"] == [None] * 5


def test_an_object_of_others_is_read(lake: Lake, proxy: S3Proxy) -> None:
    """What another writer has put in place of ours is what is read."""
    list(lake.land_all(answers()))
    path = paths.file_path("laps", place(3), 103)
    theirs = lake.store.read(paths.file_path("laps", place(4), 104))
    assert theirs is not None
    lake.store.write(path, theirs + b"", {})
    assert lake.read_all(LAPS, [place(3)])[place(3)].provenance.session_key == 104


def test_reading_many(lake: Lake, proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request a file and one a season; what is not stored is left out. What this process has
    stored itself, and the listing shows to be there, is not asked for again."""
    list(lake.land_all(answers()))
    proxy.take()
    own = lake.read_all(LAPS, [place(number) for number in range(SESSIONS)])
    assert [own[place(n)].table["session_key"].to_pylist() for n in (0, 7)] == [[100], [107]]
    assert proxy.take() == {"list partition files": 1}
    monkeypatch.setattr(lakes, "_RECENT", lakes._RecentFiles(0))
    found = lake.read_all(LAPS, [place(number) for number in range(SESSIONS + 5)])
    assert sorted(found) == sorted(place(number) for number in range(SESSIONS))
    assert found[place(4)].table["session_key"].to_pylist() == [104]
    assert proxy.take() == {"read partition files": SESSIONS, "list partition files": 1}


class Overtaken(MemoryStore):
    """A store in which another writer acts right after a season was listed."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Any = None

    def list(self, prefix: str) -> Iterator[Any]:
        found = list(super().list(prefix))
        if prefix == paths.dataset_folder("laps", 2025) and self.meanwhile is not None:
            act, self.meanwhile = self.meanwhile, None
            act()
        yield from found


@pytest.mark.parametrize("before", [None, 300])
def test_overtaken_after_the_listing(before: int | None) -> None:
    """What another writer put there meanwhile is found by the write itself, kept and replaced."""
    store = Overtaken()
    lake, other = Lake(store, clock=TickingClock()), Lake(store, clock=TickingClock())
    if before is not None:
        list(lake.land_all(answers(before)))
    store.meanwhile = lambda: other.land(answers(302)[5])
    landings = list(lake.land_all(answers(301)))
    assert isinstance(landings[5], Landing)
    assert landings[5].revision is Revision.CHANGED
    [row] = landings[5].changes.changed_values
    assert [(value.before, value.after) for value in row.values] == [(302, 301)]
    held = [
        one.file.records(LAPS)[0]["st_speed"]
        for one in lake.history(LAPS, place(5)).contents
        if one.file is not None
    ]
    assert held == [*([] if before is None else [before]), 302, 301]


def test_moved_away_after_the_listing() -> None:
    """A file that was listed and is gone is written as new, after a mark of its own."""
    store = Overtaken()
    lake = Lake(store, clock=TickingClock())
    list(lake.land_all(answers()))
    path = paths.file_path("laps", place(5), 105)
    store.meanwhile = lambda: store.delete(path)
    landings = list(lake.land_all(answers(301)))
    assert [one.revision for one in landings if isinstance(one, Landing)] == [
        Revision.NEW if number == 5 else Revision.CHANGED for number in range(SESSIONS)
    ]
    assert path in store.objects


def test_an_answer_that_cannot_be_stored() -> None:
    """A record without its key and a partition that is another session's fail alone, in place."""
    lake = Lake(MemoryStore(), clock=TickingClock())
    lake.land(candidate([lap(1, session=7)], partition=place(2), session_key=7))
    several = answers()
    broken = {**lap(1, session=104), "lap_number": None}
    several[4] = candidate([broken], partition=place(4), session_key=104)
    outcome = list(lake.land_all(several))
    assert isinstance(outcome[2], PartitionOccupied)
    assert isinstance(outcome[4], InvalidRecord)
    assert revisions([one for n, one in enumerate(outcome) if n not in (2, 4)]) == {Revision.NEW}


def test_one_partition_twice() -> None:
    """Two answers for one partition are stored one after the other: the second is refused it."""
    lake = Lake(MemoryStore(), clock=TickingClock())
    first, second = answers(sessions=2)
    twice = candidate(second.records, partition=first.partition, session_key=second.session_key)
    stored, refused = lake.land_all([first, twice])
    assert revisions([stored]) == {Revision.NEW}
    assert isinstance(refused, PartitionOccupied)


def test_a_lake_that_fails() -> None:
    """The failure stands where it happened; what is there is whole, and another turn completes."""
    inner = MemoryStore()
    store = RecordingStore(inner)
    lake = Lake(store, clock=TickingClock())
    store.fail_after(7)
    outcome = list(lake.land_all(answers()))
    assert sum(isinstance(one, LakeUnavailable) for one in outcome) == 1
    assert {type(one) for one in outcome} == {LakeUnavailable, Landing}
    again = list(lake.land_all(answers()))
    assert revisions(again) == {Revision.NEW, Revision.UNCHANGED}
    for number in range(SESSIONS):
        [content] = lake.history(LAPS, place(number)).contents
        assert content.since is not None  # the mark was there before the file


def test_a_lake_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where even the listing fails, each answer gets that error."""
    store = MemoryStore()

    def fail(prefix: str) -> Iterator[Any]:
        raise LakeUnavailable("The bucket is gone. Make it again.")

    monkeypatch.setattr(store, "list", fail)
    outcome = list(Lake(store).land_all(answers(sessions=3)))
    assert [str(one) for one in outcome] == ["The bucket is gone. Make it again."] * 3
    assert store.objects == {}


def test_nobody_reads_to_the_end() -> None:
    """A reader that stops, as an interrupted run does, leaves whole partitions only: each file with
    the mark before it."""
    store: ObjectStore = MemoryStore()
    lake = Lake(store, clock=TickingClock())
    landings = lake.land_all(answers(sessions=60))
    assert revisions([next(landings)]) == {Revision.NEW}
    landings.close()
    stored = lake.stored_partitions("laps", [2025])
    assert 1 <= len(stored) <= 60
    assert all(lake.history(LAPS, one).contents[0].since is not None for one in stored)


def test_options_of_writing_are_kept(lake: Lake, bucket: str) -> None:
    """Notes of the run are beside each object that is written at once, as beside one."""
    store = S3Store(bucket=bucket, prefix="noted", writes=S3Writes(encryption="AES256"))
    noted = [
        candidate(
            one.records, partition=one.partition, session_key=one.session_key, notes={"a": "1"}
        )
        for one in answers(sessions=3)
    ]
    assert revisions(list(Lake(store).land_all(noted))) == {Revision.NEW}
    key = f"noted/{paths.file_path('laps', place(1), 101)}"
    found = boto3.client("s3").head_object(Bucket=bucket, Key=key)
    assert found["Metadata"]["a"] == "1"
    assert found["ServerSideEncryption"] == "AES256"
