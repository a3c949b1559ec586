"""Writers of one partition at the same time: one of their whole contents stays, none is lost."""

import multiprocessing
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f1_bronze.datasets.laps import LAPS
from f1_bronze.lake import paths
from f1_bronze.lake.errors import Conflict
from f1_bronze.lake.history import paths_as_of, read_history
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Landing, Revision, land, list_season
from f1_bronze.lake.local import LocalStore
from f1_bronze.lake.stores import ObjectStore

from .candidates import candidate
from .examples import BAHRAIN, RACE_KEY, lap
from .fakes import MemoryStore, RecordingStore, TickingClock
from .interleaving import ScheduledStore, Scheduler

PATH = paths.file_path("laps", BAHRAIN, RACE_KEY)


def content(speed: int) -> list[dict[str, Any]]:
    """Contents of equal keys: each may replace any other."""
    return [lap(1, st_speed=speed), lap(2)]


def speeds_held(store: ObjectStore) -> list[int]:
    """The contents that the partition has held, in order; the last is current."""
    found = []
    for one in read_history(store, LAPS, BAHRAIN).contents:
        assert one.file is not None
        found.append(one.file.records(LAPS)[0]["st_speed"])
    return found


def land_interleaved(
    store: ObjectStore,
    first: int | None,
    speeds: Sequence[int],
    schedule: Sequence[int],
    clock: TickingClock | None = None,
    by_listing: Sequence[int] = (),
) -> list[Landing]:
    """Each speed is landed by a writer of its own; their calls, of the clock too, in the order of
    the schedule. Those in `by_listing` have listed the season first."""
    clock = clock or TickingClock()
    if first is not None:
        land(store, candidate(content(first)), clock=clock)
    scheduler = Scheduler(schedule)

    def writer(number: int) -> Any:
        view = ScheduledStore(store, scheduler, number)

        def its_clock() -> datetime:
            scheduler.wait_for_turn(number)
            return clock()

        def run() -> Landing:
            seen = None
            if number in by_listing:
                seen = list_season(view, LAPS.name, BAHRAIN.year, clock=its_clock)
            return land(view, candidate(content(speeds[number])), clock=its_clock, seen=seen)

        return run

    results = scheduler.run([writer(number) for number in range(len(speeds))])
    errors = [result for result in results if isinstance(result, Exception)]
    assert errors == []
    return results


def check(
    store: ObjectStore, first: int | None, speeds: Sequence[int], landings: list[Landing]
) -> None:
    """Every content that was ever current is there, in an order that the landings report."""
    held = speeds_held(store)
    written = [
        s for s, one in zip(speeds, landings, strict=True) if one.revision is not Revision.UNCHANGED
    ]
    assert held[-1] in {first, *speeds}
    # A content that comes back while a slow writer still holds it is one entry the less, so the
    # set is the law; where all differ, so is the number.
    assert set(held) == {*([] if first is None else [first]), *written}
    if len({first, *speeds}) == len(speeds) + 1:
        assert sorted(held) == sorted([*([] if first is None else [first]), *speeds])
        new = Counter(one.revision for one in landings)
        assert new[Revision.NEW] == (1 if first is None else 0)
        assert new[Revision.UNCHANGED] == new[Revision.REFUSED] == 0
        for speed, one in zip(speeds, landings, strict=True):
            if one.revision is Revision.CHANGED:
                [row] = one.changes.changed_values
                before = held[held.index(speed) - 1]
                assert [(value.before, value.after) for value in row.values] == [(before, speed)]


class Watched(MemoryStore):
    """Notes when the partition's file was first there; from then on the clock is an hour later."""

    def __init__(self, clock: TickingClock) -> None:
        super().__init__()
        self._clock = clock
        self.seen_at: datetime | None = None

    def write(self, path: str, *args: Any, **kwargs: Any) -> None:
        super().write(path, *args, **kwargs)
        if path == PATH and self.seen_at is None:
            self.seen_at = self._clock.now
            self._clock.now += timedelta(hours=1)


schedules = st.lists(st.integers(0, 2), min_size=1, max_size=40)


@settings(deadline=None)
@given(
    first=st.none() | st.just(0),
    speeds=st.lists(st.integers(0, 3), min_size=2, max_size=3),
    schedule=schedules,
    by_listing=st.sets(st.integers(0, 2)),
)
def test_any_interleaving(
    first: int | None, speeds: list[int], schedule: list[int], by_listing: set[int]
) -> None:
    """Two or three writers, the same content or others, their calls in any order at all, some of
    them by a listing; the first content arrived no later than it was there, however late the
    others' marks came."""
    clock = TickingClock()
    store = Watched(clock)
    landings = land_interleaved(store, first, speeds, schedule, clock, sorted(by_listing))
    check(store, first, speeds, landings)
    arrived = read_history(store, LAPS, BAHRAIN).contents[0].since
    assert arrived is not None
    assert store.seen_at is not None
    assert arrived <= store.seen_at


