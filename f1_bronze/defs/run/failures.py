"""What a run could not store, the sentences for it, and whether a further attempt comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from f1_bronze.datasets.dataset import Dataset, Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.record.failure_causes import NotChecked, RowsMissing, RulesBroken
from f1_bronze.defs.record.tags import (
    ATTEMPT_TAG,
    BY_COMMAND,
    CLOSED_RUN_TAG,
    RETRY_AT_TAG,
    TRIGGER_TAG,
)
from f1_bronze.lake.changes import LostRows
from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.landing import Landing
from f1_bronze.openf1.answers import ClosedForLiveSession, Counters, Unavailable
from f1_bronze.quality.verdicts import CheckVerdict

MOST_ATTEMPTS = 24
"""Attempts where the API is closed: at the usual hour between them, a day."""

MOST_ATTEMPTS_IN_OUTAGE = 10
"""Attempts in an outage: with the growing pauses, three days."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=15), timedelta(days=1)

_CAUSES_SHOWN = 20
_KEYS_SHOWN = 5


class NoSuchSession(Exception):
    """A partition that the calendar does not have: cancelled, moved, or never there."""


class UnknownPartition(Exception):
    """A key that somebody added by hand and that is no session's."""


@dataclass(frozen=True, kw_only=True)
class IngestFailure:
    """One dataset of one partition key that is not stored, or must not be used, and why."""

    dataset: Dataset
    key: str
    error: Exception


def describe_failures(failures: Sequence[IngestFailure]) -> list[str]:
    """A sentence for each distinct error: the first partition and dataset, how many more, why.

    The error's own text ends with the remedy.
    """
    groups: dict[str, list[IngestFailure]] = {}
    for failure in failures:
        groups.setdefault(str(failure.error), []).append(failure)
    return [f"{_describe_places(group)}: {error}" for error, group in groups.items()]


def _describe_places(group: Sequence[IngestFailure]) -> str:
    first = f"{group[0].key} {group[0].dataset.name}"
    if len(group) == 1:
        return first
    datasets = ", ".join(dict.fromkeys(one.dataset.name for one in group))
    sessions = len({one.key for one in group})
    return (
        f"{first} and {len(group) - 1} more ({datasets} of {sessions} session{'s'[: sessions > 1]})"
    )


def to_failure(failures: Sequence[IngestFailure], counters: Counters) -> dg.Failure:
    """What the run shows: a line for each distinct cause; metadata lists every partition.

    `record.failure_causes.read_failures` reads the metadata back.
    """
    lines = describe_failures(failures)
    if len(lines) > _CAUSES_SHOWN:
        more = len(lines) - _CAUSES_SHOWN
        lines[_CAUSES_SHOWN:] = [f"… and {more} more causes, see metadata `failed`."]
    causes = list(dict.fromkeys(str(one.error) for one in failures))  # hundreds may share one
    metadata: dict[str, dg.MetadataValue] = {
        "failed": dg.MetadataValue.json(
            [
                {
                    "dataset": one.dataset.name,
                    "partition": one.key,
                    "error": type(one.error).__name__,
                    "cause": causes.index(str(one.error)),
                    **_http_status(one.error),
                }
                for one in failures
            ]
        ),
        "causes": dg.MetadataValue.json(causes),
        "api": dg.MetadataValue.json(counters.to_json()),
        "remedy": dg.MetadataValue.text(
            "Fix the cause. Then re-execute this run 'From failure' (not 'From asset failure'), "
            "or open the page of the dataset and materialize 'Failed and missing': only what is "
            "not stored is asked for again."
        ),
    }
    closed = [one.error for one in failures if isinstance(one.error, ClosedForLiveSession)]
    if closed:
        metadata["retry_after_seconds"] = dg.MetadataValue.float(closed[0].retry_after)
    return dg.Failure("\n".join(lines), metadata=metadata, allow_retries=False)


def _http_status(error: Exception) -> dict[str, int]:
    """The status of OpenF1's answer, where the error is about one."""
    status = getattr(error, "status", None)
    return {"status": status} if isinstance(status, int) else {}


