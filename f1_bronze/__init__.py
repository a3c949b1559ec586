"""f1_bronze: Formula 1 sessions from OpenF1 as a bronze layer on Dagster.

The way of a lap:
1. `openf1/calendar` finds the session in which it was driven and gives it a partition.
2. `openf1/batches` asks for the laps of many sessions in one call; `openf1/client` asks at the rate
   that `openf1/budget` allows and retries; `openf1/answers` distinguishes rows, an empty answer and
   each kind of failure.
3. `lake/records` turns the answer into typed rows that can be turned back, `lake/parquet` into the
   bytes of a file, and `lake/landing` decides whether these become the partition's content.
4. `defs/run/ingestion` does this for every selected partition and dataset, and
   `defs/run/materialization` records each in Dagster as it is stored, with a chart from `charts`.
5. `quality/judge` checks it against the rules that are declared beside its columns, and
   `defs/run/judging` records the results of the checks.
6. `defs/record/runs` reads the run back from Dagster's event log, and `defs/outbound` sends its
   metrics, lineage events and alerts through `telemetry`.

Where do I go to…?
- add a column or a dataset: `datasets/`, one file per dataset; then the roll-call in its __init__
- add or change a rule: `datasets/`, beside the columns; one across rows also in `quality/racing/`
- change what is done about an answer (429, 404, …): the table in `openf1/answers`, `openf1/client`
- change how fast the API is asked: `openf1/budget`; how many sessions at once: `openf1/batches`
- change where files lie: `lake/paths`; what becomes of an answer that differs: `lake/landing`
- change what Spark, Athena and DuckDB see of the lake: `lake/catalog`, `lake/sql`
- change what Dagster shows of a partition: `defs/run/materialization`, `defs/checks`
- change what runs by itself: `defs/automation/reconcile`; when: `defs/schedules`, `defs/sensors`
- change what counts as missing, overdue or wrong: `defs/monitoring/`, with the report page
- read something from Dagster's event log: `defs/record/`
- change a metric, an alert or a lineage event: `telemetry/`; when it is sent: `defs/outbound/`
- change a log line: `defs/run/tally`; how it looks and where it goes: `telemetry/logs`
- change a chart: `charts/`
- add a command: `cli/`, a module each, and the roll-call in its __init__
- add a setting: `settings`
- make the simulated API misbehave: `simulator/faults`
- regenerate a page of the docs or a template from the declarations: `tools/`, `make docs`

Imports go one way, held by a test:
`datasets ← openf1, lake, quality, telemetry, charts ← defs ← definitions, cli`; inside defs
`partitions ← record ← run, automation, outbound, monitoring`. The simulator imports none of them.
"""

__version__ = "0.1.0"
