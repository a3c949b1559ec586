"""Silver in one code location with bronze. Assembles, implements nothing."""

import dagster as dg

from examples.silver.assets import ASSETS
from examples.silver.following import silver_follows_bronze
from f1_bronze import definitions as bronze  # a module may hold one Definitions only

defs = dg.Definitions.merge(
    bronze.defs, dg.Definitions(assets=ASSETS, sensors=[silver_follows_bronze])
)
