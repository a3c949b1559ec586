"""The IO manager: bronze partitions are stored through it, and other assets stored and loaded.

Dagster's concept: https://docs.dagster.io/guides/build/io-managers
"""

from collections.abc import Generator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, cast, get_origin
from urllib.parse import quote

import dagster as dg
import pyarrow as pa
from pydantic import Field

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.partitions import DATASET_BY_ASSET_KEY, parse_key
from f1_bronze.lake.errors import LakeError, NotInLake
from f1_bronze.lake.lake import Lake
from f1_bronze.lake.landing import Candidate, Landing
from f1_bronze.lake.paths import hive_folder
from f1_bronze.lake.s3 import S3Writes

if TYPE_CHECKING:
    import pandas as pd
    from mypy_boto3_s3 import S3Client


class _MakesS3Client(Protocol):
    """What is used of `dagster_aws.s3.S3Resource`."""

    def get_client(self) -> "S3Client":
        """A client of boto3."""


class ParquetLakeIOManager(dg.ConfigurableIOManager):
    """Assets as Parquet in a lake: a local folder, or S3.

    S3 is reached by the standard AWS chain, or through `s3`, a `dagster_aws.s3.S3Resource`.

    Out: an asset returns a pyarrow.Table, a pandas.DataFrame or a list of dicts; over several
    partitions, a dict of these by partition key. The file lies at
    `<asset key>/year=…/grand_prix=…/session_type=…/<name>.parquet` for session partitions, at
    `<asset key>/partition=<key>/<name>.parquet` for others, at `<asset key>/<name>.parquet`
    without partitions.

    In: the annotation of the input decides. `pyarrow.Table` (also without annotation) and
    `pandas.DataFrame` hold all partitions that the input needs, one below the other, with
    year, grand_prix and session_type in front; `dict` holds a table by partition key; `list` holds
    records, for bronze datasets exactly as the API gave them. A partition that is not stored is
    an error, unless the input carries the metadata `allow_missing_partitions: True`.
    """

    lake_uri: str
    s3_writes: dict[str, str] = Field(
        default={},
        description="How objects are written to S3: encryption, kms_key_id, storage_class.",
    )
    # Any resource that makes a client: dagster_aws.s3 takes a second to import, and is only needed
    # by those who pass its resource.
    s3: dg.ResourceDependency[dg.ConfigurableResource[Any] | None] = None  # type: ignore[assignment]  # none is needed

    @cached_property
    def lake(self) -> Lake:
        """The lake itself, for what is neither an output nor an input."""
        client = cast("_MakesS3Client", self.s3).get_client if self.s3 is not None else None
        return Lake.at(self.lake_uri, S3Writes(**self.s3_writes), client)

    def land(self, candidate: Candidate, *, accept_loss: bool = False) -> Landing:
        """Store one session of a bronze dataset; see `lake.landing.land`."""
        return self.lake.land(candidate, accept_loss=accept_loss)

    def land_all(
        self, candidates: Sequence[Candidate], *, accept_loss: bool = False
    ) -> Generator[Landing | LakeError, None, None]:
        """Store sessions of bronze datasets; see `lake.Lake.land_all`."""
        return self.lake.land_all(candidates, accept_loss=accept_loss)

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write what an asset returned; nothing when it returned None."""
        if obj is None:
            return
        parts = tuple(context.asset_key.path)
        if context.asset_key in DATASET_BY_ASSET_KEY:
            raise dg.Failure(
                f"{'/'.join(parts)} is a bronze dataset, which is stored from OpenF1 only. Give "
                "your asset another key.",
                allow_retries=False,
            )
        keys = list(context.asset_partition_keys) if context.has_asset_partitions else [None]
        tables = obj if isinstance(obj, Mapping) else dict.fromkeys(keys, obj)
        if len(keys) > 1 and not isinstance(obj, Mapping):
            raise dg.Failure(
                f"{'/'.join(parts)} returned one table for {len(keys)} partitions. Return a dict "
                "of tables by partition key, or materialize one partition a run.",
                allow_retries=False,
            )
        rows = size = 0
        uri = ""
        for key in keys:
            table = _as_table(tables[key])
            uri, written = self.lake.write_table(asset_path(parts, key), table)
            rows, size = rows + table.num_rows, size + written
        context.add_output_metadata(
            {
                "dagster/row_count": rows,
                "dagster/uri": uri,
                "size_bytes": size,
            }
        )

    def load_input(self, context: dg.InputContext) -> Any:
        """Read what an asset needs, in the form that it asks for."""
        parts = tuple(context.asset_key.path)
        keys = list(context.asset_partition_keys) if context.has_asset_partitions else [None]
        lenient = bool((context.definition_metadata or {}).get("allow_missing_partitions"))
        wanted = context.dagster_type.typing_type
        wanted = get_origin(wanted) or wanted
        dataset = DATASET_BY_ASSET_KEY.get(context.asset_key)
        if wanted is list and dataset is not None:
            return self._records(dataset, keys, lenient)
        tables: dict[str | None, pa.Table] = {}
        for key in keys:
            try:
                tables[key] = self._read(parts, dataset, key)
            except NotInLake:
                if not lenient:
                    raise
        if wanted is dict:
            return tables
        table = (
            pa.concat_tables(tables.values(), promote_options="permissive")
            if tables
            else self.lake.table(dataset, ())
            if dataset is not None
            else pa.table({})
        )
        if wanted is list:
            return table.to_pylist()
        return _as_frame(table) if _is_pandas(wanted) else table

    def _read(self, parts: tuple[str, ...], dataset: Dataset | None, key: str | None) -> pa.Table:
        if dataset is None:
            return self.lake.read_table(asset_path(parts, key)).replace_schema_metadata(None)
        partitions = None if key is None else (SessionPartition.parse(key),)
        return self.lake.table(dataset, partitions)

    def _records(self, dataset: Dataset, keys: list[Any], lenient: bool) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        for key in keys:
            try:
                records += self.lake.read(dataset, SessionPartition.parse(key)).records(dataset)
            except NotInLake:
                if not lenient:
                    raise
        return records


def asset_path(parts: tuple[str, ...], partition_key: str | None) -> str:
    """Where an asset that is no bronze dataset lies.

    >>> asset_path(("silver", "best_laps"), "2025/bahrain/race")
    'silver/best_laps/year=2025/grand_prix=bahrain/session_type=race/best_laps.parquet'
    >>> asset_path(("gold", "days"), "2025-04-13")
    'gold/days/partition=2025-04-13/days.parquet'
    """
    folder = "/".join(parts)
    if partition_key is not None:
        partition = parse_key(partition_key)
        if partition is not None:
            folder += "/" + hive_folder(partition)
        else:  # somebody's own partitions: any text
            folder += f"/partition={quote(partition_key, safe='')}"
    return f"{folder}/{parts[-1]}.parquet"


def _is_pandas(wanted: Any) -> bool:
    return getattr(wanted, "__module__", "").startswith("pandas")


def _as_frame(table: pa.Table) -> "pd.DataFrame":
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _as_table(obj: Any) -> pa.Table:
    if isinstance(obj, pa.Table):
        return obj
    if isinstance(obj, list):
        return pa.Table.from_pylist(obj)
    if _is_pandas(type(obj)):
        return pa.Table.from_pandas(obj, preserve_index=False)
    raise dg.Failure(
        f"An asset returned {type(obj).__name__}. The lake takes a pyarrow.Table, a "
        "pandas.DataFrame or a list of dicts.",
        allow_retries=False,
    )
