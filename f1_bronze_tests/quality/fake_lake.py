"""Sessions as the lake would have them: recorded ones, invented ones, and changes of these."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset, Severity
from f1_bronze.datasets.partition import SessionPartition, session_type_slug, slug
from f1_bronze.lake.records import to_rows
from f1_bronze.openf1.partition_names import grand_prix_slugs
from f1_bronze.quality.context import SessionRows
from f1_bronze.quality.judge import judge
from f1_bronze.quality.verdicts import CheckVerdict, RuleVerdict
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.sources import Record

BY_NAME = {dataset.name: dataset for dataset in DATASETS}
Records = list[dict[str, Any]]


@dataclass
class FakeLake:
    """A lake in memory, which is a `CheckContext`; sessions are in the order of the calendar.

    Attributes:
        records: by dataset and session what the API answered.
        sessions: by dataset and session how that is stored.
    """

    records: dict[str, dict[SessionPartition, Records]] = field(
        default_factory=lambda: {dataset.name: {} for dataset in DATASETS}
    )
    sessions: dict[str, dict[SessionPartition, SessionRows]] = field(
        default_factory=lambda: {dataset.name: {} for dataset in DATASETS}
    )

    def store(
        self, dataset: Dataset, partition: SessionPartition, records: Iterable[Record]
    ) -> None:
        """Put the answer of one session there."""
        answer = [dict(record) for record in records]
        rows = to_rows(dataset, answer)
        self.records[dataset.name][partition] = answer
        self.sessions[dataset.name][partition] = SessionRows(
            table=rows.table, absent_columns=rows.absent
        )

    def but_with(
        self, dataset: str, partition: SessionPartition, change: Callable[[Records], Records]
    ) -> "FakeLake":
        """The same lake with one session's answer changed."""
        other = FakeLake(
            records={name: dict(sessions) for name, sessions in self.records.items()},
            sessions={name: dict(sessions) for name, sessions in self.sessions.items()},
        )
        copied = [dict(record) for record in self.records[dataset][partition]]
        other.store(BY_NAME[dataset], partition, change(copied))
        return other

    def verdicts(
        self, dataset: str, partitions: Collection[SessionPartition] | None = None
    ) -> dict[SessionPartition, tuple[CheckVerdict, ...]]:
        """The verdicts on what is stored of a dataset."""
        subjects = self.sessions[dataset]
        if partitions is not None:
            subjects = {partition: subjects[partition] for partition in partitions}
        return judge(BY_NAME[dataset], subjects, self)

    def all_tables(self, dataset: str) -> dict[SessionPartition, pa.Table]:
        """Every stored session of a dataset."""
        return {partition: rows.table for partition, rows in self.sessions[dataset].items()}

    def tables(
        self, dataset: Dataset, partitions: Sequence[SessionPartition]
    ) -> Mapping[SessionPartition, pa.Table]:
        """What is stored of a dataset."""
        stored = self.sessions[dataset.name]
        return {p: stored[p].table for p in partitions if p in stored}

    def earlier_rows(self, dataset: Dataset, partition: SessionPartition) -> Sequence[int]:
        """Row counts of the sessions of that type that were stored before, the latest first."""
        same = [
            other
            for other in self.sessions[dataset.name]
            if other.session_type == partition.session_type
        ]
        before = same[: same.index(partition)] if partition in same else same
        return [self.sessions[dataset.name][other].table.num_rows for other in reversed(before)]

    def fastest_laps(self, partition: SessionPartition) -> Sequence[float]:
        """The best of each other session on the same circuit."""
        circuit = self._circuit(partition)
        best = [
            pc.min(subject.table.column("lap_duration")).as_py()
            for other, subject in self.sessions["laps"].items()
            if other != partition and self._circuit(other) == circuit
        ]
        return [lap for lap in best if lap is not None]

    def _circuit(self, partition: SessionPartition) -> int | None:
        table = self.sessions["sessions"][partition].table
        return table.column("circuit_key")[0].as_py() if table.num_rows else None

    def missing_sessions(self, dataset: Dataset, year: int) -> Sequence[SessionPartition]:
        """Nothing: the lake is complete."""
        return ()


def rules_of(checks: Iterable[CheckVerdict]) -> dict[str, RuleVerdict]:
    """The verdicts of one session by rule."""
    return {verdict.name: verdict for check in checks for verdict in check.rules}


def recorded(folder: Path) -> FakeLake:
    """Every recorded session with what was recorded of it, and nothing else."""
    lake = FakeLake()
    sessions = [
        record
        for file in sorted((folder / "sessions").glob("*.json"))
        for record in json.loads(file.read_bytes())
    ]
    slugs: dict[int, str] = {}
    for file in (folder / "meetings").glob("*.json"):
        slugs |= grand_prix_slugs(json.loads(file.read_bytes()))
    for record in sorted(sessions, key=lambda record: record["date_start"]):
        answers = {
            dataset: folder / dataset.endpoint / f"{record['session_key']}.json"
            for dataset in DATASETS[1:]
        }
        if not any(path.exists() for path in answers.values()):
            continue
        partition = SessionPartition(
            year=record["year"],
            grand_prix=slugs.get(record["meeting_key"], slug(record["location"])),
            session_type=session_type_slug(record["session_name"]),
        )
        lake.store(DATASETS[0], partition, [record])
        for dataset, path in answers.items():
            if dataset.exists_for(partition.session_type) and path.exists():
                lake.store(dataset, partition, json.loads(path.read_bytes()))
    return lake


def invented(seasons: InventedSeasons, year: int, session_types: Collection[str]) -> FakeLake:
    """Every session of these types that a season of the simulator has."""
    return _made(seasons, {year}, lambda partition: partition.session_type in session_types)


def invented_sessions(seasons: InventedSeasons, keys: Collection[str]) -> FakeLake:
    """Sessions as the simulator makes them, by partition key."""
    years = {SessionPartition.parse(key).year for key in keys}
    return _made(seasons, years, lambda partition: partition.key in keys)


def _made(
    seasons: InventedSeasons, years: Collection[int], wanted: Callable[[SessionPartition], bool]
) -> FakeLake:
    lake = FakeLake()
    slugs: dict[int, str] = {}
    for year in years:
        slugs |= grand_prix_slugs([m for m in seasons.meetings() if m["year"] == year])
    for record in seasons.sessions():
        if record["year"] not in years or record.get("is_cancelled"):
            continue
        partition = SessionPartition(
            year=int(record["year"]),
            grand_prix=slugs[int(record["meeting_key"])],
            session_type=session_type_slug(str(record["session_name"])),
        )
        if not wanted(partition):
            continue
        lake.store(DATASETS[0], partition, [record])
        for dataset in DATASETS[1:]:
            if dataset.exists_for(partition.session_type):
                rows = seasons.rows(dataset.endpoint, int(record["session_key"]))
                lake.store(dataset, partition, rows)
    return lake


def find_failing(lake: FakeLake) -> dict[SessionPartition, dict[str, Severity]]:
    """By partition the rules that fail, as `dataset: rule`, with their severity."""
    failing: dict[SessionPartition, dict[str, Severity]] = {}
    for dataset in DATASETS:
        for partition, checks in lake.verdicts(dataset.name).items():
            failing.setdefault(partition, {}).update(
                (f"{dataset.name}: {name}", verdict.severity)
                for name, verdict in rules_of(checks).items()
                if verdict.passed is False
            )
    return failing
