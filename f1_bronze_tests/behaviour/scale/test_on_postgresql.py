"""PostgreSQL as Dagster's storage: code server, webserver and daemon as processes, and a backfill.

The configuration is the shipped one without its AWS parts: runs are processes of the code server.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from f1_bronze.datasets import DATASETS
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

from ...commands import Run
from ...servers import PASSWORD, PostgresqlServer, free_port
from ..faults.bench import content_of
from .daemon import LAUNCH_BACKFILL

pytestmark = pytest.mark.slow

DEPLOY = Path(__file__).parents[3] / "deploy" / "dagster"
QUALIFYING = ("2025/bahrain/qualifying", "2025/saudi_arabian/qualifying")
RACES = ("2025/bahrain/race", "2025/saudi_arabian/race")
WORDS = ("2025", "--grand-prix", "bahrain", "--grand-prix", "saudi_arabian")
PATIENCE = 240.0
"""Seconds; the daemon looks at backfills every 30 s, and a busy machine is slow."""
_LOCATION = """{workspaceOrError {
  ... on PythonError {message}
  ... on Workspace {locationEntries {locationOrLoadError {__typename ... on PythonError {message}}}}
}}"""


def wait_until(what: str, look: Any, *, patience: float = PATIENCE) -> Any:
    """What `look` finds, as soon as it finds something, within seconds."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.5)
    pytest.fail(f"no {what} within {patience:.0f} s")


def ask(url: str, query: str, **variables: object) -> Any:
    """What the webserver's GraphQL answers; None while it does not listen yet."""
    request = urllib.request.Request(
        f"{url}/graphql",
        data=json.dumps({"query": query, "variables": variables}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError:
        raise
    except OSError:
        return None


@contextlib.contextmanager
def services(home: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """The three services of a deployment, with the code location loaded; the webserver's address.

    In the order of the deployments: the storage, then the code server, then the other two.
    """
    with dg.DagsterInstance.from_config(str(home)):
        pass  # Dagster makes its tables at first use; on SQLite never two processes at once
    code, web = free_port(), free_port()
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text("utf-8"))
    workspace["load_from"][0]["grpc_server"] |= {"host": "127.0.0.1", "port": code}
    (home / "workspace.yaml").write_text(yaml.safe_dump(workspace))
    here = ("-w", str(home / "workspace.yaml"))
    local = ("-h", "127.0.0.1", "-p")
    with _Processes(home, environ) as processes:
        processes.start("dagster", "api", "grpc", *local, str(code), "-m", "f1_bronze.definitions")
        processes.wait_for("code server", lambda: None if _listens(code) else "it does not listen")
        processes.start("dagster-webserver", *local, str(web), *here)
        processes.start("dagster-daemon", "run", *here)
        url = f"http://127.0.0.1:{web}"
        processes.wait_for("code location", lambda: _why_not_loaded(url))
        yield url


class _Processes(contextlib.ExitStack):
    """Programs of Dagster, each with a log in the home, stopped at the end."""

    def __init__(self, home: Path, environ: Mapping[str, str]) -> None:
        super().__init__()
        self._home, self._environ = home, environ
        self._started: dict[Path, subprocess.Popen[bytes]] = {}

    def start(self, program: str, *words: str) -> None:
        log = self._home / f"{program}.log"
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name(program)), *words],
            env=self._environ,
            cwd=self._home,
            stdout=self.enter_context(log.open("w")),
            stderr=subprocess.STDOUT,
        )
        self._started[log] = process
        self.callback(process.wait, 60)
        self.callback(process.terminate)

    def wait_for(self, what: str, why_not: Callable[[], str | None]) -> None:
        """Until `why_not` says nothing; fails with what it says, and with the ends of the logs."""
        end = time.monotonic() + PATIENCE
        while why := why_not():
            ended = [log.stem for log, one in self._started.items() if one.poll() is not None]
            if ended or time.monotonic() > end:
                logs = "\n".join(f"{log.stem}: {log.read_text()[-2000:]}" for log in self._started)
                why = f"{ended[0]} has ended" if ended else why
                pytest.fail(f"no {what} within {PATIENCE:.0f} s: {why}\n{logs}")
            time.sleep(0.5)


def _listens(port: int) -> bool:
    with contextlib.closing(socket.socket()) as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _why_not_loaded(url: str) -> str | None:
    """Why the webserver has no code location; None as soon as it has one."""
    answer = ask(url, _LOCATION)
    if answer is None:
        return "the webserver does not answer"
    entries = answer["workspaceOrError"].get("locationEntries")
    loaded = entries and entries[0]["locationOrLoadError"]
    if loaded and loaded["__typename"] == "RepositoryLocation":
        return None
    return str(answer)


