"""The jobs: one per partition definition, and the one that makes the coverage.

Dagster's concept: https://docs.dagster.io/guides/build/jobs
"""

import dagster as dg

from f1_bronze.defs.monitoring.coverage_asset import COVERAGE
from f1_bronze.defs.partitions import RACE_GROUP, SESSION_GROUP, DatasetGroup
from f1_bronze.defs.record.stream import COVERAGE_JOB


def _names(group: DatasetGroup) -> str:
    *names, last = (dataset.name.replace("_", " ") for dataset in group.datasets)
    return f"{', '.join(names)} and {last}".capitalize()


bronze_sessions = dg.define_asset_job(
    SESSION_GROUP.job,
    selection=dg.AssetSelection.assets(*SESSION_GROUP.asset_keys),
    description=f"{_names(SESSION_GROUP)} of the selected sessions.",
)

bronze_races = dg.define_asset_job(
    RACE_GROUP.job,
    selection=dg.AssetSelection.assets(*RACE_GROUP.asset_keys),
    description=f"{_names(RACE_GROUP)} of the selected races and sprints.",
)

coverage_job = dg.define_asset_job(
    COVERAGE_JOB,
    selection=dg.AssetSelection.assets(COVERAGE),
    description="What is stored, missing, overdue and wrong in all seasons; does not ask OpenF1.",
)

INGESTING = (bronze_sessions, bronze_races)
"""The jobs that ask OpenF1."""

JOBS = (*INGESTING, coverage_job)
