"""The Dagster home that is made where there is none."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from f1_bronze.definitions import defs
from f1_bronze.defs.automation.instance import open_instance, prepare_home
from f1_bronze.settings import HomeUnusable


def test_a_home_is_made_with_a_limit_for_the_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are remembered, nothing phones home, and two runs at once may ask the API."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with open_instance() as instance:
        assert instance.root_directory == str(tmp_path / "home")
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_poll_interval_seconds == 30
        assert instance.run_retries_max_retries == 2
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 4
        limits = {limit.name: limit.limit for limit in instance.event_log_storage.get_pool_limits()}
        assert limits == {"openf1": 2}
        instance.event_log_storage.set_concurrency_slots("openf1", 5)
    with open_instance() as instance:
        [limit] = instance.event_log_storage.get_pool_limits()
        assert limit.limit == 5


@pytest.mark.slow
def test_commands_that_make_a_home_at_once(tmp_path: Path) -> None:
    """All of them open it, and it opens afterwards: Dagster alone makes its files without a lock,
    and more than half of the homes that three processes opened at once were broken by it."""
    code = (
        "from f1_bronze.defs.automation.instance import open_instance\n"
        "with open_instance() as instance: instance.all_instigator_state()"
    )
    for number in range(2):
        environ = {**os.environ, "DAGSTER_HOME": str(tmp_path / str(number))}
        started = [
            subprocess.Popen([sys.executable, "-c", code], env=environ, stderr=subprocess.PIPE)
            for _ in range(4)
        ]
        said = [process.communicate()[1].decode() for process in started]
        assert [process.returncode for process in started] == [0] * 4, said
        with dg.DagsterInstance.from_config(environ["DAGSTER_HOME"]) as instance:
            assert instance.get_runs_count() == 0


def test_a_config_that_is_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dagster.yaml that is there already is not touched."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    assert prepare_home() == tmp_path
    assert yaml.safe_load((tmp_path / "dagster.yaml").read_text()) == {
        "telemetry": {"enabled": False}
    }


def test_a_home_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that cannot be written is named with the remedy."""
    monkeypatch.setenv("DAGSTER_HOME", "/proc/home")
    with pytest.raises(HomeUnusable, match="Set DAGSTER_HOME to a folder that this user can write"):
        prepare_home()


def test_every_run_that_asks_is_in_the_pool() -> None:
    """Both ops claim the pool, so that the UI shows what waits."""
    for name in ("bronze_sessions", "bronze_races"):
        job = defs.resolve_job_def(name)
        assert [node.definition.pool for node in job.graph.nodes] == ["openf1"]
        assert isinstance(job, dg.JobDefinition)
