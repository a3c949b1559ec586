"""When a silver partition is made again: the automation condition and its sensor.

Why not Dagster's own conditions: docs/guides/downstream.md.
"""

import json
import warnings
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any, cast

import dagster as dg

from examples.silver.fitness import held_back
from f1_bronze.defs.record.latest import RecordedMaterialization, read_materializations

_VERSION = "dagster/data_version"
# The materialization that was read. Beside it Dagster notes a data version, but of a partitioned
# upstream that is a hash of the versions and equals none of them.
_READ = "dagster/input_event_pointer/"
_SIGNATURE_LENGTH = 12

Versions = Mapping[str, str]
"""Partition key → a signature of the data versions of everything upstream."""
Made = Mapping[str, tuple[int, str]]
"""Partition key → the storage id of what was made last, and the signature it was made from."""


class FollowsBronze(dg.AutomationCondition[dg.AssetKey]):
    """True for partitions whose upstream is fit for use and is not what they were made from.

    It compares states and not events, so nothing is missed while the daemon is down, and rows that
    were stored again unchanged are no reason to run. Each state of the upstream is requested once:
    a partition that fails is not run again until its upstream has changed.

    What was stored before the first evaluation is left to a backfill; only partitions that were
    made before are brought up to date.

    Every upstream asset is read by the same partition key. The condition stands alone, because what
    is true counts as asked for, and its sensor needs `use_user_code_server=True`.
    """

    @property
    def description(self) -> str:
        """What the UI says of it."""
        return "Its bronze rows are fit for use, and others than those that it was made from"

    async def evaluate(  # type: ignore[override]  # Dagster awaits it where it is async
        self, context: dg.AutomationContext[dg.AssetKey]
    ) -> dg.AutomationResult[dg.AssetKey]:
        """The partitions to make now; the cursor has what was asked for and is not made yet."""
        if context.partitions_def is None:
            raise dg.DagsterInvalidDefinitionError(
                f"{context.key.to_user_string()} has no partitions to follow. Give it F1_SESSIONS "
                "or F1_RACE_SESSIONS, or another condition."
            )
        busy = await context.for_child_condition(
            cast("dg.AutomationCondition[dg.AssetKey]", dg.AutomationCondition.in_progress()),
            child_indices=[0],
            candidate_subset=context.candidate_subset,
        ).evaluate_async()
        view = context.asset_graph_view
        instance, upstream = view.instance, sorted(context.asset_graph.get(context.key).parent_keys)
        keys = context.candidate_subset.expensively_compute_partition_keys()
        now = upstream_versions(instance, upstream, keys)
        before = json.loads(context.cursor) if context.cursor else {}
        made = made_from(instance, context.key, upstream, now, known=before.get("made", {}))
        if before:
            asked = before["asked"]
        else:
            asked = {key: version for key, version in now.items() if key not in made}
        waiting = busy.true_subset.expensively_compute_partition_keys()
        lagging = {key for key, version in now.items() if version != made.get(key, (0, ""))[1]}
        due = {key for key in lagging if now[key] != asked.get(key)} - waiting
        for parent in upstream:
            due -= held_back(instance, parent, due).keys()
        asked |= {key: now[key] for key in due}
        still_open = {key: version for key, version in asked.items() if key in lagging}
        return dg.AutomationResult(
            context,
            view.get_subset_from_partition_keys(context.key, context.partitions_def, due),
            cursor=json.dumps({"asked": still_open, "made": made}, sort_keys=True),
            child_results=[busy],
        )


def upstream_versions(
    instance: dg.DagsterInstance, upstream: Collection[dg.AssetKey], keys: Collection[str]
) -> Versions:
    """What bronze holds now, for partitions of which all of the upstream has landed."""
    found = [
        instance.event_log_storage.get_latest_tags_by_partition(
            parent,
            dg.DagsterEventType.ASSET_MATERIALIZATION,
            [_VERSION],
            asset_partitions=list(keys),
        )
        for parent in upstream
    ]
    return {
        key: _signature([tags[key][_VERSION] for tags in found])
        for key in keys
        if all(_VERSION in tags.get(key, {}) for tags in found)
    }


def made_from(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    upstream: Collection[dg.AssetKey],
    keys: Collection[str],
    *,
    known: Mapping[str, Sequence[Any]],
) -> Made:
    """What the latest materialization of each partition was made from.

    What is `known` of a materialization is not read again, so a tick costs one query where nothing
    was made since.
    """
    latest = instance.get_latest_storage_id_by_partition(
        asset, dg.DagsterEventType.ASSET_MATERIALIZATION, set(keys)
    )
    made = {
        key: (storage_id, str(known[key][1]))
        for key, storage_id in latest.items()
        if key in known and known[key][0] == storage_id
    }
    new = [storage_id for key, storage_id in latest.items() if key not in made]
    records = read_materializations(instance, asset, new)
    versions = {parent: _versions_read(instance, parent, records) for parent in upstream}
    for record in records:
        read = [versions[parent].get(_pointer(record, parent), "") for parent in upstream]
        made[str(record.event.partition)] = (record.storage_id, _signature(read))
    return made


def _versions_read(
    instance: dg.DagsterInstance, parent: dg.AssetKey, records: Collection[RecordedMaterialization]
) -> Mapping[str, str]:
    """Pointer → the data version of what was read there."""
    pointers = {_pointer(record, parent) for record in records}
    ids = [int(pointer) for pointer in pointers if pointer.isdigit()]
    return {
        str(read.storage_id): read.data_version or ""
        for read in read_materializations(instance, parent, ids)
    }


def _pointer(record: RecordedMaterialization, parent: dg.AssetKey) -> str:
    return record.tags.get(_READ + parent.to_user_string(), "")


def _signature(versions: list[str]) -> str:
    return sha256("\n".join(versions).encode()).hexdigest()[:_SIGNATURE_LENGTH]


with warnings.catch_warnings():
    # Conditions of one's own are labelled beta; what is used of them is tried with the daemon.
    warnings.simplefilter("ignore", dg.BetaWarning)
    silver_follows_bronze = dg.AutomationConditionSensorDefinition(
        "silver_follows_bronze",
        target=dg.AssetSelection.groups("silver"),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        use_user_code_server=True,  # the daemon itself knows no condition but Dagster's own
        emit_backfills=False,  # runs of a backfill would count as historical in the metrics
        description=(
            "Makes a silver partition when its bronze rows have changed and are fit for use."
        ),
    )
