"""bronze_alerts: each failure is alerted once, to each sink when it is there."""

import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from f1_bronze.datasets.dataset import Severity
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.definitions import assemble
from f1_bronze.defs.outbound.alert_sensor import bronze_alerts
from f1_bronze.defs.partitions import register
from f1_bronze.defs.record.stream import Position
from f1_bronze.defs.record.tags import ATTEMPT_TAG, CLOSED_RUN_TAG, RETRY_AT_TAG, WEEK_TAG
from f1_bronze.defs.resources import Deployment
from f1_bronze.defs.run.failures import MOST_ATTEMPTS
from f1_bronze.settings import Settings
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.server import Simulator
from f1_bronze.telemetry.alerts.alert_memory import (
    MOST_CHECKS,
    MOST_GROUPS,
    MOST_WAITING,
    AlertMemory,
)
from f1_bronze.telemetry.alerts.wording import Alert, AlertKind
from f1_bronze.telemetry.outbound import Dropped, Outcome, Sent, SinkUnavailable
from f1_bronze.telemetry.outbound import Sink as AlertSink
from f1_bronze_tests.defs.fake_judge import FakeJudge
from f1_bronze_tests.defs.sensor_ticks import TickLog, said_by
from f1_bronze_tests.telemetry.alert_receiver import Receiver, receiving

pytestmark = pytest.mark.slow

QUALIFYING, RACE = "2025/bahrain/qualifying", "2025/bahrain/race"
Fails = Callable[..., str]


