"""What a partition has held, and what the lake was at a moment: the same on a folder and on S3."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f1_bronze.datasets.laps import LAPS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake import paths
from f1_bronze.lake.changes import Changes
from f1_bronze.lake.errors import LakeUnavailable, NotInLake
from f1_bronze.lake.history import History, paths_as_of, read_history
from f1_bronze.lake.landing import Revision
from f1_bronze.lake.paths import KeptAs

from .candidates import put
from .examples import BAHRAIN, RACE_KEY, lap
from .fakes import MemoryStore, RecordingStore, TickingClock

MONACO = SessionPartition.parse("2024/monaco/race")
PATH = paths.file_path("laps", BAHRAIN, RACE_KEY)
KEPT = paths.revision_folder("laps", BAHRAIN, RACE_KEY)
START = datetime(2025, 4, 14, 6, 0, tzinfo=UTC)
FIRST, SECOND, THIRD = [lap(1)], [lap(1), lap(2)], [lap(1, st_speed=1), lap(2)]


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def summary(history: History) -> list[tuple[int, datetime | None, datetime | None, int | None]]:
    """Number, since, replaced at, and rows of each content."""
    return [
        (c.number, c.since, c.replaced_at, c.file.table.num_rows if c.file else None)
        for c in history.contents
    ]


def test_history(store: RecordingStore, clock: TickingClock) -> None:
    """Contents come in order, each with the moment of its replacement and what it changed."""
    for records in (FIRST, SECOND, THIRD):
        put(store, clock, records)
    history = read_history(store, LAPS, BAHRAIN)
    assert summary(history) == [
        (1, at(0), at(1), 1),
        (2, at(1), at(2), 2),
        (3, at(2), None, 2),
    ]
    assert [content.is_current for content in history.contents] == [False, False, True]
    one, two, three = history.contents
    assert one.changes is None
    assert two.changes == Changes(added=((RACE_KEY, 4, 2),))
    assert three.changes is not None
    assert three.changes.changed == ((RACE_KEY, 4, 1),)
    assert three.changes.changed_values[0].values[0].column == "st_speed"
    assert three.path == PATH
    assert [content.size_bytes for content in history.contents] == [
        len(store.read(content.path) or b"") for content in history.contents
    ]
    assert history.aside == ()


def test_read_by_number_and_by_time(store: RecordingStore, clock: TickingClock) -> None:
    """A content is current from its arrival or the replacement of the one before, to the
    microsecond; before the first one arrived there was nothing, and that is said."""
    for records in (FIRST, SECOND, THIRD):
        put(store, clock, records)
    history = read_history(store, LAPS, BAHRAIN)
    assert [history.numbered(n).number for n in (1, 2, 3)] == [1, 2, 3]
    instant = timedelta(microseconds=1)
    for moment, number in (
        (at(0), 1),
        (at(1) - instant, 1),
        (at(1), 2),
        (at(2) - instant, 2),
        (at(2), 3),
        (at(600_000), 3),
    ):
        assert history.at(moment).number == number
    file = history.at(at(1)).file
    assert file is not None
    assert file.records(LAPS) == SECOND
    with pytest.raises(NotInLake, match=r"has no revision 4\. Choose from 1 to 3\."):
        history.numbered(4)
    with pytest.raises(NotInLake) as raised:
        history.at(at(0) - instant)
    assert str(raised.value) == (
        "laps of 2025/bahrain/race held nothing at 2025-04-14T05:59:59.999999+00:00 that is kept: "
        "revision 1 arrived at 2025-04-14T06:00:00+00:00. Choose that moment or a later one."
    )


def test_only_one_content(store: RecordingStore, clock: TickingClock) -> None:
    """Without a correction there is one content, since its arrival."""
    put(store, clock, FIRST)
    put(store, clock, FIRST)
    history = read_history(store, LAPS, BAHRAIN)
    assert summary(history) == [(1, at(0), None, 1)]
    assert history.at(at(0)).number == 1


def test_lake_without_marks(store: RecordingStore, clock: TickingClock) -> None:
    """Where nothing marks the arrival, as in an older lake or when marks have expired, the oldest
    content has no known beginning and answers for every moment before."""
    put(store, clock, FIRST)
    put(store, clock, SECOND)
    store.delete(paths.arrival_path(KEPT, at(0)))
    history = read_history(store, LAPS, BAHRAIN)
    assert summary(history) == [(1, None, at(1), 1), (2, at(1), None, 2)]
    assert history.at(at(-600_000)).number == 1
    assert paths_as_of(store, LAPS, at(-600_000)) == [history.contents[0].path]


def test_marks_that_no_file_followed(store: RecordingStore, clock: TickingClock) -> None:
    """Writers that were stopped before the file leave marks, which are no contents; the content
    that came at last came then, and not before."""
    for _ in range(2):
        store.fail_after(1)
        with pytest.raises(LakeUnavailable):
            put(store, clock, FIRST)
    assert len(list(store.list(KEPT))) == 2
    with pytest.raises(NotInLake, match="is not in the lake"):
        read_history(store, LAPS, BAHRAIN)
    assert paths_as_of(store, LAPS, at(5)) == []
    put(store, clock, FIRST)
    put(store, clock, SECOND)
    history = read_history(store, LAPS, BAHRAIN)
    assert summary(history) == [(1, at(2), at(3), 1), (2, at(3), None, 2)]
    assert paths_as_of(store, LAPS, at(1)) == []
    assert paths_as_of(store, LAPS, at(2)) == [history.contents[0].path]


def test_nothing(store: RecordingStore, clock: TickingClock) -> None:
    """A partition that never landed is named, with how to land it; refused files are no content."""
    put(store, clock, FIRST)
    with pytest.raises(NotInLake) as raised:
        read_history(store, LAPS, MONACO)
    assert str(raised.value) == (
        "laps of 2024/monaco/race is not in the lake. Ingest it with `f1-bronze ingest 2024 "
        "--grand-prix monaco --session-type race`."
    )


def test_refused_answers_are_apart(store: RecordingStore, clock: TickingClock) -> None:
    """A refused answer is listed apart until it is accepted; then it is a content like others."""
    put(store, clock, SECOND)
    assert put(store, clock, FIRST).revision is Revision.REFUSED
    history = read_history(store, LAPS, BAHRAIN)
    assert summary(history) == [(1, at(0), None, 2)]
    [refused] = history.aside
    assert refused.kept_as is KeptAs.REFUSED
    assert refused.file is not None
    assert refused.file.records(LAPS) == FIRST
    assert put(store, clock, FIRST, accept_loss=True).revision is Revision.CHANGED
    history = read_history(store, LAPS, BAHRAIN)
    assert summary(history) == [(1, at(0), at(2), 2), (2, at(2), None, 1)]
    assert history.aside == ()


def test_copies_of_interrupted_attempts(store: RecordingStore, clock: TickingClock) -> None:
    """Copies that were made and not followed by a new file are no contents of their own."""
    put(store, clock, FIRST)
    for _ in range(2):
        store.fail_after(1)
        with pytest.raises(LakeUnavailable):
            put(store, clock, SECOND)
    assert summary(read_history(store, LAPS, BAHRAIN)) == [(1, at(0), None, 1)]
    assert paths_as_of(store, LAPS, at(100)) == [PATH]
    put(store, clock, SECOND)
    assert len(list(store.list(KEPT))) == 4  # three copies, and the mark of the arrival
    assert summary(read_history(store, LAPS, BAHRAIN)) == [
        (1, at(0), at(3), 1),
        (2, at(3), None, 2),
    ]


def test_torn_revision(store: RecordingStore, clock: TickingClock) -> None:
    """A revision that cannot be read keeps its place; the others are still listed."""
    for records in (FIRST, SECOND, THIRD):
        put(store, clock, records)
    path = read_history(store, LAPS, BAHRAIN).contents[1].path
    store.inner.write(path, b"torn", {})
    history = read_history(store, LAPS, BAHRAIN)
    assert summary(history) == [(1, at(0), at(1), 1), (2, at(1), at(2), None), (3, at(2), None, 2)]
    assert [content.changes for content in history.contents] == [None, None, None]


def test_file_that_was_moved_away(store: RecordingStore, clock: TickingClock) -> None:
    """Without a current file the earlier contents are there, and now there is none."""
    put(store, clock, FIRST)
    put(store, clock, SECOND)
    store.delete(PATH)
    history = read_history(store, LAPS, BAHRAIN)
    assert summary(history) == [(1, at(0), at(1), 1)]
    assert history.at(at(0)).number == 1
    with pytest.raises(NotInLake, match=r"held nothing at 2025-04-14T06:01:00\+00:00"):
        history.at(at(1))
    assert paths_as_of(store, LAPS, at(0)) == [history.contents[0].path]
    assert paths_as_of(store, LAPS, at(1)) == []


def test_file_that_was_moved_away_and_landed_again(
    store: RecordingStore, clock: TickingClock
) -> None:
    """A content that comes where a file was moved away is current since then, also when it is the
    same as before; between the two nothing is known."""
    put(store, clock, FIRST)
    put(store, clock, SECOND)
    store.delete(PATH)
    put(store, clock, FIRST)
    history = read_history(store, LAPS, BAHRAIN)
    assert summary(history) == [(1, at(0), at(1), 1), (2, at(2), None, 1)]
    with pytest.raises(NotInLake, match=r"revision 2 arrived at 2025-04-14T06:02:00\+00:00"):
        history.at(at(1))
    assert [paths_as_of(store, LAPS, at(minute)) for minute in (0, 1, 2)] == [
        [history.contents[0].path],
        [],
        [PATH],
    ]


def test_clock_of_another_machine(store: RecordingStore, clock: TickingClock) -> None:
    """A machine whose clock is behind replaces after the arrival all the same, never before it."""
    put(store, clock, FIRST)
    clock.now -= timedelta(hours=3)
    put(store, clock, SECOND)
    tick = timedelta(microseconds=1)
    assert summary(read_history(store, LAPS, BAHRAIN)) == [
        (1, at(0), at(0) + tick, 1),
        (2, at(0) + tick, None, 2),
    ]


def test_paths_as_of(store: RecordingStore, clock: TickingClock) -> None:
    """For each partition the file that was current then, in order, from two listings."""
    put(store, clock, FIRST)
    other = [lap(1, session=7)]
    put(store, clock, other, partition=MONACO, session_key=7)
    put(store, clock, SECOND)
    put(store, clock, [*other, lap(2, session=7)], partition=MONACO, session_key=7)
    put(store, clock, [])  # refused: no content
    store.write("bronze/laps/notes.txt", b"", {})
    monaco = paths.file_path("laps", MONACO, 7)
    [old] = [e.path for e in store.list(KEPT) if "/2025" in e.path]
    kept_monaco = [e.path for e in store.list(paths.revision_folder("laps", MONACO, 7))]
    [old_monaco] = [path for path in kept_monaco if path.endswith(".parquet")]
    assert paths_as_of(store, LAPS, at(-1)) == []
    assert paths_as_of(store, LAPS, at(0.5)) == [old]
    assert paths_as_of(store, LAPS, at(1.5)) == [old_monaco, old]
    assert paths_as_of(store, LAPS, at(2)) == [old_monaco, PATH]
    assert paths_as_of(store, LAPS, at(3)) == [monaco, PATH]


class Counting(MemoryStore):
    """Counts listings and reads."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def list(self, prefix: str) -> Any:
        self.calls.append(f"list {prefix}")
        return super().list(prefix)

    def read(self, path: str) -> bytes | None:
        self.calls.append("read")
        return super().read(path)


