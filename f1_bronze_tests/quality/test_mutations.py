"""Each rule broken in turn: exactly those that should notice do.

All sessions that are broken are judged at once, each a copy of a sound one under a name and key
of its own, so that the whole table costs one judging per dataset.
"""

from dataclasses import dataclass, replace

import pyarrow as pa
import pytest

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.context import SessionRows
from f1_bronze.simulator.invented import InventedSeasons

from .fake_lake import BY_NAME, FakeLake, Records, find_failing, invented_sessions
from .mutations import MUTATIONS, Mutation
from .racing_mutations import RACING_MUTATIONS

_KEYS_FROM = 2_000_000


@dataclass(frozen=True)
class Judged:
    """What fails of each session, as `dataset: rule`."""

    undisturbed: dict[str, dict[str, Severity]]
    broken: dict[str, dict[str, Severity]]


def _copy(
    sound: FakeLake, into: FakeLake, original: SessionPartition, number: int
) -> SessionPartition:
    """The session once more, under a key of its own."""
    copy = replace(original, grand_prix=f"copy_{number}")
    key = _KEYS_FROM + number
    for name, sessions in sound.sessions.items():
        if original not in sessions:
            continue
        rows = sessions[original]
        table = rows.table
        keys = pa.array([key] * table.num_rows, type=pa.int64())
        place = table.column_names.index("session_key")
        table = table.set_column(place, table.schema.field("session_key"), keys)
        into.sessions[name][copy] = SessionRows(table=table, absent_columns=rows.absent_columns)
        into.records[name][copy] = sound.records[name][original]
    return copy


def _break(lake: FakeLake, mutation: Mutation, partition: SessionPartition, number: int) -> None:
    name = mutation.dataset
    if mutation.records is not None:
        key = _KEYS_FROM + number
        records: Records = [
            {**record, "session_key": key} for record in lake.records[name][partition]
        ]
        lake.store(BY_NAME[name], partition, mutation.records(records))
    if mutation.table is not None:
        rows = lake.sessions[name][partition]
        lake.sessions[name][partition] = replace(rows, table=mutation.table(rows.table))


@pytest.fixture(scope="module")
def judged(seasons: InventedSeasons) -> Judged:
    """Every mutation's session, judged once; five sound copies of each come before."""
    originals = sorted({mutation.of for mutation in MUTATIONS})
    sound = invented_sessions(seasons, originals)
    lake, broken = FakeLake(), {}
    for number, original in enumerate([SessionPartition.parse(key) for key in originals] * 5):
        _copy(sound, lake, original, number)
    for number, mutation in enumerate(MUTATIONS, start=1_000):
        partition = _copy(sound, lake, SessionPartition.parse(mutation.of), number)
        _break(lake, mutation, partition, number)
        broken[partition] = mutation.name + str(number)
    failing = find_failing(lake)
    return Judged(
        undisturbed={p.key: rules for p, rules in failing.items() if p not in broken},
        broken={broken[p]: rules for p, rules in failing.items() if p in broken},
    )


def test_sound_sessions_pass(judged: Judged) -> None:
    """Nothing is found on sessions that nobody broke, whatever became of those beside them."""
    assert len(judged.undisturbed) >= 25
    assert {key: rules for key, rules in judged.undisturbed.items() if rules} == {}


@pytest.mark.parametrize(
    ("number", "mutation"),
    [pytest.param(n, m, id=m.name) for n, m in enumerate(MUTATIONS, start=1_000)],
)
def test_only_those_notice_that_should(judged: Judged, number: int, mutation: Mutation) -> None:
    """The broken rule fails as severely as it should, with its companions and no other rule."""
    own = f"{mutation.dataset}: {mutation.rule}"
    failed = judged.broken[mutation.name + str(number)]
    assert set(failed) == {own, *mutation.companions}
    declared = BY_NAME[mutation.dataset].rule(mutation.rule)
    assert declared is not None
    assert failed[own] is (mutation.severity or declared.severity)


def test_every_rule_is_broken_once() -> None:
    """Each declared rule has a mutation here or among the racing ones, and none is of no rule."""
    declared = {(dataset.name, rule.name) for dataset in DATASETS for rule in dataset.rules}
    here = {(mutation.dataset, mutation.rule) for mutation in MUTATIONS}
    assert here | set(RACING_MUTATIONS) == declared
