"""A running deployment, asked over the GraphQL of its webserver: partitions, backfills, their runs.

Home of the queries of `f1-bronze backfill`. Dagster's concept:
https://docs.dagster.io/api/graphql
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset

if TYPE_CHECKING:
    import dagster as dg

_SECONDS_TO_ANSWER = 60
_KEYS_IN_ONE_REQUEST = 100
_EVENTS_IN_ONE_REQUEST = 500
_RETRIES = 4  # with pauses of 0.5 to 4 s: a webserver that is being replaced

_ENDED = ("COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED")

_METADATA = """metadataEntries {
  label
  ... on TextMetadataEntry { text }
  ... on IntMetadataEntry { intValue }
  ... on FloatMetadataEntry { floatValue }
  ... on JsonMetadataEntry { jsonString }
}"""

_BRONZE = """query($keys: [AssetKeyInput!]) {
  assetNodes(assetKeys: $keys) {
    assetKey { path }
    repository { name location { name } }
  }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
}"""

_KEYS = """query($keys: [AssetKeyInput!]) {
  assetNodes(assetKeys: $keys) { partitionKeys }
}"""

_COMPLETE = """query($keys: [AssetKeyInput!]) {
  assetNodes(assetKeys: $keys) {
    assetKey { path }
    assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions } }
    assetChecksOrError { ... on AssetChecks { checks {
      partitionStatuses { ... on AssetCheckDefaultPartitionStatuses {
        succeededPartitions failedPartitions
      } }
    } } }
  }
}"""

_DELETE = """mutation($repository: RepositorySelector!, $name: String!, $keys: [String!]!) {
  deleteDynamicPartitions(
    repositorySelector: $repository, partitionsDefName: $name, partitionKeys: $keys
  ) { __typename ... on PythonError { message } ... on UnauthorizedError { message } }
}"""

_RUNS = """query($statuses: [RunStatus!]) {
  runsOrError(filter: {statuses: $statuses}) {
    ... on Runs { results { runId status parentRunId tags { key value } } }
  }
}"""

_LAUNCH = """mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on UnauthorizedError { message }
  }
}"""

_CANCEL = """mutation($id: String!) {
  cancelPartitionBackfill(backfillId: $id) {
    __typename ... on PythonError { message } ... on UnauthorizedError { message }
  }
}"""

_SELECTED = """query($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    __typename
    ... on PartitionBackfill { assetSelection { path } }
    ... on PythonError { message }
  }
}"""

_TARGETS = """query($id: String!%s) {
  partitionBackfillOrError(backfillId: $id) {
    __typename
    ... on PartitionBackfill { %s }
    ... on PythonError { message }
  }
}"""

_STATUS = """query($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    __typename
    ... on PartitionBackfill {
      status error { message } runs(limit: 10000) { runId status parentRunId }
    }
    ... on PythonError { message }
  }
}"""

_EVENTS = (
    """query($id: ID!, $cursor: String, $limit: Int) {
  runOrError(runId: $id) {
    __typename
    ... on Run { eventConnection(afterCursor: $cursor, limit: $limit) {
      cursor hasMore
      events {
        __typename
        ... on MaterializationEvent { assetKey { path } partition METADATA }
        ... on AssetCheckEvaluationEvent {
          evaluation { assetKey { path } partition checkName success severity METADATA }
        }
        ... on ExecutionStepFailureEvent {
          error { message cause { message } } failureMetadata { METADATA }
        }
        ... on RunFailureEvent { message }
      }
    } }
  }
}"""
).replace("METADATA", _METADATA)


class DeploymentError(Exception):
    """A deployment that is silent (perhaps it is restarted), or cannot do what is asked."""

    def __init__(self, message: str, *, is_silent: bool = False) -> None:
        super().__init__(message)
        self.is_silent = is_silent


@dataclass(frozen=True, kw_only=True)
class BackfillRun:
    """A run: its status in Dagster's word, the run that it repeats if any, tags if asked for."""

    run_id: str
    status: str
    parent_run_id: str | None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether nothing more comes of it."""
        return self.status in ("SUCCESS", "FAILURE", "CANCELED")


@dataclass(frozen=True, kw_only=True)
class BackfillState:
    """Where a backfill is: its status in Dagster's word, its own error, its runs, oldest first."""

    status: str
    error: str | None
    runs: tuple[BackfillRun, ...]

    @property
    def is_finished(self) -> bool:
        """Whether no further run comes."""
        return self.status in _ENDED


