"""A sensor's tick costs the same whatever the history: 100,000 run ends in Dagster's own record."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import serialize_value

from f1_bronze.defs.outbound import lineage_sensors
from f1_bronze.defs.outbound.outbox import deliver_changes
from f1_bronze.defs.record.stream import ENDS, STARTS, Change, Position, end_of_record
from f1_bronze.defs.resources import Deployment
from f1_bronze.settings import Settings
from f1_bronze.telemetry.lineage.delivery import AT_ONCE, Delivery
from f1_bronze.telemetry.lineage.events import LineageEvent
from f1_bronze.telemetry.outbound import Outcome, Sent, SinkUnavailable

RUNS = 100_000


@pytest.mark.slow
def test_100_000_run_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the ends of 100,000 runs, one each second, of this and of other jobs, each delivered
    once and in order, a tick reads what the last minutes brought, with a cursor below 4 kB."""
    read: list[int] = []
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        add_ends(instance, datetime.now(UTC))
        fetch = instance.fetch_run_status_changes

        def count(*args: Any, **how: Any) -> Any:
            result = fetch(*args, **how)
            read.append(len(result.records))
            return result

        monkeypatch.setattr(instance, "fetch_run_status_changes", count)
        context: Any = SimpleNamespace(instance=instance, cursor=None, log=None)
        delivered: list[int] = []

        def deliver(change: Change, position: Position) -> Position:
            delivered.append(change.storage_id)
            return position

        def tick() -> int:
            result = deliver_changes(context, (*STARTS, *ENDS), deliver)
            context.cursor = result.position.to_json()
            return result.runs

        while tick():
            pass
        assert delivered == sorted(set(delivered))
        assert len(delivered) == RUNS
        read.clear()
        assert tick() == 0
        assert (len(read) <= 8, sum(read) <= 300) == (True, True)
        assert len(context.cursor) < 4_000
        assert end_of_record(instance, ENDS).passed["PIPELINE_SUCCESS"] == max(delivered)


def add_ends(
    instance: dg.DagsterInstance, now: datetime, *, runs: int = RUNS, first: int = 0
) -> None:
    """Ends of runs, written past Dagster's API, which takes 5 ms for each."""
    rows = []
    for number in range(first, first + runs):
        at = now - timedelta(seconds=first + runs - number)
        kind = "PIPELINE_FAILURE" if number % 10 == 0 else "PIPELINE_SUCCESS"
        job = "other" if number % 2 else "bronze_sessions"
        entry = EventLogEntry(
            error_info=None,
            level=20,
            user_message="",
            run_id=f"run-{number}",
            timestamp=at.timestamp(),
            step_key=None,
            job_name=job,
            dagster_event=DagsterEvent(event_type_value=kind, job_name=job, message=""),
        )
        row = {"run_id": entry.run_id, "event": serialize_value(entry), "step_key": None}
        rows.append({**row, "dagster_event_type": kind, "timestamp": at.replace(tzinfo=None)})
    with instance.event_log_storage.index_connection() as connection:
        connection.execute(SqlEventLogStorageTable.insert(), rows)


EVENTS_OF_A_RUN = 42

ANSWER_SECONDS = 0.05


class SlowConsumer:
    """Takes every event, one after the other in the time of the test; it may be down."""

    def __init__(self) -> None:
        self.now = 0.0
        self.is_down = False
        self.taken: list[str] = []

    def send(self, data: bytes, *, seconds: float) -> Outcome:
        """An answer after 50 ms; eight requests at once share them."""
        self.now += ANSWER_SECONDS / AT_ONCE
        if self.is_down:
            raise SinkUnavailable("The lineage consumer is down. Start it.")
        self.taken.append(data.decode())
        return Sent()


@pytest.mark.slow
def test_a_day_without_the_consumer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run ends every two minutes, 30,240 events a day, while the consumer is down for a day.

    Then it answers in 50 ms: all of them arrive within half an hour of ticks, in order and once,
    with those of the runs that end meanwhile; then what is new arrives at the next tick."""
    consumer = SlowConsumer()
    monkeypatch.setattr(lineage_sensors, "change_events", invent_events)
    settings = Settings.read({"F1_BRONZE_LAKE_URI": str(tmp_path / "lake")})
    deployment = Deployment(settings)
    monkeypatch.setattr(
        deployment,
        "lineage_delivery",
        lambda: Delivery(consumer, deployment.lake.store, clock=lambda: consumer.now),
    )
    cursor: str | None = None
    ended = 0
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:

        def tick() -> int:
            """A minute later; how many events have come."""
            nonlocal cursor
            before = len(consumer.taken)
            with dg.build_sensor_context(
                instance=instance, cursor=cursor, resources={"deployment": deployment}
            ) as context:
                cursor = lineage_sensors.openlineage_consumer.evaluate_tick(context).cursor
            return len(consumer.taken) - before

        begin = datetime.now(UTC) - timedelta(days=1)
        consumer.is_down = True
        while ended < 720:
            add_ends(instance, begin + timedelta(minutes=2 * (ended + 72)), runs=72, first=ended)
            ended += 72
            assert tick() == 0
        consumer.is_down = False
        ticks = 0
        while len(set(consumer.taken)) < ended * EVENTS_OF_A_RUN:
            ticks += 1
            if ticks % 2:
                add_ends(instance, datetime.now(UTC), runs=1, first=ended)
                ended += 1
            tick()
            assert ticks <= 30, "more than half an hour"
        assert len(cursor or "") < 4_000
        add_ends(instance, datetime.now(UTC), runs=1, first=ended)
        assert tick() == EVENTS_OF_A_RUN
    # Once and in order, but for the one by which the consumer was tried when it was back.
    assert consumer.taken == [
        "0000/01",
        *(
            f"{number:04}/{event:02}"
            for number in range(ended + 1)
            for event in range(EVENTS_OF_A_RUN)
        ),
    ]


def invent_events(
    instance: dg.DagsterInstance, deployment: Deployment, change: Change, find_group: Any
) -> list[LineageEvent]:
    """42 events of a run, in the names and order of its end."""
    run = int(change.run_id.removeprefix("run-"))
    names = [f"{run:04}/{number:02}" for number in range(EVENTS_OF_A_RUN)]
    return [LineageEvent(run_id=n, id=n, path=n, data=n.encode()) for n in names]
