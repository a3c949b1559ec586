"""What did not land, and how a run says so.

Belongs here: the failures of a run, their sentences and the `dagster.Failure` they end in. Stays
out: the errors of the rooms themselves (openf1/outcomes.py, lake/errors.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.landing import Landing
from f1_bronze.openf1.counters import Counters
from f1_bronze.openf1.outcomes import ClosedForLiveSession

RETRY_AT_TAG = "f1_bronze/retry_at"
"""Run tag: the moment (ISO 8601, UTC) at which a run that met a closed API may go again."""
TRIGGER_TAG, BY_COMMAND = "f1_bronze/trigger", "command"
"""Run tag: who asked for the run, where it was the command."""
ATTEMPT_TAG = "f1_bronze/attempt"
"""Run tag: which attempt of a closed run this is."""
_SHOWN = 20


class NoSuchSession(Exception):
    """A partition that the calendar does not have: cancelled, moved, or never there."""


class RowsMissing(Exception):
    """An answer without rows that the lake has: refused."""


@dataclass(frozen=True, kw_only=True)
class Failed:
    """One dataset of one partition that did not land, and why."""

    dataset: Dataset
    partition: SessionPartition
    error: Exception

    def __str__(self) -> str:
        return f"{self.partition.key} {self.dataset.name}: {self.error}"


def failure_of(failed: Sequence[Failed], counters: Counters) -> dg.Failure:
    """What the run shows: the first failure in the first line, then the others."""
    first = failed[0]
    more = len(failed) - 1
    lines = [str(first) + (f" (and {more} more)" if more else "")]
    lines += [str(other) for other in failed[1:_SHOWN]]
    if len(failed) > _SHOWN:
        lines.append(f"… and {len(failed) - _SHOWN} more, see metadata `failed`.")
    metadata: dict[str, dg.MetadataValue] = {
        "failed": dg.MetadataValue.json(
            [
                {
                    "dataset": one.dataset.name,
                    "partition": one.partition.key,
                    "error": type(one.error).__name__,
                }
                for one in failed
            ]
        ),
        "api": dg.MetadataValue.json(counters.to_json()),
        "remedy": dg.MetadataValue.text(
            "Mend the cause, then re-execute from failure or materialize 'Failed and missing': "
            "only what did not land is asked again."
        ),
    }
    closed = [f.error for f in failed if isinstance(f.error, ClosedForLiveSession)]
    if closed:
        metadata["retry_after_seconds"] = dg.MetadataValue.float(closed[0].retry_after)
    return dg.Failure("\n".join(lines), metadata=metadata, allow_retries=False)


def refusal(dataset: Dataset, landing: Landing) -> RowsMissing:
    """Why a smaller answer did not become the content of its partition."""
    keys = landing.missing_keys
    shown = ", ".join(str(dict(zip(dataset.key, key, strict=True))) for key in keys[:5])
    return RowsMissing(
        f"OpenF1's answer lacks {len(keys)} rows that the lake has ({shown}"
        f"{', …' if len(keys) > 5 else ''}). The lake keeps its rows, the smaller answer is kept "
        f"at {landing.uri}. OpenF1 usually restores such rows within days: materialize again later."
    )


def not_listed(partition: SessionPartition) -> str:
    """Why a partition that Dagster knows cannot be asked for."""
    return (
        "OpenF1's calendar has no ended session of this name. It was cancelled, moved, or has not "
        f"been run yet; run `f1-bronze ingest {partition.year} --dry-run` to see those that exist."
    )
