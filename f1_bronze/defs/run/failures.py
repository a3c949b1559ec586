"""What did not land, and how a run says so.

Belongs here: the failures of a run, their sentences and the `dagster.Failure` they end in. Stays
out: the errors of the rooms themselves (openf1/outcomes.py, lake/errors.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from f1_bronze.datasets.dataset import Dataset, Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.record.tags import (
    ATTEMPT_TAG,
    BY_COMMAND,
    CLOSED_RUN_TAG,
    RETRY_AT_TAG,
    TRIGGER_TAG,
)
from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.landing import Landing
from f1_bronze.openf1.answers import ClosedForLiveSession, Counters, Unavailable
from f1_bronze.quality.verdicts import CheckVerdict

_SHOWN = 20


class NoSuchSession(Exception):
    """A partition that the calendar does not have: cancelled, moved, or never there."""


class RowsMissing(Exception):
    """An answer without rows that the lake has: refused."""


class RulesBroken(Exception):
    """Rows that are in the lake and must not be used downstream."""


class NotJudged(Exception):
    """Rows that are in the lake and that the checks could not speak of."""


LANDED_ALL_THE_SAME = (RulesBroken, NotJudged)

"""Failures of partitions whose rows are in the lake."""


class NoPartition(Exception):
    """A key that somebody added by hand and that names no session."""


@dataclass(frozen=True, kw_only=True)
class Failed:
    """One dataset of one partition key that did not land, and why."""

    dataset: Dataset
    key: str
    error: Exception


def by_cause(failed: Sequence[Failed]) -> list[str]:
    """A sentence for each distinct error: the first partition and dataset, how many more, why.

    The error's own text ends with the remedy.
    """
    groups: dict[str, list[Failed]] = {}
    for one in failed:
        groups.setdefault(str(one.error), []).append(one)
    return [f"{_where(group)}: {error}" for error, group in groups.items()]


def _where(group: Sequence[Failed]) -> str:
    first = f"{group[0].key} {group[0].dataset.name}"
    if len(group) == 1:
        return first
    datasets = ", ".join(dict.fromkeys(one.dataset.name for one in group))
    sessions = len({one.key for one in group})
    return (
        f"{first} and {len(group) - 1} more ({datasets} of {sessions} session{'s'[: sessions > 1]})"
    )


def failure_of(failed: Sequence[Failed], counters: Counters) -> dg.Failure:
    """What the run shows: a line for each distinct cause; metadata lists every partition."""
    lines = by_cause(failed)
    if len(lines) > _SHOWN:
        lines[_SHOWN:] = [f"… and {len(lines) - _SHOWN} more causes, see metadata `failed`."]
    causes = list(dict.fromkeys(str(one.error) for one in failed))  # hundreds may share one
    metadata: dict[str, dg.MetadataValue] = {
        "failed": dg.MetadataValue.json(
            [
                {
                    "dataset": one.dataset.name,
                    "partition": one.key,
                    "error": type(one.error).__name__,
                    "cause": causes.index(str(one.error)),
                }
                for one in failed
            ]
        ),
        "causes": dg.MetadataValue.json(causes),
        "api": dg.MetadataValue.json(counters.to_json()),
        "remedy": dg.MetadataValue.text(
            "Mend the cause. Then re-execute this run 'From failure' (not 'From asset failure'), "
            "or open the page of the dataset and materialize 'Failed and missing': only what did "
            "not land is asked for again."
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
        f"at {landing.uri}. OpenF1 usually restores such rows within days: materialize again "
        "later. If they are gone for good, accept the answer: `f1-bronze ingest … --accept-loss`, "
        "or in the UI 'Open launchpad' with the config "
        "ops: {ingest_sessions: {config: {accept_loss: true}}} (for stints and pit_stops: "
        "ingest_races)."
    )


def broken(verdict: CheckVerdict) -> RulesBroken | None:
    """Why a partition must not be used downstream; None where no ERROR rule failed."""
    errors = [one for one in verdict.failed if one.severity is Severity.ERROR]
    if not errors:
        return None
    told = "; ".join(f"{one.name}: {one.observed}" for one in errors)
    return RulesBroken(
        f"The check {verdict.check} found rows that must not be used downstream ({told}). They "
        "are in the lake all the same. Look at the check's evidence on the asset's Checks tab; "
        "materialize the partition again once upstream has mended it."
    )


def not_judged(error: Exception) -> NotJudged:
    """Why the checks of a dataset have no verdict."""
    return NotJudged(
        f"The checks could not be evaluated ({type(error).__name__}: {error}). The rows are in the "
        "lake all the same. Mend the cause, then evaluate the checks again: 'Execute' on the "
        "asset's Checks tab asks nothing of OpenF1."
    )


def no_partition(key: str) -> NoPartition:
    """Why a key that was added by hand cannot be asked for."""
    return NoPartition(
        f"{key!r} is no session's key. Keys are registered by `f1-bronze ingest`; delete this one "
        "in the asset's menu beside Materialize, 'Delete partitions'."
    )


def not_listed(partition: SessionPartition) -> str:
    """Why a partition that Dagster knows cannot be asked for."""
    return (
        "OpenF1's calendar has no ended session of this name. It was cancelled, moved, or has not "
        f"been run yet; run `f1-bronze ingest {partition.year} --dry-run` to see those that exist."
    )


MOST_ATTEMPTS = 24

"""Attempts at what meets a closed API: at the usual hour between them, a day."""

MOST_ATTEMPTS_IN_OUTAGE = 10

"""Attempts at what meets an outage: with the growing pauses, three days."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=15), timedelta(days=1)


def later_attempt(
    run: dg.DagsterRun, errors: Sequence[Exception], now: datetime
) -> dict[str, str] | None:
    """The tags that make a failed run go on later; None where it is left to people.

    A closed API says itself when to come back; a closure outweighs an outage, because it ends. The
    command's runs never go on: who typed it was told to come back.
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
