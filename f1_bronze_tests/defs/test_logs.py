"""Log lines: what a run says, how it looks, and a CloudWatch that is gone, slow or forbidden."""

import json
import logging
import logging.config
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import dagster as dg
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.defs.partitions import register
from f1_bronze.defs.run.failures import IngestFailure
from f1_bronze.defs.run.tally import LoggedTally, RunTally, log_run, open_deployment_logs
from f1_bronze.settings import SettingError, Settings
from f1_bronze.simulator.server import Simulator
from f1_bronze.telemetry.logs import (
    CLOSE_SECONDS,
    JsonLines,
    TextLines,
    close_logs,
    group_handler,
    log_fields,
    open_logs,
    writes_json,
)

from ..telemetry.lineage_server import closed_port

RACE, QUALIFYING = "2025/bahrain/race", "2025/bahrain/qualifying"
Run = Callable[..., dg.ExecuteInProcessResult]


class Lines:
    """What was written to standard error, as JSON objects; Dagster's console writes there too."""

    def __init__(self, streams: pytest.CaptureFixture[str]) -> None:
        self._streams = streams
        self._all: list[dict[str, Any]] = []

    def all(self, logger: str = "") -> list[dict[str, Any]]:
        """The lines of a logger, or all."""
        written = self._streams.readouterr().err.splitlines()
        self._all += [json.loads(line) for line in written if line.startswith("{")]
        return [line for line in self._all if not logger or line["logger"] == logger]


@pytest.fixture
def no_logs() -> Iterator[None]:
    """Nobody has opened the logs, and afterwards again nobody has."""
    logger = logging.getLogger("f1_bronze")
    level = logger.level
    close_logs()
    yield
    close_logs()
    logger.setLevel(level)


@pytest.fixture
def lines(no_logs: None, capsys: pytest.CaptureFixture[str]) -> Lines:
    """Standard error of a process whose lines are JSON."""
    open_logs(as_json=True, group="", environment="production")
    return Lines(capsys)


def without(line: dict[str, Any], *names: str) -> dict[str, Any]:
    """The line without what differs from time to time."""
    return {name: value for name, value in line.items() if name not in names}


def test_a_run_has_a_line_for_each_landing(
    materialize: Run, instance: dg.DagsterInstance, lines: Lines
) -> None:
    """Each line has the run, the partition, the dataset, the session's key, counts and seconds."""
    register(instance, [SessionPartition.parse(QUALIFYING), SessionPartition.parse(RACE)])
    result = materialize("bronze_sessions", QUALIFYING, RACE, select=["drivers"])
    said = lines.all("f1_bronze.run")
    assert [line["event"] for line in said] == ["begun", "landed", "landed", "ended"]
    assert {line["run_id"] for line in lines.all()} == {result.run_id}
    landed = without(said[1], "time", "host", "seconds", "run_id", "bytes")
    assert landed == {
        "level": "info",
        "logger": "f1_bronze.run",
        "message": landed["message"],
        "environment": "production",
        "job": "bronze_sessions",
        "event": "landed",
        "dataset": "drivers",
        "partition": QUALIFYING,
        "session_key": 907043,
        "revision": "new",
        "rows": 20,
        "rows_added": 20,
        "rows_removed": 0,
        "rows_changed": 0,
        "calls": 1,
        "retries": 0,
    }
    assert landed["message"].startswith(f"drivers {QUALIFYING}: new, 20 rows, 1 calls, ")
    assert said[1]["seconds"] > 0 < said[1]["bytes"]
    ended = without(said[3], "time", "host", "seconds", "run_id", "message", "logger", "job")
    assert (
        ended
        == {
            "level": "info",
            "environment": "production",
            "event": "ended",
            "landed": 2,
            "revisions": {"new": 2},
            "rows": 40,
            "failed": 0,
            "failed_checks": 0,
            "calls": 3,
        }
        or ended["calls"] == 1
    )


def test_calls_are_lines_of_their_run(
    materialize: Run, instance: dg.DagsterInstance, lines: Lines
) -> None:
    """What the rooms log inside of a run carries its id and job; afterwards lines carry none."""
    register(instance, [SessionPartition.parse(RACE)])
    result = materialize("bronze_sessions", RACE, select=["drivers"])
    calls = [line for line in lines.all("f1_bronze.openf1") if line.get("endpoint") == "drivers"]
    assert [(c["run_id"], c["job"], c["rows"], c["status"]) for c in calls] == [
        (result.run_id, "bronze_sessions", 20, 200)
    ]
    logging.getLogger("f1_bronze.lake").warning("later")
    assert "run_id" not in lines.all("f1_bronze.lake")[-1]


