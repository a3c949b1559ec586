"""The Dagster instance that commands use, made with sensible settings where there is none."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg

from f1_bronze.defs.record.tags import API_POOL
from f1_bronze.settings import HomeUnusable, dagster_home

RUNS_AT_ONCE = 2
"""While one run writes to the lake another can ask; more would only wait for the same budget."""

CONFIG = """\
# Made by f1-bronze because there was no dagster.yaml here; change it as you like.
telemetry:
  enabled: false
# The pool "openf1" says how many runs ask the API at once; the others wait in the queue, where the
# UI shows them. The rate itself is kept by F1_BRONZE_RATE_STORE, whatever the number of runs.
concurrency:
  pools:
    granularity: run
  # Of everything that runs here; a run of a season takes one core and half a gigabyte.
  runs:
    max_concurrent_runs: 4
nux:
  enabled: false
# Dagster's own files, with connections that stay open: an event takes half the time. Without these
# lines Dagster's own class reads and writes the same files.
event_log_storage:
  module: f1_bronze.defs.record.sqlite_event_log
  class: SqliteEventLog
  config: {}
run_monitoring:
  enabled: true
  poll_interval_seconds: 30
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1
    dequeue_use_threads: true
run_retries:
  enabled: true
  max_retries: 2
  # A failed partition fails again until its cause is fixed; only crashes are worth a retry.
  retry_on_asset_or_op_failure: false
# Ticks of sensors and schedules that nobody reads any more: five a minute, most with nothing to do.
retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days: {skipped: 3, failure: 30, success: 90}
"""

EARLIER_CONFIGS = frozenset(
    {
        "c0c8f8fc13efa0805fc43dc8d05f25f07a66df24368aa2d388c2a30001cb3810",
        "d9f4cb04d1c0e75fa548460f16887fc840113c8016bc150ef1d46b4fdeb6230c",
        "87eb874f5fb42feb25937534cdefc01254168819ee5d34e362f03cf242627ccc",
        "432069d1c274adf83987c91daf999a88e20cf0be2ff6014a5d52bab9edb45f2b",
        "ec9bd49b93e10ad7131510bf07281fbb8644c1a5b138707eaff9920f9511fc41",
        "670026bce94b4b2fe5fc719ee226594cb4446c449c0f1a4853a698e9e7633263",
        "f004bf99312b25c3585d80c075174a2cc6268466e828e564d76ea8501015a4dd",
    }
)
"""SHA-256 of each text that an earlier release wrote as dagster.yaml.

One that nobody has changed since is replaced."""

WORKSPACE_FILE = "workspace.yaml"

WORKSPACE = """\
# The code location under the name that the project's own workspace.yaml gives it: switches of
# sensors and schedules belong to that name.
load_from:
  - python_module:
      module_name: f1_bronze.definitions
      location_name: f1_bronze
"""


def prepare_home() -> Path:
    """Make `DAGSTER_HOME` (default `.dagster_home`) with a dagster.yaml, unless there is one.

    One that an earlier release made, and nobody has changed since, is brought up to date.

    Raises:
        HomeUnusable: the folder cannot be written.
    """
    home = dagster_home()
    try:
        home.mkdir(parents=True, exist_ok=True)
        for name, text in (("dagster.yaml", CONFIG), (WORKSPACE_FILE, WORKSPACE)):
            file = home / name
            if not file.exists() or _is_earlier_config(file.read_bytes()):
                file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HomeUnusable(
            f"The Dagster home {home} cannot be used ({error.strerror}). Set DAGSTER_HOME to a "
            "folder that this user can write."
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def _is_earlier_config(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() in EARLIER_CONFIGS


def read_instance() -> dg.DagsterInstance:
    """The instance at `DAGSTER_HOME` for a command that only reads; where there is none, an empty
    one in memory, so that reading makes no folder."""
    return open_instance() if dagster_home().exists() else dg.DagsterInstance.ephemeral()


def open_instance() -> dg.DagsterInstance:
    """The instance at `DAGSTER_HOME`, made where it is missing, with a limit for the API's pool."""
    with _alone_in(prepare_home()):
        instance = dg.DagsterInstance.get()
    limit_pool(instance)
    return instance


@contextmanager
def _alone_in(home: Path) -> Iterator[None]:
    """While inside no other command opens the instance of this home.

    Dagster makes its SQLite files when it first opens them, without a lock: of three processes that
    open a new home at once one usually fails, and can leave files that none opens again ("more than
    one head present").
    """
    with (home / "dagster.yaml").open("rb") as file:
        with suppress(OSError):  # a network drive without locks: Dagster's SQLite does not suit it
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def limit_pool(instance: dg.DagsterInstance) -> None:
    """Give the API's pool its limit; one that is set already stays.

    Without a limit of its own a pool lets every run in.
    """
    storage = instance.event_log_storage
    if API_POOL not in {limit.name for limit in storage.get_pool_limits()}:
        storage.set_concurrency_slots(API_POOL, RUNS_AT_ONCE)
