"""f1-bronze settings: every setting with its value, its default and what it is for."""

import os
from collections.abc import Mapping
from typing import Any

import click

from f1_bronze.cli.options import as_json_option, reports_errors
from f1_bronze.settings import SETTINGS, Setting, Settings, dagster_home


@click.command()
@as_json_option
@reports_errors
def settings(as_json: bool) -> None:
    """List the settings: variable, value, whether it is the default, meaning."""
    from f1_bronze.cli.console import print_json, print_terms, stdout

    Settings.read()
    rows: list[dict[str, Any]] = [
        {
            "variable": setting.variable,
            "value": _display(setting, os.environ),
            "set": bool(os.environ.get(setting.variable)),
            "meaning": setting.meaning,
        }
        for setting in SETTINGS
    ]
    rows.append(
        {
            "variable": "DAGSTER_HOME",
            "value": str(dagster_home()),
            "set": bool(os.environ.get("DAGSTER_HOME")),
            "meaning": "Where Dagster keeps its record of runs.",
        }
    )
    if as_json:
        print_json(rows)
        return
    shown = {True: "", False: "  (default)"}
    print_terms(
        stdout(),
        ((f"{row['variable']}={row['value']}{shown[row['set']]}", row["meaning"]) for row in rows),
    )


def _display(setting: Setting, environ: Mapping[str, str]) -> str:
    value = setting.read(environ)
    if setting.secret and value:
        return "(set, hidden)"
    return hide_logins(value)


def hide_logins(value: str) -> str:
    """The value without the parts of an address that can hold a password: login and parameters.

    A password may contain any character, also one that should have been written as %XX.

    >>> hide_logins("postgresql://f1:pass/w@rd@db/f1"), hide_logins("postgresql://db?password=word")
    ('postgresql://(hidden)@db/f1', 'postgresql://db?(hidden)')
    """
    scheme, mark, rest = value.partition("://") if "://" in value else ("", "", value)
    if "@" in value and "?" in value:  # either of them may belong to the password
        return f"{scheme}{mark}(hidden)"
    login, at, rest = rest.rpartition("@")
    place, question, _ = rest.partition("?")
    shown = f"{scheme}{mark}{'(hidden)' if login else ''}{at}{place}"
    return f"{shown}?(hidden)" if question else shown
