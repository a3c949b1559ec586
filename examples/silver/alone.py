"""Silver as a code location of its own, beside that of bronze. Assembles, implements nothing."""

import dagster as dg

from examples.silver.assets import ASSETS, LAPS, RESULTS, STINTS
from examples.silver.following import silver_follows_bronze
from f1_bronze.defs.assets import ASSETS as BRONZE
from f1_bronze.defs.io_manager import ParquetLakeIOManager
from f1_bronze.settings import Settings


def assemble(settings: Settings) -> dg.Definitions:
    """All definitions for these settings."""
    # What the other location makes is named here too, so that its partitions are known.
    upstream = [
        dg.AssetSpec(spec.key, partitions_def=spec.partitions_def, group_name=spec.group_name)
        for made in BRONZE
        for spec in made.specs
        if spec.key in (LAPS, RESULTS, STINTS)
    ]
    lake = ParquetLakeIOManager(lake_uri=settings.lake_uri, s3_writes=dict(settings.s3_writes))
    return dg.Definitions(
        assets=[*ASSETS, *upstream],
        sensors=[silver_follows_bronze],
        resources={"io_manager": lake},
        executor=dg.in_process_executor,
    )


defs = assemble(Settings.read())
