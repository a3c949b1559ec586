"""Who is told how a run gets on, besides Dagster.

Belongs here: the port that the command line listens at. Stays out: what it shows (console.py).
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from f1_bronze.datasets.dataset import Dataset, Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.failures import LANDED_ALL_THE_SAME, Failed, RowsMissing
from f1_bronze.lake.landing import Landing, Revision
from f1_bronze.openf1.batches import SessionAnswer
from f1_bronze.quality.verdicts import CheckVerdict


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
        account = self.by_dataset[verdict.dataset.name]
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
