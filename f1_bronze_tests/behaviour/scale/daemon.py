"""A deployment: code server, requests as the UI makes them, the daemon's loop without its waits.

Belongs here: launching backfills as the UI does, and turning the daemon's crank until they end.
Stays out: assertions.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import dagster as dg
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster_graphql.test.utils import execute_dagster_graphql

HOME = """\
telemetry: {enabled: false}
run_coordinator:  # the queue is the daemon's; here a run starts at once
  module: dagster.core.run_coordinator
  class: DefaultRunCoordinator
concurrency: {pools: {granularity: run}}
"""
LAUNCH_BACKFILL = """mutation($params: LaunchBackfillParams!) {
  made: launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""
_RETRY = """mutation($params: ReexecutionParams!) {
  made: reexecutePartitionBackfill(reexecutionParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""
_LONGEST = 120.0


class Deployment:
    """What the UI and the daemon see; runs are processes, as in a deployment of one machine."""

    def __init__(self, workspace: WorkspaceProcessContext) -> None:
        self._workspace = workspace
        self.instance = workspace.instance

    @classmethod
    @contextmanager
    def at(cls, home: Path) -> Iterator[Self]:
        """The deployment at a Dagster home, its code server running while inside."""
        home.mkdir(parents=True)
        (home / "dagster.yaml").write_text(HOME)
        target = ModuleTarget(
            module_name="f1_bronze.definitions",
            attribute=None,
            working_directory=None,
            location_name="f1_bronze",
        )
        with (
            dg.DagsterInstance.from_config(str(home)) as instance,
            WorkspaceProcessContext(instance, target) as workspace,
        ):
            yield cls(workspace)

    def backfills(self, datasets: Sequence[str], keys: Sequence[str]) -> str:
        """An asset backfill, launched as the UI's dialog does; its id when it has ended."""
        params = {
            "assetSelection": [{"path": ["bronze", name]} for name in datasets],
            "partitionNames": list(keys),
        }
        return self._ended(self._asked(LAUNCH_BACKFILL, params))

    def retries(self, backfill: str) -> str:
        """What failed in a backfill, and that alone, as the UI's button does."""
        params = {"parentRunId": backfill, "strategy": "FROM_FAILURE"}
        return self._ended(self._asked(_RETRY, params))

    def runs_of(self, backfill: str) -> list[dg.DagsterRun]:
        """The runs of a backfill, the first one first."""
        tags = {"dagster/backfill": backfill}
        return list(self.instance.get_runs(filters=dg.RunsFilter(tags=tags)))[::-1]

    def status_of(self, backfill: str) -> str:
        """The backfill's status by name."""
        found = self.instance.get_backfill(backfill)
        assert found is not None
        return found.status.name

    def _asked(self, query: str, params: dict[str, Any]) -> str:
        context = self._workspace.create_request_context()
        made = execute_dagster_graphql(context, query, {"params": params}).data["made"]
        assert made["__typename"] == "LaunchBackfillSuccess", made
        return str(made["backfillId"])

    def _ended(self, backfill: str) -> str:
        deadline = time.monotonic() + _LONGEST
        while self.status_of(backfill) == "REQUESTED":
            assert time.monotonic() < deadline, "the backfill does not end"
            errors = execute_backfill_iteration(self._workspace, logging.getLogger("scale"))
            assert [error for error in errors if error is not None] == []
            self._runs_end(backfill, deadline)
        return backfill

    def _runs_end(self, backfill: str, deadline: float) -> None:
        """Wait for the runs that are under way: nothing changes before."""
        while any(not run.is_finished for run in self.runs_of(backfill)):
            assert time.monotonic() < deadline, "a run does not end"
            time.sleep(0.1)
