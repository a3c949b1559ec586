"""Tags by which runs are told apart, ours and those of Dagster that no public name stands for.

Belongs here: names of run tags and their values. Stays out: what follows from them.
"""

RETRY_AT_TAG = "f1_bronze/retry_at"

"""Run tag: the moment (ISO 8601, UTC) at which a run that met a closed API or an outage goes on."""

TRIGGER_TAG, BY_COMMAND = "f1_bronze/trigger", "command"

"""Run tag: who asked for the run, where it was no person in the UI."""

BY_WEEK, BY_CALENDAR = "week", "calendar"

"""The weekly run, and new sessions that are ingested as soon as they are there."""

WEEK_TAG = "f1_bronze/week"

"""Run tag: the Monday (YYYY-MM-DD) of the weekly run that a run belongs to."""

CLOSED_RUN_TAG = "f1_bronze/closed_run"

"""Run tag: the run that met the closure or outage; differs where a re-execution inherited it."""

GOES_ON_WITH_TAG = "f1_bronze/goes_on_with"

"""Run tag: the run whose further attempt this is, where our sensor made it."""

ATTEMPT_TAG = "f1_bronze/attempt"

"""Run tag: which attempt this is of a run that met a closed API or an outage."""

HISTORICAL_TAG = "f1_bronze/historical"

"""Run tag: whether past seasons are filled in ("true"), which metrics tell apart from the rest."""

LEFT_OUT_BY_TAG = "f1_bronze/left_out_by"

"""Run tag: the run whose failure kept a backfill from starting this one."""

RANGE_START, RANGE_END = (
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)

PARTITION = "dagster/partition"

ROOT_RUN, PARENT_RUN = "dagster/root_run_id", "dagster/parent_run_id"

BACKFILL, SCHEDULE, SENSOR = "dagster/backfill", "dagster/schedule_name", "dagster/sensor_name"
