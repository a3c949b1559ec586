"""Why partitions are not stored, read back from the runs that were to materialize them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.defs.record.latest import unmet_attempts

NOT_REACHED = "The run ended before it came to this. Materialize it again."

_CANCELED = "The run was cancelled before it came to this. Materialize it again."
_DELETED = "The run that was to make it was deleted from Dagster's record. Materialize it again."
_BROKE = "{error} The run broke unexpectedly and its log has more; materialize it again."


class RowsMissing(Exception):
    """An answer without rows that the lake has: refused."""


class RulesBroken(Exception):
    """Rows that are in the lake and must not be used downstream."""


class NotChecked(Exception):
    """Rows that are in the lake and whose checks could not be evaluated."""


STORED_ANYWAY = (RulesBroken, NotChecked)
"""Failures of partitions whose rows are in the lake."""

_STORED_ANYWAY = {*(error.__name__ for error in STORED_ANYWAY), "NotJudged"}
"""Their names on record, one of older records among them."""


@dataclass(frozen=True, kw_only=True)
class RecordedFailure:
    """One dataset of one partition key that a failed run lists: the error's name and message.

    `status` is that of OpenF1's HTTP answer, where the error is about one.
    """

    dataset: str
    partition_key: str
    kind: str
    message: str
    status: int | None = None

    @property
    def is_stored(self) -> bool:
        """Whether its rows are in the lake all the same."""
        return self.kind in _STORED_ANYWAY


def read_failures(
    metadata: Mapping[str, dg.MetadataValue],
) -> tuple[RecordedFailure, ...] | None:
    """What `run.failures.to_failure` wrote; None where a run failed of something else."""
    if "failed" not in metadata:
        return None
    entries: Any = metadata["failed"].value
    causes: Any = metadata["causes"].value if "causes" in metadata else []
    return tuple(
        RecordedFailure(
            dataset=one["dataset"],
            partition_key=one["partition"],
            kind=one["error"],
            message=causes[one["cause"]] if "cause" in one else NOT_REACHED,
            status=one.get("status"),
        )
        for one in entries
    )


@dataclass(frozen=True, kw_only=True)
class LastFailure:
    """A partition whose last planned materialization has not happened, or not yet.

    `kind` is the name of the error, empty where the run did not come to this partition.
    """

    is_running: bool
    kind: str
    error: str | None
    run_id: str


@dataclass(frozen=True, kw_only=True)
class _FailedRun:
    """What a run says: of single partitions, by dataset and key, and as a whole."""

    is_running: bool
    failures: Mapping[tuple[str, str], RecordedFailure]
    message: str


class FailureHistory:
    """Why runs failed, each read once."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._runs: dict[str, _FailedRun] = {}

    def latest(self, dataset: Dataset, partition_keys: Collection[str]) -> dict[str, LastFailure]:
        """By key, the partitions whose last planned materialization has not happened, and why."""
        attempts = unmet_attempts(self._instance, dataset)
        failures = {
            key: self.failure(attempts[key], dataset, key)
            for key in partition_keys
            if key in attempts
        }
        return {key: failure for key, failure in failures.items() if failure is not None}

    def failure(self, run_id: str, dataset: Dataset, key: str) -> LastFailure | None:
        """What a run that was to make the partition says of it; None when it is stored anyway."""
        if run_id not in self._runs:
            self._runs[run_id] = self._read(run_id)
        run = self._runs[run_id]
        failure = run.failures.get((dataset.name, key))
        if failure is not None and failure.is_stored:
            return None
        return LastFailure(
            is_running=run.is_running,
            kind=failure.kind if failure else "",
            error=None if run.is_running else failure.message if failure else run.message,
            run_id=run_id,
        )

    def _read(self, run_id: str) -> _FailedRun:
        run = self._instance.get_run_by_id(run_id)
        if run is None:
            return _FailedRun(is_running=False, failures={}, message=_DELETED)
        if not run.is_finished:
            return _FailedRun(is_running=True, failures={}, message="")
        was_cancelled = run.status is dg.DagsterRunStatus.CANCELED
        message = _CANCELED if was_cancelled else NOT_REACHED
        failures: list[RecordedFailure] = []
        for data in _step_failures(self._instance, run_id):
            if data.user_failure_data is not None:
                failures += read_failures(data.user_failure_data.metadata) or ()
            elif data.error is not None and not was_cancelled:
                cause = data.error.cause or data.error
                first = (cause.message.strip() or "no message").splitlines()[0]
                message = _BROKE.format(error=first)
        by_place = {(one.dataset, one.partition_key): one for one in failures}
        return _FailedRun(is_running=False, failures=by_place, message=message)


def _step_failures(instance: dg.DagsterInstance, run_id: str) -> Iterator[Any]:
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    for record in records:
        yield record.event_log_entry.get_dagster_event().step_failure_data