@dataclass(frozen=True, kw_only=True)
class RunEvent:
    """What an event of a run says, of those that a backfill is followed by.

    Attributes:
        kind: the GraphQL type's name.
        dataset, partition: what it is about; empty where that is the run.
        metadata: values by name; JSON is parsed, of other kinds than number and text there is none.
        passed, check: of an evaluation.
        message: of a failure.
    """

    kind: str
    dataset: str = ""
    partition: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    check: str = ""
    passed: bool = True
    message: str = ""


class RunningDeployment:
    """A deployment with the bronze assets. It registers partitions like a Dagster instance.

    Raises:
        DeploymentError: from every method, where no answer comes or none that helps.
    """

    def __init__(self, url: str, place: str = "") -> None:
        from gql import Client
        from gql.transport.requests import RequestsHTTPTransport

        self.url = url.removesuffix("/").removesuffix("/graphql")
        # A webserver of this machine is not reached through a proxy.
        to_session: Any = {"proxies": {"no_proxy": "*"}} if _is_loopback(self.url) else {}
        transport = RequestsHTTPTransport(
            f"{self.url}/graphql",
            timeout=_SECONDS_TO_ANSWER,
            retries=_RETRIES,
            retry_backoff_factor=0.5,
            retry_status_forcelist=(429, 502, 503, 504),  # 500 is Dagster's answer to a query
            **to_session,
        )
        parts = urlsplit(self.url)
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self.place = place or shown
        """What people know the deployment by: the address without a login that it may hold."""
        self._client = Client(transport=transport)
        self._repository: dict[str, str] = {}

    def check(self) -> None:
        """Find the bronze assets, and a daemon that executes backfills."""
        answer = self._ask(_BRONZE, keys=_asset_keys(DATASETS))
        found = {node["assetKey"]["path"][-1]: node["repository"] for node in answer["assetNodes"]}
        if missing := [dataset.name for dataset in DATASETS if dataset.name not in found]:
            raise DeploymentError(
                f"The deployment at {self.place} has no asset bronze/{missing[0]}. Look under "
                "Deployment in its UI whether the code location f1_bronze has loaded."
            )
        repository = found[DATASETS[0].name]
        self._repository = {
            "repositoryName": repository["name"],
            "repositoryLocationName": repository["location"]["name"],
        }
        statuses = answer["instance"]["daemonHealth"]["allDaemonStatuses"]
        needed = {"BACKFILL", "QUEUED_RUN_COORDINATOR"}
        dead = [
            one["daemonType"]
            for one in statuses
            if one["daemonType"] in needed and one["required"] and not one["healthy"]
        ]
        if dead:
            raise DeploymentError(
                f"No daemon reports to the deployment at {self.place} ({', '.join(dead)}), so "
                "nothing would start. Start its daemon (on one machine `f1-bronze ui` has one) and "
                "run this again."
            )

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        """The keys of a definition, in the order of registration."""
        from f1_bronze.defs.partitions import DATASET_GROUPS

        [dataset] = [
            group.datasets[0]
            for group in DATASET_GROUPS
            if group.partitions_def.name == partitions_def_name
        ]
        [node] = self._ask(_KEYS, keys=_asset_keys([dataset]))["assetNodes"]
        return list(node["partitionKeys"])

    def add_dynamic_partitions(
        self, partitions_def_name: str, partition_keys: Sequence[str]
    ) -> None:
        """Register keys, in this order, behind those that are there; many in one request."""
        for start in range(0, len(partition_keys), _KEYS_IN_ONE_REQUEST):
            some = partition_keys[start : start + _KEYS_IN_ONE_REQUEST]
            declared = "".join(f", $k{number}: String!" for number in range(len(some)))
            calls = "".join(
                f"a{number}: addDynamicPartition(repositorySelector: $repository, "
                f"partitionsDefName: $name, partitionKey: $k{number}) {{ __typename "
                "... on PythonError { message } ... on UnauthorizedError { message } }\n"
                for number in range(len(some))
            )
            answer = self._ask(
                f"mutation($repository: RepositorySelector!, $name: String!{declared}) {{{calls}}}",
                repository=self._repository,
                name=partitions_def_name,
                **{f"k{number}": key for number, key in enumerate(some)},
            )
            for one in answer.values():
                # Somebody else may have registered it in the meantime: the calendar's sensor does.
                if one["__typename"] not in (
                    "AddDynamicPartitionSuccess",
                    "DuplicateDynamicPartitionError",
                ):
                    raise self._refused("register partitions", one)

    def delete_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> None:
        """Take a key off a definition; what was materialized of it stays."""
        answer = self._ask(
            _DELETE, repository=self._repository, name=partitions_def_name, keys=[partition_key]
        )["deleteDynamicPartitions"]
        if answer["__typename"] != "DeleteDynamicPartitionsSuccess":
            raise self._refused("put partitions into order", answer)

    def get_runs(self, filters: dg.RunsFilter) -> list[BackfillRun]:
        """The runs that have one of the filter's statuses, with their tags."""
        statuses = [status.value for status in filters.statuses]
        return [
            BackfillRun(
                run_id=run["runId"],
                status=run["status"],
                parent_run_id=run["parentRunId"],
                tags={tag["key"]: tag["value"] for tag in run["tags"]},
            )
            for run in self._ask(_RUNS, statuses=statuses)["runsOrError"]["results"]
        ]

    def complete_keys(self, datasets: Collection[Dataset]) -> dict[str, set[str]]:
        """By name of the dataset, the keys that are on record as materialized and checked."""
        answer = self._ask(_COMPLETE, keys=_asset_keys(datasets))
        complete = {}
        for node in answer["assetNodes"]:
            keys = set(node["assetPartitionStatuses"].get("materializedPartitions", ()))
            for check in (node["assetChecksOrError"] or {}).get("checks", ()):
                statuses = check["partitionStatuses"] or {}
                keys &= {
                    *statuses.get("succeededPartitions", ()),
                    *statuses.get("failedPartitions", ()),
                }
            complete[node["assetKey"]["path"][-1]] = keys
        return complete

    def launch(self, wanted: Mapping[Dataset, Collection[str]], *, title: str) -> str:
        """Request a backfill of these keys of each dataset; its id.

        Dagster makes the runs: those of the race datasets follow those of the sessions.
        """
        from f1_bronze.defs.partitions import read_registered

        registered = read_registered(self)
        selected = [
            {
                "assetKey": _asset_keys([dataset])[0],
                "partitions": {"ranges": _to_ranges(registered.keys(dataset), keys)},
            }
            for dataset, keys in wanted.items()
            if keys
        ]
        answer = self._ask(_LAUNCH, params={"partitionsByAssets": selected, "title": title})
        made = answer["launchPartitionBackfill"]
        if made["__typename"] != "LaunchBackfillSuccess":
            raise self._refused("make the backfill", made)
        return str(made["backfillId"])

    def cancel(self, backfill_id: str) -> None:
        """Request the end of a backfill and of its runs; the daemon does it within 30 s."""
        answer = self._ask(_CANCEL, id=backfill_id)["cancelPartitionBackfill"]
        if answer["__typename"] != "CancelBackfillSuccess":
            raise self._refused(f"cancel the backfill {backfill_id}", answer)

    def targets(self, backfill_id: str) -> dict[str, tuple[str, ...]]:
        """By name of the dataset, the partition keys that a backfill is to make."""
        selected = self._backfill(_SELECTED, backfill_id)["assetSelection"] or ()
        keys = [key for key in _asset_keys(DATASETS) if key in selected]
        if not keys:
            raise DeploymentError(
                f"The backfill {backfill_id} of the deployment at {self.place} is not of bronze "
                "datasets. Its page under Runs, Backfills in the UI shows it."
            )
        declared = "".join(f", $k{number}: AssetKeyInput" for number in range(len(keys)))
        fields = " ".join(
            f"k{number}: partitionsTargetedForAssetKey(assetKey: $k{number}) {{ partitionKeys }}"
            for number in range(len(keys))
        )
        variables = {f"k{number}": key for number, key in enumerate(keys)}
        found = self._backfill(_TARGETS % (declared, fields), backfill_id, **variables)
        return {
            key["path"][-1]: tuple(sorted(found[name]["partitionKeys"] or ()))
            for name, key in variables.items()
        }

    def state(self, backfill_id: str) -> BackfillState:
        """Where a backfill is now."""
        found = self._backfill(_STATUS, backfill_id)
        error = found["error"]
        return BackfillState(
            status=found["status"],
            error=error["message"].strip().splitlines()[0] if error else None,
            runs=tuple(
                BackfillRun(
                    run_id=run["runId"], status=run["status"], parent_run_id=run["parentRunId"]
                )
                for run in reversed(found["runs"])
            ),
        )

    def events(self, run_id: str, cursor: str | None) -> tuple[list[RunEvent], str | None]:
        """The events of a run behind a cursor, those that matter, and the cursor behind them."""
        events: list[RunEvent] = []
        while True:
            answer = self._ask(_EVENTS, id=run_id, cursor=cursor, limit=_EVENTS_IN_ONE_REQUEST)
            if answer["runOrError"]["__typename"] != "Run":
                return events, cursor  # it has been deleted
            page = answer["runOrError"]["eventConnection"]
            events += [read for one in page["events"] if (read := _read_event(one)) is not None]
            cursor = page["cursor"]
            if not page["hasMore"]:
                return events, cursor

    def _backfill(self, query: str, backfill_id: str, **variables: object) -> Any:
        found = self._ask(query, id=backfill_id, **variables)["partitionBackfillOrError"]
        if found["__typename"] == "BackfillNotFoundError":
            raise DeploymentError(
                f"The deployment at {self.place} has no backfill {backfill_id}. Its ids are "
                "under Runs, Backfills in its UI."
            )
        if found["__typename"] != "PartitionBackfill":
            raise self._refused(f"read the backfill {backfill_id}", found)
        return found

    def _ask(self, query: str, **variables: object) -> Any:
        from gql import GraphQLRequest
        from gql.transport.exceptions import TransportError, TransportQueryError

        try:
            return self._client.execute(GraphQLRequest(query, variable_values=variables))
        except TransportQueryError as error:
            first = (error.errors or [{}])[0]
            message = first.get("message", "no reason") if isinstance(first, dict) else str(first)
            raise DeploymentError(
                f"The deployment at {self.place} refused a query ({message}). Is it a Dagster "
                "1.13 webserver with f1_bronze? Its own log says more."
            ) from None
        except (TransportError, OSError) as error:  # the library's own, and those of requests
            raise DeploymentError(
                f"The deployment at {self.place} does not answer as a Dagster webserver "
                f"({type(error).__name__}). Check the address, and that the webserver runs: with "
                "/server_info behind the address it must answer.",
                is_silent=True,
            ) from None  # its text may hold the address with a login

    def _refused(self, what: str, answer: Mapping[str, Any]) -> DeploymentError:
        why = (answer.get("message") or answer["__typename"]).strip().splitlines()[0]
        return DeploymentError(
            f"The deployment at {self.place} did not {what}: {why}. Fix that there, and run "
            "this again."
        )


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def _asset_keys(datasets: Collection[Dataset]) -> list[dict[str, Any]]:
    return [{"path": ["bronze", dataset.name]} for dataset in datasets]


