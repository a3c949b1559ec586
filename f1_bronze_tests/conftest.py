"""Fixtures that the rooms share: a clean environment, the simulator, a lake and an instance.

No test reads the settings of the machine it runs on, and none leaves loopback.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import hypothesis
import pytest
import sqlalchemy

from f1_bronze.definitions import assemble
from f1_bronze.settings import Settings
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

from .commands import fast, run, run_process
from .judges import NoRules
from .servers import postgresql
from .weekend import ingested_weekend, weekend

__all__ = ["fast", "ingested_weekend", "postgresql", "run", "run_process", "weekend"]  # fixtures

# Images often forbid bytecode; then each of hundreds of processes would compile all of this anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Tests that are started in the background of a script ignore interrupts, and so do the processes
# that they start; some of them are about interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Time is no property of what is tested: on a busy machine drawing an example can take a second.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
def write_without_waiting(connection: object, _: object) -> None:
    """SQLite does not wait for the disk: no test pulls the plug of the machine."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


# Fixtures and parameters that stand for a server, a browser or Spark.
EXTERNAL = {"browser", "ministack", "postgresql", "spark", "swift", "ui"}
CONTAINER = {"podman"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that has a fixture or a parameter named in EXTERNAL or CONTAINER."""
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        names = {value for value in parameters if isinstance(value, str)}
        names.update(getattr(item, "fixturenames", ()))
        for mark, those in (("external", EXTERNAL), ("container", CONTAINER)):
            if not those.isdisjoint(names):
                item.add_marker(mark)


RECORDINGS = Path(__file__).parents[2] / "shared" / "openf1_recordings"
needs_recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="the recorded answers are not part of the project (licence)"
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting, credential or proxy of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith(("F1_BRONZE_", "AWS_", "DAGSTER_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def seasons() -> InventedSeasons:
    """The invented seasons; made once for every test of the process."""
    return InventedSeasons()


@pytest.fixture
def simulator(seasons: InventedSeasons) -> Iterator[Simulator]:
    """A simulator without limits, fresh counters and no faults."""
    with Simulator(seasons, limits=None) as running:
        yield running


@pytest.fixture
def settings(simulator: Simulator, tmp_path: Path) -> Settings:
    """Settings for the simulator and a lake of its own; calls are not slowed down."""
    return Settings.read(
        {
            "F1_BRONZE_OPENF1_URL": simulator.url,
            "F1_BRONZE_LAKE_URI": str(tmp_path / "lake"),
            "F1_BRONZE_OPENF1_LIMITS": "1000/1s",
            "F1_BRONZE_RATE_STORE": "memory",
        }
    )


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance that forgets everything after the test."""
    with dg.DagsterInstance.ephemeral(tempdir=str(tmp_path / "dagster")) as made:
        yield made


@pytest.fixture
def definitions(settings: Settings) -> dg.Definitions:
    """What Dagster would load with these settings, but for the evaluation of checks."""
    return assemble(settings, judge=NoRules())


@pytest.fixture
def materialize(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> Callable[..., dg.ExecuteInProcessResult]:
    """Run a job over neighbouring partitions, as the UI would, in this process."""

    def run(
        job: str, *keys: str, select: list[str] | None = None, **how: object
    ) -> dg.ExecuteInProcessResult:
        tags = {
            "dagster/asset_partition_range_start": keys[0],
            "dagster/asset_partition_range_end": keys[-1],
        }
        return definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            tags={**tags, **how.pop("tags", {})},
            asset_selection=[dg.AssetKey(["bronze", name]) for name in select] if select else None,
            raise_on_error=False,
            **how,
        )

    return run
