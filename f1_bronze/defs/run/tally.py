"""What runs have done so far: one count for the terminal, the log and a run's failure."""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import dagster as dg

from f1_bronze.datasets.dataset import Dataset, Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.record.failure_causes import STORED_ANYWAY, RowsMissing, RulesBroken
from f1_bronze.defs.run.failures import IngestFailure, describe_failures
from f1_bronze.lake.landing import Landing, Revision
from f1_bronze.openf1.batches import SessionAnswer
from f1_bronze.quality.verdicts import CheckVerdict
from f1_bronze.settings import Settings
from f1_bronze.telemetry.logs import log_fields, open_logs

_log = logging.getLogger("f1_bronze.run")


def open_deployment_logs(settings: Settings, *, by_command: bool = False) -> None:
    """Open the log handlers of this process as the settings say."""
    open_logs(
        as_json=settings.logs_as_json,
        group=settings.log_group,
        environment=settings.environment,
        by_command=by_command,
    )


@dataclass(kw_only=True)
class DatasetTally:
    """What was done of one dataset.

    `rows` counts what the lake now holds of the sessions asked for; `checks` are those that were
    evaluated, `checks_failed` those of them that an ERROR rule failed; `seconds` is wall time, of
    which `asking_seconds` went into calls, `checking_seconds` into checks, and the rest into
    storing `at_hand` answers that needed no call of their own.
    """

    sessions: int = 0
    rows: int = 0
    revisions: Counter[Revision] = field(default_factory=Counter)
    failed: int = 0
    checks: int = 0
    checks_failed: int = 0
    api_requests: int = 0
    seconds: float = 0.0
    at_hand: int = 0
    asking_seconds: float = 0.0
    checking_seconds: float = 0.0


class RunTally:
    """Adds up what runs do, dataset by dataset; calls `changed` after each step.

    The resource `progress` of ops: the command gives one to all of its runs and shows it.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.by_dataset: dict[str, DatasetTally] = defaultdict(DatasetTally)
        self.failures: list[IngestFailure] = []
        self.warnings: list[CheckVerdict] = []
        """Checks in which a rule failed that a person should look at."""
        self.errors: list[CheckVerdict] = []
        """Checks in which a rule failed because of which the partition must not be used."""
        self.written: list[str] = []
        """Addresses of what was written, refused answers included."""
        self.changed: Callable[[], None] = lambda: None
        self._clock = clock
        self._last = clock()

    @property
    def finished(self) -> int:
        """Datasets of partitions that were stored or refused, or failed."""
        return sum(tally.sessions for tally in self.by_dataset.values())

    def start(self, wanted: Sequence[tuple[Dataset, SessionPartition]]) -> None:
        """These datasets of these partitions are about to be asked for: what follows takes time."""
        self._last = self._clock()
        self.changed()

    def add_landing(
        self, dataset: Dataset, partition: SessionPartition, landing: Landing, answer: SessionAnswer
    ) -> None:
        """Count an answer that was stored or refused."""
        tally, taken = self._count_session(dataset)
        tally.rows += 0 if landing.revision is Revision.REFUSED else landing.rows
        tally.revisions[landing.revision] += 1
        tally.api_requests += answer.api_requests
        if answer.api_requests:
            tally.asking_seconds += taken
        else:
            tally.at_hand += 1
        if landing.revision is not Revision.UNCHANGED:
            self.written.append(landing.uri)
        self.changed()

    def add_check(self, verdict: CheckVerdict) -> None:
        """Count an evaluated check; its time is that of its dataset."""
        tally = self.by_dataset[verdict.dataset]
        tally.checks += 1
        tally.checking_seconds += self._take_time(tally)
        if verdict.passed:
            return
        if verdict.severity is Severity.ERROR:
            tally.checks_failed += 1
            self.errors.append(verdict)
        else:
            self.warnings.append(verdict)

    def add_failure(self, failure: IngestFailure) -> None:
        """Count a failure; what was refused, or is stored all the same, was counted then."""
        self.failures.append(failure)
        if not isinstance(failure.error, (RowsMissing, *STORED_ANYWAY)):
            self._count_session(failure.dataset)[0].failed += 1
        self.changed()

    def _count_session(self, dataset: Dataset) -> tuple[DatasetTally, float]:
        """The dataset's tally with one more session, and the seconds that this one took."""
        tally = self.by_dataset[dataset.name]
        tally.sessions += 1
        return tally, self._take_time(tally)

    def _take_time(self, tally: DatasetTally) -> float:
        now = self._clock()
        taken, self._last = now - self._last, now
        tally.seconds += taken
        return taken


