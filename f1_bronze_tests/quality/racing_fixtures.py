"""Some sessions of the simulator for racing rules, in a context that a test arranges."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from f1_bronze.datasets.conditions import Across
from f1_bronze.datasets.dataset import Dataset, Rule
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.racing import RACING_RULES
from f1_bronze.quality.racing.findings import CheckedSessions, Findings
from f1_bronze.quality.verdicts import RuleVerdict
from f1_bronze.simulator.invented import InventedSeasons

from .fake_lake import BY_NAME, FakeLake, Records, invented_sessions

RACE = SessionPartition.parse("2024/bahrain/race")
QUALIFYING = SessionPartition.parse("2024/miami/qualifying")
SPRINT = SessionPartition.parse("2024/miami/sprint")
PRACTICE = SessionPartition.parse("2025/bahrain/practice_1")
RACE_2025 = SessionPartition.parse("2025/bahrain/race")
RACE_2026 = SessionPartition.parse("2026/monaco/race")
USUAL = (RACE, QUALIFYING, SPRINT, PRACTICE, RACE_2025, RACE_2026)


@dataclass(frozen=True, kw_only=True)
class RacingSessions:
    """A `CheckContext` over a lake; it notes which neighbours were asked for.

    Where nothing is arranged everything was always as it usually is: five earlier sessions with
    as many rows, three on the circuit with about the same fastest lap, a calendar without holes.
    """

    lake: FakeLake
    usual: FakeLake
    earlier: dict[SessionPartition, Sequence[int]] = field(default_factory=dict)
    fastest: dict[SessionPartition, Sequence[float]] = field(default_factory=dict)
    missing: Sequence[SessionPartition] = ()
    asked: list[str] = field(default_factory=list)

    def tables(
        self, dataset: Dataset, partitions: Sequence[SessionPartition]
    ) -> dict[SessionPartition, pa.Table]:
        """What is stored of another dataset."""
        self.asked.append(dataset.name)
        return dict(self.lake.tables(dataset, partitions))

    def earlier_rows(self, dataset: Dataset, partition: SessionPartition) -> Sequence[int]:
        """As arranged, or five times as usual."""
        usual = len(self.usual.records[dataset.name][partition])
        return self.earlier.get(partition, [usual] * 5)

    def fastest_laps(self, partition: SessionPartition) -> Sequence[float]:
        """As arranged, or three about as usual."""
        if partition in self.fastest:
            return self.fastest[partition]
        laps = self.usual.sessions["laps"][partition].table
        best = pc.min(laps.column("lap_duration")).as_py()
        return [best * 1.02, best * 0.99, best * 1.01]

    def missing_sessions(self, dataset: Dataset, year: int) -> Sequence[SessionPartition]:
        """As arranged."""
        return [partition for partition in self.missing if partition.year == year]

    def checked(self, dataset: str) -> CheckedSessions:
        """What a racing rule of the dataset is given."""
        return CheckedSessions(BY_NAME[dataset], self.lake.all_tables(dataset), self)

    def findings(self, dataset: str, rule: str) -> Findings:
        """What one rule finds in all sessions."""
        sessions = self.checked(dataset)
        return RACING_RULES[rule](sessions.rows(BY_NAME[dataset]), sessions)

    def key(self, partition: SessionPartition) -> int:
        """The session_key of a session."""
        return int(self.usual.records["sessions"][partition][0]["session_key"])

    def but_with(
        self, dataset: str, partition: SessionPartition, change: Callable[[Records], Records]
    ) -> "RacingSessions":
        """The same with one session's answer changed."""
        return replace(self, lake=self.lake.but_with(dataset, partition, change))

    def without(self, dataset: str) -> "RacingSessions":
        """The same where nothing is stored in a dataset."""
        others = FakeLake(
            records={**self.lake.records, dataset: {}},
            sessions={**self.lake.sessions, dataset: {}},
        )
        return replace(self, lake=others)

    def emptied(self, *datasets: str) -> "RacingSessions":
        """The same where every session is stored in a dataset without rows."""
        emptied = self
        for dataset in datasets:
            for partition in self.lake.sessions[dataset]:
                emptied = emptied.but_with(dataset, partition, lambda _: [])
        return emptied


def simulated(partitions: Collection[SessionPartition] = USUAL) -> RacingSessions:
    """These sessions as the simulator makes them."""
    years = sorted({partition.year for partition in partitions})
    source = InventedSeasons(seed=1, years=years)
    lake = invented_sessions(source, {partition.key for partition in partitions})
    return RacingSessions(lake=lake, usual=lake)


def identities(
    findings: Findings, session_key: int, names: Iterable[str]
) -> list[tuple[object, ...]]:
    """What fails of one session, by these columns, in order."""
    failing = findings.failing
    own = failing.loc[failing["session_key"] == session_key, list(names)]
    return sorted(own.itertuples(index=False, name=None))


def racing_rules(dataset: str) -> list[Rule]:
    """The declared rules of a dataset that are racing rules."""
    return [rule for rule in BY_NAME[dataset].rules if isinstance(rule.condition, Across)]


def broken_rules(sessions: CheckedSessions) -> set[tuple[str, SessionPartition]]:
    """The racing rules that fail, and where."""
    broken = set()
    for rule in racing_rules(sessions.dataset.name):
        test = RACING_RULES[rule.name]
        findings = test(sessions.rows(sessions.dataset), sessions)
        for key, partition in sessions.partitions.items():
            verdict = RuleVerdict.by_count(
                rule,
                rows_seen=findings.checked.get(key, 0),
                unexpected_count=int((findings.failing["session_key"] == key).sum())
                if findings.failed is None
                else findings.failed.get(key, 0),
            )
            meant = rule.scope.covers(partition.year, partition.session_type)
            if meant and verdict.passed is False:
                broken.add((rule.name, partition))
    return broken
