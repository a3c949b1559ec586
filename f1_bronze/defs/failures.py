"""What did not land, and how a run says so.

Belongs here: the failures of a run, their sentences and the `dagster.Failure` they end in. Stays
out: the errors of the rooms themselves (openf1/outcomes.py, lake/errors.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from f1_bronze.datasets.dataset import Dataset, Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.lake.landing import Landing
from f1_bronze.openf1.counters import Counters
from f1_bronze.openf1.outcomes import ClosedForLiveSession
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
    errors = [one for one in verdict.failed if one.rule.severity is Severity.ERROR]
    if not errors:
        return None
    told = "; ".join(f"{one.rule.name}: {one.observed}" for one in errors)
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
