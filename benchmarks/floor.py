"""Dagster's own floor: runs that record the events of an ingest, and do nothing else.

`python -m benchmarks.floor save FILE` keeps what the Dagster home (DAGSTER_HOME) has recorded;
`python -m benchmarks.floor replay FILE` records it again in an empty home, with the same assets,
partitions and runs, by plain Dagster and its own storage: or by the home's own `dagster.yaml`, if
it has one. Nothing of f1_bronze is imported by the replay but what that file names.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_SEPARATOR = "\x1e"


def save(file: Path) -> None:
    """Each run's partitions, materializations and check evaluations, the earliest run first."""
    from dagster_shared.serdes import serialize_value

    kinds = {
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    }
    parts = []
    with dg.DagsterInstance.get() as instance:
        for run in reversed(instance.get_runs()):
            keys = run.tags[RANGE[0]], run.tags[RANGE[1]]
            name = next(
                key
                for key in ("f1_race_sessions", "f1_sessions")
                if keys[0] in instance.get_dynamic_partitions(key)
                and (key == "f1_race_sessions") == (run.job_name == "bronze_races")
            )
            parts.append(f"run {name} {keys[0]} {keys[1]}")
            for record in instance.get_records_for_run(run.run_id, of_type=kinds).records:
                event = record.event_log_entry.dagster_event
                if event is None:
                    continue
                one = (
                    event.asset_check_evaluation_data
                    if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
                    else event.step_materialization_data.materialization
                )
                parts.append(serialize_value(one))
        for name in ("f1_sessions", "f1_race_sessions"):
            parts.insert(0, " ".join(("keys", name, *instance.get_dynamic_partitions(name))))
    file.write_text(_SEPARATOR.join(parts), encoding="utf-8")


def replay(file: Path) -> None:
    """Record all of it again."""
    runs: list[tuple[list[str], list[str]]] = []
    with dg.DagsterInstance.get() as instance:
        for part in file.read_text(encoding="utf-8").split(_SEPARATOR):
            if part.startswith("keys "):
                _, name, *keys = part.split(" ")
                instance.add_dynamic_partitions(name, keys)
            elif part.startswith("run "):
                runs.append((part.split(" "), []))
            else:
                runs[-1][1].append(part)
        for (_, name, first, last), events in runs:
            if events:
                _record(instance, name, (first, last), events)


def _record(
    instance: dg.DagsterInstance, name: str, ends: tuple[str, str], events: list[str]
) -> None:
    from dagster_shared.serdes import deserialize_value

    found: list[Any] = [deserialize_value(event) for event in events]
    made = [one for one in found if isinstance(one, dg.AssetMaterialization)]
    checked = [one for one in found if not isinstance(one, dg.AssetMaterialization)]
    checks = {(one.asset_key, one.check_name) for one in checked}

    @dg.multi_asset(
        name="record",
        specs=[
            dg.AssetSpec(key, skippable=True)
            for key in sorted({one.asset_key for one in made}, key=str)
        ],
        check_specs=[dg.AssetCheckSpec(check, asset=key) for key, check in sorted(checks, key=str)],
        partitions_def=dg.DynamicPartitionsDefinition(name=name),
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
    )
    def record() -> Iterator[Any]:
        for one in found:
            if isinstance(one, dg.AssetMaterialization):
                yield one
            else:
                yield dg.AssetCheckEvaluation(
                    asset_key=one.asset_key,
                    check_name=one.check_name,
                    passed=one.passed,
                    metadata=one.metadata,
                    severity=one.severity,
                    description=one.description,
                    partition=one.partition,
                )

    definitions = dg.Definitions(
        assets=[record], jobs=[dg.define_asset_job("replay", selection="*")]
    )
    definitions.resolve_job_def("replay").execute_in_process(
        instance=instance, tags=dict(zip(RANGE, ends, strict=True))
    )


if __name__ == "__main__":
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    {"save": save, "replay": replay}[sys.argv[1]](Path(sys.argv[2]))
