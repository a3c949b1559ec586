"""OpenF1 as a run sees it: shared batches, one calendar, no secret in the UI."""

from collections.abc import Iterator

import dagster as dg
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.definitions import assemble
from f1_bronze.defs.resources import openf1_resource, resolved
from f1_bronze.openf1.batches import SessionRef
from f1_bronze.openf1.shared_requests import OpenF1
from f1_bronze.settings import Settings
from f1_bronze.simulator.server import Simulator

LAPS, DRIVERS = DATASETS[3], DATASETS[1]


@pytest.fixture
def openf1(settings: Settings) -> Iterator[OpenF1]:
    """OpenF1 with these settings."""
    made = openf1_resource(settings).make_openf1()
    yield made
    made.close()


@pytest.fixture
def refs(openf1: OpenF1, simulator: Simulator) -> list[SessionRef]:
    """Six races of a season; the calls that found them are forgotten."""
    races = [s for s in openf1.calendar([2025], {}).sessions if s.partition.session_type == "race"]
    simulator.control.reset()
    return [SessionRef(session_key=race.session_key, session_type="race") for race in races[:6]]


def test_runs_share_what_was_expected(
    openf1: OpenF1, simulator: Simulator, refs: list[SessionRef]
) -> None:
    """Three runs over parts of what was expected cost one call between them, in any order."""
    openf1.expect({DRIVERS: refs})
    parts = [refs[2:4], refs[:2], refs[4:]]
    answers = [list(openf1.answers(DRIVERS, part)) for part in parts]
    assert [[a.session_key for a in run] for run in answers] == [
        [ref.session_key for ref in part] for part in parts
    ]
    assert all(len(a.records) == 20 for run in answers for a in run)
    assert simulator.control.state()["by_endpoint"] == {"drivers": 1}


def test_what_was_not_expected_is_asked_all_the_same(
    openf1: OpenF1, simulator: Simulator, refs: list[SessionRef]
) -> None:
    """A session that nobody announced, or that is asked for again, has a batch of its own."""
    openf1.expect({DRIVERS: refs[:2]})
    assert [a.session_key for a in openf1.answers(DRIVERS, refs[:3])] == [
        ref.session_key for ref in refs[:3]
    ]
    assert [a.session_key for a in openf1.answers(DRIVERS, refs[:1])] == [refs[0].session_key]
    assert simulator.control.state()["by_endpoint"] == {"drivers": 3}


def test_a_calendar_is_read_once(openf1: OpenF1, simulator: Simulator) -> None:
    """A season that was read among others is not asked for again."""
    both = openf1.calendar([2024, 2025], {})
    assert openf1.calendar([2025], {}) is both
    assert simulator.control.state()["by_endpoint"] == {"sessions": 1, "meetings": 1}
    assert [openf1.take_calendar_cost().calls for _ in range(2)] == [2, 0]


def test_the_password_stays_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Dagster stores and shows of the resource names the variable, not its value."""
    environ = {
        "F1_BRONZE_OPENF1_USERNAME": "somebody",
        "F1_BRONZE_OPENF1_PASSWORD": "hunter2-hunter2",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    settings = Settings.read()
    assert "hunter2" not in repr(settings)
    definitions = assemble(settings)
    resource = definitions.resources["openf1"]
    assert isinstance(resource.password, dg.EnvVar)
    snapshot = definitions.get_repository_def().get_top_level_resources()["openf1"]
    assert "hunter2" not in str(snapshot.config_schema.as_field().__dict__)
    assert resolved(openf1_resource(settings)).password == "hunter2-hunter2"