def test_a_cause_is_told_once_and_counted(
    materialize: Run, instance: dg.DagsterInstance, lines: Lines, simulator: Simulator
) -> None:
    """What fails for one reason in many places has a line at once and one with the count."""
    register(instance, [SessionPartition.parse(QUALIFYING), SessionPartition.parse(RACE)])
    simulator.control.change_behaviour(live=True)
    result = materialize("bronze_sessions", QUALIFYING, RACE)
    assert not result.success
    said = lines.all("f1_bronze.run")
    assert [line["event"] for line in said] == ["failed", "failed_alike", "ended"]
    first, alike, ended = said
    assert (first["level"], first["dataset"], first["partition"], first["error"]) == (
        *("error", "sessions", QUALIFYING),
        "ClosedForLiveSession",
    )
    assert alike["failed"] == 8
    assert alike["message"].startswith(f"{QUALIFYING} sessions and 7 more (sessions, drivers, ")
    assert (ended["level"], ended["failed"], ended["landed"]) == ("error", 8, 0)
    assert ended["message"].startswith("The run ended with failures: 0 stored")


def test_a_run_that_breaks_says_so(lines: Lines) -> None:
    """An error that nobody foresaw ends the run's lines with its name, and is passed on."""
    run = dg.DagsterRun(job_name="bronze_races", run_id="0" * 8)
    with pytest.raises(ZeroDivisionError), log_run(run, RunTally()):
        raise ZeroDivisionError
    [ended] = lines.all()
    assert ended["message"].startswith("The run broke off (ZeroDivisionError): 0 stored")
    assert (ended["job"], ended["run_id"], ended["level"]) == ("bronze_races", "00000000", "error")


def test_the_command_gets_what_the_log_gets(lines: Lines) -> None:
    """The tally behind the log gets everything too."""
    heard: list[object] = []

    class Listener(RunTally):
        def add_failure(self, failure: IngestFailure) -> None:
            heard.append(failure)

    failed = IngestFailure(dataset=DATASETS[0], key=RACE, error=ValueError("no rows; ask again."))
    LoggedTally(Listener()).add_failure(failed)
    assert heard == [failed]
    assert lines.all()[0]["message"] == f"sessions {RACE}: no rows; ask again."


def record(message: str, **fields: object) -> logging.LogRecord:
    """A record of one of our loggers."""
    made = logging.makeLogRecord({"msg": message, "name": "f1_bronze.x", "levelname": "WARNING"})
    vars(made).update({"created": 0.5, **fields})
    return made


def test_json_of_anything() -> None:
    """A line is one line of valid JSON whatever is in it; what looks like a secret is taken out."""
    values = {"count": 3, "none": None, "nan": float("nan"), "list": [1, "a"], "thing": object}
    text = JsonLines(host="h").format(record("redis://u:pw@h failed\nhere: password=x", **values))
    assert "\n" not in text
    assert json.loads(text) == {
        "time": "1970-01-01T00:00:00.500Z",
        "level": "warning",
        "logger": "f1_bronze.x",
        "message": "redis://h failed\nhere: password=…",
        "host": "h",
        "count": 3,
        "none": None,
        "nan": None,
        "list": [1, "a"],
        "thing": "<class 'object'>",
    }


def test_an_exception_is_a_name_and_a_trace() -> None:
    """The trace is part of the line, without a password that an address in it had."""
    try:
        raise OSError("postgresql://me:pw@host is away")
    except OSError:
        line = json.loads(JsonLines().format(record("broke", exc_info=sys.exc_info())))
    assert line["error"] == "OSError"
    assert line["trace"].startswith("Traceback (most recent call last):")
    assert line["trace"].endswith("OSError: postgresql://host is away")


def test_lines_that_dagster_has_captured() -> None:
    """Dagster's prefix and its events, which can hold rows, do not get into a line."""
    captured = record(
        "job - 1234 - step - laps landed",
        dagster_meta={"orig_message": "laps landed", "dagster_event": "rows"},
        dagster_event="rows",
    )
    line = json.loads(JsonLines().format(captured))
    assert without(line, "time", "level", "logger") == {"message": "laps landed"}


def test_readable_lines() -> None:
    """For people a line is a time, a level, a sentence and the beginning of the run's id."""
    with log_fields(run_id="12345678-aaaa"):
        assert TextLines().format(record("slow")) == "00:00:00 WARNING slow [run 12345678]"
    assert TextLines().format(record("slow")) == "00:00:00 WARNING slow"


@pytest.mark.parametrize(
    ("environ", "as_json"),
    [
        ({}, False),
        ({"ENVIRONMENT": "production"}, True),
        ({"ENVIRONMENT": "staging"}, True),
        ({"ENVIRONMENT": "production", "LOG_FORMAT": "text"}, False),
        ({"LOG_FORMAT": "json"}, True),
    ],
)
@pytest.mark.usefixtures("no_logs")
def test_the_environment_decides(environ: dict[str, str], as_json: bool) -> None:
    """JSON in staging and production, text in dev; F1_BRONZE_LOG_FORMAT has the last word."""
    settings = Settings.read({f"F1_BRONZE_{name}": value for name, value in environ.items()})
    open_deployment_logs(settings)
    assert writes_json() is as_json
    assert settings.logs_as_json is as_json


