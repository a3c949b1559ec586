"""What Dagster loads. Assembles, implements nothing."""

from typing import Any

import dagster as dg

from f1_bronze.defs.assets import ASSETS
from f1_bronze.defs.io_managers import ParquetLakeIOManager
from f1_bronze.defs.jobs import JOBS
from f1_bronze.defs.progress import NoProgress
from f1_bronze.defs.resources import openf1_resource
from f1_bronze.defs.schedules import SCHEDULES
from f1_bronze.defs.season import RunningSeason
from f1_bronze.defs.sensors import SENSORS
from f1_bronze.defs.telemetry import Telemetry
from f1_bronze.defs.validation import ByRules
from f1_bronze.settings import Settings


def assemble(settings: Settings, **resources: Any) -> dg.Definitions:
    """All definitions for these settings; `resources` take the place of the usual ones."""
    usual = {
        "openf1": openf1_resource(settings),
        "io_manager": ParquetLakeIOManager(
            lake_uri=settings.lake_uri, s3_writes=dict(settings.s3_writes)
        ),
        "judge": ByRules(),
        "progress": NoProgress(),
        "season": RunningSeason(settings),
        "telemetry": Telemetry(settings),
    }
    return dg.Definitions(
        assets=ASSETS,
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=SENSORS,
        resources=usual | resources,
        # A step in a process of its own costs 1.6 s and gains nothing: one step does it all.
        executor=dg.in_process_executor,
    )


defs = assemble(Settings.read())
