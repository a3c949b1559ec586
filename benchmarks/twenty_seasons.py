"""What a deployment costs after twenty seasons of every session type: 2,400 partitions.

`python -m benchmarks.twenty_seasons [--postgresql postgresql://USER:PASSWORD@HOST:PORT/DB]`. One
weekend is ingested from the simulator. Then stand-ins for the two ops record the same events,
charts, previews and verdicts included, for the 120 partitions of one season, in two real runs. The
other seasons are copies of what Dagster's tables have of it, under keys and run ids of their own.
The lake gets a file for each partition. Everything is measured after the first quarter and at the
end: what grows with the size has a ratio of 4, what does not a ratio of 1.
"""

import argparse
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as db

from benchmarks.workers import free_port, wait_for
from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition

FIRST_SEASON = 2004
ROUNDS = 24
TYPES = ("practice_1", "practice_2", "practice_3", "qualifying", "race")
SPRINT_TYPES = ("practice_1", "sprint_qualifying", "sprint", "qualifying", "race")
SPRINTS = 6
WEEKEND = ("2025", "--grand-prix", "chinese", "--session-type", "all", "--offline")


def invented(seasons: int) -> list[SessionPartition]:
    """The sessions of so many seasons, chronologically: 120 a season."""
    return [
        SessionPartition(year=FIRST_SEASON + season, grand_prix=f"round_{n:02}", session_type=name)
        for season in range(seasons)
        for n in range(ROUNDS)
        for name in (SPRINT_TYPES if n < SPRINTS else TYPES)
    ]


class Templates:
    """The events and files of one weekend, by dataset and session type."""

    def __init__(self, lake: Path) -> None:
        from f1_bronze.defs.automation.instance import open_instance
        from f1_bronze.defs.partitions import parse_key, read_registered
        from f1_bronze.defs.record.latest import read_latest

        self.materializations: dict[tuple[str, str], Any] = {}
        self.evaluations: dict[tuple[str, str], list[dg.AssetCheckEvaluation]] = {}
        self.files: dict[tuple[str, str], Path] = {}
        with open_instance() as instance:
            keys = read_registered(instance).session_keys
            for dataset in DATASETS:
                for key, one in read_latest(instance, dataset, set(keys)).items():
                    partition = parse_key(key)
                    assert partition is not None
                    self.materializations[dataset.name, partition.session_type] = one
            for run in instance.get_runs():
                for record in instance.get_records_for_run(
                    run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
                ).records:
                    data: Any = record.event_log_entry.get_dagster_event().event_specific_data
                    place = (data.asset_key.path[-1], data.partition.rpartition("/")[2])
                    self.evaluations.setdefault(place, []).append(data)
        for path in lake.rglob("bronze/*/*/*/*/*.parquet"):
            parts = path.relative_to(lake).parts
            self.files[parts[1], parts[4].removeprefix("session_type=")] = path

    def of(self, kind: Mapping[tuple[str, str], Any], dataset: str, session_type: str) -> Any:
        """That of the session type, or of a similar one that the weekend had."""
        for name in (session_type, session_type.rpartition("_")[0] + "_1", "qualifying"):
            if (dataset, name) in kind:
                return kind[dataset, name]
        raise KeyError((dataset, session_type))


def stand_ins(templates: Templates) -> dg.Definitions:
    """The two ops under their names, which record what the templates have."""
    from f1_bronze.defs.assets import ASSETS
    from f1_bronze.defs.jobs import JOBS
    from f1_bronze.defs.partitions import DATASET_GROUPS, DatasetGroup

    def stand_in(real: dg.AssetsDefinition, group: DatasetGroup) -> dg.AssetsDefinition:
        @dg.multi_asset(
            name=group.op,
            specs=list(real.specs),
            check_specs=list(real.check_specs),
            can_subset=True,
        )
        def record(context: dg.AssetExecutionContext) -> Iterator[Any]:
            for dataset in group.datasets:
                yield from _record(context, templates, dataset.name)

        return record

    assets = [stand_in(*pair) for pair in zip(ASSETS, DATASET_GROUPS, strict=True)]
    return dg.Definitions(assets=assets, jobs=JOBS, executor=dg.in_process_executor)