def test_paths_as_of_costs_two_listings(clock: TickingClock) -> None:
    """However many partitions there are: S3 answers a thousand names in one call."""
    store = Counting()
    for number in range(1, 6):
        place = SessionPartition(year=2025, grand_prix=f"gp_{number}", session_type="race")
        for records in ([lap(1, session=number)], [lap(1, session=number, st_speed=1)]):
            put(store, clock, records, partition=place, session_key=number)
    store.calls.clear()
    assert len(paths_as_of(store, LAPS, at(10))) == 5
    assert store.calls == ["list revisions/laps/", "list bronze/laps/"]


@settings(deadline=None, max_examples=60)
@given(
    speeds=st.lists(st.integers(1, 3), min_size=1, max_size=8),
    crashes=st.sets(st.integers(0, 7)),
    minute=st.integers(-1, 40),
)
def test_as_of_is_what_was_read_then(speeds: list[int], crashes: set[int], minute: int) -> None:
    """Whatever landed, came back or was interrupted: as of a moment the lake shows what a reader
    found at that moment, and nothing where it found nothing; history and listing agree."""
    store, clock = RecordingStore(MemoryStore()), TickingClock(START)
    seen: dict[int, list[dict[str, Any]]] = {}
    for number, speed in enumerate(speeds):
        if number in crashes:
            store.fail_after(1)
            with suppress(LakeUnavailable):
                put(store, clock, [lap(1, st_speed=speed)])
            store.fail_after(1_000)
        else:
            put(store, clock, [lap(1, st_speed=speed)])
        now = int((clock.now - START).total_seconds() // 60) - 1
        if PATH in store.contents():
            held = read_history(store, LAPS, BAHRAIN).contents[-1].file
            assert held is not None
            seen[now] = held.records(LAPS)
    found = paths_as_of(store, LAPS, at(minute))
    known = [moment for moment in seen if moment <= minute]
    if not known:
        assert found == []
        if seen:
            with pytest.raises(NotInLake, match="that is kept: revision 1 arrived at"):
                read_history(store, LAPS, BAHRAIN).at(at(minute))
        return
    content = read_history(store, LAPS, BAHRAIN).at(at(minute))
    assert content.file is not None
    assert content.file.records(LAPS) == seen[max(known)]
    [path] = found
    assert store.read(path) == store.read(content.path)
