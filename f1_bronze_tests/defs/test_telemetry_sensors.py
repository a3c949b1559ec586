"""The sensors send what every run did that ended: once, later if need be."""

import json
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
)
from dagster._daemon.types import DaemonHeartbeat

from f1_bronze.datasets.dataset import Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.definitions import assemble
from f1_bronze.defs.outbound.emit_now import emit_now
from f1_bronze.defs.outbound.lineage_sensors import openlineage_consumer, openlineage_events
from f1_bronze.defs.outbound.metrics_sensor import (
    cloudwatch_metrics,
    count_unusable,
    last_success,
    session_ends,
)
from f1_bronze.defs.partitions import register
from f1_bronze.defs.record.calendar_memory import CalendarMemory, SeenSession
from f1_bronze.defs.record.stream import Position
from f1_bronze.defs.resources import Deployment
from f1_bronze.lake.lake import Lake
from f1_bronze.settings import Settings
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator
from f1_bronze.telemetry.lineage.delivery import Delivery
from f1_bronze.telemetry.metrics.metric_kinds import Metric
from f1_bronze.telemetry.outbound import Outcome, Sent, SinkUnavailable

from .fake_judge import FakeJudge
from .sensor_ticks import TickLog, said_by

QUALIFYING, RACE = "2025/bahrain/qualifying", "2025/bahrain/race"
Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def instance(disk_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """An instance that keeps the state of sensors, which an ephemeral one does not."""
    return disk_instance


@pytest.fixture(autouse=True)
def partitions(instance: dg.DagsterInstance) -> None:
    """A weekend is registered."""
    register(instance, [SessionPartition.parse(key) for key in (QUALIFYING, RACE)])


class Sink:
    """Keeps what is sent; can be down after so many metrics."""

    def __init__(self) -> None:
        self.sent: list[Metric] = []
        self.left: int | None = None

    def send(
        self, items: Sequence[Metric], *, sent_before: Collection[str] = ()
    ) -> tuple[Outcome, ...]:
        """As CloudWatch does: what was taken before it broke down is known."""
        now: list[str] = []
        for metric in items:
            if metric.id in sent_before:
                continue
            if self.left == 0:
                raise SinkUnavailable("CloudWatch is down. Wait.", sent=now)
            self.left = None if self.left is None else self.left - 1
            self.sent.append(metric)
            now.append(metric.id)
        return (Sent(),) * len(items)

    def total(self, name: str) -> float:
        """The sum of a metric's coarsest series."""
        return sum(m.value for m in self.sent if m.name == name and len(m.dimensions) == 3)


class Receiver:
    """A lineage consumer that takes what it is sent, or is down."""

    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []
        self.is_down = False
        self.left: int | None = None

    def send(self, data: bytes, *, seconds: float) -> Outcome:
        """Taken, or unavailable."""
        if self.is_down or self.left == 0:
            raise SinkUnavailable("The lineage consumer is down. Start it.")
        self.left = None if self.left is None else self.left - 1
        self.events.append(json.loads(data))
        return Sent()


class FakeDeployment(Deployment):
    """Telemetry whose sinks are at hand."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.sink, self.receiver = Sink(), Receiver()

    @property
    def metrics(self) -> Sink:
        """The sink."""
        return self.sink

    def lineage_delivery(self) -> Delivery:
        """To the receiver."""
        return Delivery(self.receiver, self.lake.store)


@pytest.fixture
def sinks(settings: Settings) -> FakeDeployment:
    """The sinks of the test."""
    return FakeDeployment(settings)


class Ticks:
    """Ticks of sensors as the daemon makes them; each sensor's cursor is kept."""

    def __init__(self, instance: dg.DagsterInstance, deployment: Deployment, log: TickLog) -> None:
        self._instance, self._deployment, self._log = instance, deployment, log
        self._definitions = assemble(deployment.settings)
        self.cursors: dict[str, str | None] = {}

    def __call__(self, sensor: dg.SensorDefinition) -> str:
        """What the tick says."""
        with dg.build_sensor_context(
            instance=self._instance,
            cursor=self.cursors.get(sensor.name),
            definitions=self._definitions,
            resources={"deployment": self._deployment},
        ) as context:
            data = sensor.evaluate_tick(context)
            self.cursors[sensor.name] = data.cursor
            self.acted_on = [one.dagster_run.run_id for one in data.dagster_run_reactions]
            return said_by(data, self._log)


@pytest.fixture
def tick(instance: dg.DagsterInstance, sinks: FakeDeployment, tick_log: TickLog) -> Ticks:
    """Ticks with the sinks of the test."""
    return Ticks(instance, sinks, tick_log)


def test_metrics_match_what_is_stored(
    materialize: Materialize,
    tick: Ticks,
    sinks: FakeDeployment,
    simulator: Simulator,
    settings: Settings,
) -> None:
    """The sums are those of the lake and of the API, and a second tick sends nothing again."""
    materialize("bronze_sessions", QUALIFYING, RACE)
    materialize("bronze_races", RACE, RACE)
    assert tick(cloudwatch_metrics) == "Metrics of 2 runs sent."
    assert len(tick.acted_on) == 2  # Dagster calls the tick a success
    lake, sink = Lake.at(settings.lake_uri), sinks.sink
    rows = sum(lake.read(dataset, partition).table.num_rows for dataset, partition in _landed(lake))
    assert sink.total("TotalRecordsExtracted") == rows > 1500
    assert sink.total("APIRequestCount") == simulator.control.state()["calls"] == 7
    assert sink.total("SessionsProcessed") == 3  # two in the first run, one in the second
    assert {m.value for m in sink.sent if m.name == "BronzePipelineSuccess"} == {1.0}
    for gauge in ("HoursSinceLastSuccess", "UnusablePartitions"):
        assert len([m for m in sink.sent if m.name == gauge]) == 1
    count = len(sink.sent)
    assert tick(cloudwatch_metrics) == "Metrics of 0 runs sent."
    assert len(sink.sent) == count


def _landed(lake: Lake) -> list[tuple[object, SessionPartition]]:
    from f1_bronze.datasets import DATASETS

    return [(d, p) for d in DATASETS for p in lake.stored_partitions(d.name, {2025})]


def test_a_failed_run_has_no_success(
    materialize: Materialize, tick: Ticks, sinks: FakeDeployment, simulator: Simulator
) -> None:
    """A failed run has success 0 and the sessions that landed all the same."""
    simulator.control.add_faults(InjectedFault(kind="unknown_path", endpoint="laps"))
    materialize("bronze_sessions", RACE, RACE)
    tick(cloudwatch_metrics)
    assert {m.value for m in sinks.sink.sent if m.name == "BronzePipelineSuccess"} == {0.0}
    assert sinks.sink.total("SessionsProcessed") == 1


def test_an_outage_delays_and_loses_nothing(
    materialize: Materialize, tick: Ticks, sinks: FakeDeployment
) -> None:
    """While the sink is down the cursor stays; what it had taken is not sent again."""
    materialize("bronze_sessions", RACE, RACE, select=["sessions", "drivers"])
    materialize("bronze_sessions", QUALIFYING, QUALIFYING, select=["sessions"])
    sinks.sink.left = 4
    assert tick(cloudwatch_metrics) == (
        "Metrics of 0 runs sent; the rest waits: CloudWatch is down. Wait."
    )
    sinks.sink.left = 2
    assert "the rest waits" in tick(cloudwatch_metrics)
    sinks.sink.left = None
    assert tick(cloudwatch_metrics) == "Metrics of 2 runs sent."
    ids = [metric.id for metric in sinks.sink.sent]
    assert len(ids) == len(set(ids)) > 20
    assert sinks.sink.total("SessionsProcessed") == 2


def test_the_gauge_grows_when_nothing_lands(
    instance: dg.DagsterInstance, materialize: Materialize, simulator: Simulator
) -> None:
    """The calendar's sessions count too: a pipeline that lands nothing looks old."""
    assert last_success(instance) is None
    assert session_ends(instance) == []
    end = datetime.now(UTC) - timedelta(days=3)
    seen = SeenSession(key=RACE, name="Bahrain Race", start=end - timedelta(hours=2), end=end)
    other = SeenSession(key="2025/bahrain/practice_1", name="P", start=end, end=end)
    _remember(instance, CalendarMemory(sessions={907047: seen, 1: other}))
    assert session_ends(instance) == [end]  # of registered sessions alone
    materialize("bronze_sessions", QUALIFYING, QUALIFYING, select=["sessions"])
    assert sorted(session_ends(instance)) == [datetime(2025, 4, 12, 17, 0, tzinfo=UTC), end]
    assert datetime.now(UTC) - last_success(instance) < timedelta(minutes=5)


def test_successes_of_other_jobs_do_not_count(
    instance: dg.DagsterInstance, materialize: Materialize, tick: Ticks
) -> None:
    """However many runs of others succeed, the last success is the last of ours: found when the
    sensor starts, and remembered after that."""

    @dg.job
    def other() -> None:
        pass

    run = materialize("bronze_sessions", QUALIFYING, QUALIFYING, select=["sessions"])
    other.execute_in_process(instance=instance)
    for _ in range(54):
        instance.create_run_for_job(other, status=dg.DagsterRunStatus.SUCCESS)
    ended = instance.get_run_record_by_id(run.run_id).end_time
    assert last_success(instance) == datetime.fromtimestamp(ended, UTC)
    tick(cloudwatch_metrics)
    assert "last_success" in tick.cursors["cloudwatch_metrics"]


def test_unusable_partitions_until_they_are_corrected(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    """A partition that breaks an ERROR rule counts until its last check passes, whatever other
    partitions' checks find."""

    def run(judge: FakeJudge, key: str) -> None:
        assemble(settings, judge=judge).resolve_job_def("bronze_sessions").execute_in_process(
            instance=instance,
            raise_on_error=False,
            partition_key=key,
            asset_selection=[dg.AssetKey(["bronze", "laps"])],
        )

    counts = [count_unusable(instance)]
    for judge, key in (
        (FakeJudge(Severity.ERROR), RACE),
        (FakeJudge(), QUALIFYING),
        (FakeJudge(Severity.WARN), QUALIFYING),
        (FakeJudge(), RACE),
    ):
        run(judge, key)
        counts.append(count_unusable(instance))
    assert counts == [0, 1, 1, 1, 0]


def _remember(instance: dg.DagsterInstance, memory: CalendarMemory) -> None:
    """Give the calendar sensor this cursor."""
    from dagster._core.remote_origin import InProcessCodeLocationOrigin as Origin
    from dagster._core.remote_origin import (
        RemoteInstigatorOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    origin = RemoteInstigatorOrigin(
        RemoteRepositoryOrigin(Origin(LoadableTargetOrigin(module_name="f1_bronze")), "r"),
        "openf1_calendar",
    )
    data = SensorInstigatorData(cursor=memory.to_json())
    instance.add_instigator_state(
        InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data)
    )


def test_lineage_is_written_to_the_lake(
    materialize: Materialize, tick: Ticks, sinks: FakeDeployment, tmp_path: Path
) -> None:
    """START and COMPLETE of the run and of each dataset partition, a line each, in a file for each
    dataset, and the summary of the day; a second tick changes nothing."""
    result = materialize("bronze_races", RACE, RACE)
    said = tick(openlineage_events)
    files = sorted((tmp_path / "lake" / "lineage" / "events").rglob("*.json"))
    events = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    assert said == f"{len(events)} lineage events written."
    assert len(files) == 2 + 2  # two datasets; the run's start and its end
    runs = [
        event
        for event in events
        if event["job"]["name"] == "dagster_bronze_races"
        and {"key": "dagster_run_id", "value": result.run_id, "source": "INTEGRATION"}.items()
        <= event["run"]["facets"]["tags"]["tags"][0].items()
    ]
    assert sorted(event["eventType"] for event in runs) == ["COMPLETE", "START"]
    outputs = {
        event["job"]["name"]: output["name"]
        for event in events
        for output in event["outputs"]
        if event["eventType"] == "COMPLETE" and event["job"]["name"].startswith("bronze_")
    }
    assert set(outputs) >= {"bronze_stints", "bronze_pit_stops"}
    assert outputs["bronze_stints"].startswith(str(tmp_path / "lake" / "bronze" / "stints"))
    [summary] = (tmp_path / "lake" / "lineage" / "summaries").rglob("*.parquet")
    before = {path: path.read_bytes() for path in [*files, summary]}
    assert tick(openlineage_events) == "0 lineage events written."
    assert {path: path.read_bytes() for path in before} == before


def test_execute_check_alone_gives_assertions(
    materialize: Materialize,
    tick: Ticks,
    settings: Settings,
    instance: dg.DagsterInstance,
    tmp_path: Path,
) -> None:
    """A run of checks alone asserts of the table what its rules found, partition and columns
    included."""
    materialize("bronze_races", RACE, RACE)
    tick(openlineage_events)
    definitions = assemble(settings)
    checks = dg.AssetSelection.checks_for_assets(*definitions.assets[1:2])
    alone = dg.Definitions(
        assets=definitions.assets,
        jobs=[dg.define_asset_job("only_checks", selection=checks)],
        resources=definitions.resources,
        executor=dg.in_process_executor,
    )
    result = alone.resolve_job_def("only_checks").execute_in_process(
        instance=instance, tags={"dagster/partition": RACE}
    )
    tick(openlineage_events)
    files = (tmp_path / "lake" / "lineage" / "events").rglob("event_only_checks_*.json")
    events = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    asserted = {
        event["job"]["name"]: event["inputs"][0]
        for event in events
        if event["eventType"] == "COMPLETE" and event["inputs"]
    }
    assert set(asserted) == {"bronze_stints_checks", "bronze_pit_stops_checks"}
    stints = asserted["bronze_stints_checks"]
    assert (stints["namespace"], stints["name"]) == ("file", f"{tmp_path}/lake/bronze/stints")
    assertions = stints["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {one["params"]["partition"] for one in assertions} == {RACE}
    assert {one.get("column") for one in assertions} >= {"stint_number", None}
    runs = [e for e in events if e["job"]["name"] == "dagster_only_checks"]
    assert runs[0]["run"]["facets"]["tags"]["tags"][0]["value"] == result.run_id


def test_a_lake_that_is_away_loses_no_event(
    materialize: Materialize, tick: Ticks, tmp_path: Path
) -> None:
    """Events wait while the lake cannot be written, and so does the summary."""
    materialize("bronze_races", RACE, RACE, select=["stints"])
    lineage = tmp_path / "lake" / "lineage"
    lineage.write_text("in the way")
    assert tick(openlineage_events).startswith("0 lineage events written; the rest waits: The lake")
    lineage.unlink()
    said = tick(openlineage_events)
    lines = [line for path in lineage.rglob("*.json") for line in path.read_text().splitlines()]
    assert said == f"{len(lines)} lineage events written."
    assert len(list(lineage.rglob("*.parquet"))) == 1


def test_a_consumer_gets_every_event_in_order(
    materialize: Materialize, tick: Ticks, sinks: FakeDeployment
) -> None:
    """While it is down the sensor waits, and goes on with the first event that it lacks."""
    materialize("bronze_races", RACE, RACE)
    sinks.receiver.is_down = True
    assert tick(openlineage_consumer) == (
        "0 events taken; the rest waits: The lineage consumer is down. Start it."
    )
    sinks.receiver.is_down = False
    said = tick(openlineage_consumer)
    assert said == f"{len(sinks.receiver.events)} events taken."
    first = sinks.receiver.events[0]
    assert (first["eventType"], first["job"]["name"]) == ("START", "dagster_bronze_races")
    kept = [json.dumps(event, sort_keys=True) for event in sinks.receiver.events]
    assert len(set(kept)) == len(kept)
    assert tick(openlineage_consumer) == "0 events taken."


def test_progress_survives_new_runs(
    materialize: Materialize, tick: Ticks, sinks: FakeDeployment
) -> None:
    """While runs go on starting, a consumer that takes a few events a tick gets each event once,
    each run's in their order: what it has of one run is not forgotten for the START of another."""
    receiver, ticks = sinks.receiver, 0
    materialize("bronze_races", RACE, RACE)
    while True:
        receiver.left = 5
        said = tick(openlineage_consumer)
        ticks += 1
        if ticks < 3:
            materialize("bronze_sessions", RACE, RACE, select=["sessions"])
        if said == "0 events taken.":
            break
        assert ticks < 20
    kept = [json.dumps(event, sort_keys=True) for event in receiver.events]
    assert len(set(kept)) > 10
    # The last event that was taken is sent once more when the consumer is tried after a failure.
    again = [event for event in set(kept) if kept.count(event) > 1]
    assert len(kept) - len(set(kept)) <= ticks
    assert len(again) <= ticks
    ends = [e["job"]["name"] for e in receiver.events if e["eventType"] == "COMPLETE"]
    assert list(dict.fromkeys(name for name in ends if name.startswith("dagster_"))) == [
        "dagster_bronze_races",
        "dagster_bronze_sessions",
    ]


def test_without_a_consumer_nothing_is_sent(
    instance: dg.DagsterInstance, settings: Settings
) -> None:
    """The sensor says that none is set, and what to do."""
    with dg.build_sensor_context(
        instance=instance, resources={"deployment": Deployment(settings)}
    ) as context:
        said = openlineage_consumer.evaluate_tick(context).skip_message
    assert said == "No consumer is set (F1_BRONZE_LINEAGE_URL): the lake has all events."


def test_both_sinks_know_where_they_are(
    materialize: Materialize, tick: Ticks, sinks: FakeDeployment
) -> None:
    """Each sensor has a cursor of its own: one that lags does not hold the other."""
    materialize("bronze_races", RACE, RACE, select=["stints"])
    sinks.receiver.is_down = True
    tick(openlineage_consumer)
    assert not tick(openlineage_events).startswith("0")
    assert Position.from_json(None) == Position()


def test_the_command_writes_what_the_sensors_would(
    materialize: Materialize,
    instance: dg.DagsterInstance,
    settings: Settings,
    tick: Ticks,
    tmp_path: Path,
) -> None:
    """Lineage and local metrics are there when the command ends, and the sensors, which write them
    again, change no byte of them."""
    deployment = Deployment(settings)
    result = materialize("bronze_races", RACE, RACE)
    emit_now(instance, deployment, [result.run_id, "no run"])
    lake = tmp_path / "lake"

    def contents() -> dict[str, bytes]:
        found = [*(lake / "lineage").rglob("*.*"), *(lake / "metrics").rglob("*.jsonl")]
        return {str(path.relative_to(lake)): path.read_bytes() for path in found}

    before = contents()
    assert len([path for path in before if path.startswith("metrics/")]) == 1
    assert len([path for path in before if path.endswith(".parquet")]) == 1
    said = tick(openlineage_events)
    lines = sum(data.count(b"\n") for path, data in before.items() if path.endswith(".json"))
    assert said == f"{lines} lineage events written."
    assert contents() == before


def test_the_command_sends_to_cloudwatch_itself(
    materialize: Materialize, instance: dg.DagsterInstance, sinks: FakeDeployment, tick: Ticks
) -> None:
    """Where no daemon is alive the command's metrics go to CloudWatch when it ends; the sensor of
    a daemon that is started later sends them to nobody again."""
    run = materialize("bronze_sessions", RACE, RACE, select=["sessions"])
    emit_now(instance, sinks, [run.run_id])
    sent = list(sinks.sink.sent)
    assert {metric.origin for metric in sent} == {run.run_id}
    assert tick(cloudwatch_metrics) == "Metrics of 0 runs and the hourly gauges sent."
    assert tick.acted_on == [run.run_id]  # so that Dagster calls the tick a success
    assert [m for m in sinks.sink.sent if m.origin == run.run_id] == sent
    assert (tick(cloudwatch_metrics), tick.acted_on) == ("Metrics of 0 runs sent.", [])
    assert "last_success" in (tick.cursors["cloudwatch_metrics"] or "")


def test_the_command_leaves_cloudwatch_to_a_daemon(
    materialize: Materialize, instance: dg.DagsterInstance, sinks: FakeDeployment, tick: Ticks
) -> None:
    """Where a daemon is alive its sensor sends them, so that nothing counts twice."""
    heartbeat = DaemonHeartbeat(time.time(), "SENSOR", "daemon", None)
    instance.add_daemon_heartbeat(heartbeat)
    run = materialize("bronze_sessions", RACE, RACE, select=["sessions"])
    emit_now(instance, sinks, [run.run_id])
    assert sinks.sink.sent == []
    assert tick(cloudwatch_metrics) == "Metrics of 1 runs sent."


def test_an_outage_when_the_command_ends(
    materialize: Materialize, instance: dg.DagsterInstance, sinks: FakeDeployment, tick: Ticks
) -> None:
    """What CloudWatch does not take then is left to the sensor."""
    run = materialize("bronze_sessions", RACE, RACE, select=["sessions"])
    sinks.sink.left = 0
    with pytest.raises(SinkUnavailable):
        emit_now(instance, sinks, [run.run_id])
    sinks.sink.left = None
    assert tick(cloudwatch_metrics) == "Metrics of 1 runs sent."