def _record(context: Any, templates: Templates, name: str) -> Iterator[Any]:
    from f1_bronze.defs.record.latest import read_latest

    [dataset] = [one for one in DATASETS if one.name == name]
    keys = [str(key) for key in context.partition_keys]
    for key in keys:
        one = templates.of(templates.materializations, name, key.rpartition("/")[2])
        tags = {k: v for k, v in one.tags.items() if k.startswith("dagster/")}
        yield dg.AssetMaterialization(
            asset_key=one.event.asset_key, partition=key, metadata=one.event.metadata, tags=tags
        )
    stored = read_latest(context.instance, dataset, set(keys))
    for key in keys:
        for one in templates.of(templates.evaluations, name, key.rpartition("/")[2]):
            yield dg.AssetCheckEvaluation(
                asset_key=one.asset_key,
                check_name=one.check_name,
                passed=one.passed,
                severity=one.severity,
                description=one.description,
                metadata=one.metadata,
                partition=key,
                target_materialization_data=stored[key].check_target,
            )


def store_files(sessions: Sequence[SessionPartition], templates: Templates, lake: Path) -> None:
    """A file of the lake for each dataset of each session that has none yet."""
    from f1_bronze.lake.paths import file_path

    for number, partition in enumerate(sessions):
        for dataset in DATASETS:
            if dataset.exists_for(partition.session_type):
                file = templates.of(templates.files, dataset.name, partition.session_type)
                target = lake / file_path(dataset.name, partition, 100_000 + number)
                if not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.link(file, target)


def record_a_season(sessions: Sequence[SessionPartition], templates: Templates) -> None:
    """Record these sessions in runs of the stand-ins."""
    from f1_bronze.defs.automation.instance import open_instance
    from f1_bronze.defs.automation.launch import describe_crash, execute, plan_runs
    from f1_bronze.defs.partitions import read_registered, register

    definitions = _without_config(stand_ins(templates))
    with open_instance() as instance:
        register(instance, sessions)
        wanted = {
            dataset: {one.key for one in sessions if dataset.exists_for(one.session_type)}
            for dataset in DATASETS
        }
        for run in plan_runs(read_registered(instance), wanted):
            result = execute(
                run, definitions=definitions, instance=instance, accept_loss=False, tags={}
            )
            assert result.success, describe_crash(result)


def copy_season(year: int, database: str | None) -> None:
    """Record for `year` what is on record of the first season."""
    first, other = f"{FIRST_SEASON}/", f"{year}/"
    if database is not None:
        engine = db.create_engine(database.replace("postgresql://", "postgresql+psycopg2://", 1))
        with engine.begin() as connection:
            runs = _runs_of_first_season(connection)
            _copy(connection, _EVENT_TABLES + _RUN_TABLES, runs, first, other)
        engine.dispose()
        return
    storage = Path(os.environ["DAGSTER_HOME"], "history")
    runs_file = next(storage.rglob("runs.db"))
    with _sqlite(runs_file) as connection:
        runs = _runs_of_first_season(connection)
        _copy(connection, _RUN_TABLES, runs, first, other)
    with _sqlite(next(storage.rglob("index.db"))) as connection:
        _copy(connection, _EVENT_TABLES, runs, first, other)
    for run in runs:
        old = next(storage.rglob(f"{run}.db"))
        new = old.with_name(f"{_renamed(run, other)}.db")
        with _sqlite(old) as connection:  # a copy by the database itself: no open log is left out
            connection.exec_driver_sql(f"VACUUM INTO '{new}'")
        with _sqlite(new) as connection:
            for name in ("run_id", "event", "partition"):
                connection.execute(
                    db.text(f"UPDATE event_logs SET {name} = {_replaced(name, runs, first, other)}")
                )


_EVENT_TABLES = ("event_logs", "asset_event_tags", "asset_check_executions")
_RUN_TABLES = ("runs", "run_tags")
_IDS = ("id", "event_id", "evaluation_event_storage_id", "materialization_event_storage_id")
_TEXTS = ("run_id", "event", "evaluation_event", "run_body", "partition", "value")
_IDS_A_SEASON = 100_000