@pytest.mark.parametrize("first", [None, 0], ids=["nothing there", "something there"])
def test_interleavings_on_each_store(store: RecordingStore, first: int | None) -> None:
    """The same on a folder and on S3, for a handful of orders."""
    rng = Random(1)
    for turn in range(4):
        for path in store.contents():
            store.delete(path)
        schedule = [rng.randrange(2) for _ in range(12)] if turn else [0, 1]
        landings = land_interleaved(store, first, [1, 2], schedule, by_listing=[turn % 2])
        check(store, first, [1, 2], landings)


def test_overtaken_at_the_last_moment(store: RecordingStore) -> None:
    """Both have read the same file; the slower one finds another and replaces that in turn."""
    landings = land_interleaved(store, 0, [1, 2], [0, 1])
    assert [one.revision for one in landings] == [Revision.CHANGED, Revision.CHANGED]
    assert speeds_held(store) == [0, 1, 2]
    assert landings[1].changes.changed_values[0].values[0].before == 1


def test_overtaken_by_the_same_content(store: RecordingStore) -> None:
    """When the faster one wrote the very same, the slower one has nothing left to do."""
    landings = land_interleaved(store, 0, [1, 1], [0, 1])
    assert [one.revision for one in landings] == [Revision.CHANGED, Revision.UNCHANGED]
    assert speeds_held(store) == [0, 1]


def test_mark_that_comes_late() -> None:
    """A writer that saw no file and marks its arrival when another's has been there for an hour
    does not hide that one: its mark bears the moment before it looked."""
    clock, began = (
        TickingClock(),
        TickingClock().now + timedelta(minutes=1),
    )  # when the faster one began
    store = Watched(clock)
    landings = land_interleaved(store, None, [1, 2], [1, 1, 0, 0, 0, 0, 1], clock)
    assert [one.revision for one in landings] == [Revision.NEW, Revision.CHANGED]
    assert sum("/arrived_" in path for path in store.objects) == 2
    first, second = read_history(store, LAPS, BAHRAIN).contents
    assert first.since == began
    assert first.replaced_at == second.since == began + timedelta(hours=1, minutes=2)
    assert paths_as_of(store, LAPS, began) == [first.path]
    assert paths_as_of(store, LAPS, clock.now) == [PATH]


def test_overtaken_by_more_rows(store: RecordingStore) -> None:
    """What the faster one added must not be lost to the slower one's smaller answer."""
    clock, scheduler = TickingClock(), Scheduler([0, 1])
    land(store, candidate([lap(1)]), clock=clock)
    larger, smaller = [lap(1), lap(2), lap(3)], [lap(1), lap(2)]
    first, second = scheduler.run(
        [
            lambda: land(ScheduledStore(store, scheduler, 0), candidate(larger), clock=clock),
            lambda: land(ScheduledStore(store, scheduler, 1), candidate(smaller), clock=clock),
        ]
    )
    assert (first.revision, second.revision) == (Revision.CHANGED, Revision.REFUSED)
    assert [one.key for one in second.lost] == [(RACE_KEY, 4, 3)]
    current = read_history(store, LAPS, BAHRAIN).contents[-1].file
    assert current is not None
    assert current.records(LAPS) == larger


class AlwaysFaster(MemoryStore):
    """A store in which somebody else has always just written the file."""

    def write(self, path: str, *args: Any, expected: str | None = None, **kwargs: Any) -> None:
        if path == PATH and expected is not None:
            raise Conflict(path)
        super().write(path, *args, expected=expected, **kwargs)


def test_overtaken_without_end(clock: TickingClock) -> None:
    """After many defeats a writer gives up with the way on, rather than never end."""
    store = AlwaysFaster()
    with pytest.raises(Conflict, match="Run again"):
        land(store, candidate(content(1)), clock=clock)
    assert [path for path in store.objects if "/arrived_" not in path] == []


def land_many(root: Path, numbers: Sequence[int], ready: Any) -> None:
    lake = Lake(LocalStore(root))
    ready.wait()
    for number in numbers:
        landing = lake.land(candidate(content(number)))
        assert landing.revision in (Revision.NEW, Revision.CHANGED)


def test_processes(tmp_path: Path) -> None:
    """Four processes that land 15 contents each in one partition at once leave 60 contents."""
    fork = multiprocessing.get_context("fork")
    ready = fork.Barrier(4)
    batches = [range(first, first + 15) for first in (100, 200, 300, 400)]
    processes = [
        fork.Process(target=land_many, args=(tmp_path, numbers, ready)) for numbers in batches
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    store = LocalStore(tmp_path)
    held = speeds_held(store)
    assert sorted(held) == sorted(number for numbers in batches for number in numbers)
    for numbers in batches:  # each process sees its own in order
        assert [number for number in held if number in numbers] == list(numbers)
    assert list(store.unfinished()) == []
    moments = [one.replaced_at for one in read_history(store, LAPS, BAHRAIN).contents[:-1]]
    assert all(moment and moment <= datetime.now(UTC) for moment in moments)
