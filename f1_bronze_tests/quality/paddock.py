"""Some sessions of the simulator for racing rules, with surroundings that a test arranges.

Belongs here: what earlier sessions, the circuit and the calendar are said to have been. Stays
out: how sessions lie in the lake (landed.py), how they are broken (racing_mutations.py).
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.conditions import Across
from f1_bronze.datasets.dataset import Dataset, Rule
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.openf1.partition_names import grand_prix_slugs, session_type_slug
from f1_bronze.quality.racing import RACING_RULES
from f1_bronze.quality.racing.findings import Around, Findings
from f1_bronze.quality.verdicts import RuleVerdict
from f1_bronze.simulator.invented import InventedSeasons

from .landed import BY_NAME, Landed, Records

RACE = SessionPartition.parse("2024/bahrain/race")
QUALIFYING = SessionPartition.parse("2024/miami/qualifying")
SPRINT = SessionPartition.parse("2024/miami/sprint")
PRACTICE = SessionPartition.parse("2025/bahrain/practice_1")
RACE_2025 = SessionPartition.parse("2025/bahrain/race")
RACE_2026 = SessionPartition.parse("2026/monaco/race")
USUAL = (RACE, QUALIFYING, SPRINT, PRACTICE, RACE_2025, RACE_2026)


@dataclass(frozen=True, kw_only=True)
class Paddock:
    """The port `Surroundings` over what has landed; it notes which neighbours were asked for.

    Where nothing is arranged everything was always as it usually is: five earlier sessions with
    as many rows, three on the circuit with about the same fastest lap, a calendar without holes.
    """

    landed: Landed
    usual: Landed
    earlier: dict[SessionPartition, Sequence[int]] = field(default_factory=dict)
    fastest: dict[SessionPartition, Sequence[float]] = field(default_factory=dict)
    missing: Sequence[SessionPartition] = ()
    asked: list[str] = field(default_factory=list)

    def tables(
        self, dataset: Dataset, partitions: Sequence[SessionPartition]
    ) -> dict[SessionPartition, pa.Table]:
        """What has landed of another dataset."""
        self.asked.append(dataset.name)
        return dict(self.landed.tables(dataset, partitions))

    def earlier_rows(self, dataset: Dataset, partition: SessionPartition) -> Sequence[int]:
        """As arranged, or five times as usual."""
        usual = len(self.usual.records[dataset.name][partition])
        return self.earlier.get(partition, [usual] * 5)

    def fastest_laps(self, partition: SessionPartition) -> Sequence[float]:
        """As arranged, or three about as usual."""
        if partition in self.fastest:
            return self.fastest[partition]
        laps = self.usual.subjects["laps"][partition].table
        best = pc.min(laps.column("lap_duration")).as_py()
        return [best * 1.02, best * 0.99, best * 1.01]

    def not_landed(self, dataset: Dataset, year: int) -> Sequence[SessionPartition]:
        """As arranged."""
        return [partition for partition in self.missing if partition.year == year]

    def around(self, dataset: str) -> Around:
        """What a racing rule of the dataset is given."""
        return Around(BY_NAME[dataset], self.landed.subjects[dataset], self)

    def findings(self, dataset: str, rule: str) -> Findings:
        """What one rule finds in all sessions."""
        around = self.around(dataset)
        return RACING_RULES[dataset, rule](around.of(BY_NAME[dataset]), around)

    def key(self, partition: SessionPartition) -> int:
        """The session_key of a session."""
        return int(self.usual.records["sessions"][partition][0]["session_key"])

    def but(
        self, dataset: str, partition: SessionPartition, change: Callable[[Records], Records]
    ) -> "Paddock":
        """The same with one session's answer changed."""
        return replace(self, landed=self.landed.but(dataset, partition, change))

    def without(self, dataset: str) -> "Paddock":
        """The same where nothing has landed in a dataset."""
        others = Landed(
            records={**self.landed.records, dataset: {}},
            subjects={**self.landed.subjects, dataset: {}},
        )
        return replace(self, landed=others)

    def emptied(self, *datasets: str) -> "Paddock":
        """The same where every session landed in a dataset without rows."""
        emptied = self
        for dataset in datasets:
            for partition in self.landed.subjects[dataset]:
                emptied = emptied.but(dataset, partition, lambda _: [])
        return emptied


def simulated(partitions: Collection[SessionPartition] = USUAL) -> Paddock:
    """These sessions as the simulator makes them."""
    landed = Landed()
    years = sorted({partition.year for partition in partitions})
    source = InventedSeasons(seed=1, years=years)
    slugs: dict[int, str] = {}
    for year in years:
        slugs |= grand_prix_slugs([m for m in source.meetings() if m["year"] == year])
    for session in source.sessions():
        partition = SessionPartition(
            year=session["year"],
            grand_prix=slugs[session["meeting_key"]],
            session_type=session_type_slug(session["session_name"]),
        )
        if partition in partitions:
            landed.land(DATASETS[0], partition, [session])
            for dataset in DATASETS[1:]:
                if dataset.exists_for(partition.session_type):
                    rows = source.rows(dataset.endpoint, session["session_key"])
                    landed.land(dataset, partition, rows)
    return Paddock(landed=landed, usual=landed)


def identities(
    findings: Findings, session_key: int, names: Iterable[str]
) -> list[tuple[object, ...]]:
    """The offences of one session by these columns, in order."""
    offences = findings.offences
    own = offences.loc[offences["session_key"] == session_key, list(names)]
    return sorted(own.itertuples(index=False, name=None))


def racing_rules(dataset: str) -> list[Rule]:
    """The declared rules of a dataset that are racing rules."""
    return [rule for rule in BY_NAME[dataset].rules if isinstance(rule.condition, Across)]


def broken_rules(around: Around) -> set[tuple[str, SessionPartition]]:
    """The racing rules that do not hold, and where."""
    broken = set()
    for rule in racing_rules(around.dataset.name):
        test = RACING_RULES[around.dataset.name, rule.name]
        findings = test(around.of(around.dataset), around)
        for key, partition in around.partitions.items():
            verdict = RuleVerdict.by_count(
                rule,
                rows_seen=findings.looked_at.get(key, 0),
                unexpected_count=int((findings.offences["session_key"] == key).sum()),
            )
            meant = rule.scope.covers(partition.year, partition.session_type)
            if meant and verdict.passed is False:
                broken.add((rule.name, partition))
    return broken
