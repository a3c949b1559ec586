"""The work of a run: many sessions from OpenF1 into the lake, each recorded once it is stored."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import pyarrow as pa

from f1_bronze import __version__
from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS, is_simulated
from f1_bronze.defs.io_manager import ParquetLakeIOManager
from f1_bronze.defs.partitions import (
    DATASET_BY_ASSET_KEY,
    asset_key,
    parse_key,
    read_registered,
)
from f1_bronze.defs.record.latest import (
    RecordedMaterialization,
    read_latest,
    recorded_keys,
    recorded_sessions,
)
from f1_bronze.defs.record.provisional_names import describe_naming, note_names
from f1_bronze.defs.record.tags import PARENT_RUN, RESUMED_RUN_TAG, SIMULATED_TAG
from f1_bronze.defs.run.check_context import RunCheckContext
from f1_bronze.defs.run.failures import (
    IngestFailure,
    no_such_session,
    not_checked,
    plan_later_attempt,
    refused,
    rules_broken,
    to_failure,
    unknown_partition,
)
from f1_bronze.defs.run.judging import Judge, RunChecks
from f1_bronze.defs.run.materialization import (
    read_upstream_tags,
    repeat_materialization,
    to_materialization,
)
from f1_bronze.defs.run.tally import RunTally
from f1_bronze.lake.errors import LakeError, LakeUnavailable
from f1_bronze.lake.landing import Candidate, Landing, Revision
from f1_bronze.openf1.answers import Counters, OpenF1Error
from f1_bronze.openf1.batches import SessionAnswer, SessionRef, source_query, source_url
from f1_bronze.openf1.calendar import CalendarSession
from f1_bronze.openf1.shared_requests import OpenF1

_log = logging.getLogger(__name__)

_RESUMES = (
    "dagster/is_resume_retry",  # re-executed from failure
    "dagster/is_asset_resume_retry",  # re-executed from asset failure
    "dagster/retry_number",  # by Dagster, after a crash
)

_DATASETS = {dataset.name: dataset for dataset in DATASETS}


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Where a partition comes from: its session, and the calendar's record of it if it was read.

    `meeting_key` is the session's, from the calendar or from what the lake has of it.
    """

    session_key: int
    meeting_key: int | None
    listed: CalendarSession | None


_Answered = tuple[SessionPartition, SessionAnswer]
_Landed = tuple[SessionPartition, SessionAnswer, Landing | Exception]