@contextmanager
def _sqlite(file: Path) -> Iterator[db.Connection]:
    engine = db.create_engine(f"sqlite:///{file}", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _runs_of_first_season(connection: db.Connection) -> list[str]:
    found = connection.exec_driver_sql("SELECT run_id FROM runs ORDER BY id LIMIT 2").fetchall()
    return [str(row[0]) for row in found]


def _renamed(run: str, other: str) -> str:
    return other[:4] + run[4:]


def _replaced(column: str, runs: Sequence[str], first: str, other: str) -> str:
    """SQL for a column's text with the other season's keys and run ids."""
    sql = f"replace({column}, '{first}', '{other}')"
    for run in runs:
        sql = f"replace({sql}, '{run}', '{_renamed(run, other)}')"
    return sql


def _copy(
    connection: db.Connection, tables: Sequence[str], runs: Sequence[str], first: str, other: str
) -> None:
    season = int(other[:4]) - FIRST_SEASON
    for table in tables:
        columns = [column["name"] for column in db.inspect(connection).get_columns(table)]
        values = [
            f"{name} + {season * _IDS_A_SEASON}"
            if name in _IDS
            else _replaced(name, runs, first, other)
            if name in _TEXTS
            else name
            for name in columns
        ]
        names = ", ".join(f'"{name}"' for name in columns)
        quoted = [value.replace("(value,", '("value",') for value in values]
        connection.execute(
            db.text(
                f"INSERT INTO {table} ({names}) SELECT {', '.join(quoted)} FROM {table} "
                f"WHERE id < {_IDS_A_SEASON}"
            )
        )
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
            )


def _without_config(definitions: dg.Definitions) -> Any:
    """Definitions whose jobs take no configuration of the op, which the stand-ins do not have."""

    class Jobs:
        def resolve_job_def(self, name: str) -> Any:
            job = definitions.resolve_job_def(name)

            class Job:
                def execute_in_process(self, *, run_config: dict[str, Any], **how: Any) -> Any:
                    run_config.pop("ops")
                    return job.execute_in_process(run_config=run_config, **how)

            return Job()

    return Jobs()


def measure(seasons: int, database: str | None) -> dict[str, float]:
    """Seconds and megabytes, by what they are of."""
    last = str(FIRST_SEASON + seasons - 1)
    first_to_last = f"{FIRST_SEASON}-{last}"
    one = f"year = {last} AND grand_prix = 'round_10' AND session_type = 'race'"
    figures = {
        "status of a season": cpu_of("status", last),
        "status of all": cpu_of("status", first_to_last),
        "sql of a partition": cpu_of("sql", f"SELECT count(*) FROM laps WHERE {one}"),
        "sql of a dataset": cpu_of("sql", "SELECT count(*) FROM laps"),
    }
    figures |= in_process("sensor_ticks") | in_process("pages") | in_process("planning")
    figures["database, MB"] = size_of(database)
    return {name: round(value, 2) for name, value in figures.items()}


