"""The jobs: one per partition definition, and the one that makes the coverage.

Dagster's concept: https://docs.dagster.io/guides/build/jobs
"""

import dagster as dg

from f1_bronze.defs.monitoring.coverage_asset import COVERAGE
from f1_bronze.defs.partitions import RACE_GROUP, SESSION_GROUP
from f1_bronze.defs.record.stream import COVERAGE_JOB

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

coverage_job = dg.define_asset_job(
    COVERAGE_JOB,
    selection=dg.AssetSelection.assets(COVERAGE),
    description="What is stored, missing, overdue and wrong in all seasons; does not ask OpenF1.",
)

INGESTING = (bronze_sessions, bronze_races)
"""The jobs that ask OpenF1."""

JOBS = (*INGESTING, coverage_job)
