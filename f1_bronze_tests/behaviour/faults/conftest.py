"""What the fault bench's tests share: benches, and the lakes of runs without faults."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.sources import SeasonSource

from ...once import made_once
from .bench import LARGER_PART, PART, SEASON, Bench, ThinSource, content_of
from .laws import Content


@pytest.fixture(scope="session")
def thin() -> ThinSource:
    """The invented seasons with few laps; what was made once is remembered."""
    return ThinSource(InventedSeasons(keep=200))


@pytest.fixture(scope="session")
def clean(thin: ThinSource, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """The lake of six sessions without faults."""
    return stored("clean-part", PART, 7, thin, tmp_path_factory)


@pytest.fixture(scope="session")
def clean_larger(thin: ThinSource, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """The lake of twelve sessions without faults."""
    return stored("clean-larger-part", LARGER_PART, 7, thin, tmp_path_factory)


@pytest.fixture(scope="session")
def clean_season(thin: ThinSource, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """The lake of a whole season without faults."""
    return stored("clean-season", SEASON, 8, thin, tmp_path_factory)


def stored(
    name: str,
    words: Sequence[str],
    calls: int,
    source: SeasonSource,
    folders: pytest.TempPathFactory,
) -> Content:
    """What an ingest without faults leaves, for so many calls; made by one worker for all."""

    def make(folder: Path) -> None:
        with Bench.over(source, folder) as bench:
            result = bench.ingest(words)
            assert (result.status, result.calls) == (0, calls)

    return content_of(Bench.lake_in(made_once(folders, name, make)))


@pytest.fixture
def make_bench(thin: ThinSource, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """A bench whose simulator behaves so; all are taken down afterwards."""
    with ExitStack() as running:

        def make(**behaviour: Any) -> Bench:
            return running.enter_context(Bench.over(thin, tmp_path / "bench", **behaviour))

        yield make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """A bench whose simulator behaves as usual."""
    return make_bench()