@pytest.fixture
def home(postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Dagster home with the shipped configuration, its storage the server."""
    pytest.importorskip("dagster_postgres")
    shipped = yaml.safe_load((DEPLOY / "dagster.yaml").read_text("utf-8"))
    for of_aws in ("run_launcher", "compute_logs"):
        del shipped[of_aws]
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "dagster.yaml").write_text(yaml.safe_dump(shipped))
    variables = {
        "HOME": str(folder),
        "PG_HOST": "127.0.0.1",
        "PG_PORT": str(postgresql.port),
        "PG_USERNAME": "f1",
        "PG_PASSWORD": PASSWORD,
        "PG_DB": "postgres",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"DAGSTER_{name}", value)
    return folder


def test_a_backfill_on_postgresql(
    home: Path,
    postgresql: PostgresqlServer,
    run: Run,
    run_process: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Every file is that of one machine; every materialization and check is on record."""
    with Simulator(InventedSeasons(), limits=None) as simulator:
        settings = {
            "OPENF1_URL": simulator.url,
            "OPENF1_LIMITS": "1000/1s",
            "LAKE_URI": str(tmp_path / "lake"),
            "RATE_STORE": postgresql.url,
        }
        environ = {**os.environ, **{f"F1_BRONZE_{name}": v for name, v in settings.items()}}
        assert run_process("partitions", "2025", **settings).status == 0
        missed = see_daemon(run, settings)
        assert missed["state"] == "warning"
        assert "dagster-daemon run -w workspace.yaml" in missed["remedy"]  # `services` does it
        with services(home, environ) as url:
            made = ask(
                url,
                LAUNCH_BACKFILL,
                params={
                    "assetSelection": [{"path": ["bronze", d.name]} for d in DATASETS],
                    "partitionNames": sorted((*QUALIFYING, *RACES)),
                },
            )["made"]
            with dg.DagsterInstance.from_config(str(home)) as instance:
                ended = wait_until(
                    "end of the backfill", lambda: ended_backfill(instance, made["backfillId"])
                )
                assert ended == "COMPLETED_SUCCESS"
                assert recorded(instance) == {
                    dataset.name: {*RACES, *(() if dataset.session_types else QUALIFYING)}
                    for dataset in DATASETS
                }
                assert evaluations(instance) == sum(
                    2 if dataset.session_types else 4 for dataset in DATASETS
                )
            assert see_daemon(run, settings)["state"] == "ok"
        asked = simulator.control.state()
        assert set(asked["by_status"]) <= {"200", "404"}
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "single"))
        alone = run("ingest", *WORDS, **settings | {"LAKE_URI": str(tmp_path / "alone")})
        assert alone.status == 0
    assert content_of(tmp_path / "lake") == content_of(tmp_path / "alone")


def see_daemon(run: Run, settings: Mapping[str, str]) -> dict[str, str]:
    """What `doctor` says of the daemon."""
    checks = run("doctor", "--json", **settings).data["checks"]
    [found] = [check for check in checks if check["check"] == "dagster daemon"]
    return found


def ended_backfill(instance: dg.DagsterInstance, backfill: str) -> str | None:
    found = instance.get_backfill(backfill)
    assert found is not None
    return None if found.status.name == "REQUESTED" else found.status.name


def recorded(instance: dg.DagsterInstance, years: Sequence[str] = ("",)) -> dict[str, set[str]]:
    """The partitions of which each dataset has a materialization; of these years alone."""
    return {
        dataset.name: {
            key
            for key in instance.get_materialized_partitions(dg.AssetKey(["bronze", dataset.name]))
            if key.startswith(tuple(years))
        }
        for dataset in DATASETS
    }


def evaluations(instance: dg.DagsterInstance, years: Sequence[str] = ("",)) -> int:
    """How many checks of how many partitions are on record as evaluated; of these years alone."""
    events = [
        record.event_log_entry.dagster_event
        for run in instance.get_runs()
        for record in instance.get_records_for_run(
            run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ).records
    ]
    found = [event.asset_check_evaluation_data for event in events if event]
    return len(
        {
            (one.asset_check_key, one.partition)
            for one in found
            # The coverage's checks have no partition.
            if one.partition and one.partition.startswith(tuple(years))
        }
    )
