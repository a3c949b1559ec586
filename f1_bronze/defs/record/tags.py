"""Names of run tags, ours and those of Dagster that have no public name, and of the pool."""

API_POOL = "openf1"
"""Pool of every run that asks the API: the UI shows under Deployment > Concurrency what waits."""

RETRY_AT_TAG = "f1_bronze/retry_at"
"""The moment (ISO 8601, UTC) at which a run that met a closed API or an outage is resumed."""

TRIGGER_TAG = "f1_bronze/trigger"
"""Who asked for the run, where it was not a person in the UI."""

BY_COMMAND, BY_WEEK, BY_CALENDAR = "command", "week", "calendar"
"""The command, the weekly run, and new sessions that are ingested as soon as they are listed."""

SIMULATED_TAG = "f1_bronze/simulated"
"""Whether the embedded simulator answered in place of OpenF1 ("true")."""

WEEK_TAG = "f1_bronze/week"
"""The Monday (YYYY-MM-DD) of the weekly run that a run belongs to."""

RECHECK_TAG = "f1_bronze/recheck"
"""The seasons that a run compares with OpenF1, recording only what has changed."""

CLOSED_RUN_TAG = "f1_bronze/closed_run"
"""The run that met the closure or outage; differs where a re-execution inherited the tag."""

RESUMED_RUN_TAG = "f1_bronze/goes_on_with"
"""The run that this one resumes, where our sensor launched it."""

ATTEMPT_TAG = "f1_bronze/attempt"
"""Which attempt this is of a run that met a closed API or an outage."""

HISTORICAL_TAG = "f1_bronze/historical"
"""Whether past seasons are filled in ("true"), which metrics tell apart from the rest."""

METRICS_SENT_TAG = "f1_bronze/metrics_sent"
"""Whether the command has sent the run's metrics itself ("true"), where no daemon was alive."""

LEFT_OUT_BY_TAG = "f1_bronze/left_out_by"
"""The run whose failure kept a backfill from starting this one."""

ROOT_RUN, PARENT_RUN = "dagster/root_run_id", "dagster/parent_run_id"
BACKFILL, SCHEDULE, SENSOR = "dagster/backfill", "dagster/schedule_name", "dagster/sensor_name"