def cpu_of(*words: str) -> float:
    """CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "f1_bronze.cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout[-2000:]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def in_process(name: str) -> dict[str, float]:
    """What a function of this module measures in a process of its own, as a daemon's would be."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder, "figures.json")
        command = [sys.executable, "-m", "benchmarks.twenty_seasons", "--only", name, str(found)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return json.loads(found.read_text("utf-8"))  # type: ignore[no-any-return]


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of this process, its code server's not among them."""
    began = time.process_time()
    work()
    return time.process_time() - began


def sensor_ticks() -> dict[str, float]:
    """CPU seconds of each sensor's tick when it has caught up; the calendar's asks the API."""
    from f1_bronze.definitions import assemble
    from f1_bronze.defs.automation.instance import open_instance
    from f1_bronze.defs.resources import Deployment
    from f1_bronze.defs.sensors import SENSORS
    from f1_bronze.settings import Settings

    found = {}
    with open_instance() as instance:
        settings = Settings.read()
        definitions = assemble(settings)
        for sensor in SENSORS:
            if sensor.name == "openf1_calendar":
                continue
            cursor = None
            for _ in range(400):
                with dg.build_sensor_context(
                    instance=instance,
                    cursor=cursor,
                    definitions=definitions,
                    resources={"deployment": Deployment(settings)},
                ) as context:
                    began = time.process_time()
                    sensor.evaluate_tick(context)
                    spent = time.process_time() - began
                    ended, cursor = context.cursor == cursor, context.cursor
                if ended:
                    break
            found[f"tick of {sensor.name}"] = spent
    return found


def _workspace(instance: dg.DagsterInstance) -> Any:
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import ModuleTarget

    target = ModuleTarget(
        module_name="f1_bronze.definitions",
        attribute=None,
        working_directory=None,
        location_name="f1_bronze",
    )
    return WorkspaceProcessContext(instance, target)


def pages() -> dict[str, float]:
    """CPU seconds of a webserver for what pages of partitions ask of it, each twice."""
    from f1_bronze.defs.automation.instance import prepare_home

    laps = {"key": {"path": ["bronze", "laps"]}}
    queries = {
        "partitions page": """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) {
          ... on AssetNode { partitionKeys assetPartitionStatuses {
            ... on DefaultPartitionStatuses { materializedPartitions failedPartitions }
          } partitionStats { numMaterialized } } } }""",
        "one partition's event": """query($key: AssetKeyInput!) {
          assetNodeOrError(assetKey: $key) { ... on AssetNode {
            assetMaterializations(partitions: ["2004/round_10/race"], limit: 1) { runId
              metadataEntries { label ... on MarkdownMetadataEntry { mdStr } } } } } }""",
        "checks page": """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) {
          ... on AssetNode { assetChecksOrError { ... on AssetChecks { checks { name
            partitionStatuses { ... on AssetCheckDefaultPartitionStatuses {
              succeededPartitions failedPartitions } } } } } } } }""",
        "runs page": "{ runsOrError(limit: 30) { ... on Runs { results { runId status tags "
        "{ key value } } count } } }",
    }
    home, port = prepare_home(), free_port()
    webserver = str(Path(sys.executable).with_name("dagster-webserver"))
    served = subprocess.Popen(
        [webserver, "-p", str(port), "-w", str(home / "workspace.yaml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url, found = f"http://127.0.0.1:{port}", {}
    try:
        wait_for(f"{url}/server_info")
        _ask(url, "{ version }", {})
        for name, query in queries.items():
            variables = laps if "$key" in query else {}
            for suffix in (", first", ""):
                before = _cpu_of_process(served.pid)
                _ask(url, query, variables)
                found[name + suffix] = _cpu_of_process(served.pid) - before
    finally:
        served.terminate()
        served.wait(60)
    return found


def _ask(url: str, query: str, variables: Mapping[str, Any]) -> None:
    request = urllib.request.Request(
        f"{url}/graphql",
        data=json.dumps({"query": query, "variables": variables}).encode(),
        headers={"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=600) as answer:
        assert "errors" not in json.load(answer)


def _cpu_of_process(pid: int) -> float:
    """CPU seconds of a process so far, in steps of a hundredth."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def planning() -> dict[str, float]:
    """CPU seconds of the daemon's first tick over a backfill of everything, its runs queued.

    The backfill and its runs are deleted afterwards.
    """
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
    from dagster._daemon.backfill import execute_backfill_iteration
    from dagster_graphql.test.utils import execute_dagster_graphql

    from f1_bronze.defs.automation.instance import open_instance

    launch = """mutation($params: LaunchBackfillParams!) {
      made: launchPartitionBackfill(backfillParams: $params) {
        __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
      }
    }"""
    with open_instance() as instance, _workspace(instance) as workspace:
        params = {
            "assetSelection": [{"path": ["bronze", dataset.name]} for dataset in DATASETS],
            "partitionNames": list(instance.get_dynamic_partitions("f1_sessions")),
        }
        context = workspace.create_request_context()
        made: Any = {}
        asked = seconds(
            lambda: made.update(execute_dagster_graphql(context, launch, {"params": params}).data)
        )
        backfill = made["made"]["backfillId"]

        def tick() -> None:
            errors = execute_backfill_iteration(workspace, logging.getLogger("scale"))
            assert [error for error in errors if error is not None] == []

        first, second = seconds(tick), seconds(tick)
        runs = instance.get_runs(filters=dg.RunsFilter(tags={"dagster/backfill": backfill}))
        for run in runs:
            instance.delete_run(run.run_id)
        ids = [run.run_id for run in runs]
        with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
            planned = AssetCheckExecutionsTable.c.run_id.in_(ids)  # a run's deletion leaves them
            connection.execute(AssetCheckExecutionsTable.delete().where(planned))
        found = instance.get_backfill(backfill)
        assert found is not None
        instance.update_backfill(found.with_status(type(found.status).CANCELED))
    return {
        "asking for a backfill of everything": asked,
        "its planning tick": first,
        "a later tick": second,
        "runs planned": float(len(runs)),
    }


def size_of(database: str | None) -> float:
    """The record's size in megabytes."""
    if database is None:
        home = Path(os.environ["DAGSTER_HOME"])
        return sum(file.stat().st_size for file in home.rglob("*.db*")) / 1e6
    import psycopg2

    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return float(cursor.fetchone()[0]) / 1e6


def _use_postgresql(home: Path, database: str) -> None:
    from f1_bronze.defs.automation.instance import CONFIG

    parts = urllib.parse.urlsplit(database)
    login = {
        "hostname": parts.hostname,
        "port": parts.port,
        "username": parts.username,
        "password": urllib.parse.unquote(parts.password or ""),
        "db_name": parts.path.lstrip("/"),
        "scheme": "postgresql+psycopg2",
    }
    storage = json.dumps({"postgres": {"postgres_db": login}})  # JSON is YAML
    ours = "".join(  # without the event log of SQLite
        section
        for section in _sections(CONFIG)
        if not section.startswith(("event_log_storage:", "storage:"))
    )
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(f"{ours}\nstorage: {storage}\n")


def _sections(text: str) -> list[str]:
    sections = [""]
    for line in text.splitlines(keepends=True):
        if not line.startswith((" ", "#")):
            sections.append("")
        sections[-1] += line
    return sections


def main() -> None:
    """Fill, measure after a quarter and at the end, print figures and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seasons", type=int, default=20)
    parser.add_argument("--postgresql", help="An empty database for Dagster's record.")
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    logging.getLogger("f1_bronze").setLevel(logging.ERROR)
    if asked.only:
        work, found = asked.only
        Path(found).write_text(json.dumps(globals()[work]()), encoding="utf-8")
        return
    folder = Path(tempfile.mkdtemp(prefix="f1_bronze_seasons_"))
    try:
        _measure_all(folder, asked.seasons, asked.postgresql)
    finally:
        shutil.rmtree(folder)


def _measure_all(folder: Path, seasons: int, database: str | None) -> None:
    from f1_bronze.defs.automation.instance import open_instance
    from f1_bronze.defs.partitions import register

    os.environ["DAGSTER_HOME"] = str(folder / "weekend")
    os.environ["F1_BRONZE_LAKE_URI"] = str(folder / "weekend_lake")
    os.environ["F1_BRONZE_RATE_STORE"] = "memory"
    cpu_of("ingest", *WEEKEND)
    templates = Templates(folder / "weekend_lake")
    os.environ["DAGSTER_HOME"] = str(folder / "home")
    os.environ["F1_BRONZE_LAKE_URI"] = str(folder / "lake")
    if database is not None:
        _use_postgresql(folder / "home", database)
    sessions, figures = invented(seasons), []
    record_a_season(invented(1), templates)
    parts, done = (max(1, seasons // 4), seasons), 1
    for part in parts:
        for season in range(done, part):
            copy_season(FIRST_SEASON + season, database)
        done = part
        until = invented(part)
        with open_instance() as instance:
            register(instance, until)
        store_files(until, templates, folder / "lake")
        sys.stderr.write(f"{len(until)} of {len(sessions)} partitions\n")
        figures.append(measure(part, database))
        sys.stderr.write(f"{json.dumps(figures[-1])}\n")
    sys.stdout.write(f"{'':<44}{parts[0]:>8} {parts[1]:>8} seasons   ratio\n")
    for name, few in figures[0].items():
        many = figures[1][name]
        ratio = f"{many / few:.1f}" if few > 0.005 else ""
        sys.stdout.write(f"{name:<44}{few:>8} {many:>8} {ratio:>15}\n")


if __name__ == "__main__":
    main()