def _to_ranges(registered: Sequence[str], keys: Collection[str]) -> list[dict[str, str]]:
    """The keys as ranges of neighbours.

    >>> _to_ranges(["a", "b", "c", "d"], {"a", "b", "d"})
    [{'start': 'a', 'end': 'b'}, {'start': 'd', 'end': 'd'}]
    """
    ranges: list[dict[str, str]] = []
    wanted, previous = set(keys), None
    for key in registered:
        if key in wanted and previous in wanted and ranges:
            ranges[-1]["end"] = key
        elif key in wanted:
            ranges.append({"start": key, "end": key})
        previous = key
    return ranges


def _read_event(event: Mapping[str, Any]) -> RunEvent | None:
    """What matters of an event; None for one of another kind."""
    kind = event["__typename"]
    if kind == "MaterializationEvent" and event["assetKey"]["path"][0] == "bronze":
        return RunEvent(
            kind=kind,
            dataset=event["assetKey"]["path"][-1],
            partition=event["partition"] or "",
            metadata=_read_metadata(event["metadataEntries"]),
        )
    if kind == "AssetCheckEvaluationEvent":
        evaluation = event["evaluation"]
        return RunEvent(
            kind=kind,
            dataset=evaluation["assetKey"]["path"][-1],
            partition=evaluation["partition"] or "",
            metadata=_read_metadata(evaluation["metadataEntries"]),
            check=evaluation["checkName"],
            passed=evaluation["success"],
        )
    if kind == "ExecutionStepFailureEvent":
        error = event["error"] or {"message": "", "cause": None}
        entries = (event["failureMetadata"] or {}).get("metadataEntries", ())
        return RunEvent(
            kind=kind,
            metadata=_read_metadata(entries),
            message=((error["cause"] or error)["message"].strip() or "no message").splitlines()[0],
        )
    return RunEvent(kind=kind, message=event["message"]) if kind == "RunFailureEvent" else None


def _read_metadata(entries: Collection[Mapping[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for entry in entries:
        if "jsonString" in entry:
            values[entry["label"]] = json.loads(entry["jsonString"])
        else:
            for name in ("text", "intValue", "floatValue"):
                if name in entry:
                    values[entry["label"]] = entry[name]
    return values
