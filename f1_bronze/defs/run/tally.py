"""Who is told how a run gets on, besides Dagster.

Belongs here: the port that the command line listens at. Stays out: what it shows (console.py).
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import dagster as dg

from f1_bronze.datasets.dataset import Dataset, Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.run.failures import (
    LANDED_ALL_THE_SAME,
    Failed,
    RowsMissing,
    RulesBroken,
    by_cause,
)
from f1_bronze.lake.landing import Landing, Revision
from f1_bronze.openf1.batches import SessionAnswer
from f1_bronze.quality.verdicts import CheckVerdict
from f1_bronze.settings import Settings
from f1_bronze.telemetry.logs import about, open_logs


class Progress(Protocol):
    """Who is told how a run gets on."""

    def begun(self, wanted: Sequence[tuple[Dataset, SessionPartition]]) -> None:
        """These datasets of these partitions are about to be asked for."""

    def landed(
        self, dataset: Dataset, partition: SessionPartition, landing: Landing, answer: SessionAnswer
    ) -> None:
        """One landed, or was refused."""

    def judged(self, verdict: CheckVerdict) -> None:
        """One check has spoken of a partition."""

    def failed(self, failed: Failed) -> None:
        """One did not land, or must not be used."""


class NoProgress:
    """Nobody is told: Dagster's own events say it all."""

    def begun(self, wanted: Sequence[tuple[Dataset, SessionPartition]]) -> None:
        """Not told."""

    def landed(
        self, dataset: Dataset, partition: SessionPartition, landing: Landing, answer: SessionAnswer
    ) -> None:
        """Not told."""

    def judged(self, verdict: CheckVerdict) -> None:
        """Not told."""

    def failed(self, failed: Failed) -> None:
        """Not told."""


@dataclass(kw_only=True)
class DatasetAccount:
    """What became of one dataset in a command.

    `rows` counts what the lake now holds of the sessions asked for; `checks` are those that were
    evaluated, `checks_failed` those of them that an ERROR rule failed; `seconds` is wall time.
    """

    sessions: int = 0
    rows: int = 0
    revisions: Counter[Revision] = field(default_factory=Counter)
    failed: int = 0
    checks: int = 0
    checks_failed: int = 0
    api_requests: int = 0
    seconds: float = 0.0


class Account:
    """Adds up what runs did, dataset by dataset; calls `changed` after each step."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.by_dataset: dict[str, DatasetAccount] = defaultdict(DatasetAccount)
        self.failures: list[Failed] = []
        self.warnings: list[CheckVerdict] = []
        """Checks in which a rule failed that a person should look at."""
        self.written: list[str] = []
        """Addresses of what was written, refused answers included."""
        self.changed: Callable[[], None] = lambda: None
        self._clock = clock
        self._last = clock()

    @property
    def finished(self) -> int:
        """Datasets of partitions that landed, were refused, or failed."""
        return sum(account.sessions for account in self.by_dataset.values())

    def begun(self, wanted: Sequence[tuple[Dataset, SessionPartition]]) -> None:
        """A run begins: what follows is its time."""
        self._last = self._clock()
        self.changed()

    def landed(
        self, dataset: Dataset, partition: SessionPartition, landing: Landing, answer: SessionAnswer
    ) -> None:
        """Count a landing, refused ones included."""
        account = self._account(dataset)
        account.rows += 0 if landing.revision is Revision.REFUSED else landing.rows
        account.revisions[landing.revision] += 1
        account.api_requests += answer.api_requests
        if landing.revision is not Revision.UNCHANGED:
            self.written.append(landing.uri)
        self.changed()

    def judged(self, verdict: CheckVerdict) -> None:
        """Count a check; its time is that of its dataset."""
        account = self.by_dataset[verdict.dataset]
        account.checks += 1
        self._take_time(account)
        if verdict.passed:
            return
        if verdict.severity is Severity.ERROR:
            account.checks_failed += 1
        else:
            self.warnings.append(verdict)

    def failed(self, failed: Failed) -> None:
        """Count a failure; a refusal, and what landed all the same, was counted then."""
        self.failures.append(failed)
        if not isinstance(failed.error, (RowsMissing, *LANDED_ALL_THE_SAME)):
            self._account(failed.dataset).failed += 1
        self.changed()

    def _account(self, dataset: Dataset) -> DatasetAccount:
        account = self.by_dataset[dataset.name]
        self._take_time(account)
        account.sessions += 1
        return account

    def _take_time(self, account: DatasetAccount) -> None:
        now = self._clock()
        account.seconds += now - self._last
        self._last = now


_log = logging.getLogger("f1_bronze.run")


def open_deployment_logs(settings: Settings, *, by_command: bool = False) -> None:
    """Give this process's log lines their way out, as the settings say."""
    open_logs(
        as_json=settings.logs_as_json,
        group=settings.log_group,
        environment=settings.environment,
        by_command=by_command,
    )


