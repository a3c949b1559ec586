"""A session on its way to another partition: nothing is lost, wherever the way ends."""

from collections import Counter
from dataclasses import replace

import pytest

from f1_bronze.datasets.drivers import DRIVERS
from f1_bronze.datasets.laps import LAPS
from f1_bronze.lake.errors import LakeUnavailable, PartitionOccupied
from f1_bronze.lake.moving import move_session
from f1_bronze.lake.parquet import read_file
from f1_bronze.lake.verify import check_lake

from .candidates import put
from .examples import BAHRAIN, RACE_KEY, lap
from .fakes import MemoryStore, RecordingStore, TickingClock

LAP_RECORDS = [lap(1), lap(2), lap(3)]
DRIVER_RECORDS = [
    {"session_key": RACE_KEY, "meeting_key": 1257, "driver_number": number} for number in (4, 81)
]
NAMED = replace(BAHRAIN, grand_prix="gulf_air")


def fill(store: RecordingStore, clock: TickingClock) -> None:
    """Laps with a correction and a refused answer, and drivers, of one session."""
    corrected = [{**LAP_RECORDS[0], "lap_duration": 99.9}, *LAP_RECORDS[1:]]
    put(store, clock, LAP_RECORDS)
    put(store, clock, corrected)
    put(store, clock, LAP_RECORDS[1:])
    put(store, clock, DRIVER_RECORDS, dataset=DRIVERS)
    store.clear()


def contents(store: RecordingStore) -> Counter[tuple[str, str]]:
    """Dataset and hash of each content that is held anywhere, each once."""
    held = {
        (says.dataset, says.content_sha256)
        for path, data in store.contents().items()
        if path.endswith(".parquet")
        for says in [read_file(data, path).provenance]
    }
    return Counter(held)


def move(store: RecordingStore, clock: TickingClock) -> int:
    return move_session(store, RACE_KEY, BAHRAIN, NAMED, clock=clock)


def test_all_of_it_moves(store: RecordingStore, clock: TickingClock) -> None:
    """Files, revisions, refused answers and marks lie in the new place as if they had always been
    there, and nothing is left in the old one."""
    fill(store, clock)
    before = store.contents()
    assert move(store, clock) == 2
    after = store.contents()
    assert after.keys() == {path.replace("=bahrain/", "=gulf_air/") for path in before}
    checked = check_lake(store, [2025])
    assert (checked.findings, checked.files, checked.revisions) == ((), 2, 2)
    assert put(store, clock, DRIVER_RECORDS, dataset=DRIVERS, partition=NAMED).revision == (
        "unchanged"
    )
    assert move(store, clock) == 0
    assert store.contents() == after


class DyingStore(RecordingStore):
    """A store whose process ends before a write or a removal."""

    left = 10_000

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise LakeUnavailable("Killed.")

    def write(self, *args, **words):  # type: ignore[no-untyped-def]
        self._step()
        super().write(*args, **words)

    def delete(self, *args, **words):  # type: ignore[no-untyped-def]
        self._step()
        super().delete(*args, **words)


def test_killed_before_any_step(clock: TickingClock) -> None:
    """After every step that can be the last, each content is there, the old place still has a
    file of what has not arrived, and moving again ends as if nothing had happened."""
    whole = RecordingStore(MemoryStore())
    fill(whole, TickingClock())
    everything = contents(whole)
    move(whole, TickingClock())
    steps = 0
    while True:
        store = DyingStore(MemoryStore())
        fill(store, TickingClock())
        store.left = steps
        try:
            move(store, clock)
        except LakeUnavailable:
            pass
        else:
            break
        assert contents(store) == everything
        assert any(store.list("bronze/laps/year=2025/grand_prix=bahrain/")) or any(
            store.list("bronze/drivers/year=2025/grand_prix=bahrain/")
        )
        store.left = 10_000
        move(store, clock)
        assert store.contents() == whole.contents()
        steps += 1
    assert steps == 4 + 2 + 6  # copies of four kept objects and two files, and the removal of all


def test_a_correction_that_comes_meanwhile_moves_too(clock: TickingClock) -> None:
    """Where a writer was faster, the move begins anew and takes what was written with it."""

    class Overtaken(RecordingStore):
        due = True

        def delete(self, path: str, *, expected: str | None = None) -> None:
            if self.due and path.startswith("bronze/laps"):
                self.due = False
                put(self, clock, [{**LAP_RECORDS[0], "lap_duration": 77.7}, *LAP_RECORDS[1:]])
            super().delete(path, expected=expected)

    store = Overtaken(MemoryStore())
    fill(store, clock)
    held = contents(store)
    move(store, clock)
    assert len(contents(store)) == len(held) + 1
    checked = check_lake(store, [2025])
    assert checked.findings == ()
    [laps] = [file for file in checked.sound if file.dataset == "laps"]
    assert laps.partition == NAMED
    assert laps.file.records(LAPS)[0]["lap_duration"] == 77.7


def test_a_place_that_is_taken(clock: TickingClock) -> None:
    """Nothing moves to where another session is."""
    store = RecordingStore(MemoryStore())
    fill(store, clock)
    others = [{**record, "session_key": 77} for record in DRIVER_RECORDS]
    put(store, clock, others, dataset=DRIVERS, partition=NAMED, session_key=77)
    before = store.contents()
    with pytest.raises(PartitionOccupied, match="2025/gulf_air/race already holds"):
        move(store, clock)
    assert store.contents() == before
