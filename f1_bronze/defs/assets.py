"""The six bronze assets: two ops, one per partition definition, each for many partitions.

Why one op makes many: docs/adr/0002. Dagster's concept: https://docs.dagster.io/guides/build/assets
"""

import sys
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
from pydantic import Field

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.checks import check_specs
from f1_bronze.defs.io_manager import ParquetLakeIOManager
from f1_bronze.defs.metadata import column_schema
from f1_bronze.defs.partitions import (
    RACE_GROUP,
    SESSION_GROUP,
    DatasetGroup,
    asset_key,
)
from f1_bronze.defs.record.tags import API_POOL
from f1_bronze.defs.run.ingestion import Ingestion
from f1_bronze.defs.run.judging import Judge
from f1_bronze.defs.run.tally import RunTally, log_run
from f1_bronze.lake.paths import dataset_folder
from f1_bronze.openf1.shared_requests import OpenF1

GROUP = "bronze"

OWNER = "team:data-platform"
"""The owner of every asset in the catalog: a team, or a person's e-mail address."""

FRESHNESS = dg.FreshnessPolicy.cron(
    deadline_cron="0 12 1 4-12 *", lower_bound_delta=timedelta(days=28)
)
"""Fresh: on the first of a month from April to December something was stored in the 28 days before.

Quiet between seasons and in their breaks; what is late by a day is a check: docs/adr/0016.
"""

MOST_PARTITIONS_A_RUN = 128
"""A season with every session type: what the command and the weekly run do in one process."""

MOST_PARTITIONS_A_BACKFILL_RUN = 50
"""Two full calls of laps: a season of qualifying and race is one run, four seasons of every type
are a dozen, which several workers share, for a tenth more calls than in runs of 128."""

_DOCS = "https://openf1.org/docs/#"
_FILE = "year=…/grand_prix=…/session_type=…/{}_<session_key>.parquet"


class IngestConfig(dg.Config):
    """What can be set in the launchpad."""

    accept_loss: bool = Field(
        default=False,
        description=(
            "Let an answer with fewer rows replace what the lake holds: somebody has seen that "
            "upstream took the rows back for good. The old content is kept under revisions/."
        ),
    )
    recheck_seasons: list[int] = Field(
        default=[],
        description=(
            "Seasons of which everything stored is compared with OpenF1, in a run without a "
            "partition: only what has changed is recorded and checked again."
        ),
    )


_NO_PARTITIONS = dg.DynamicPartitionsDefinition(name="openf1_endpoints")
# With an upstream that has no partitions definition Dagster would call everything out of sync that
# was materialized before the endpoints were in the graph.


def _endpoint_key(dataset: Dataset) -> dg.AssetKey:
    return dg.AssetKey(["openf1", dataset.endpoint])


def _endpoint_spec(dataset: Dataset) -> dg.AssetSpec:
    """OpenF1's endpoint, as an external asset: the lineage graph begins where the data does."""
    return dg.AssetSpec(
        key=_endpoint_key(dataset),
        group_name="openf1",
        description=f"OpenF1's endpoint `/{dataset.endpoint}`, from which `{dataset.name}` comes.",
        partitions_def=_NO_PARTITIONS,
        kinds={"openf1"},
        metadata={"openf1_docs": dg.MetadataValue.url(_docs_url(dataset))},
    )


def _docs_url(dataset: Dataset) -> str:
    return _DOCS + dataset.endpoint.replace("_", "-")


_ALONE = (
    "\n\nIt can be materialized without `sessions`: where the UI warns in orange that partitions "
    '"cannot be materialized because upstream materializations are not available", launch all the '
    "same. The run asks OpenF1 for the session itself."
)


