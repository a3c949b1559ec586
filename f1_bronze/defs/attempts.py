"""What earlier attempts of a run have landed.

Belongs here: which runs a run goes on with, and what they recorded. Stays out: when a run is
attempted again (reopening.py, Dagster's run retries).
"""

from collections.abc import Collection, Iterator

import dagster as dg

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.events import asset_key, told_again
from f1_bronze.defs.latest import latest_materializations
from f1_bronze.defs.tags import GOES_ON_WITH_TAG, PARENT_RUN

_GOES_ON = (
    "dagster/is_resume_retry",  # re-executed from failure
    "dagster/is_asset_resume_retry",  # re-executed from asset failure
    "dagster/retry_number",  # by Dagster, after a crash
)


def landed_before(
    instance: dg.DagsterInstance, run: dg.DagsterRun, datasets: Collection[Dataset]
) -> Iterator[tuple[Dataset, SessionPartition, dg.AssetMaterialization]]:
    """What earlier attempts of this same run have landed, as events that tell it again.

    Dagster shows a partition as failed when the last run that meant to make it failed and did
    not tell of it, so a further attempt must tell of each, or what landed would turn red. A run
    that was re-executed as a whole is no further attempt: it asks for everything.
    """
    by_key = {asset_key(dataset): dataset for dataset in datasets}
    for run_id in _earlier_attempts(instance, run):
        landed: dict[Dataset, set[str]] = {}
        for record in instance.get_records_for_run(
            run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        ).records:
            event = record.event_log_entry.asset_materialization
            if event is not None and event.asset_key in by_key and event.partition:
                landed.setdefault(by_key[event.asset_key], set()).add(event.partition)
        for dataset, keys in landed.items():
            latest = latest_materializations(instance, asset_key(dataset), keys)
            # Where another run has landed something since, the old event would hide it. The runs
            # tell, not the ids: SQLite numbers the events of a run and those of an asset apart.
            for key, record in latest.items():
                event = record.asset_materialization
                if event is not None and record.run_id == run_id:
                    yield dataset, SessionPartition.parse(key), told_again(event, run_id)


def _earlier_attempts(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[str]:
    """Ids of the runs that this one goes on with, the latest first."""
    tags = run.tags
    while PARENT_RUN in tags and (
        any(tag in tags for tag in _GOES_ON)
        or tags.get(GOES_ON_WITH_TAG) == tags[PARENT_RUN]  # by our sensor, after a closure
    ):
        parent = instance.get_run_by_id(tags[PARENT_RUN])
        if parent is None:
            return
        yield parent.run_id
        tags = parent.tags
