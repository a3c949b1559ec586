"""f1-bronze doctor: can everything be reached and used, and what is to be mended?

Belongs here: the order of the checks, those of settings, API and Dagster. Stays out: those of the
lake (checkup_lake.py), how a check is shown (checkup.py), how access to the API is proven
(openf1/probing.py).
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from f1_bronze.cli.options import FAILED, as_json_option
from f1_bronze.settings import PREFIX, SETTINGS, SettingError, Settings, dagster_home

if TYPE_CHECKING:
    from f1_bronze.lake.stores import ObjectStore


class State(StrEnum):
    """How a check ended; warnings do not change the exit status."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line: what was checked, how it ended, what was seen, what to do.

    `remedy` is empty where nothing is to be done or `detail` ends with it. `action` is the AWS
    permission that is missing.
    """

    check: str
    state: State
    detail: str
    remedy: str = ""
    action: str = ""


def print_checks(checks: Sequence[Check]) -> None:
    """A line for each with its state in front, the remedy below it, a sum at the end."""
    from rich.text import Text

    from f1_bronze.cli.console import plain

    styles = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "red"}
    width = max(len(check.check) for check in checks)
    console = plain()
    for check in checks:
        line = Text(f"{check.state:<8}", style=styles[check.state])
        line.append(f"{check.check:<{width}}  {check.detail}", style="default")
        console.print(line, soft_wrap=True)
        if check.remedy:
            console.print(Text(f"{'':<{width + 10}}→ {check.remedy}"), soft_wrap=True)
    bad = sum(check.state is State.FAILED for check in checks)
    warned = sum(check.state is State.WARNING for check in checks)
    console.print(f"\n{len(checks)} checks: {bad} failed, {warned} warnings.")


def lake_checks(settings: Settings) -> Iterator[Check]:
    """A small file is written, read, listed and deleted; on S3 names are compared too."""
    from f1_bronze.lake.access import check_access, open_store
    from f1_bronze.lake.errors import LakeAddressError
    from f1_bronze.lake.s3 import S3Writes

    try:
        store = open_store(settings.lake_uri, S3Writes(**settings.s3_writes))
    except LakeAddressError as error:
        yield Check(check="lake", state=State.FAILED, detail=str(error))
        return
    wishes = ", ".join(f"{name} {value}" for name, value in settings.s3_writes.items())
    detail = store.uri("") + (f", written with {wishes}" if wishes else "")
    if wishes and not settings.lake_uri.startswith("s3://"):
        yield Check(
            check="lake",
            state=State.WARNING,
            detail=f"F1_BRONZE_S3_… is set ({wishes}), but the lake is no bucket.",
            remedy="Unset it, or set F1_BRONZE_LAKE_URI to s3://bucket/prefix.",
        )
    else:
        yield Check(check="lake", state=State.OK, detail=detail)
    states = {True: State.OK, False: State.FAILED, None: State.WARNING}
    for proof in check_access(store):
        yield Check(
            check=f"lake {proof.step}",
            state=states[proof.worked],
            detail=proof.detail,
            remedy=proof.remedy,
            action=proof.action,
        )
    if settings.lake_uri.startswith("s3://"):  # nothing but S3 is read by Athena
        yield from _tables(store)


def _tables(store: "ObjectStore") -> Iterator[Check]:
    """Partitions that Athena passes over without a word, by names alone."""
    from f1_bronze.lake.catalog import unlisted, unlisted_values
    from f1_bronze.lake.errors import LakeError
    from f1_bronze.lake.paths import BRONZE, parse_file_path

    try:
        files = [parse_file_path(entry.path) for entry in store.list(f"{BRONZE}/")]
    except LakeError:
        return  # told by the listing already
    landed = {file[1] for file in files if file}
    if not landed:
        return
    if not (passed_over := unlisted(landed)):
        detail = f"the tables' stack lists all {len(landed)} sessions of the lake by default"
        yield Check(check="lake tables", state=State.OK, detail=detail)
        return
    lacking = unlisted_values(passed_over)
    values = "; ".join(f"{name}: {', '.join(values)}" for name, values in lacking.items())
    yield Check(
        check="lake tables",
        state=State.WARNING,
        detail=f"Athena passes over {len(passed_over)} of {len(landed)} sessions in silence where "
        f"the tables' stack has its default parameters, which do not list {values}.",
        remedy="Give the stack of deploy/aws/tables.yaml these values too. If it has them, or if "
        "there is no such stack, there is nothing to mend.",
    )


@click.command()
@as_json_option
def doctor(as_json: bool) -> None:
    """Check settings, API, lake and Dagster home, and say what to mend.

    Costs one API call; below the lake a small file is written, read, listed and deleted. Exit
    status: 0 all can be used (warnings included), 1 something failed.
    """
    from f1_bronze.cli.console import print_json, screen, warnings_on

    with warnings_on(screen()):
        checks = list(_checks(os.environ, lambda told: screen().print(told, style="dim")))
    status = FAILED if any(check.state is State.FAILED for check in checks) else 0
    if as_json:
        print_json({"status": status, "checks": [asdict(check) for check in checks]})
    else:
        print_checks(checks)
    sys.exit(status)


def _checks(environ: Mapping[str, str], observer: Callable[[str], None]) -> Iterator[Check]:
    try:
        settings = Settings.read(environ)
    except SettingError as error:
        yield Check(check="settings", state=State.FAILED, detail=str(error))
    else:
        yield Check(check="settings", state=State.OK, detail=_set(environ))
        yield from _unknown_settings(environ)
        yield from _api(settings, observer)
        yield from lake_checks(settings)
    yield from _dagster()


def _set(environ: Mapping[str, str]) -> str:
    names = [s.variable for s in SETTINGS if environ.get(s.variable)]
    return f"{', '.join(names)} set, the rest by default" if names else "all by default"


def _unknown_settings(environ: Mapping[str, str]) -> Iterator[Check]:
    known = [setting.variable for setting in SETTINGS]
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = get_close_matches(name, known, n=1)
            yield Check(
                check="settings",
                state=State.WARNING,
                detail=f"{name} is set, but there is no such setting.",
                remedy=f"Did you mean {near[0]}?" if near else "Unset it; see f1-bronze settings.",
            )


def _api(settings: Settings, observer: Callable[[str], None]) -> Iterator[Check]:
    """One question, after a login where there is one."""
    from f1_bronze.defs.resources import openf1_resource, resolved
    from f1_bronze.openf1.answers import ClosedForLiveSession, OpenF1Error
    from f1_bronze.openf1.budget import PaceSettingError
    from f1_bronze.openf1.budget_stores import RateStoreError
    from f1_bronze.openf1.http import Credentials, ask_once

    resource = resolved(openf1_resource(settings))
    try:
        pace = resource.make_pace()
        left = pace.remaining()
    except (PaceSettingError, RateStoreError) as error:
        yield Check(check="api budget", state=State.FAILED, detail=str(error))
        return
    kind = settings.rate_store.partition(":")[0]
    shared = "this process alone" if kind == "memory" else f"all who share it by {kind}"
    yield Check(
        check="api budget",
        state=State.OK,
        detail=f"{settings.openf1_limits} for {shared}; {left} calls may go at once now",
    )
    access = "paid access" if resource.username else "free access"
    login = None
    if resource.username:
        login = Credentials(username=resource.username, password=resource.password)
    try:
        standing = ask_once(settings.openf1_url, pace=pace, credentials=login, observer=observer)
    except ClosedForLiveSession as error:
        yield Check(check="api", state=State.WARNING, detail=str(error))
    except (OpenF1Error, RateStoreError) as error:
        yield Check(check="api", state=State.FAILED, detail=str(error))
    else:
        if standing.moved_to:
            yield Check(
                check="api",
                state=State.WARNING,
                detail=f"{standing.url} sends us to {standing.moved_to}: two calls for one.",
                remedy="Set F1_BRONZE_OPENF1_URL to where it is now.",
            )
            return
        detail = f"{standing.url} answered in {standing.seconds:.2f} s ({access})"
        yield Check(check="api", state=State.OK, detail=detail)


def _dagster() -> Iterator[Check]:
    home = dagster_home()
    if not (home / "dagster.yaml").exists():
        place = next(folder for folder in (home, *home.parents) if folder.exists())
        if not _writable(place):
            yield _unwritable(place)
            return
        detail = f"{home} is made when first needed, with telemetry off and a limit for the API"
        yield Check(check="dagster home", state=State.OK, detail=detail)
        return
    if not _writable(home):
        yield _unwritable(home)
        return
    yield Check(check="dagster home", state=State.OK, detail=str(home))
    yield from _instance(home)


def _instance(home: Path) -> Iterator[Check]:
    import dagster as dg

    from f1_bronze.defs.assets import API_POOL

    try:
        with dg.DagsterInstance.from_config(str(home)) as instance:
            pools = instance.event_log_storage.get_pool_limits()
            limits = {pool.name: pool.limit for pool in pools}
            telemetry = instance.telemetry_enabled
    except Exception as error:  # noqa: BLE001 - any storage with any driver can stand behind it
        yield Check(
            check="dagster instance",
            state=State.FAILED,
            detail=f"{home / 'dagster.yaml'} names an instance that does not open "
            f"({type(error).__name__}).",  # its text may hold the database's password
            remedy="Mend dagster.yaml, or what it points to; `f1-bronze ui` shows the whole error.",
        )
        return
    if API_POOL in limits:
        detail = f"{limits[API_POOL]} runs at once may ask the API"
        yield Check(check="dagster pool", state=State.OK, detail=detail)
    else:
        yield Check(
            check="dagster pool",
            state=State.WARNING,
            detail=f"The pool {API_POOL} has no limit: every run asks the API at the same time.",
            remedy=f"Any `f1-bronze ingest` sets one, or: dagster instance concurrency set "
            f"{API_POOL} 2",
        )
    if telemetry and not os.environ.get("DAGSTER_DISABLE_TELEMETRY"):
        yield Check(
            check="dagster telemetry",
            state=State.WARNING,
            detail="Dagster reports its use to its makers.",
            remedy=f"Set telemetry: enabled: false in {home / 'dagster.yaml'}.",
        )
    else:
        yield Check(check="dagster telemetry", state=State.OK, detail="off")


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _unwritable(folder: Path) -> Check:
    return Check(
        check="dagster home",
        state=State.FAILED,
        detail=f"{folder} cannot be written.",
        remedy="Set DAGSTER_HOME to a folder that this user can write.",
    )
