"""Asking the doctor in this process, and reading what it found.

Belongs here: what the doctor's tests share. Stays out: assertions.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from f1_bronze.cli.doctor_command import doctor

Ask = Callable[..., Result]


def asking(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Runs the command; keyword arguments are variables."""

    def run(*words: str, **variables: str) -> Result:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(doctor, words, catch_exceptions=False)

    return run


def checks(result: Result) -> dict[str, dict[str, Any]]:
    """The checks of `--json`, by name."""
    return {check["check"]: check for check in json.loads(result.stdout)["checks"]}


def states(result: Result) -> dict[str, str]:
    """How each check ended."""
    return {name: check["state"] for name, check in checks(result).items()}


def failing(result: Result) -> list[str]:
    """The checks that failed."""
    return [name for name, state in states(result).items() if state == "failed"]


ALL_WELL = {
    "settings": "ok",
    "api budget": "ok",
    "api": "ok",
    "lake": "ok",
    "lake write": "ok",
    "lake read": "ok",
    "lake list": "ok",
    "lake conditions": "ok",
    "lake delete": "ok",
    "lake space": "ok",
    "dagster home": "ok",
}
