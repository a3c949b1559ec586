"""What Dagster loads. Assembles, implements nothing.

Dagster's concept: https://docs.dagster.io/guides/build/projects-and-components
"""

from pathlib import Path
from typing import Any

import dagster as dg

from f1_bronze.defs.assets import ASSETS, ENDPOINTS
from f1_bronze.defs.io_manager import ParquetLakeIOManager
from f1_bronze.defs.jobs import JOBS
from f1_bronze.defs.monitoring.coverage_asset import coverage, hourly_coverage
from f1_bronze.defs.resources import Deployment, openf1_resource
from f1_bronze.defs.run.judging import ByRules
from f1_bronze.defs.run.tally import RunTally, open_deployment_logs
from f1_bronze.defs.schedules import SCHEDULES
from f1_bronze.defs.sensors import SENSORS
from f1_bronze.settings import Settings


def assemble(settings: Settings, **resources: Any) -> dg.Definitions:
    """All definitions for these settings; `resources` take the place of the usual ones."""
    usual = {
        "deployment": Deployment(settings),
        "io_manager": ParquetLakeIOManager(
            lake_uri=settings.lake_uri, s3_writes=dict(settings.s3_writes)
        ),
        "judge": ByRules(),
        "openf1": openf1_resource(settings),
        "progress": RunTally(),
    }
    return dg.Definitions(
        assets=[*ASSETS, *ENDPOINTS, coverage],
        jobs=JOBS,
        schedules=[*SCHEDULES, hourly_coverage],
        sensors=SENSORS,
        resources=usual | resources,
        # A step in a process of its own costs 1.6 s and gains nothing: one step does it all.
        executor=dg.in_process_executor,
    )


def load_scaffolded(folder: Path = Path(__file__).parent / "defs" / "scaffolded") -> dg.Definitions:
    """What `dg scaffold defs` wrote; nothing is searched while it wrote nothing.

    The search imports every library that offers components, dagster-aws among them: a code location
    and each of its runs then take twice as long to load.
    """
    written = [path for path in folder.iterdir() if not path.name.startswith("__")]
    return dg.load_from_defs_folder(path_within_project=folder) if written else dg.Definitions()


_settings = Settings.read()
open_deployment_logs(_settings)
defs = dg.Definitions.merge(assemble(_settings), load_scaffolded())
