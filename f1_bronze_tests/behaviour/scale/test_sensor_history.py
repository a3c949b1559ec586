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

from f1_bronze.defs.outbound.outbox import deliver_changes
from f1_bronze.defs.record.stream import ENDS, STARTS, Change, Position, end_of_record

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


def add_ends(instance: dg.DagsterInstance, now: datetime) -> None:
    """Ends of runs, written past Dagster's API, which takes 5 ms for each."""
    rows = []
    for number in range(RUNS):
        at = now - timedelta(seconds=RUNS - number)
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
