"""Makes the OpenLineage event of a silver partition, which meets bronze's tables in a consumer.

Send it with the official client, for example in a hook or a sensor of your own:
`OpenLineageClient(url=…).emit(silver_event(…))`.
"""

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import unquote, urlsplit

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import base_subset_dataset as subsets
from openlineage.client.naming.dataset import S3, DatasetNaming, LocalFileSystem
from openlineage.client.uuid import generate_static_uuid

PRODUCER = "https://example.org/silver"


def silver_event(
    lake_uri: str, asset: str, upstream: Iterable[str], partition: str, run_id: str, at: datetime
) -> RunEvent:
    """The COMPLETE of one partition.

    Args:
        lake_uri: the lake's root, `s3://bucket/prefix` or a folder.
        asset: the silver table, such as `driver_pace`.
        upstream: the bronze tables that it was made from, such as `laps`.
        partition: the partition's key, the same in both layers.
        run_id: Dagster's.
        at: when it was made, UTC.
    """
    year, grand_prix, session_type = partition.split("/")
    dimensions = {"year": year, "grand_prix": grand_prix, "session_type": session_type}
    subset = subsets.PartitionSubsetCondition(
        partitions=[subsets.Partition(identifier=partition, dimensions=dimensions)]
    )
    read, written = (
        {"subset": subsets.InputSubsetInputDatasetFacet(inputCondition=subset)},
        {"subset": subsets.OutputSubsetOutputDatasetFacet(outputCondition=subset)},
    )
    tables = [table(lake_uri, f"bronze/{name}") for name in upstream]
    output = table(lake_uri, f"silver/{asset}")
    return RunEvent(
        eventType=RunState.COMPLETE,
        eventTime=at.isoformat(),
        run=Run(runId=str(generate_static_uuid(at, f"{run_id}/{asset}/{partition}".encode()))),
        job=Job(namespace="f1-silver", name=f"silver_{asset}"),
        inputs=[
            InputDataset(namespace=one.get_namespace(), name=one.get_name(), inputFacets=read)
            for one in tables
        ],
        outputs=[
            OutputDataset(
                namespace=output.get_namespace(), name=output.get_name(), outputFacets=written
            )
        ],
        producer=PRODUCER,
    )


def table(lake_uri: str, name: str) -> DatasetNaming:
    """A table of the lake by the official client's naming: what Spark calls it too.

    >>> table("s3://my-bucket/f1", "bronze/laps").get_name()
    'f1/bronze/laps'
    """
    parts = urlsplit(lake_uri)
    if parts.scheme == "s3":
        return S3(parts.netloc, f"{parts.path.strip('/')}/{name}".lstrip("/"))
    root = unquote(parts.path) if parts.scheme == "file" else lake_uri
    return LocalFileSystem(f"{root.rstrip('/')}/{name}")
