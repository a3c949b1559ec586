"""What is said of a run in the log: a line for each dataset of each partition, and its sums.

Belongs here: which of a run's steps are worth a line, in words and as fields. Stays out: how a line
looks and where it goes (telemetry/logs/), Dagster's event log, which has all of it and more.

The lines go to the Python logger `f1_bronze.run`, not to Dagster's: as events they would say a
second time what materializations and failures say, at 8 ms each.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from f1_bronze.datasets.dataset import Dataset, Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.failures import Failed, RulesBroken, by_cause
from f1_bronze.defs.progress import Progress
from f1_bronze.lake.landing import Landing, Revision
from f1_bronze.openf1.batches import SessionAnswer
from f1_bronze.quality.verdicts import CheckVerdict
from f1_bronze.settings import Settings
from f1_bronze.telemetry.logs.lines import about
from f1_bronze.telemetry.logs.sinks import open_logs

_log = logging.getLogger("f1_bronze.run")


def open_logs_of(settings: Settings, *, by_command: bool = False) -> None:
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
                    **self._place(dataset, partition.key),
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
            rules = [one.rule.name for one in verdict.failed]
            level = logging.ERROR if verdict.severity is Severity.ERROR else logging.WARNING
            _log.log(
                level,
                "%s %s: the check %s found what its rules forbid: %s",
                *(verdict.dataset.name, verdict.partition.key, verdict.check, ", ".join(rules)),
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
                    **self._place(failed.dataset, failed.key),
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

    def _place(self, dataset: Dataset, key: str) -> dict[str, object]:
        """What a line is about; the session's key where the run has met it."""
        place: dict[str, object] = {"dataset": dataset.name, "partition": key}
        number = self._session_keys.get(key)
        return place if number is None else place | {"session_key": number}