@pytest.fixture
def instance(disk_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """An instance that keeps the state of sensors, which an ephemeral one does not."""
    return disk_instance


@pytest.fixture(autouse=True)
def partitions(instance: dg.DagsterInstance) -> None:
    """A weekend is registered."""
    register(instance, [SessionPartition.parse(key) for key in (QUALIFYING, RACE)])


@pytest.fixture
def fails(settings: Settings, simulator: Simulator, instance: dg.DagsterInstance) -> Fails:
    """A run of one dataset of the race that fails, of this fault; its id."""

    def run(
        kind: str = "unknown_path",
        *,
        dataset: str = "laps",
        judge: FakeJudge | None = None,
        **tags: str,
    ) -> str:
        simulator.control.reset()
        if judge is None:
            simulator.control.add_faults(InjectedFault(kind=kind, endpoint=dataset))
        definitions = assemble(settings, judge=judge or FakeJudge())
        result = definitions.resolve_job_def("bronze_sessions").execute_in_process(
            instance=instance,
            raise_on_error=False,
            partition_key=RACE,
            tags={name.replace("__", "/"): value for name, value in tags.items()},
            asset_selection=[dg.AssetKey(["bronze", dataset])],
        )
        assert not result.success
        return result.run_id

    return run


class Sink:
    """A sink that keeps what it takes, and raises `error` or answers `refusal` if there is one."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.refusal: Dropped | None = None
        self.taken: list[Alert] = []

    def send(
        self, items: Sequence[Alert], *, sent_before: Collection[str] = ()
    ) -> tuple[Outcome, ...]:
        """As the port has it."""
        if self.error is not None:
            raise self.error
        if self.refusal is not None:
            return (self.refusal,) * len(items)
        self.taken += items
        return (Sent(),) * len(items)


class Deployed(Deployment):
    """Alerts that go to these sinks."""

    def __init__(self, settings: Settings, **sinks: AlertSink) -> None:
        super().__init__(settings)
        self._given = sinks

    @property
    def alert_sinks(self) -> Mapping[str, AlertSink]:  # type: ignore[override]
        """Those that were given."""
        return self._given


class Sensor:
    """The sensor, tick after tick, its cursor kept; begins with a tick on what is there."""

    def __init__(self, instance: dg.DagsterInstance, deployment: Deployment, log: TickLog) -> None:
        self._instance, self._deployment, self._log = instance, deployment, log
        self.cursor: str | None = None
        self.acted_on: list[str] = []

    def tick(self) -> str:
        """What the tick says."""
        with dg.build_sensor_context(
            instance=self._instance, cursor=self.cursor, resources={"deployment": self._deployment}
        ) as context:
            result = bronze_alerts.evaluate_tick(context)
            self.cursor = context.cursor
        self.acted_on = [one.dagster_run.run_id for one in result.dagster_run_reactions]
        return said_by(result, self._log)


@pytest.fixture
def sink() -> Sink:
    """A sink."""
    return Sink()


@pytest.fixture
def sensor(
    instance: dg.DagsterInstance, settings: Settings, sink: Sink, tick_log: TickLog
) -> Sensor:
    """The sensor of a deployment with one sink, switched on."""
    made = Sensor(instance, Deployed(settings, topic=sink), tick_log)
    assert made.tick() == "0 alerts sent."
    return made


def test_nobody_is_to_be_told(
    instance: dg.DagsterInstance, settings: Settings, tick_log: TickLog
) -> None:
    """Without topic and webhook the tick is a skip that names the settings."""
    sensor = Sensor(instance, Deployment(settings), tick_log)
    assert sensor.tick() == (
        "Alerts go nowhere: set F1_BRONZE_ALERT_TOPIC or F1_BRONZE_ALERT_WEBHOOK."
    )
    assert not sensor.cursor


def test_a_failed_run_is_alerted_once(sensor: Sensor, sink: Sink, fails: Fails) -> None:
    """The alert begins with partition, dataset, why and what to do; later ticks send nothing."""
    run_id = fails()
    assert sensor.tick() == "1 alert sent."
    assert sensor.acted_on == [run_id]  # Dagster calls that tick a success
    assert (sensor.tick(), sensor.acted_on) == ("0 alerts sent.", [])
    [alert] = sink.taken
    assert alert.subject == f"f1_bronze dev: laps of {RACE} not stored"
    assert alert.text.startswith(f"{RACE} laps: ")
    assert alert.facts["run_id"] == run_id


def test_history_is_not_alerted(
    instance: dg.DagsterInstance,
    settings: Settings,
    sink: Sink,
    fails: Fails,
    tick_log: TickLog,
) -> None:
    """What had failed before the sensor was switched on is not alerted."""
    fails()
    sensor = Sensor(instance, Deployed(settings, topic=sink), tick_log)
    assert [sensor.tick(), sensor.tick()] == ["0 alerts sent.", "0 alerts sent."]
    fails()
    assert sensor.tick() == "1 alert sent."


def test_old_news(
    instance: dg.DagsterInstance,
    settings: Settings,
    sink: Sink,
    fails: Fails,
    tick_log: TickLog,
) -> None:
    """What failed more than a week ago, while the sensor was off, is passed by."""
    alerts = Deployed(settings, topic=sink)
    sensor = Sensor(instance, alerts, tick_log)
    sensor.tick()
    fails()
    alerts.now = lambda: datetime.now(UTC) + timedelta(days=8)
    assert sensor.tick() == "0 alerts sent."


def test_a_further_attempt_that_fails_the_same_way(
    sensor: Sensor, sink: Sink, fails: Fails
) -> None:
    """A re-execution is alerted only where it fails in another way."""
    root = fails()
    sensor.tick()
    again = {"dagster__root_run_id": root, "dagster__parent_run_id": root}
    fails(**again)
    assert sensor.tick() == "0 alerts sent."
    fails(dataset="drivers", **again)
    assert sensor.tick() == "1 alert sent."


def test_a_backfill_is_alerted_once(sensor: Sensor, sink: Sink, fails: Fails) -> None:
    """Runs of a backfill that fail in the same way are one message, over several ticks too."""
    fails(dagster__backfill="abcdefgh")
    fails(dagster__backfill="abcdefgh")
    sensor.tick()
    fails(dagster__backfill="abcdefgh")
    sensor.tick()
    [alert] = sink.taken
    assert alert.facts["backfill_id"] == "abcdefgh"
    fails(**{WEEK_TAG.replace("/", "__"): "2026-11-23"})
    assert sensor.tick() == "1 alert sent."


def test_a_closed_api_is_alerted_when_it_is_given_up(
    sensor: Sensor, sink: Sink, fails: Fails, instance: dg.DagsterInstance
) -> None:
    """While openf1_reopened resumes a run nobody is woken; the last attempt is alerted."""
    waiting = instance.get_run_by_id(fails("live"))
    assert RETRY_AT_TAG in waiting.tags
    assert sensor.tick() == "0 alerts sent."
    attempt = ATTEMPT_TAG.replace("/", "__")
    fails("live", dagster__root_run_id=waiting.run_id, **{attempt: str(MOST_ATTEMPTS)})
    assert sensor.tick() == "1 alert sent."
    assert sink.taken[0].facts["not_landed"][0]["error"] == "ClosedForLiveSession"


def test_a_wait_that_was_inherited_does_not_count(sensor: Sensor, sink: Sink, fails: Fails) -> None:
    """A re-execution by hand has the tags of the closed run, and will not go on by itself."""
    names = {
        RETRY_AT_TAG.replace("/", "__"): "2026-11-23T06:00:00+00:00",
        CLOSED_RUN_TAG.replace("/", "__"): "another",
    }
    fails(**names)
    assert sensor.tick() == "1 alert sent."


def test_what_dagster_retries_is_no_news(sensor: Sensor, sink: Sink, fails: Fails) -> None:
    """A run that Dagster starts anew after a crash is not alerted."""
    fails(dagster__will_retry="true")
    assert sensor.tick() == "0 alerts sent."


def test_a_failed_check_is_alerted_once(sensor: Sensor, sink: Sink, fails: Fails) -> None:
    """An ERROR is alerted with its check; the week after, still there, it is not alerted again."""
    fails(judge=FakeJudge(Severity.ERROR))
    fails(judge=FakeJudge(Severity.ERROR))
    assert sensor.tick() == "1 alert sent."
    [alert] = sink.taken
    assert alert.subject == f"f1_bronze dev: 1 check of {RACE} failed"
    assert alert.text.splitlines()[0] == (
        f"{RACE} laps: the check values failed (broken_error: 2 laps without a time). Look at its "
        "rows on the asset's Checks tab; materialize the partition again once upstream has "
        "corrected them."
    )


def test_other_runs_are_not_ours(sensor: Sensor, sink: Sink, instance: dg.DagsterInstance) -> None:
    """A run that makes no bronze is left to those who own it."""

    @dg.op
    def breaks() -> None:
        raise ValueError("broken")

    @dg.job
    def silver() -> None:
        breaks()

    silver.execute_in_process(instance=instance, raise_on_error=False)
    assert sensor.tick() == "0 alerts sent."


def test_an_outage_delays(sensor: Sensor, sink: Sink, fails: Fails) -> None:
    """While the sink is down alerts wait in order, and the tick says why; then each goes once."""
    sink.error = SinkUnavailable("SNS cannot be reached. It is sent again.")
    fails()
    fails(dataset="drivers")
    says = "0 alerts sent. 2 for the topic wait: SNS cannot be reached. It is sent again."
    assert [sensor.tick(), sensor.tick()] == [says, says]
    sink.error = None
    assert [sensor.tick(), sensor.tick()] == ["2 alerts sent.", "0 alerts sent."]
    alerted = [alert.facts["not_landed"][0]["dataset"] for alert in sink.taken]
    assert alerted == ["laps", "drivers"]


def test_poison_is_passed_by(sensor: Sensor, sink: Sink, fails: Fails, tick_log: TickLog) -> None:
    """An alert that a sink will never take is logged, and does not keep the next one."""
    fails()
    sink.refusal = Dropped(reason="refused", detail="SNS refused the request (InvalidParameter)")
    assert sensor.tick() == "0 alerts sent."
    assert "it was refused: SNS refused the request (InvalidParameter)" in tick_log.errors[0]
    sink.refusal = None
    fails()
    assert sensor.tick() == "1 alert sent."
    assert len(sink.taken) == 1


def test_one_sink_does_not_keep_the_other(
    instance: dg.DagsterInstance,
    settings: Settings,
    sink: Sink,
    fails: Fails,
    tick_log: TickLog,
) -> None:
    """With the topic down the webhook is sent alerts at once, and nothing twice when it is back."""
    down = Sink()
    down.error = SinkUnavailable("It is sent again.")
    sensor = Sensor(instance, Deployed(settings, topic=down, webhook=sink), tick_log)
    sensor.tick()
    fails()
    assert sensor.tick() == "1 alert sent. 1 for the topic wait: It is sent again."
    down.error = None
    assert [sensor.tick(), sensor.tick()] == ["1 alert sent.", "0 alerts sent."]
    assert (len(down.taken), len(sink.taken)) == (1, 1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    with receiving() as one:
        yield one


def test_through_a_webhook(
    instance: dg.DagsterInstance,
    settings: Settings,
    receiver: Receiver,
    fails: Fails,
    caplog: pytest.LogCaptureFixture,
    tick_log: TickLog,
) -> None:
    """By settings alone, over HTTP; its secret address is in no cursor, message, log or repr."""
    with_hook = settings.model_copy(
        update={
            "alert_webhook": receiver.url,
            "dagster_url": "https://dagster.example.org",
        }
    )
    sensor = Sensor(instance, Deployment(with_hook), tick_log)
    with caplog.at_level(logging.DEBUG):
        said = [sensor.tick()]
        run_id = fails()
        receiver.status = 404
        said.append(sensor.tick())
        receiver.status = 200
        said.append(sensor.tick())
    assert said[0] == "0 alerts sent."
    assert said[1].startswith("0 alerts sent. 1 for the webhook wait: The webhook at 127.0.0.1:")
    assert said[2] == "1 alert sent."
    assert receiver.subjects == [f"f1_bronze dev: laps of {RACE} not stored"]
    assert f"https://dagster.example.org/runs/{run_id}" in receiver.taken[0]["text"]
    everything = f"{said} {sensor.cursor} {caplog.text} {receiver.taken} {with_hook}"
    assert "s3cr3t" not in everything


def test_it_is_on_by_default() -> None:
    """A deployment alerts without clicking."""
    assert bronze_alerts.name == "bronze_alerts"
    assert bronze_alerts.default_status is dg.DefaultSensorStatus.RUNNING


def test_the_cursor_stays_short(
    instance: dg.DagsterInstance, sensor: Sensor, sink: Sink, fails: Fails
) -> None:
    """With a memory as full as it gets the cursor stays below 4 kB, and what waits is sent."""
    full = AlertMemory(
        causes={f"group-{number}": ["laps ApiUnavailable"] for number in range(MOST_GROUPS)},
        failing={
            f"2025/grand_prix_{number}/race laps values": "lap_duration above 0"
            for number in range(MOST_CHECKS)
        },
        overdue={f"2025/grand_prix_{number}/race": ["laps"] for number in range(60)},
        waiting={
            "topic": [
                Alert(kind=AlertKind.FAILED_RUN, subject=f"Alert {number}", text="long " * 400)
                for number in range(MOST_WAITING)
            ]
        },
    )
    assert len(json.dumps(full.to_json())) > 150_000
    # The cursor of an earlier release held it all.
    position = Position.from_json(sensor.cursor).with_notes(alerts=full.to_json())
    sensor.cursor = position.to_json()
    sink.error = SinkUnavailable("The topic is down. Wait.")
    fails()
    assert "25 for the topic wait" in sensor.tick()
    assert len(sensor.cursor or "") < 4_000
    sink.error = None
    assert sensor.tick() == "25 alerts sent."
    assert [alert.subject for alert in sink.taken][:2] == ["Alert 1", "Alert 2"]
    assert sink.taken[-1].facts["error"]
    assert len(sensor.cursor or "") < 4_000


def test_a_memory_that_is_lost(sensor: Sensor, sink: Sink, fails: Fails, tick_log: TickLog) -> None:
    """Where a cursor refers to what is gone, the sensor says so and goes on."""
    fails()
    sensor.tick()
    sensor.cursor = Position.from_json(sensor.cursor).with_notes(alerts="a:123456789abc").to_json()
    assert sensor.tick() == "0 alerts sent."
    assert "('a:123456789abc') is not kept" in tick_log.errors[-1]
    fails()
    assert sensor.tick() == "1 alert sent."
    assert len(sink.taken) == 2
