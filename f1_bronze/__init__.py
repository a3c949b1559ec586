"""f1_bronze: Formula 1 sessions from OpenF1 as a bronze layer on Dagster.

The way of a lap:
1. `openf1.calendar` finds the session that it was driven in and gives it a partition.
2. `openf1.batches` asks for the laps of many sessions in one call, `openf1.client` at the API's
   pace, and `openf1.outcomes` tells rows from an empty answer from a failure.
3. `lake.records` turns the answer into typed rows that can be turned back, `lake.parquet` into
   the bytes of a file, and `lake.landing` decides whether these become the partition's content.
4. `defs.ingestion` runs the above for every selected partition and dataset, and `defs.events`
   tells Dagster of each as it lands, with a picture of it from `pictures`.
5. `quality.judging` holds it against the rules that are declared beside its columns, and
   `defs.checks` tells Dagster the verdicts.
6. `telemetry` tells the outside, once `defs.run_records` has read the run back from Dagster.

Where do I go to…?
- add a column or a dataset: `datasets/`, one file per dataset; then the roll-call in its __init__
- change how often or how fast the API is asked: `openf1/pace.py`, `openf1/retries.py`
- change how many sessions are asked at once: `openf1/batches.py`
- change where files lie: `lake/paths.py`
- change what Dagster shows of a partition: `defs/events.py`
- change what becomes of an answer that differs: `lake/landing.py`, `lake/history.py`
- add or change a rule: `datasets/`, beside the columns; one across rows also in `quality/racing/`
- change what runs by itself: `defs/schedules.py`, `weekly.py`, `calendar_sensor.py`, `reopening.py`
- change a metric or what lineage tells: `telemetry/metric_kinds.py`, `telemetry/lineage/`
- change a picture: `pictures/`; what the report shows: `defs/report_page/`
- change what is watched: `defs/coverage_asset.py`, `defs/stale_sessions.py`
- change what Spark, Athena and DuckDB are told of the lake: `lake/tables.py`, `glue.py`, `views.py`
- add a subcommand: `commands/`, a module each, and the roll-call in `cli.py`
- change what a run says in the log: `defs/logs.py`; how a line looks: `telemetry/logs/lines.py`
- add a setting: `variables.py`, then `settings.py`
- make the stand-in misbehave: `simulator/faults.py`

Imports go one way, held by a test:
`datasets ← openf1, lake, quality, telemetry, pictures ← defs ← definitions, commands, cli`.
The simulator imports none of them.
"""

__version__ = "0.1.0"
