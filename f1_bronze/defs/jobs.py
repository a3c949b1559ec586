"""The two jobs, one per partition definition.

Belongs here: jobs. Stays out: what they run (assets.py) and when (schedules and sensors).
"""

import dagster as dg

from f1_bronze.defs.assets import ingest_races, ingest_sessions
from f1_bronze.defs.partitions import RACE_GROUP, SESSION_GROUP

bronze_sessions = dg.define_asset_job(
    SESSION_GROUP.job,
    selection=dg.AssetSelection.assets(ingest_sessions),
    description="Sessions, drivers, results and laps of the selected sessions.",
)

bronze_races = dg.define_asset_job(
    RACE_GROUP.job,
    selection=dg.AssetSelection.assets(ingest_races),
    description="Stints and pit stops of the selected races and sprints.",
)

JOBS = (bronze_sessions, bronze_races)
