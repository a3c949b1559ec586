"""Runs of the command are runs of the code location: the UI lists them where it lists any other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster_graphql.test.utils import execute_dagster_graphql

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.automation.launch import PlannedRun, execute
from f1_bronze.defs.partitions import register

RACE = "2025/bahrain/race"

JOB_RUNS = """
{
  pipelineOrError(
    params: {
      pipelineName: "bronze_sessions"
      repositoryName: "__repository__"
      repositoryLocationName: "f1_bronze"
    }
  ) { ... on Pipeline { runs(limit: 5) { id } } }
}
"""
RUN = """
query Run($id: ID!) {
  runOrError(runId: $id) {
    ... on Run {
      repositoryOrigin { repositoryLocationName repositoryName }
      hasReExecutePermission
      tags { key value }
    }
  }
}
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance that a webserver can open."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        yield instance


def test_the_ui_lists_runs_of_the_command(
    home: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    """Job > Runs has the run, and it can be re-executed there; hidden tags stay hidden."""
    register(home, [SessionPartition.parse(RACE)])
    planned = PlannedRun(
        job="bronze_sessions", op="ingest_sessions", datasets=DATASETS[:2], keys=(RACE,)
    )
    result = execute(
        planned, definitions=definitions, instance=home, accept_loss=False, tags={"a": "b"}
    )
    assert result.success
    location = InProcessCodeLocationOrigin(
        LoadableTargetOrigin(module_name="f1_bronze.definitions"), location_name="f1_bronze"
    )
    with WorkspaceProcessContext(home, InProcessWorkspaceLoadTarget(location)) as process:
        context = process.create_request_context()

        def ask(query: str, **variables: str) -> dict[str, Any]:
            answer = execute_dagster_graphql(context, query, variables)
            assert not answer.errors
            data: dict[str, Any] = answer.data
            return data

        assert ask(JOB_RUNS)["pipelineOrError"]["runs"] == [{"id": result.run_id}]
        run = ask(RUN, id=result.run_id)["runOrError"]
    assert run["repositoryOrigin"] == {
        "repositoryLocationName": "f1_bronze",
        "repositoryName": "__repository__",
    }
    assert run["hasReExecutePermission"]
    assert {tag["key"]: tag["value"] for tag in run["tags"]} == {
        "a": "b",
        "dagster/code_location": "f1_bronze",  # added by Dagster
        "dagster/partition": RACE,
        "dagster/max_retries": "0",
        "f1_bronze/simulated": "true",  # by the run, whose sessions the simulator has invented
    }


def test_the_instance_is_left_as_it_was(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    """Runs that others create on the same instance afterwards have no origin of ours."""
    register(instance, [SessionPartition.parse(RACE)])
    planned = PlannedRun(
        job="bronze_sessions", op="ingest_sessions", datasets=DATASETS[:1], keys=(RACE,)
    )
    execute(planned, definitions=definitions, instance=instance, accept_loss=False, tags={})
    other = instance.create_run_for_job(dg.GraphDefinition(name="other").to_job())
    assert other.remote_job_origin is None
