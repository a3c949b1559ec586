"""f1-bronze doctor: checks that settings, API, lake, metrics, lineage and Dagster can be used.

Each check is a line: its state, what was seen, and what to do if it is not well.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from f1_bronze.cli.options import FAILED, as_json_option
from f1_bronze.settings import SETTINGS, SettingError, Settings, dagster_home, find_unknown

if TYPE_CHECKING:
    import dagster as dg

    from f1_bronze.lake.stores import ObjectStore

HEARTBEAT_SECONDS = 300
HOUR = timedelta(hours=1)
CONSUMER_SECONDS = 10.0
CONTAINER_LAUNCHERS = {
    "EcsRunLauncher": "task_definition",
    "K8sRunLauncher": "job_image",
    "DockerRunLauncher": "image",
}
"""Launchers that start a container for each run, and the setting of each that names an image."""


class DoctorState(StrEnum):
    """How a check ended; warnings do not change the exit status."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class DoctorCheck:
    """One line: what was checked, how it ended, what was seen, what to do.

    `remedy` is empty where there is nothing to do or `detail` ends with it. `action` is the AWS
    permission that is missing.
    """

    check: str
    state: DoctorState
    detail: str
    remedy: str = ""
    action: str = ""


def _ok(check: str, detail: str) -> DoctorCheck:
    return DoctorCheck(check=check, state=DoctorState.OK, detail=detail)


def _warning(check: str, detail: str, remedy: str = "") -> DoctorCheck:
    return DoctorCheck(check=check, state=DoctorState.WARNING, detail=detail, remedy=remedy)


def _failed(check: str, detail: str, remedy: str = "") -> DoctorCheck:
    return DoctorCheck(check=check, state=DoctorState.FAILED, detail=detail, remedy=remedy)