class LoggedTally(RunTally):
    """The tally of one run, which writes its log lines and passes everything on to `then`.

    Of failures with the same cause the first has a line at once, the others share one at the end:
    a closed API fails hundreds of partitions.
    """

    def __init__(self, then: RunTally, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock)
        self._then = then
        self._started = clock()
        self._session_keys: dict[str, int] = {}
        self._by_cause: dict[str, list[IngestFailure]] = defaultdict(list)

    def start(self, wanted: Sequence[tuple[Dataset, SessionPartition]]) -> None:
        """One line: how much is wanted."""
        super().start(wanted)
        sessions = len({partition for _, partition in wanted})
        datasets = list(dict.fromkeys(dataset.name for dataset, _ in wanted))
        _log.info(
            "The run starts: %s of %d sessions",
            ", ".join(datasets),
            sessions,
            extra={"event": "begun", "datasets": datasets, "sessions": sessions},
        )
        self._then.start(wanted)

    def add_landing(
        self, dataset: Dataset, partition: SessionPartition, landing: Landing, answer: SessionAnswer
    ) -> None:
        """One line; a refused answer has that of its failure."""
        super().add_landing(dataset, partition, landing, answer)
        self._session_keys[partition.key] = answer.session_key
        if landing.revision is not Revision.REFUSED:
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
        self._then.add_landing(dataset, partition, landing, answer)

    def add_check(self, verdict: CheckVerdict) -> None:
        """One line where a rule failed; none where all is well."""
        super().add_check(verdict)
        if not verdict.passed:
            rules = [one.name for one in verdict.failed]
            _log.log(
                logging.ERROR if verdict.severity is Severity.ERROR else logging.WARNING,
                "%s %s: the check %s failed: %s",
                *(verdict.dataset, verdict.partition.key, verdict.check, ", ".join(rules)),
                extra={
                    "event": "judged",
                    **self._place(verdict.dataset, verdict.partition.key),
                    "check": verdict.check,
                    "severity": str(verdict.severity),
                    "rules": rules,
                },
            )
        self._then.add_check(verdict)

    def add_failure(self, failure: IngestFailure) -> None:
        """One line for the first of a cause; broken rules have that of their check."""
        super().add_failure(failure)
        alike = self._by_cause[str(failure.error)]
        alike.append(failure)
        if len(alike) == 1 and not isinstance(failure.error, RulesBroken):
            _log.error(
                "%s %s: %s",
                *(failure.dataset.name, failure.key, failure.error),
                extra={
                    "event": "failed",
                    **self._place(failure.dataset.name, failure.key),
                    "error": type(failure.error).__name__,
                },
            )
        self._then.add_failure(failure)

    def end(self, how: str) -> None:
        """A line for each cause that several share, and one with the sums."""
        for alike in self._by_cause.values():
            if len(alike) > 1 and not isinstance(alike[0].error, RulesBroken):
                [sentence] = describe_failures(alike)
                _log.error("%s", sentence, extra={"event": "failed_alike", "failed": len(alike)})
        tallies = self.by_dataset.values()
        revisions = sum((tally.revisions for tally in tallies), Counter[Revision]())
        stored = revisions.total() - revisions[Revision.REFUSED]
        rows, calls = sum(t.rows for t in tallies), sum(t.api_requests for t in tallies)
        seconds = self._clock() - self._started
        _log.log(
            logging.INFO if how == "ended" else logging.ERROR,
            "The run %s: %d stored with %d rows, %d failed, %d calls, %.1f s",
            *(how, stored, rows, len(self.failures), calls, seconds),
            extra={
                "event": "ended",
                "landed": stored,
                "revisions": {kind.value: n for kind, n in revisions.items()},
                "rows": rows,
                "failed": len(self.failures),
                "failed_checks": sum(t.checks_failed for t in tallies) + len(self.warnings),
                "calls": calls,
                "seconds": seconds,
            },
        )

    def _place(self, dataset: str, key: str) -> dict[str, object]:
        """What a line is about; with the session_key where the run has come across it."""
        place: dict[str, object] = {"dataset": dataset, "partition": key}
        session_key = self._session_keys.get(key)
        return place if session_key is None else place | {"session_key": session_key}


@contextmanager
def log_run(run: dg.DagsterRun, then: RunTally) -> Iterator[LoggedTally]:
    """The tally of one run, which also logs; `then` gets everything too.

    Every line of the package carries the run's id and job while inside.
    """
    with log_fields(run_id=run.run_id, job=run.job_name):
        tally = LoggedTally(then)
        try:
            yield tally
        except GeneratorExit:
            tally.end("was interrupted")
            raise
        except dg.Failure:  # each of its causes has a line
            tally.end("ended with failures")
            raise
        except BaseException as error:
            tally.end(f"broke off ({type(error).__name__})")
            raise
        tally.end("ended")