@contextmanager
def logged(run: dg.DagsterRun, progress: Progress) -> Iterator[Progress]:
    """Whom to tell how the run gets on: the log, and `progress`.

    Every line of the package carries the run's id and job while inside.
    """
    with about(run_id=run.run_id, job=run.job_name):
        told = RunLines(progress)
        try:
            yield told
        except GeneratorExit:
            told.ended("was interrupted")
            raise
        except dg.Failure:  # each of its causes has a line
            told.ended("ended with failures")
            raise
        except BaseException as error:
            told.ended(f"broke off ({type(error).__name__})")
            raise
        told.ended("ended")


class RunLines:
    """Writes the lines of one run and hands everything on to `then`.

    Of failures with the same cause the first has a line at once, the others share one at the end:
    a closed API fails hundreds of partitions.
    """

    def __init__(self, then: Progress, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._then = then
        self._clock = clock
        self._began = clock()
        self._session_keys: dict[str, int] = {}
        self._revisions: Counter[Revision] = Counter()
        self._rows = self._calls = self._failed_checks = 0
        self._causes: dict[str, list[Failed]] = defaultdict(list)

    def begun(self, wanted: Sequence[tuple[Dataset, SessionPartition]]) -> None:
        """One line: how much is wanted."""
        sessions = len({partition for _, partition in wanted})
        datasets = list(dict.fromkeys(dataset.name for dataset, _ in wanted))
        _log.info(
            "The run begins: %s of %d sessions",
            *(", ".join(datasets), sessions),
            extra={"event": "begun", "datasets": datasets, "sessions": sessions},
        )
        self._then.begun(wanted)

    def landed(
        self, dataset: Dataset, partition: SessionPartition, landing: Landing, answer: SessionAnswer
    ) -> None:
        """One line; what was refused has that of its failure."""
        self._session_keys[partition.key] = answer.session_key
        self._revisions[landing.revision] += 1
        self._calls += answer.api_requests
        if landing.revision is not Revision.REFUSED:
            self._rows += landing.rows
            _log.info(
                "%s %s: %s, %d rows, %d calls, %.1f s",
                *(dataset.name, partition.key, landing.revision.value, landing.rows),
                *(answer.api_requests, answer.extract_seconds),
                extra={
                    "event": "landed",
                    **self._place(dataset.name, partition.key),
                    "revision": landing.revision.value,
                    "rows": landing.rows,
                    "rows_added": len(landing.changes.added),
                    "rows_removed": len(landing.changes.removed),
                    "rows_changed": len(landing.changes.changed),
                    "bytes": landing.size_bytes,
                    "calls": answer.api_requests,
                    "retries": answer.api_retries,
                    "seconds": answer.extract_seconds,
                },
            )
        self._then.landed(dataset, partition, landing, answer)

    def judged(self, verdict: CheckVerdict) -> None:
        """One line where a rule failed; none where all is well."""
        if not verdict.passed:
            self._failed_checks += 1
            rules = [one.name for one in verdict.failed]
            level = logging.ERROR if verdict.severity is Severity.ERROR else logging.WARNING
            _log.log(
                level,
                "%s %s: the check %s found what its rules forbid: %s",
                *(verdict.dataset, verdict.partition.key, verdict.check, ", ".join(rules)),
                extra={
                    "event": "judged",
                    **self._place(verdict.dataset, verdict.partition.key),
                    "check": str(verdict.check),
                    "severity": str(verdict.severity),
                    "rules": rules,
                },
            )
        self._then.judged(verdict)

    def failed(self, failed: Failed) -> None:
        """One line for the first of a cause; broken rules have that of their check."""
        alike = self._causes[str(failed.error)]
        alike.append(failed)
        if len(alike) == 1 and not isinstance(failed.error, RulesBroken):
            _log.error(
                "%s %s: %s",
                *(failed.dataset.name, failed.key, failed.error),
                extra={
                    "event": "failed",
                    **self._place(failed.dataset.name, failed.key),
                    "error": type(failed.error).__name__,
                },
            )
        self._then.failed(failed)

    def ended(self, how: str) -> None:
        """A line for each cause that several share, and one with the sums."""
        for alike in self._causes.values():
            if len(alike) > 1 and not isinstance(alike[0].error, RulesBroken):
                [sentence] = by_cause(alike)
                fields = {"event": "failed_alike", "failed": len(alike)}
                _log.error("%s", sentence, extra=fields)
        failed = sum(map(len, self._causes.values()))
        landed = sum(n for kind, n in self._revisions.items() if kind is not Revision.REFUSED)
        seconds = self._clock() - self._began
        _log.log(
            logging.INFO if how == "ended" else logging.ERROR,
            "The run %s: %d landed with %d rows, %d failed, %d calls, %.1f s",
            *(how, landed, self._rows, failed, self._calls, seconds),
            extra={
                "event": "ended",
                "landed": landed,
                "revisions": {kind.value: n for kind, n in self._revisions.items()},
                "rows": self._rows,
                "failed": failed,
                "failed_checks": self._failed_checks,
                "calls": self._calls,
                "seconds": seconds,
            },
        )

    def _place(self, dataset: str, key: str) -> dict[str, object]:
        """What a line is about; the session's key where the run has met it."""
        place: dict[str, object] = {"dataset": dataset, "partition": key}
        number = self._session_keys.get(key)
        return place if number is None else place | {"session_key": number}