def test_a_format_that_is_none() -> None:
    """A misspelt format is an error that lists those that there are."""
    with pytest.raises(SettingError, match="LOG_FORMAT is 'xml'; it takes one of auto, json, text"):
        Settings.read({"F1_BRONZE_LOG_FORMAT": "xml"})


@pytest.mark.usefixtures("no_logs")
def test_logs_are_opened_once() -> None:
    """Loading the definitions again adds no second handler; a command takes their place."""
    logger = logging.getLogger("f1_bronze")
    before = list(logger.handlers)
    for _ in range(2):
        open_logs(as_json=False, group="", environment="dev")
    assert len(logger.handlers) == len(before) + 1
    open_logs(as_json=False, group="", environment="dev", by_command=True)
    open_logs(as_json=False, group="", environment="dev")
    [ours] = [handler for handler in logger.handlers if handler not in before]
    assert isinstance(ours, logging.NullHandler)


@pytest.fixture(scope="module")
def cloudwatch() -> Iterator[str]:
    """The address of a moto server."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


def logs_client(url: str, **timeouts: float) -> Any:
    """A client with our bounds, or shorter ones."""
    bounds = {"connect_timeout": 1, "read_timeout": 1, **timeouts}
    return boto3.client(
        "logs",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}, **bounds),
    )


def say(handler: logging.Handler, *texts: str) -> float:
    """Hand lines to the handler as the logger does; the seconds that it took."""
    handler.setFormatter(JsonLines())
    began = time.monotonic()
    for text in texts:
        handler.handle(record(text, created=time.time()))
    return time.monotonic() - began


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is logged about the group."""
    return [one.getMessage() for one in caplog.records if one.name == "f1_bronze.telemetry"]


def test_lines_arrive_in_the_group(cloudwatch: str, caplog: pytest.LogCaptureFixture) -> None:
    """A stream for each process is made in the group, also after somebody closed all handlers."""
    client = logs_client(cloudwatch, connect_timeout=20, read_timeout=20)
    client.create_log_group(logGroupName="f1")
    handler = group_handler("f1", environment="staging", client=client)
    assert handler is not None
    say(handler, "one")
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    say(handler, "two")
    handler.close()
    # On a busy machine the first queue's thread may still be at work when the second has ended.
    deadline = time.monotonic() + 30
    events = client.filter_log_events(logGroupName="f1")["events"]
    while len(events) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
        events = client.filter_log_events(logGroupName="f1")["events"]
    assert {json.loads(event["message"])["message"] for event in events} == {"one", "two"}
    [stream] = {event["logStreamName"] for event in events}
    assert stream.startswith("staging/")
    assert warnings_in(caplog) == []


def test_a_group_that_is_not_there(cloudwatch: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once, with the remedy, and the process continues."""
    handler = group_handler("nowhere", environment="dev", client=logs_client(cloudwatch))
    assert handler is not None
    say(handler, *("line" for _ in range(10)))
    handler.close()
    assert warnings_in(caplog) == [
        "Log lines do not arrive in the CloudWatch log group nowhere (ResourceNotFound) "
        "and stay on standard error. Create the log group, or correct F1_BRONZE_LOG_GROUP."
    ]


def test_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    """A refused connection costs the run nothing, and one warning."""
    client = logs_client(f"http://127.0.0.1:{closed_port()}")
    handler = group_handler("f1", environment="dev", client=client)
    assert handler is not None
    assert say(handler, *("line" for _ in range(1000))) < 1.0
    handler.close()
    [warning] = warnings_in(caplog)
    assert "(EndpointConnectionError) and stay on standard error. They are sent again" in warning


def test_a_server_that_says_nothing() -> None:
    """A CloudWatch that takes the connection and is silent holds up the end by two seconds."""
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = logs_client(f"http://127.0.0.1:{silent.getsockname()[1]}", read_timeout=1)
        handler = group_handler("f1", environment="dev", client=client)
        assert handler is not None
        assert say(handler, *("line" for _ in range(1000))) < 1.0
        began = time.monotonic()
        handler.close()
        assert time.monotonic() - began < CLOSE_SECONDS + 1
    for sender in set(threading.enumerate()) - before:
        sender.join(10)  # its further tries are refused at once


def test_no_region_and_no_credentials(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, no_logs: None
) -> None:
    """What AWS's chain lacks is logged, and lines go to standard error all the same."""
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    opened = open_logs(as_json=True, group="f1", environment="dev")
    assert len(opened) == 1
    [warning] = warnings_in(caplog)
    assert warning == (
        "Log lines stay on standard error: CloudWatch cannot be used (NoRegionError). Set "
        "AWS_DEFAULT_REGION to a region, or unset F1_BRONZE_LOG_GROUP."
    )