@click.command()
@as_json_option
def doctor(as_json: bool) -> None:
    """Check settings, API, lake, metrics, lineage and Dagster home; say how to fix what fails.

    Makes one API call; in the lake a small file is written, read, listed and deleted. CloudWatch
    and a lineage consumer are asked where they are set, and sent nothing that counts. Exit status:
    0 everything can be used (warnings included), 1 something failed.
    """
    from f1_bronze.cli.console import print_json, stderr, warnings_on

    console = stderr()
    with warnings_on(console):
        checks = list(_checks(os.environ, lambda message: console.print(message, style="dim")))
    status = FAILED if any(check.state is DoctorState.FAILED for check in checks) else 0
    if as_json:
        print_json({"status": status, "checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    sys.exit(status)


def _print(checks: Sequence[DoctorCheck]) -> None:
    """A row for each check, the remedy below it, a summary at the end."""
    from rich.table import Column, Table
    from rich.text import Text

    from f1_bronze.cli.console import stdout

    styles = {DoctorState.OK: "green", DoctorState.WARNING: "yellow", DoctorState.FAILED: "red"}
    table = Table.grid(Column(no_wrap=True), Column(overflow="fold"), padding=(0, 2))
    for check in checks:
        state = (f"{check.state:<8}", styles[check.state])
        table.add_row(Text.assemble(state, check.check), Text(check.detail))
        if check.remedy:
            table.add_row("", Text(f"→ {check.remedy}"))
    console = stdout()
    console.print(table, soft_wrap=False)
    failed = sum(check.state is DoctorState.FAILED for check in checks)
    warned = sum(check.state is DoctorState.WARNING for check in checks)
    console.print(f"\n{len(checks)} checks: {failed} failed, {warned} warnings.")


def _checks(environ: Mapping[str, str], observer: Callable[[str], None]) -> Iterator[DoctorCheck]:
    try:
        settings = Settings.read(environ)
    except SettingError as error:
        yield _failed("settings", str(error))
    else:
        yield from _settings(environ)
        yield from _api(settings, observer)
        yield from _lake(settings)
        yield from _telemetry(settings)
    yield from _dagster()


def _settings(environ: Mapping[str, str]) -> Iterator[DoctorCheck]:
    names = ", ".join(one.variable for one in SETTINGS if environ.get(one.variable))
    detail = f"{names} set, the others have their defaults" if names else "all have their defaults"
    yield _ok("settings", detail)
    for name, meant in find_unknown(environ).items():
        yield _warning(
            "settings",
            f"{name} is set, but there is no such setting.",
            f"Did you mean {meant}?" if meant else "Unset it; see f1-bronze settings.",
        )


def _api(settings: Settings, observer: Callable[[str], None]) -> Iterator[DoctorCheck]:
    """One call, after a login where there is one."""
    from f1_bronze.defs.resources import openf1_resource, resolved
    from f1_bronze.openf1.answers import ClosedForLiveSession, OpenF1Error
    from f1_bronze.openf1.breaker import Breaker
    from f1_bronze.openf1.budget_stores import BudgetSettingError, RateStoreError
    from f1_bronze.openf1.client import OpenF1Client
    from f1_bronze.openf1.http import Credentials

    resource = resolved(openf1_resource(settings))
    try:
        budget = resource.make_budget()
        left = budget.remaining()
    except (BudgetSettingError, RateStoreError) as error:
        yield _failed("api budget", str(error))
        return
    store = settings.rate_store.partition(":")[0]
    shared = "this process alone" if store == "memory" else f"everything that shares the {store}"
    yield _ok("api budget", f"{settings.openf1_limits} for {shared}; {left} calls are free now")
    account = "paid access" if resource.username else "free access"
    login = None
    if resource.username:
        login = Credentials(username=resource.username, password=resource.password)
    client = OpenF1Client(
        base_url=settings.openf1_url,
        budget=budget,
        breaker=Breaker(),
        credentials=login,
        timeout=(5, 30),
        total_seconds=30,
        observer=observer,
    )
    try:
        with client:
            access = client.check_access()
    except ClosedForLiveSession as error:
        yield _warning("api", str(error))
    except (OpenF1Error, RateStoreError) as error:
        yield _failed("api", str(error))
    else:
        if access.moved_to:
            yield _warning(
                "api",
                f"{access.url} redirects to {access.moved_to}: each call costs two.",
                "Set F1_BRONZE_OPENF1_URL to the new address.",
            )
            return
        yield _ok("api", f"{access.url} answered in {access.seconds:.2f} s ({account})")


def _lake(settings: Settings) -> Iterator[DoctorCheck]:
    """A small file is written, read, listed and deleted."""
    from f1_bronze.lake.access import check_access, open_store
    from f1_bronze.lake.errors import LakeAddressError
    from f1_bronze.lake.s3 import S3Writes

    try:
        store = open_store(settings.lake_uri, S3Writes(**settings.s3_writes))
    except LakeAddressError as error:
        yield _failed("lake", str(error))
        return
    on_s3 = settings.lake_uri.startswith("s3://")
    options = ", ".join(f"{name} {value}" for name, value in settings.s3_writes.items())
    if options and not on_s3:
        yield _warning(
            "lake",
            f"F1_BRONZE_S3_… is set ({options}), but the lake is not on S3.",
            "Unset it, or set F1_BRONZE_LAKE_URI to s3://bucket/prefix.",
        )
    else:
        yield _ok("lake", store.uri("") + (f", written with {options}" if options else ""))
    states = {True: DoctorState.OK, False: DoctorState.FAILED, None: DoctorState.WARNING}
    for access in check_access(store):
        yield DoctorCheck(
            check=f"lake {access.step}",
            state=states[access.worked],
            detail=access.detail,
            remedy=access.remedy,
            action=access.action,
        )
    if on_s3:  # Athena reads S3 alone
        yield from _tables(store)


def _tables(store: "ObjectStore") -> Iterator[DoctorCheck]:
    """Partitions that Athena would silently leave out; file names show them."""
    from f1_bronze.lake.catalog import unlisted, unlisted_values
    from f1_bronze.lake.errors import LakeError
    from f1_bronze.lake.paths import BRONZE, parse_file_path

    try:
        files = [parse_file_path(entry.path) for entry in store.list(f"{BRONZE}/")]
    except LakeError:
        return  # the check of listing has failed with it already
    stored = {file[1] for file in files if file}
    if not stored:
        return
    left_out = unlisted(stored)
    if not left_out:
        detail = f"the tables' stack lists all {len(stored)} sessions of the lake by default"
        yield _ok("lake tables", detail)
        return
    values = "; ".join(
        f"{name}: {', '.join(values)}" for name, values in unlisted_values(left_out).items()
    )
    yield _warning(
        "lake tables",
        f"Athena silently leaves out {len(left_out)} of {len(stored)} sessions if the "
        f"tables' stack has its default parameters, which do not list {values}.",
        "Add these values to the parameters of the stack of deploy/aws/tables.yaml. "
        "Nothing to do if it has them, or if there is no such stack.",
    )


def _telemetry(settings: Settings) -> Iterator[DoctorCheck]:
    """Whether CloudWatch and the lineage consumer answer; no line for one that is not set."""
    from f1_bronze.telemetry.lineage.delivery import ConsumerAddressError, HttpConsumer
    from f1_bronze.telemetry.metrics.cloudwatch import CloudWatchSink
    from f1_bronze.telemetry.outbound import SinkUnavailable

    if settings.metrics == "cloudwatch":
        now = datetime.now(UTC)
        try:
            CloudWatchSink().between(now - HOUR, now, environment=settings.environment)
        except SinkUnavailable as error:
            yield _failed("metrics", str(error))
        else:
            yield _ok("metrics", "CloudWatch answers (cloudwatch:GetMetricData)")
    if settings.lineage_url:
        try:
            consumer = HttpConsumer(settings.lineage_url)
            # No event: a consumer refuses it, after it has looked at the key.
            consumer.send(b"{}", seconds=CONSUMER_SECONDS)
        except (ConsumerAddressError, SinkUnavailable) as error:
            yield _failed("lineage", str(error))
        else:
            yield _ok("lineage", f"the consumer {consumer.host} answers")


def _dagster() -> Iterator[DoctorCheck]:
    home = dagster_home()
    if (home / "dagster.yaml").exists():
        yield from _instance(home)
        return
    if _writable(next(one for one in (home, *home.parents) if one.exists())):
        detail = f"{home} is made at first use, with telemetry off and a limit for the API"
        yield _ok("dagster home", detail)
    else:
        yield _home_unusable(home)


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _home_unusable(home: Path) -> DoctorCheck:
    remedy = "Set DAGSTER_HOME to a folder that this user can write."
    return _failed("dagster home", f"{home} cannot be written.", remedy)


def _instance(home: Path) -> Iterator[DoctorCheck]:
    import dagster as dg

    try:
        with dg.DagsterInstance.from_config(str(home)) as instance:
            # Only what is stored in the home needs a home that can be written.
            if "Sqlite" not in type(instance.event_log_storage).__name__:
                yield _ok("dagster home", f"{home}; Dagster's record is kept elsewhere")
                yield _storage(instance)
                yield _daemon(instance)
            elif _writable(home):
                yield _ok("dagster home", str(home))
            else:
                yield _home_unusable(home)
            yield from _launcher(instance)
            yield from _pool_and_telemetry(instance, home)
    except Exception as error:  # noqa: BLE001 - any storage with any driver can stand behind it
        yield _failed(
            "dagster instance",
            # The error's text may hold the database's password.
            f"The instance of {home / 'dagster.yaml'} does not open ({type(error).__name__}).",
            "Correct dagster.yaml or what it points to; `f1-bronze ui` shows the whole error.",
        )


def _storage(instance: "dg.DagsterInstance") -> DoctorCheck:
    """Whether the server takes an event, which is deleted again."""
    import dagster as dg

    run_id = str(uuid4())
    event = dg.EventLogEntry(  # type: ignore[no-untyped-call]  # untyped in Dagster
        error_info=None,
        level=logging.DEBUG,
        user_message="f1-bronze doctor",
        run_id=run_id,
        timestamp=time.time(),
    )
    name = type(instance.event_log_storage).__name__
    try:
        instance.event_log_storage.store_event(event)
        instance.event_log_storage.delete_events(run_id)
    except Exception as error:  # noqa: BLE001 - any driver can stand behind it
        return _failed(
            "dagster storage",
            f"{name} opens, but does not take an event ({type(error).__name__}).",
            "Name the driver in dagster.yaml, as deploy/dagster/dagster.yaml does: "
            "scheme: postgresql+psycopg2.",
        )
    return _ok("dagster storage", f"{name} takes events")


def _daemon(instance: "dg.DagsterInstance") -> DoctorCheck:
    """Whether a daemon has reported lately; it reports every 30 s."""
    seen = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    if seen and time.time() - max(seen) < HEARTBEAT_SECONDS:
        return _ok("dagster daemon", f"reported {time.time() - max(seen):.0f} s ago")
    return _warning(
        "dagster daemon",
        "No daemon has reported in the last five minutes: schedules, sensors and backfills wait.",
        "Start one, and only one: dagster-daemon run -w workspace.yaml",
    )


def _launcher(instance: "dg.DagsterInstance") -> Iterator[DoctorCheck]:
    """Whether a launcher of containers knows the image of a run; no line for any other."""
    launcher = instance.run_launcher
    name = type(launcher).__name__
    if name not in CONTAINER_LAUNCHERS:
        return
    own = getattr(launcher, CONTAINER_LAUNCHERS[name], None)
    image = own or os.environ.get("DAGSTER_CURRENT_IMAGE")
    if image:
        yield _ok("dagster launcher", f"{name} starts {image}")
    else:
        yield _failed(
            "dagster launcher",
            f"{name} has no image to start runs from.",
            "Set DAGSTER_CURRENT_IMAGE to the name of the image where the code server runs.",
        )


def _pool_and_telemetry(instance: "dg.DagsterInstance", home: Path) -> Iterator[DoctorCheck]:
    from f1_bronze.defs.record.tags import API_POOL

    limits = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
    telemetry = instance.telemetry_enabled
    if API_POOL in limits:
        yield _ok("dagster pool", f"{limits[API_POOL]} runs at once may ask the API")
    else:
        yield _warning(
            "dagster pool",
            f"The pool {API_POOL} has no limit: every run asks the API at the same time.",
            f"Any `f1-bronze ingest` sets one, and so does "
            f"`dagster instance concurrency set {API_POOL} 2`.",
        )
    if telemetry and not os.environ.get("DAGSTER_DISABLE_TELEMETRY"):
        yield _warning(
            "dagster telemetry",
            "Dagster reports usage data to its makers.",
            f"Set telemetry: enabled: false in {home / 'dagster.yaml'}.",
        )
    else:
        yield _ok("dagster telemetry", "off")
