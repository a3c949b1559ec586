"""What the simulator's tests share: the fakes, a way to start a simulator, and a client."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
import requests

from f1_bronze.simulator.behaviour import Behaviour
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator
from f1_bronze.simulator.sources import SeasonSource

from .fakes import HandClock, TinySource


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def tiny() -> TinySource:
    return TinySource()


@pytest.fixture
def simulate(clock: HandClock, tiny: TinySource) -> Iterator[Callable[..., Simulator]]:
    """Starts a simulator on a free port with the hand clock; all are stopped afterwards."""
    with ExitStack() as running:

        def start(
            source: SeasonSource = tiny, *, limits: str | None = None, **behaviour: Any
        ) -> Simulator:
            usual = Behaviour(clock=clock, sleep=clock.sleep, later=clock.later, limits=limits)
            settled = replace(usual, **behaviour)
            return running.enter_context(Simulator(source, behaviour=settled))

        yield start


@pytest.fixture
def get() -> Iterator[Callable[..., requests.Response]]:
    """A GET over one kept-alive connection."""
    with requests.Session() as session:

        def ask(url: str, **more: Any) -> requests.Response:
            return session.get(url, timeout=5, **more)

        yield ask


@pytest.fixture(scope="session")
def seasons() -> InventedSeasons:
    """One invented source for all tests that only read it."""
    return InventedSeasons(seed=1, keep=200)
