"""f1-bronze settings: what is set, and to what."""

import os
from collections.abc import Mapping

import click

from f1_bronze.cli.options import as_json_option, told
from f1_bronze.settings import SETTINGS, Setting, Settings, dagster_home


@click.command()
@as_json_option
@told
def settings(as_json: bool) -> None:
    """List the settings: variable, value, default, meaning."""
    Settings.read()
    rows = [
        {
            "variable": setting.variable,
            "value": _shown(setting, os.environ),
            "set": bool(os.environ.get(setting.variable)),
            "meaning": setting.meaning,
        }
        for setting in SETTINGS
    ]
    from f1_bronze.cli.console import plain, print_json, print_rows

    home = {
        "variable": "DAGSTER_HOME",
        "value": str(dagster_home()),
        "set": bool(os.environ.get("DAGSTER_HOME")),
        "meaning": "Where Dagster remembers runs.",
    }
    if as_json:
        print_json([*rows, home])
        return
    shown = [{**row, "set": "yes" if row["set"] else "default"} for row in [*rows, home]]
    print_rows(plain(), shown, total=False)


def _shown(setting: Setting, environ: Mapping[str, str]) -> str:
    value = setting.read(environ)
    if setting.secret and value:
        return "(set, hidden)"
    return public(value)


def public(value: str) -> str:
    """A value without what can hold a password: the login and the parameters of an address.

    A password may hold any sign, also one that should have been written as %XX.

    >>> public("postgresql://f1:pass/w@rd@db/f1"), public("redis://cache?password=word")
    ('postgresql://(hidden)@db/f1', 'redis://cache?(hidden)')
    """
    scheme, mark, rest = value.partition("://") if "://" in value else ("", "", value)
    if "@" in value and "?" in value:  # nobody knows which of them belongs to the password
        return f"{scheme}{mark}(hidden)"
    login, at, rest = rest.rpartition("@")
    place, question, _ = rest.partition("?")
    shown = f"{scheme}{mark}{'(hidden)' if login else ''}{at}{place}"
    return f"{shown}?(hidden)" if question else shown
