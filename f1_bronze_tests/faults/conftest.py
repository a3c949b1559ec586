"""What the fault bench's tests share: benches, and the lakes of runs without faults."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from f1_bronze.simulator.generated import GeneratedSeasons

from ..commands.conftest import run  # noqa: F401 - a fixture
from .bench import PART, SEASON, Bench, ThinSource
from .laws import Content


@pytest.fixture(scope="session")
def thin() -> ThinSource:
    """The invented seasons with few laps; what was made once is remembered."""
    return ThinSource(GeneratedSeasons(keep=200))


@pytest.fixture(scope="session")
def clean(thin: ThinSource, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """The lake of twelve sessions without faults."""
    with Bench.over(thin, tmp_path_factory.mktemp("clean")) as bench:
        told = bench.ingest(PART)
        assert (told.status, told.calls) == (0, 7)
        return bench.content()


@pytest.fixture(scope="session")
def clean_season(thin: ThinSource, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """The lake of a whole season without faults."""
    with Bench.over(thin, tmp_path_factory.mktemp("clean")) as bench:
        told = bench.ingest(SEASON)
        assert (told.status, told.calls) == (0, 8)
        return bench.content()


@pytest.fixture
def make_bench(thin: ThinSource, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """A bench with these manners of the stand-in; all are taken down afterwards."""
    with ExitStack() as running:

        def make(**manners: Any) -> Bench:
            return running.enter_context(Bench.over(thin, tmp_path / "bench", **manners))

        yield make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """A bench whose stand-in has its usual manners."""
    return make_bench()