def refused(dataset: Dataset, landing: Landing) -> RowsMissing:
    """Why a smaller answer did not become the content of its partition."""
    lost = landing.lost
    shown = ", ".join(_lost_text(dataset, one) for one in lost[:_KEYS_SHOWN])
    rows = sum(one.rows for one in lost)
    return RowsMissing(
        f"OpenF1's answer lacks {rows} row{'s' if rows > 1 else ''} that the lake has ({shown}"
        f"{', …' if len(lost) > _KEYS_SHOWN else ''}). The lake keeps its rows, the smaller answer "
        f"is kept at {landing.uri}. OpenF1 usually restores such rows within days: materialize "
        "again later. If they are gone for good, accept the answer: "
        "`f1-bronze ingest … --accept-loss`, or in the UI 'Open launchpad' with the config "
        "ops: {ingest_sessions: {config: {accept_loss: true}}} (for stints and pit_stops: "
        "ingest_races)."
    )


def _lost_text(dataset: Dataset, lost: LostRows) -> str:
    """The key, and where the answer has a row of that key too, what it does not have."""
    key = str(dict(zip(dataset.key, lost.key, strict=True)))
    if lost.of == 1:
        what = f" with the {', '.join(lost.differ_in)} that is stored" if lost.differ_in else ""
        return key + what
    differ = f", which differ in {', '.join(lost.differ_in)}"
    return f"{key}: {lost.rows} of {lost.of} rows{differ}"


def rules_broken(verdict: CheckVerdict) -> RulesBroken | None:
    """Why a partition must not be used downstream; None where no ERROR rule failed."""
    errors = [rule for rule in verdict.failed if rule.severity is Severity.ERROR]
    if not errors:
        return None
    observed = "; ".join(f"{rule.name}: {rule.observed}" for rule in errors)
    return RulesBroken(
        f"The check {verdict.check} found rows that must not be used downstream ({observed}). They "
        "are in the lake all the same. Look at the check's evidence on the asset's Checks tab; "
        "materialize the partition again once upstream has corrected it."
    )


def not_checked(error: Exception) -> NotChecked:
    """Why the checks of a dataset have no result."""
    return NotChecked(
        f"The checks could not be evaluated ({type(error).__name__}: {error}). The rows are in the "
        "lake all the same. Fix the cause, then evaluate the checks again: 'Execute' on the "
        "asset's Checks tab asks nothing of OpenF1."
    )


def unknown_partition(key: str) -> UnknownPartition:
    """Why a key that was added by hand cannot be asked for."""
    return UnknownPartition(
        f"{key!r} is no session's key. Keys are registered by `f1-bronze ingest`; delete this one "
        "in the asset's menu beside Materialize, 'Delete partitions'."
    )


def no_such_session(partition: SessionPartition) -> NoSuchSession:
    """Why a partition that Dagster knows cannot be asked for."""
    return NoSuchSession(
        "OpenF1's calendar has no ended session of this name. It was cancelled, moved, or has not "
        f"been run yet; run `f1-bronze ingest {partition.year} --dry-run` to see those that exist."
    )


def plan_later_attempt(
    run: dg.DagsterRun, errors: Sequence[Exception], now: datetime
) -> dict[str, str] | None:
    """The tags that make a failed run resume later; None where it is left to people.

    A closed API says itself when to come back; a closure outweighs an outage, because it ends.
    Runs of the command never resume: it has said in the terminal when to come back.
    """
    attempt = int(run.tags.get(ATTEMPT_TAG, "1"))
    closed = [error for error in errors if isinstance(error, ClosedForLiveSession)]
    outage = any(isinstance(error, Unavailable | LakeUnavailable) for error in errors)
    if run.tags.get(TRIGGER_TAG) == BY_COMMAND:
        return None
    if closed and attempt < MOST_ATTEMPTS:
        pause = timedelta(seconds=closed[0].retry_after)
    elif outage and not closed and attempt < MOST_ATTEMPTS_IN_OUTAGE:
        pause = outage_pause(attempt)
    else:
        return None
    return {
        RETRY_AT_TAG: (now + pause).isoformat(timespec="seconds"),
        CLOSED_RUN_TAG: run.run_id,
    }


def outage_pause(attempt: int) -> timedelta:
    """How long to wait after an attempt, counted from 1, that met an outage.

    >>> [str(outage_pause(attempt)) for attempt in (1, 2, 3, 10)]
    ['0:15:00', '0:30:00', '1:00:00', '1 day, 0:00:00']
    """
    return min(LONGEST_PAUSE, FIRST_PAUSE * int(2 ** (attempt - 1)))
