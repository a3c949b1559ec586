"""Metrics as JSON lines: what lies where, read back, written once."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f1_bronze.lake.errors import LakeUnavailable
from f1_bronze.lake.local import LocalStore
from f1_bronze.telemetry.metrics.measurement import run_metrics
from f1_bronze.telemetry.metrics.metric_files import MetricFiles, parse_line, to_line
from f1_bronze.telemetry.metrics.metric_kinds import Metric
from f1_bronze.telemetry.outbound import Dropped, Files, Sent, SinkUnavailable

from .metric_examples import MONDAY, RUN, WEEKEND, finished
from .test_metric_batches import ONE

PATH = f"metrics/year=2026/month=11/day=23/metrics_{RUN}.jsonl"


@dataclass(frozen=True)
class Place:
    path: str


class Memory:
    """Files in memory, which counts the writes."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.writes: list[str] = []

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def write(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        self.files[path] = data
        self.writes.append(path)

    def list(self, prefix: str) -> Iterator[Place]:
        return iter([Place(path) for path in sorted(self.files) if path.startswith(prefix)])


@pytest.fixture
def memory() -> Memory:
    """An empty place."""
    return Memory()


def test_a_run_is_a_file(memory: Memory) -> None:
    """A run's metrics lie in one file below the day of its end, a line each."""
    metrics = run_metrics(WEEKEND, environment="dev")
    outcomes = MetricFiles(memory).send(metrics)
    assert outcomes == (Sent(),) * len(metrics)
    assert memory.writes == [PATH]
    lines = [json.loads(line) for line in memory.files[PATH].decode().splitlines()]
    assert len(lines) == len(metrics)
    assert lines[0] == {
        "id": metrics[0].id,
        "origin": RUN,
        "at": "2026-11-23T06:04:00+00:00",
        "namespace": "F1Pipeline/Bronze",
        "name": "SessionsProcessed",
        "unit": "Count",
        "value": 2,
        "dimensions": {"Environment": "dev", "Pipeline": "f1_bronze", "Layer": "bronze"},
    }


def test_twice_is_once(memory: Memory) -> None:
    """The same run sent again writes nothing, and is read once."""
    files, metrics = MetricFiles(memory), run_metrics(WEEKEND, environment="dev")
    files.send(metrics)
    files.send(metrics)
    assert memory.writes == [PATH]
    assert files.between(MONDAY, MONDAY) == list(metrics)


def test_two_runs_at_once(memory: Memory) -> None:
    """Metrics of several runs go to a file each."""
    other = finished(run_id="other", ended_at=MONDAY - timedelta(days=1))
    both = [run for one in (WEEKEND, other) for run in run_metrics(one, environment="dev")]
    MetricFiles(memory).send(both)
    assert memory.writes == [PATH, "metrics/year=2026/month=11/day=22/metrics_other.jsonl"]


def test_not_finite(memory: Memory) -> None:
    """A value that JSON has no word for is dropped by name, and the rest is written."""
    outcomes = MetricFiles(memory).send([replace(ONE, value=float("nan")), ONE])
    assert outcomes == (Dropped(reason="not finite", detail="the value is nan"), Sent())
    assert len(next(iter(memory.files.values())).splitlines()) == 1


def test_between(memory: Memory) -> None:
    """Metrics are read of the moments asked for, across days, in the order of time."""
    files = MetricFiles(memory)
    moments = [MONDAY - timedelta(days=day, hours=hour) for day in (0, 1, 2) for hour in (0, 1)]
    for moment in moments:
        files.send([replace(ONE, at=moment, origin=moment.isoformat())])
    found = files.between(MONDAY - timedelta(days=1, hours=1), MONDAY - timedelta(hours=1))
    assert [metric.at for metric in found] == sorted(moments[1:4])


def test_foreign_lines(memory: Memory) -> None:
    """Lines and files that are no metrics are passed over, the others are read."""
    good = to_line(ONE)
    memory.files["metrics/year=2026/month=11/day=23/metrics_x.jsonl"] = "\n".join(
        ["{", "[]", '{"id": 1}', good.replace("2,", '"2",'), "\xff", good]
    ).encode("latin-1")
    memory.files["metrics/year=2026/month=11/day=23/notes.txt"] = good.encode()
    assert MetricFiles(memory).between(MONDAY, MONDAY) == [ONE]


@given(
    st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    st.text(),
    st.dictionaries(st.text(), st.text(), max_size=4),
)
@settings(deadline=None)
def test_round_trip(value: float, origin: str, dimensions: dict[str, str]) -> None:
    """A metric is read back from its line as it was."""
    metric = Metric(
        namespace="F1Pipeline/Bronze",
        name="SessionsProcessed",
        unit="Count",
        value=value,
        at=MONDAY,
        dimensions=tuple(dimensions.items()),
        origin=origin,
    )
    line = to_line(metric)
    assert parse_line(line) == metric
    assert "\n" not in line


def test_in_a_lake(tmp_path: Path) -> None:
    """A store of the lake is such a place."""
    store: Files = LocalStore(tmp_path)
    metrics = run_metrics(WEEKEND, environment="dev")
    MetricFiles(store).send(metrics)
    assert (tmp_path / PATH).is_file()
    assert MetricFiles(store).between(MONDAY, MONDAY) == list(metrics)
    assert MetricFiles(store).between(MONDAY + timedelta(days=3), MONDAY + timedelta(days=4)) == []


def test_an_outage() -> None:
    """When the files cannot be used the metrics wait; any other error is not taken for that."""

    class Broken(Memory):
        def write(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
            raise LakeUnavailable("No space is left. Make room.")

    metrics = run_metrics(WEEKEND, environment="dev")
    with pytest.raises(SinkUnavailable, match=r"No space is left\. Make room\.") as raised:
        MetricFiles(Broken(), outages=(LakeUnavailable,)).send(metrics)
    assert raised.value.sent == ()
    with pytest.raises(LakeUnavailable):
        MetricFiles(Broken(), outages=(KeyError,)).send(metrics)
