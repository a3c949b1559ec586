"""The work of a run: many sessions from OpenF1 into the lake, each recorded as it lands.

Belongs here: the loop over datasets and partitions, and how one failure stays one failure. Stays
out: asking (openf1/), landing (lake/), the shape of events (events.py), assets (assets.py).
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import pyarrow as pa

from f1_bronze import __version__
from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import PartitionKeyError, SessionPartition
from f1_bronze.defs.io_manager import ParquetLakeIOManager
from f1_bronze.defs.partitions import asset_key
from f1_bronze.defs.record.latest import latest_materializations
from f1_bronze.defs.record.tags import GOES_ON_WITH_TAG, PARENT_RUN
from f1_bronze.defs.resources import OpenF1
from f1_bronze.defs.run.check_context import RunSurroundings
from f1_bronze.defs.run.failures import (
    Failed,
    NoSuchSession,
    broken,
    failure_of,
    later_attempt,
    no_partition,
    not_judged,
    not_listed,
    refusal,
)
from f1_bronze.defs.run.judging import Judge, Validation
from f1_bronze.defs.run.materialization import materialization, told_again
from f1_bronze.defs.run.tally import Progress
from f1_bronze.lake.errors import LakeError, LakeUnavailable
from f1_bronze.lake.landing import Candidate, Landing, Revision
from f1_bronze.openf1.answers import OpenF1Error
from f1_bronze.openf1.batches import SessionAnswer, SessionRef, query_of, source_url
from f1_bronze.openf1.calendar import CalendarSession

_GOES_ON = (
    "dagster/is_resume_retry",  # re-executed from failure
    "dagster/is_asset_resume_retry",  # re-executed from asset failure
    "dagster/retry_number",  # by Dagster, after a crash
)


def landed_before(
    instance: dg.DagsterInstance, run: dg.DagsterRun, datasets: Collection[Dataset]
) -> Iterator[tuple[Dataset, SessionPartition, dg.AssetMaterialization]]:
    """What earlier attempts of this same run have landed, as events that tell it again.

    Dagster shows a partition as failed when the last run that meant to make it failed and did
    not tell of it, so a further attempt must tell of each, or what landed would turn red. A run
    that was re-executed as a whole is no further attempt: it asks for everything.
    """
    by_key = {asset_key(dataset): dataset for dataset in datasets}
    for run_id in _earlier_attempts(instance, run):
        landed: dict[Dataset, set[str]] = {}
        for record in instance.get_records_for_run(
            run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        ).records:
            event = record.event_log_entry.asset_materialization
            if event is not None and event.asset_key in by_key and event.partition:
                landed.setdefault(by_key[event.asset_key], set()).add(event.partition)
        for dataset, keys in landed.items():
            latest = latest_materializations(instance, asset_key(dataset), keys)
            # Where another run has landed something since, the old event would hide it. The runs
            # tell, not the ids: SQLite numbers the events of a run and those of an asset apart.
            for key, record in latest.items():
                event = record.asset_materialization
                if event is not None and record.run_id == run_id:
                    yield dataset, SessionPartition.parse(key), told_again(event, run_id)


def _earlier_attempts(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[str]:
    """Ids of the runs that this one goes on with, the latest first."""
    tags = run.tags
    while PARENT_RUN in tags and (
        any(tag in tags for tag in _GOES_ON)
        or tags.get(GOES_ON_WITH_TAG) == tags[PARENT_RUN]  # by our sensor, after a closure
    ):
        parent = instance.get_run_by_id(tags[PARENT_RUN])
        if parent is None:
            return
        yield parent.run_id
        tags = parent.tags


_NEVER = "NULL"  # Dagster's word for an upstream that has not been materialized


def upstream_tags(
    instance: dg.DagsterInstance,
    upstream: dg.AssetKey,
    partitions: Collection[SessionPartition],
) -> Mapping[SessionPartition, Mapping[str, str]]:
    """For each partition the tags that name the same partition of its upstream as it is now.

    Two queries, whatever the number of partitions.
    """
    latest = latest_materializations(instance, upstream, {one.key for one in partitions})
    name = upstream.to_user_string()

    def tags(record: dg.EventLogRecord | None) -> dict[str, str]:
        told = record.event_log_entry.tags or {} if record is not None else {}
        return {
            f"dagster/input_data_version/{name}": told.get("dagster/data_version", _NEVER),
            f"dagster/input_event_pointer/{name}": str(record.storage_id) if record else _NEVER,
        }

    return {partition: tags(latest.get(partition.key)) for partition in partitions}


_log = logging.getLogger(__name__)

_BY_NAME = {dataset.name: dataset for dataset in DATASETS}


class Drawing:
    """Draws one dataset of a run; a picture that fails is none, and never keeps data back."""

    def __init__(self, surroundings: RunSurroundings) -> None:
        self._surroundings = surroundings

    def prepare(self, dataset: Dataset, partitions: Collection[SessionPartition]) -> None:
        """Read what the pictures of these partitions look at, dataset by dataset."""
        from f1_bronze.charts.dataset_charts import looks_at  # keeps the code location light

        wanted: dict[str, list[SessionPartition]] = {}
        for partition in partitions:
            for name, other in looks_at(dataset, partition):
                wanted.setdefault(name, []).append(other)
        try:
            for name, others in wanted.items():
                self._surroundings.tables(_BY_NAME[name], others)
        except LakeError as error:
            _log.warning("Pictures of %s are drawn without others: %s", dataset.name, error)

    def picture(self, dataset: Dataset, partition: SessionPartition, table: pa.Table) -> str | None:
        """The picture as Markdown; None where there is nothing to draw."""
        from f1_bronze.charts.dataset_charts import looks_at, picture_of

        others = self._surroundings.kept(looks_at(dataset, partition))
        try:
            return picture_of(dataset, partition, table, others)
        except Exception:  # noqa: BLE001  a picture never keeps data from landing
            _log.exception("No picture of %s of %s", dataset.name, partition.key)
            return None


SESSIONS = DATASETS[0]


@dataclass(frozen=True, kw_only=True)
class _Place:
    """What is known of a partition before its datasets are asked for."""

    session_key: int
    listed: CalendarSession | None


class Ingestion:
    """One run's work. `events` does it, step by step, and raises at the end if anything failed."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        *,
        datasets: Sequence[Dataset],
        accept_loss: bool,
        openf1: OpenF1,
        io_manager: ParquetLakeIOManager,
        judge: Judge,
        progress: Progress,
    ) -> None:
        self._context = context
        self._validation = Validation(
            io_manager.lake,
            context.instance,
            run_id=context.run.run_id,
            selected=context.selected_asset_check_keys,
            judge=judge,
        )
        self._drawing = Drawing(self._validation.surroundings)
        self._datasets = tuple(datasets)
        self._accept_loss = accept_loss
        self._openf1 = openf1
        self._io_manager = io_manager
        self._progress = progress
        self._failed: list[Failed] = []
        self._open: dict[tuple[Dataset, SessionPartition], None] = {}
        """What has neither landed nor failed yet, in order."""
        self._before: dict[Dataset, list[SessionPartition]] = {}
        """What earlier attempts of this run have landed."""

    def events(self) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
        """A materialization for each dataset of each partition, as soon as it has landed.

        Once all partitions of a dataset have, its checks follow. One that fails does not keep
        the others from landing. `dagster.Failure` at the end lists all that failed, the first one
        in its first line.
        """
        partitions = self._partitions()
        self._open = {
            (dataset, partition): None
            for dataset in self._datasets
            for partition in partitions
            if dataset.exists_for(partition.session_type)
        }
        try:
            yield from self._recorded_before()
            places = self._places()
        except (LakeError, OpenF1Error) as error:
            raise self._failure_of_rest(error) from error
        self._progress.begun(tuple(self._open))
        for dataset in self._datasets:
            wanted = [partition for other, partition in self._open if other is dataset]
            yield from self._land_all(dataset, {p: places[p] for p in wanted})
            yield from self._judge(dataset, self._before.get(dataset, ()))
        if self._failed:
            raise self._failure()

    def verdicts(self, datasets: Sequence[Dataset]) -> Iterator[dg.AssetCheckEvaluation]:
        """The checks alone, on what the lake holds: nothing is asked of the API."""
        partitions = self._partitions()
        for dataset in datasets:
            wanted = [p for p in partitions if dataset.exists_for(p.session_type)]
            yield from self._judge(dataset, wanted)
        if self._failed:
            raise self._failure()

    def _judge(
        self, dataset: Dataset, in_lake: Collection[SessionPartition]
    ) -> Iterator[dg.AssetCheckEvaluation]:
        """The checks of what this run landed of a dataset, and of what the lake had of it before.

        Nothing that breaks here, an unreadable file included, stops the run.
        """
        judged = [*self._validation.waiting(dataset), *in_lake]
        try:
            self._validation.in_lake(dataset, in_lake)
            for verdict, evaluation in self._validation.evaluations(dataset):
                yield evaluation
                self._progress.judged(verdict)
                if error := broken(verdict):
                    self._note(Failed(dataset=dataset, key=verdict.partition.key, error=error))
        except Exception as cause:  # noqa: BLE001  it must not keep other data from landing
            failure = not_judged(cause)
            for partition in judged:
                self._note(Failed(dataset=dataset, key=partition.key, error=failure))

    def _partitions(self) -> list[SessionPartition]:
        """The run's partitions; a key that is none fails alone."""
        partitions = []
        for key in self._context.partition_keys:
            try:
                partitions.append(SessionPartition.parse(key))
            except PartitionKeyError:
                for dataset in self._datasets:
                    self._note(Failed(dataset=dataset, key=key, error=no_partition(key)))
        return partitions

    def _land_all(
        self, dataset: Dataset, places: dict[SessionPartition, _Place]
    ) -> Iterator[dg.AssetMaterialization]:
        answers = self._listed(places) if dataset is SESSIONS else self._asked(dataset, places)
        upstream = self._upstream(dataset, places)
        self._drawing.prepare(dataset, places)
        for partition, answer in answers:
            if answer.error is not None:
                self._fail(dataset, partition, answer.error)
                continue
            try:
                landing = self._land(dataset, partition, answer)
            except LakeUnavailable as error:
                # What is asked of the API now could not be stored: spare it.
                raise self._failure_of_rest(error) from error
            except LakeError as error:
                self._fail(dataset, partition, error)
                continue
            self._progress.landed(dataset, partition, landing, answer)
            del self._open[dataset, partition]
            if landing.revision is Revision.REFUSED:
                self._fail(dataset, partition, refusal(dataset, landing))
                continue
            self._validation.landed(dataset, partition, landing)
            yield materialization(
                dataset,
                partition,
                landing,
                answer,
                self._openf1.unsettled,
                upstream.get(partition, {}),
                self._drawing.picture(dataset, partition, landing.table),
            )

    def _upstream(
        self, dataset: Dataset, partitions: Collection[SessionPartition]
    ) -> Mapping[SessionPartition, Mapping[str, str]]:
        if dataset is SESSIONS:
            return {}
        return upstream_tags(self._context.instance, asset_key(SESSIONS), partitions)

    def _asked(
        self, dataset: Dataset, places: dict[SessionPartition, _Place]
    ) -> Iterator[tuple[SessionPartition, SessionAnswer]]:
        refs = [
            SessionRef(session_key=place.session_key, session_type=partition.session_type)
            for partition, place in places.items()
        ]
        yield from zip(places, self._openf1.answers(dataset, refs), strict=True)

    def _listed(
        self, places: dict[SessionPartition, _Place]
    ) -> Iterator[tuple[SessionPartition, SessionAnswer]]:
        """The sessions themselves: the calendar has them, no further call is needed."""
        base_url = self._openf1.base_url
        cost = self._openf1.take_calendar_cost()
        for number, (partition, place) in enumerate(places.items()):
            records = [dict(place.listed.record)] if place.listed else []
            yield (
                partition,
                SessionAnswer(
                    session_key=place.session_key,
                    records=records,
                    # The calendar was read once for all: the first session carries its calls.
                    api_requests=cost.calls if number == 0 else 0,
                    api_retries=cost.retries if number == 0 else 0,
                    source_url=source_url(base_url, SESSIONS, place.session_key),
                ),
            )

    def _land(
        self, dataset: Dataset, partition: SessionPartition, answer: SessionAnswer
    ) -> Landing:
        return self._io_manager.land(
            Candidate(
                dataset=dataset,
                partition=partition,
                session_key=answer.session_key,
                records=answer.records,
                source=query_of(dataset, answer.session_key),
                notes={
                    "run-id": self._context.run.run_id,
                    "code-version": __version__,
                    "source-url": answer.source_url,
                },
            ),
            accept_loss=self._accept_loss,
        )

    def _places(self) -> dict[SessionPartition, _Place]:
        """Where the session of each open partition is.

        The lake knows those that landed before; the calendar is read for the others, and when the
        sessions themselves are to be landed. A partition without a session fails here.
        """
        lake = self._io_manager.lake
        years = sorted({partition.year for _, partition in self._open})
        placed = lake.session_partitions(years)
        known = {partition: session_key for session_key, partition in placed.items()}
        partitions = list(dict.fromkeys(partition for _, partition in self._open))
        listed: dict[SessionPartition, CalendarSession] = {}
        asks_calendar = any(d is SESSIONS or p not in known for d, p in self._open)
        if asks_calendar:
            calendar = self._openf1.calendar(years, placed)
            listed = {session.partition: session for session in calendar.sessions}
        places: dict[SessionPartition, _Place] = {}
        for partition in partitions:
            session = listed.get(partition)
            if session is not None:
                places[partition] = _Place(session_key=session.session_key, listed=session)
            elif not asks_calendar:
                places[partition] = _Place(session_key=known[partition], listed=None)
            else:
                self._fail_rest(NoSuchSession(not_listed(partition)), {partition})
        return places

    def _recorded_before(self) -> Iterator[dg.AssetMaterialization]:
        """What earlier attempts of this same run have landed is told again, without a call."""
        for dataset, partition, event in landed_before(
            self._context.instance, self._context.run, self._datasets
        ):
            if (dataset, partition) in self._open:
                del self._open[dataset, partition]
                self._before.setdefault(dataset, []).append(partition)
                yield event

    def _fail_rest(
        self, error: Exception, partitions: Collection[SessionPartition] | None = None
    ) -> None:
        """Everything that is still open fails of this, or everything of these partitions."""
        for dataset, partition in tuple(self._open):
            if partitions is None or partition in partitions:
                self._fail(dataset, partition, error)

    def _failure_of_rest(self, error: Exception) -> dg.Failure:
        self._fail_rest(error)
        return self._failure()

    def _failure(self) -> dg.Failure:
        """The end of a run in which something failed; marked where it goes on by itself later."""
        run = self._context.run
        errors = [failed.error for failed in self._failed]
        if tags := later_attempt(run, errors, datetime.now(UTC)):
            self._context.instance.add_run_tags(run.run_id, tags)
        return failure_of(self._failed, self._openf1.unsettled)

    def _fail(self, dataset: Dataset, partition: SessionPartition, error: Exception) -> None:
        self._open.pop((dataset, partition), None)
        self._note(Failed(dataset=dataset, key=partition.key, error=error))

    def _note(self, failed: Failed) -> None:
        self._failed.append(failed)
        self._progress.failed(failed)
