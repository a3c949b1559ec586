"""Why partitions did not land, read back from the runs that meant to make them.

Belongs here: a failed run's own list of failures, and what is said of a run that left none. Stays
out: making that list (failures.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.defs.run.failures import LANDED_ALL_THE_SAME

NOT_REACHED = "The run ended before it came to this. Materialize it again."

_LANDED = {error.__name__ for error in LANDED_ALL_THE_SAME}

_CANCELED = "The run was cancelled before it came to this. Materialize it again."

_GONE = "The run that was to make it was deleted from Dagster's record. Materialize it again."

_BROKE = "{error} The run broke unexpectedly and its log has more; materialize it again."


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
class _Run:
    """What a run says: of single partitions, by dataset and key, and as a whole."""

    is_running: bool
    failed: Mapping[tuple[str, str], tuple[str, str]]
    whole: str


class FailureHistory:
    """Why runs failed, each read once."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._runs: dict[str, _Run] = {}

    def of(self, run_id: str, dataset: Dataset, key: str) -> LastFailure | None:
        """What a run that meant to make the partition says of it; None when it landed after all."""
        if run_id not in self._runs:
            self._runs[run_id] = self._read(run_id)
        run = self._runs[run_id]
        kind, message = run.failed.get((dataset.name, key), ("", run.whole))
        if kind in _LANDED:
            return None
        return LastFailure(
            is_running=run.is_running,
            kind="" if run.is_running else kind,
            error=None if run.is_running else message,
            run_id=run_id,
        )

    def _read(self, run_id: str) -> _Run:
        run = self._instance.get_run_by_id(run_id)
        if run is None:
            return _Run(is_running=False, failed={}, whole=_GONE)
        if not run.is_finished:
            return _Run(is_running=True, failed={}, whole="")
        whole = _CANCELED if run.status is dg.DagsterRunStatus.CANCELED else NOT_REACHED
        failed: dict[tuple[str, str], tuple[str, str]] = {}
        records = self._instance.get_records_for_run(
            run_id, of_type=dg.DagsterEventType.STEP_FAILURE
        ).records
        for record in records:
            data = record.event_log_entry.get_dagster_event().step_failure_data
            if data.user_failure_data is not None:
                failed.update(_listed(data.user_failure_data.metadata))
            elif data.error is not None and run.status is not dg.DagsterRunStatus.CANCELED:
                cause = data.error.cause or data.error
                first = (cause.message.strip() or "no message").splitlines()[0]
                whole = _BROKE.format(error=first)
        return _Run(is_running=False, failed=failed, whole=whole)


def _listed(
    metadata: Mapping[str, dg.MetadataValue],
) -> dict[tuple[str, str], tuple[str, str]]:
    """Dataset and key of each failure that a run lists → the error's name and its message."""
    entries: Any = metadata["failed"].value if "failed" in metadata else []
    causes: Any = metadata["causes"].value if "causes" in metadata else []
    return {
        (one["dataset"], one["partition"]): (
            one["error"],
            causes[one["cause"]] if "cause" in one else NOT_REACHED,
        )
        for one in entries
    }