class Ingestion:
    """One run's work. `events` does it, step by step, and raises at the end if anything failed."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        *,
        datasets: Sequence[Dataset],
        accept_loss: bool,
        recheck_seasons: Collection[int],
        checks: Collection[dg.AssetCheckKey],
        openf1: OpenF1,
        io_manager: ParquetLakeIOManager,
        judge: Judge,
        tally: RunTally,
    ) -> None:
        self._run, self._instance = context.run, context.instance
        self._recheck_seasons = frozenset(recheck_seasons)
        self._partition_keys = () if recheck_seasons else context.partition_keys
        self._checks = RunChecks(
            io_manager.lake,
            context.instance,
            run_id=context.run.run_id,
            selected=checks,
            judge=judge,
        )
        self._datasets = tuple(datasets)
        self._accept_loss = accept_loss
        self._openf1 = openf1
        self._io_manager = io_manager
        self._tally = tally
        self._known_before: set[int] = set()
        self._recorded_calls: Counters | None = None
        self._pending: dict[tuple[Dataset, SessionPartition], None] = {}
        """What is neither stored nor failed yet, in order."""

    def events(self) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
        """A materialization for each dataset of each partition, as soon as it is stored.

        Once all partitions of a dataset are, its checks follow. One that fails does not keep the
        others from being stored. `dagster.Failure` at the end lists all that failed, the first one
        in its first line. Where seasons are rechecked, what has not changed gets no event.
        """
        self._pending = dict.fromkeys(
            self._recheckable() if self._recheck_seasons else self._selected()
        )
        repeated: dict[Dataset, list[SessionPartition]] = {}
        try:
            for dataset, partition, recorded in self._read_earlier_attempts():
                repeated.setdefault(dataset, []).append(partition)
                yield repeat_materialization(recorded)
            sources = self._find_sources()
        except (LakeError, OpenF1Error) as error:
            raise self._fail_all_pending(error) from error
        if any(is_simulated(source.session_key) for source in sources.values()):
            # Whoever launched it, and whatever the address is.
            self._instance.add_run_tags(self._run.run_id, {SIMULATED_TAG: "true"})
        self._tally.start(tuple(self._pending))
        for dataset in self._datasets:
            wanted = [partition for other, partition in self._pending if other is dataset]
            yield from self._store_all(dataset, {p: sources[p] for p in wanted})
            yield from self._check(dataset, repeated.get(dataset, ()))
        self._find_contradictions(sources)
        if self._tally.failures:
            raise self._failure()

    def _find_contradictions(self, sources: Mapping[SessionPartition, _Source]) -> None:
        """Whether another writer has put a session that is new here into another partition."""
        failed = {failure.key for failure in self._tally.failures}
        new = {
            partition: source.session_key
            for partition, source in sources.items()
            if source.session_key not in self._known_before and partition.key not in failed
        }
        if not new:
            return
        try:
            for partition, error in self._io_manager.lake.find_contradictions(new):
                self._fail(self._datasets[0], partition, error)
        except LakeUnavailable as error:
            _log.warning(
                "Not checked whether another writer has stored the same session: %s", error
            )

    def check_events(self, datasets: Sequence[Dataset]) -> Iterator[dg.AssetCheckEvaluation]:
        """The checks alone, on what the lake holds: nothing is asked of the API."""
        partitions = self._parse_partitions()
        for dataset in datasets:
            wanted = [p for p in partitions if dataset.exists_for(p.session_type)]
            yield from self._check(dataset, wanted)
        if self._tally.failures:
            raise self._failure()

    def _selected(self) -> Iterator[tuple[Dataset, SessionPartition]]:
        partitions = self._parse_partitions()
        for dataset in self._datasets:
            for partition in partitions:
                if dataset.exists_for(partition.session_type):
                    yield dataset, partition

    def _recheckable(self) -> Iterator[tuple[Dataset, SessionPartition]]:
        """What is registered, stored and recorded of the seasons that are rechecked."""
        registered = read_registered(self._instance).sessions
        for dataset in self._datasets:
            in_lake = self._io_manager.lake.stored_partitions(dataset.name, self._recheck_seasons)
            recorded = recorded_keys(self._instance, dataset, {p.key for p in in_lake})
            for partition in registered:
                if partition in in_lake and partition.key in recorded:
                    yield dataset, partition

    def _parse_partitions(self) -> list[SessionPartition]:
        """The run's partitions; a key that is no session's fails alone."""
        partitions = []
        for key in self._partition_keys:
            if (partition := parse_key(key)) is not None:
                partitions.append(partition)
                continue
            for dataset in self._datasets:
                self._add_failure(dataset, key, unknown_partition(key))
        return partitions

    def _read_earlier_attempts(
        self,
    ) -> Iterator[tuple[Dataset, SessionPartition, RecordedMaterialization]]:
        """What earlier attempts of this same run stored: it is recorded again, without a call."""
        for dataset, recorded in read_stored_before(self._instance, self._run, self._datasets):
            partition = parse_key(recorded.event.partition)
            if partition is not None and (dataset, partition) in self._pending:
                del self._pending[dataset, partition]
                yield dataset, partition, recorded

    def _find_sources(self) -> dict[SessionPartition, _Source]:
        """The session of each pending partition.

        The lake knows those of which `sessions` was stored before; the calendar is read for the
        others, and when the sessions themselves are wanted. A partition without a session fails
        here; of a session that is stored and not listed any more the other datasets can be asked.
        """
        years = sorted({partition.year for _, partition in self._pending})
        in_lake = self._io_manager.lake.session_partitions(years)
        in_lake |= recorded_sessions(self._instance, years, in_lake)
        self._known_before = set(in_lake)
        known = {partition: session_key for session_key, partition in in_lake.items()}
        if all(d is not SESSIONS and p in known for d, p in self._pending):
            meetings = self._read_meetings({p for _, p in self._pending})
            if all(p in meetings for _, p in self._pending):
                return {
                    p: _Source(session_key=known[p], meeting_key=meetings[p], listed=None)
                    for _, p in self._pending
                }
        calendar = self._openf1.calendar(years, in_lake)
        note_names(self._instance, calendar.sessions)
        listed = {session.partition: session for session in calendar.sessions}
        for dataset, partition in tuple(self._pending):
            if partition not in listed and (dataset is SESSIONS or partition not in known):
                self._fail(dataset, partition, no_such_session(partition))
        return {
            p: _Source(
                session_key=one.session_key if (one := listed.get(p)) else known[p],
                meeting_key=one.meeting_key if one else None,
                listed=one,
            )
            for _, p in self._pending
        }

    def _read_meetings(
        self, partitions: Collection[SessionPartition]
    ) -> dict[SessionPartition, int | None]:
        """The meeting_key of each of these sessions that the lake can say."""
        try:
            tables = self._checks.context.tables(SESSIONS, sorted(partitions))
        except LakeUnavailable:
            raise
        except LakeError as error:
            _log.warning("The calendar is read, since the lake's sessions cannot be: %s", error)
            return {}
        keys = {p: table.column("meeting_key").to_pylist() for p, table in tables.items()}
        return {p: values[0] for p, values in keys.items() if len(values) == 1}

    def _store_all(
        self, dataset: Dataset, sources: dict[SessionPartition, _Source]
    ) -> Iterator[dg.AssetMaterialization]:
        ask = self._listed_answers if dataset is SESSIONS else self._asked_answers
        upstream = read_upstream_tags(self._instance, dataset, sources)
        listed = {partition: source.listed for partition, source in sources.items()}
        naming = describe_naming(self._instance, dataset, listed)
        context = self._checks.context
        recorded: Mapping[str, RecordedMaterialization] = {}
        if self._recheck_seasons:
            recorded = read_latest(self._instance, dataset, {p.key for p in sources})
        else:
            prepare_charts(context, dataset, sources)
        for partition, answer, landing in self._land_all(dataset, ask(dataset, sources)):
            if isinstance(landing, LakeUnavailable):
                # What is asked of the API now could not be stored: spare it.
                raise self._fail_all_pending(landing) from landing
            if isinstance(landing, Exception):
                self._fail(dataset, partition, landing)
                continue
            self._tally.add_landing(dataset, partition, landing, answer)
            del self._pending[dataset, partition]
            if landing.revision is Revision.REFUSED:
                self._fail(dataset, partition, refused(dataset, landing))
                continue
            if partition.key in recorded:
                if _is_recorded(dataset, landing, upstream[partition], recorded[partition.key]):
                    continue
                prepare_charts(context, dataset, [partition])
            self._checks.add(dataset, partition, landing)
            calls = self._openf1.unsettled
            is_recorded, self._recorded_calls = calls == self._recorded_calls, calls
            yield to_materialization(
                dataset,
                partition,
                landing,
                answer,
                None if is_recorded else calls,
                upstream[partition],
                draw_chart(context, dataset, partition, landing.table),
                naming[partition],
            )

    def _asked_answers(
        self, dataset: Dataset, sources: dict[SessionPartition, _Source]
    ) -> Iterator[list[_Answered]]:
        refs = [
            SessionRef(
                session_key=source.session_key,
                session_type=partition.session_type,
                meeting_key=source.meeting_key,
            )
            for partition, source in sources.items()
        ]
        waiting = iter(sources)
        for batch in self._openf1.answer_batches(dataset, refs):
            yield [(next(waiting), answer) for answer in batch]

    def _listed_answers(
        self, dataset: Dataset, sources: dict[SessionPartition, _Source]
    ) -> Iterator[list[_Answered]]:
        """The sessions themselves: the calendar has them, no further call is needed."""
        cost = self._openf1.take_calendar_cost()
        batch = []
        for number, (partition, source) in enumerate(sources.items()):
            answer = SessionAnswer(
                session_key=source.session_key,
                records=[dict(source.listed.record)] if source.listed else [],
                # The calendar was read once for all: the first session carries its calls.
                request_share=cost.calls / len(sources),
                api_requests=cost.calls if number == 0 else 0,
                api_retries=cost.retries if number == 0 else 0,
                source_url=source_url(self._openf1.base_url, dataset, source.session_key),
            )
            batch.append((partition, answer))
        yield batch

    def _land_all(self, dataset: Dataset, batches: Iterable[list[_Answered]]) -> Iterator[_Landed]:
        """What became of each answer; those that came together are stored side by side."""
        for batch in batches:
            landings = self._io_manager.land_all(
                [
                    self._to_candidate(dataset, partition, answer)
                    for partition, answer in batch
                    if answer.error is None
                ],
                accept_loss=self._accept_loss,
            )
            with closing(landings):
                landed = (_take(answered, landings) for answered in batch)
                # A backfill requests the stints of the races whose session is on record: a tick of
                # the daemon between two sessions of a run would cut their run in pieces. So these
                # are stored first and then recorded one right after the other.
                yield from list(landed) if dataset is SESSIONS else landed

    def _to_candidate(
        self, dataset: Dataset, partition: SessionPartition, answer: SessionAnswer
    ) -> Candidate:
        return Candidate(
            dataset=dataset,
            partition=partition,
            session_key=answer.session_key,
            records=answer.records,
            source=source_query(dataset, answer.session_key),
            notes={
                "run-id": self._run.run_id,
                "code-version": __version__,
                "source-url": answer.source_url,
            },
        )

    def _check(
        self, dataset: Dataset, in_lake: Collection[SessionPartition]
    ) -> Iterator[dg.AssetCheckEvaluation]:
        """The checks of what this run stored of a dataset, and of what the lake had of it before.

        Nothing that breaks here, an unreadable file included, stops the run.
        """
        partitions = [*self._checks.unchecked(dataset), *in_lake]
        try:
            self._checks.add_stored(dataset, in_lake)
            for verdicts, evaluation in self._checks.evaluate(dataset):
                yield evaluation
                for verdict in verdicts:
                    self._tally.add_check(verdict)
                    if error := rules_broken(verdict):
                        self._add_failure(dataset, verdict.partition.key, error)
        except Exception as cause:  # noqa: BLE001  it must not keep other data from being stored
            failure = not_checked(cause)
            for partition in partitions:
                self._add_failure(dataset, partition.key, failure)

    def _fail(self, dataset: Dataset, partition: SessionPartition, error: Exception) -> None:
        self._pending.pop((dataset, partition), None)
        self._add_failure(dataset, partition.key, error)

    def _add_failure(self, dataset: Dataset, key: str, error: Exception) -> None:
        self._tally.add_failure(IngestFailure(dataset=dataset, key=key, error=error))

    def _fail_all_pending(self, error: Exception) -> dg.Failure:
        for dataset, partition in tuple(self._pending):
            self._fail(dataset, partition, error)
        return self._failure()

    def _failure(self) -> dg.Failure:
        """The end of a run in which something failed; tagged where it resumes by itself later."""
        failures = self._tally.failures
        errors = [failure.error for failure in failures]
        if tags := plan_later_attempt(self._run, errors, datetime.now(UTC)):
            self._instance.add_run_tags(self._run.run_id, tags)
        return to_failure(failures, self._openf1.unsettled)


def _take(answered: _Answered, landings: Iterator[Landing | LakeError]) -> _Landed:
    """What became of an answer; its records are let go, before more answers are read."""
    partition, answer = answered
    landing = answer.error or next(landings)
    answer.records.clear()
    return partition, answer, landing


def _is_recorded(
    dataset: Dataset,
    landing: Landing,
    upstream: Mapping[str, str],
    recorded: RecordedMaterialization,
) -> bool:
    """Whether the latest event of a partition says all that another one would say."""
    upstream_version = f"dagster/input_data_version/{asset_key(SESSIONS).to_user_string()}"
    return (
        recorded.data_version == landing.content_sha256
        and recorded.schema_version == str(dataset.schema_version)
        and recorded.tags.get(upstream_version) == upstream.get(upstream_version)
    )


def read_stored_before(
    instance: dg.DagsterInstance, run: dg.DagsterRun, datasets: Collection[Dataset]
) -> Iterator[tuple[Dataset, RecordedMaterialization]]:
    """What earlier attempts of this same run stored and no other run has stored since.

    Dagster shows a partition as failed when the last run that was to make it failed and did not
    record it, so a further attempt records each again, or what is stored would turn red. A run
    that was re-executed as a whole is no further attempt: it asks for everything.
    """
    for run_id in _earlier_attempts(instance, run):
        stored: dict[Dataset, set[str]] = {}
        for record in instance.get_records_for_run(
            run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        ).records:
            event = record.event_log_entry.asset_materialization
            if event is None or event.partition is None:
                continue
            dataset = DATASET_BY_ASSET_KEY.get(event.asset_key)
            if dataset is not None and dataset in datasets:
                stored.setdefault(dataset, set()).add(event.partition)
        for dataset, keys in stored.items():
            for recorded in read_latest(instance, dataset, keys).values():
                # The runs are compared, not ids: SQLite numbers the events of a run and those of
                # an asset apart.
                if recorded.run_id == run_id:
                    yield dataset, recorded


def _earlier_attempts(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[str]:
    """Ids of the runs that this one resumes, the latest first."""
    tags = run.tags
    while PARENT_RUN in tags and (
        any(tag in tags for tag in _RESUMES)
        or tags.get(RESUMED_RUN_TAG) == tags[PARENT_RUN]  # by our sensor, after a closure
    ):
        parent = instance.get_run_by_id(tags[PARENT_RUN])
        if parent is None:
            return
        yield parent.run_id
        tags = parent.tags


def prepare_charts(
    context: RunCheckContext, dataset: Dataset, partitions: Collection[SessionPartition]
) -> None:
    """Read the tables that the charts of these partitions need, dataset by dataset."""
    from f1_bronze.charts.dataset_charts import needed_tables  # keeps the code location light

    wanted: dict[str, list[SessionPartition]] = {}
    for partition in partitions:
        for name, other in needed_tables(dataset, partition):
            wanted.setdefault(name, []).append(other)
    try:
        for name, others in wanted.items():
            context.tables(_DATASETS[name], others)
    except LakeError as error:
        _log.warning("Charts of %s are drawn without other datasets: %s", dataset.name, error)


def draw_chart(
    context: RunCheckContext, dataset: Dataset, partition: SessionPartition, table: pa.Table
) -> str | None:
    """The chart as Markdown; None where there is nothing to draw."""
    from f1_bronze.charts.dataset_charts import draw_dataset_chart, needed_tables

    others = context.kept(needed_tables(dataset, partition))
    try:
        return draw_dataset_chart(dataset, partition, table, others)
    except Exception:  # noqa: BLE001  a chart never keeps data from being stored
        _log.exception("The chart of %s of %s could not be drawn", dataset.name, partition.key)
        return None
