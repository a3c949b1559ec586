"""f1-bronze simulate, as a process, and settings."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from ..commands import Run


@contextmanager
def simulating(*words: str) -> Iterator[dict[str, str]]:
    """The simulator as a process of its own, ended by Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-m", "f1_bronze.cli", "simulate", "--port", "0", "--json", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
        process.stdout.close()


def test_simulate_serves_a_season() -> None:
    """Any program can ask it, at the address that it prints, and steer it beside that."""
    with simulating() as where:
        races = requests.get(f"{where['url']}/sessions?year=2025&session_name=Race", timeout=10)
        assert len(races.json()) == 24
        requests.post(f"{where['control']}/manners", json={"live": True}, timeout=10)
        assert requests.get(f"{where['url']}/sessions?year=2025", timeout=10).status_code == 401


def test_simulate_with_faults_and_live() -> None:
    """Faults, live mode and another address can be set from the start."""
    fault = json.dumps({"kind": "status", "status": 502, "endpoint": "laps", "times": 1})
    with simulating("--fault", fault, "--limits", "none") as where:
        url = f"{where['url']}/laps?session_key=907047"
        assert [requests.get(url, timeout=10).status_code for _ in range(2)] == [502, 200]
    with simulating("--live", "--host", "127.0.0.2") as where:
        assert where["url"].startswith("http://127.0.0.2:")
        assert requests.get(f"{where['url']}/sessions?year=2025", timeout=10).status_code == 401


def test_simulate_wrong_use(run: Run) -> None:
    """A fault, a limit or an address that makes no sense is a sentence and exit status 2."""
    for words in (
        ["--fault", '{"kind": "meteor"}'],
        ["--fault", "{"],
        ["--limits", "often"],
        ["--host", "192.0.2.1"],
    ):
        ran = run("simulate", "--port", "0", *words)
        assert ran.status == 2
        assert "Error: " in ran.err


def test_settings_hide_the_password(run: Run) -> None:
    """Every variable is listed with its value, but for the account and its password."""
    ran = run("settings", "--json", OPENF1_USERNAME="me", OPENF1_PASSWORD="hunter2-hunter2")
    by_name = {row["variable"]: row for row in ran.data}
    assert by_name["F1_BRONZE_OPENF1_USERNAME"]["value"] == "(set, hidden)"
    assert by_name["F1_BRONZE_OPENF1_PASSWORD"]["value"] == "(set, hidden)"
    assert by_name["F1_BRONZE_LAKE_URI"]["value"] == "data/lake"
    assert by_name["F1_BRONZE_LAKE_URI"]["set"] is False
    assert (
        "hunter2"
        not in ran.out + run("settings", OPENF1_USERNAME="me", OPENF1_PASSWORD="hunter2").out
    )
    assert set(by_name) == {
        "DAGSTER_HOME",
        "F1_BRONZE_ENVIRONMENT",
        "F1_BRONZE_GLUE_DATABASE",
        "F1_BRONZE_LAKE_URI",
        "F1_BRONZE_OPENF1_BREAKER_FAILURES",
        "F1_BRONZE_OPENF1_BREAKER_SECONDS",
        "F1_BRONZE_OPENF1_LIMITS",
        "F1_BRONZE_OPENF1_MAX_DEPTH",
        "F1_BRONZE_OPENF1_MAX_FIELDS",
        "F1_BRONZE_OPENF1_MAX_MB",
        "F1_BRONZE_OPENF1_MAX_NAME",
        "F1_BRONZE_METRICS",
        "F1_BRONZE_LINEAGE_URL",
        "F1_BRONZE_LOG_FORMAT",
        "F1_BRONZE_LOG_GROUP",
        "F1_BRONZE_ALERT_TOPIC",
        "F1_BRONZE_ALERT_WEBHOOK",
        "F1_BRONZE_DAGSTER_URL",
        "F1_BRONZE_INGEST_NEW",
        "F1_BRONZE_OPENF1_PASSWORD",
        "F1_BRONZE_OPENF1_URL",
        "F1_BRONZE_OPENF1_USERNAME",
        "F1_BRONZE_RATE_STORE",
        "F1_BRONZE_S3_ENCRYPTION",
        "F1_BRONZE_S3_KMS_KEY_ID",
        "F1_BRONZE_S3_STORAGE_CLASS",
        "F1_BRONZE_SESSION_TYPES",
    }
