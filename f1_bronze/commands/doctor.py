"""f1-bronze doctor: can everything be reached and used, and what is to be mended?

Belongs here: the order of the checks, those of settings, API and Dagster. Stays out: those of the
lake (checkup_lake.py), how a check is shown (checkup.py), how access to the API is proven
(openf1/probing.py).
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path

import click

from f1_bronze.commands.checkup import Check, State, print_checks
from f1_bronze.commands.checkup_lake import lake_checks
from f1_bronze.commands.speaking import FAILED, as_json_option
from f1_bronze.settings import SettingError, Settings, dagster_home
from f1_bronze.variables import PREFIX, SETTINGS


@click.command()
@as_json_option
def doctor(as_json: bool) -> None:
    """Check settings, API, lake and Dagster home, and say what to mend.

    Costs one API call; below the lake a small file is written, read, listed and deleted. Exit
    status: 0 all can be used (warnings included), 1 something failed.
    """
    from f1_bronze.commands.console import print_json, screen, warnings_on

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
    from f1_bronze.openf1.credentials import Credentials
    from f1_bronze.openf1.file_store import RateStoreError
    from f1_bronze.openf1.outcomes import ClosedForLiveSession, OpenF1Error
    from f1_bronze.openf1.pace import PaceSettingError
    from f1_bronze.openf1.probing import ask_once

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
