"""The two jobs, one per partition definition.

Dagster's concept: https://docs.dagster.io/guides/build/jobs
"""

import dagster as dg

from f1_bronze.defs.partitions import RACE_GROUP, SESSION_GROUP

bronze_sessions = dg.define_asset_job(
    SESSION_GROUP.job,
    selection=dg.AssetSelection.assets(*SESSION_GROUP.asset_keys),
    description="Sessions, drivers, results and laps of the selected sessions.",
)

bronze_races = dg.define_asset_job(
    RACE_GROUP.job,
    selection=dg.AssetSelection.assets(*RACE_GROUP.asset_keys),
    description="Stints and pit stops of the selected races and sprints.",
)

JOBS = (bronze_sessions, bronze_races)
