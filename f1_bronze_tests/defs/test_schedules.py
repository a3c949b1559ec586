"""What runs by the clock, spelled out."""

import dagster as dg

from f1_bronze.definitions import defs
from f1_bronze.defs.schedules import SCHEDULES


def test_weekly_bronze() -> None:
    """One schedule, Mondays at six in UTC, alive without a click, over all six assets."""
    assert [schedule.name for schedule in SCHEDULES] == ["weekly_bronze"]
    schedule = defs.resolve_schedule_def("weekly_bronze")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 6 * * 1", "UTC")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    selected = defs.resolve_job_def(schedule.job_name).asset_layer.selected_asset_keys
    assert sorted(key.to_user_string() for key in selected if key.path[0] == "bronze") == [
        "bronze/drivers",
        "bronze/laps",
        "bronze/pit_stops",
        "bronze/results",
        "bronze/sessions",
        "bronze/stints",
    ]


def test_sensors_are_alive() -> None:
    """The calendar and the further attempts need no click either."""
    running = {
        sensor.name
        for sensor in defs.sensors or ()
        if sensor.default_status is dg.DefaultSensorStatus.RUNNING
    }
    assert {"openf1_calendar", "openf1_reopened"} <= running
