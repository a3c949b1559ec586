"""Fixtures of the tests of the Dagster rim."""

import dagster as dg
import pytest

from .sensor_ticks import TickLog


@pytest.fixture
def tick_log(monkeypatch: pytest.MonkeyPatch) -> TickLog:
    """The log of every sensor tick of the test."""
    log = TickLog()
    monkeypatch.setattr(dg.SensorEvaluationContext, "log", property(lambda _: log))
    return log