def _spec(dataset: Dataset, group: DatasetGroup) -> dg.AssetSpec:
    endpoint = dg.AssetDep(_endpoint_key(dataset), partition_mapping=dg.AllPartitionMapping())
    session = dg.AssetDep(asset_key(SESSIONS), partition_mapping=dg.IdentityPartitionMapping())
    return dg.AssetSpec(
        key=asset_key(dataset),
        group_name=GROUP,
        description=dataset.description if dataset is SESSIONS else dataset.description + _ALONE,
        deps=[endpoint] if dataset is SESSIONS else [endpoint, session],
        partitions_def=group.partitions_def,
        skippable=True,  # a run records partitions itself, and may record none
        kinds={"parquet", "openf1"},
        owners=[OWNER],
        tags={"layer": "bronze", "need": "critical" if dataset.critical else "optional"},
        code_version=str(dataset.schema_version),
        freshness_policy=FRESHNESS,
        metadata={
            "dagster/column_schema": column_schema(dataset),
            "dagster/code_references": _code_references(dataset),
            "openf1_endpoint": dataset.endpoint,
            "openf1_docs": dg.MetadataValue.url(_docs_url(dataset)),
            "key": ", ".join(dataset.key),
            "session_types": ", ".join(sorted(dataset.session_types or {"all"})),
            "lake_path": dg.MetadataValue.path(
                dataset_folder(dataset.name) + _FILE.format(dataset.name)
            ),
        },
    )


def _code_references(dataset: Dataset) -> dg.CodeReferencesMetadataValue:
    """Where the dataset is declared, and the module of the op: the UI opens them in an editor.

    (`with_source_code_references` knows the op alone, which all datasets share.)
    """
    module = str(sys.modules[f"f1_bronze.datasets.{dataset.name}"].__file__)
    lines = Path(module).read_text(encoding="utf-8").splitlines()
    starts = (n for n, line in enumerate(lines, 1) if line.startswith(f"{dataset.name.upper()} = "))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # the UI shows them since Dagster 1.7
        return dg.CodeReferencesMetadataValue(
            code_references=[
                dg.LocalFileCodeReference(
                    file_path=module, line_number=next(starts, 1), label="declaration"
                ),
                dg.LocalFileCodeReference(file_path=__file__, line_number=1, label="ingestion"),
            ]
        )


def _ingest_asset(group: DatasetGroup) -> dg.AssetsDefinition:
    specs = check_specs(group.datasets, group.partitions_def)

    @dg.multi_asset(
        name=group.op,
        specs=[_spec(dataset, group) for dataset in group.datasets],
        check_specs=specs,
        can_subset=True,
        pool=API_POOL,
        backfill_policy=dg.BackfillPolicy.multi_run(MOST_PARTITIONS_A_BACKFILL_RUN),
    )
    def ingest(
        context: dg.AssetExecutionContext,
        config: IngestConfig,
        openf1: dg.ResourceParam[OpenF1],
        io_manager: dg.ResourceParam[ParquetLakeIOManager],
        judge: dg.ResourceParam[Judge],
        progress: dg.ResourceParam[RunTally],
    ) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
        selected = context.selected_asset_keys
        checks = context.selected_asset_check_keys
        if config.recheck_seasons:  # it plans none: most partitions will not have changed
            checks = {spec.key for spec in specs}
        with log_run(context.run, progress) as tally:
            ingestion = Ingestion(
                context,
                datasets=[dataset for dataset in group.datasets if asset_key(dataset) in selected],
                accept_loss=config.accept_loss,
                recheck_seasons=config.recheck_seasons,
                checks=checks,
                openf1=openf1,
                io_manager=io_manager,
                judge=judge,
                tally=tally,
            )
            try:
                if selected:
                    yield from ingestion.events()
                else:  # "Execute check" without materializing
                    yield from ingestion.check_events(group.datasets)
            finally:
                openf1.settle()

    return ingest


ingest_sessions = _ingest_asset(SESSION_GROUP)
ingest_races = _ingest_asset(RACE_GROUP)

ASSETS = (ingest_sessions, ingest_races)

ENDPOINTS = tuple(_endpoint_spec(dataset) for dataset in DATASETS)
