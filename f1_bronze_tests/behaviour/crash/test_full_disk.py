"""A disk that is full: whole files, and the next run completes once there is room."""

import errno
import os
from pathlib import Path
from random import Random

import pytest

from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.local import LocalStore

from ...lake.tiny_disk import SIZE, grow, tiny_disk
from .season import bronze, candidates, check_law, check_nothing_lost

__all__ = ["tiny_disk"]  # a fixture

PASSES = 3


def land_all(lake: Lake, number: int) -> None:
    for candidate in candidates(number):
        lake.land(candidate)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the lake holds when nothing goes wrong."""
    lake = Lake(LocalStore(tmp_path_factory.mktemp("undisturbed")))
    for number in range(PASSES):
        land_all(lake, number)
    return bronze(lake.store)


def test_disk_that_fills_up_again_and_again(tiny_disk: Path, undisturbed: dict[str, bytes]) -> None:
    """Each time the disk is full the lake is as before or as after; with 12 KiB more it gets on a
    little; nothing is lost and nothing unfinished fills the disk more."""
    store, kilobytes, full = LocalStore(tiny_disk), SIZE, 0
    messages: set[str] = set()
    lake = Lake(store)
    for number in range(PASSES):
        while True:
            try:
                land_all(lake, number)
                break
            except LakeUnavailable as error:
                messages.add(str(error).partition("(")[2].partition(")")[0])
                full += 1
                check_law(store, number)
                assert list(store.unfinished()) == []
                kilobytes += 12
                grow(tiny_disk, kilobytes)
    assert full > 10
    assert messages == {"No space left on device"}
    assert bronze(store) == undisturbed
    check_nothing_lost(store, PASSES)


def test_flushes_that_find_the_disk_full(
    tmp_path: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same where no file system can be mounted: any flush to disk may fail, of the file or of
    its folder."""
    store, rng = LocalStore(tmp_path), Random(7)
    lake, real, failed = Lake(store), os.fsync, 0

    def now_and_then(handle: int) -> None:
        nonlocal failed
        if rng.random() < 0.4:
            failed += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", now_and_then)
    for number in range(PASSES):
        for candidate in candidates(number):
            while True:
                try:
                    lake.land(candidate)
                    break
                except LakeUnavailable:
                    assert list(store.unfinished()) == []
        check_law(store, number)
    assert failed > 50
    assert bronze(store) == undisturbed
    check_nothing_lost(store, PASSES)
