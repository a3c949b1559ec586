"""Where log lines go: standard error, and a CloudWatch log group where one is set.

A line is JSON or a sentence. It carries the fields of the run that it belongs to, and no secret.
"""

import atexit
import json
import logging
import math
import os
import platform
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from f1_bronze.telemetry.aws import (
    LATER,
    aws_errors,
    find_remedy,
    make_client,
    read_failure,
    short_code,
)
from f1_bronze.telemetry.redaction import remove_secrets

if TYPE_CHECKING:
    import watchtower

LOGGER = "f1_bronze"

SEND_SECONDS = 5
"""How long a line waits for others before CloudWatch gets them, at most."""

CONNECT_SECONDS, READ_SECONDS = 2, 3

CLOSE_SECONDS = 2
"""How long the end of a process waits for what is not sent yet."""

_TRACE_LINES = 40

_STANDARD_FIELDS = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"))

_DAGSTER_FIELD = "dagster_"
"""Prefix of Dagster's additions to a record; they can hold whole events with rows in them."""

_NO_OUTAGE = {
    ("ResourceNotFound", "PutLogEvents"),  # the stream is made next
    ("ResourceAlreadyExists", "CreateLogStream"),
}

_log = logging.getLogger("f1_bronze.telemetry")

_opened: list[logging.Handler] = []

_fields: ContextVar[Mapping[str, object]] = ContextVar(
    "f1_bronze_log_fields", default=MappingProxyType({})
)


def open_logs(
    *, as_json: bool, group: str, environment: str, by_command: bool = False
) -> list[logging.Handler]:
    """Add the handlers of this process to our logger; returns those that were made.

    Once a process: a second call does nothing, except that of a command (`by_command`), which
    has loaded the definitions, and these have opened the logs as Dagster's processes need them.
    """
    if _opened and not by_command:
        return []
    close_logs()
    # Python closes the handlers that it knows of, and forgets them when logging is configured.
    atexit.register(close_logs)
    lines = JsonLines(environment=environment, host=platform.node())
    first: logging.Handler = _ConsoleOfCommand() if by_command and not as_json else _StandardError()
    first.setFormatter(lines if as_json else TextLines())
    _opened.append(first)
    logger = logging.getLogger(LOGGER)
    logger.addHandler(first)
    if as_json or group or not by_command:
        logger.setLevel(logging.INFO)
    handler = group_handler(group, environment=environment) if group else None
    if handler is not None:
        handler.setFormatter(lines)
        _opened.append(handler)
        logger.addHandler(handler)
    return list(_opened)


def close_logs() -> None:
    """Remove the handlers; what CloudWatch is still to get has two seconds."""
    logger = logging.getLogger(LOGGER)
    while _opened:
        handler = _opened.pop()
        logger.removeHandler(handler)
        handler.close()


def writes_json() -> bool:
    """Whether standard error gets JSON lines, so that no sentence belongs there."""
    return any(
        isinstance(handler, _StandardError) and isinstance(handler.formatter, JsonLines)
        for handler in _opened
    )


@contextmanager
def log_fields(**fields: object) -> Iterator[None]:
    """Every line of this thread carries these fields while inside."""
    before = _fields.get()
    _fields.set({**before, **fields})
    try:
        yield
    finally:
        # No token: a generator may be closed in another context than it was started in.
        _fields.set(before)


class JsonLines(logging.Formatter):
    """One JSON object a line, with the same `fields` in each, such as environment and host.

    `time`, `level`, `logger` and `message` first, then the fields of the run and of the caller;
    `error` and `trace` where the line is about an exception.
    """

    def __init__(self, **fields: str) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        """The object on one line."""
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **self._fields,
            **{name: _json_value(value) for name, value in _extra_fields(record).items()},
            **_failure(record),
        }
        return json.dumps(line, ensure_ascii=False)


class TextLines(logging.Formatter):
    """`06:00:12 WARNING a sentence [run 1f2e3d4c]` in UTC, and the traceback, if any, below it."""

    def format(self, record: logging.LogRecord) -> str:
        """The sentence."""
        at = datetime.fromtimestamp(record.created, UTC)
        run = str(_extra_fields(record).get("run_id", ""))[:8]
        line = f"{at:%H:%M:%S} {record.levelname:7} {_message(record)}{f' [run {run}]' * bool(run)}"
        trace = _failure(record).get("trace")
        return f"{line}\n{trace}" if trace else line


def _extra_fields(record: logging.LogRecord) -> dict[str, object]:
    extra = {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD_FIELDS and not name.startswith(_DAGSTER_FIELD)
    }
    return {**_fields.get(), **extra}


def _message(record: logging.LogRecord) -> str:
    # Where Dagster captures our loggers, it puts job, run and step in front of the text.
    meta = getattr(record, "dagster_meta", None)
    original = meta.get("orig_message") if isinstance(meta, Mapping) else None
    return remove_secrets(str(original) if original else record.getMessage())


def _failure(record: logging.LogRecord) -> dict[str, str]:
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    kind, error, trace = record.exc_info
    lines = "".join(traceback.format_exception(kind, error, trace)).rstrip().splitlines()
    return {
        "error": kind.__name__,
        "trace": "\n".join(remove_secrets(line) for line in lines[-_TRACE_LINES:]),
    }


def _json_value(value: object) -> object:
    """The value as JSON has it: numbers and lists stay what they are, all else becomes text."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple):
        return [_json_value(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _json_value(one) for name, one in value.items()}
    return remove_secrets(str(value))


class _StandardError(logging.StreamHandler[Any]):
    """To standard error as it is when a line is written: Dagster redirects it for each step."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _ConsoleOfCommand(logging.NullHandler):
    """A command has a console of its own, which shows what a person wants to see."""


def group_handler(
    group: str, *, environment: str, send_seconds: int = SEND_SECONDS, client: Any = None
) -> logging.Handler | None:
    """A handler for this log group, a stream a process; None, and a warning, where none can be.

    The group must exist, so that its retention is somebody's decision. Nothing is sent here.
    """
    import watchtower

    try:
        client = client or make_client(
            "logs", connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS
        )
    except aws_errors() as error:
        failure = read_failure(error, "logs")
        _log.warning(
            "Log lines stay on standard error: CloudWatch %s. %s, or unset F1_BRONZE_LOG_GROUP.",
            *(failure.what, failure.remedy.rstrip(".")),
        )
        return None
    # Each try would be a warning with the library's line number; `_OutageLog` warns once.
    warnings.filterwarnings("ignore", category=watchtower.WatchtowerWarning)
    _OutageLog(group).listen(client)

    class Queue(watchtower.CloudWatchLogHandler):
        """Sends what waits when it is closed, and is not flushed besides, or one waits twice."""

        FLUSH_TIMEOUT = CLOSE_SECONDS

        def flush(self) -> None:
            """Nothing."""

    return _GroupHandler(
        lambda: Queue(
            log_group_name=group,
            log_stream_name=f"{environment}/{platform.node()}/{os.getpid()}",
            boto3_client=client,
            create_log_group=False,
            send_interval=send_seconds,
        )
    )


class _GroupHandler(logging.Handler):
    """Hands lines to watchtower's handler, and to a new one where somebody has closed that.

    `logging.config.dictConfig` closes every handler of the process, and Dagster calls it at the
    start of each run.
    """

    def __init__(self, make_queue: Callable[[], "watchtower.CloudWatchLogHandler"]) -> None:
        super().__init__()
        self._make_queue = make_queue
        self._queue: Any = None  # untyped upstream

    def emit(self, record: logging.LogRecord) -> None:
        """Into the queue; nothing is sent in this thread."""
        if self._queue is None or self._queue.shutting_down:
            self._queue = self._make_queue()
            self._queue.setFormatter(self.formatter)
        self._queue.emit(record)

    def close(self) -> None:
        """Send what waits, for `CLOSE_SECONDS` at most."""
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.close()
        super().close()


class _OutageLog:
    """Warns once that lines do not arrive, and logs once that they do again."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._outage = ""

    def listen(self, client: Any) -> None:
        """Follow how the client's calls end."""
        events = client.meta.events
        events.register("after-call.cloudwatch-logs", self._answered)
        events.register("after-call-error.cloudwatch-logs", self._failed)

    def _answered(self, http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
        if http_response.status_code < 300:
            if self._outage and model.name == "PutLogEvents":
                _log.info("Log lines arrive in %s again.", self._group)
                self._outage = ""
            return
        code = short_code(str(parsed.get("Error", {}).get("Code", http_response.status_code)))
        if (code, model.name) not in _NO_OUTAGE:
            self._warn(code)

    def _failed(self, exception: Exception, **_: Any) -> None:
        self._warn(type(exception).__name__)

    def _warn(self, code: str) -> None:
        if code != self._outage:
            self._outage = code
            remedy = find_remedy(code, "logs")
            _log.warning(
                "Log lines do not arrive in the CloudWatch log group %s (%s) and stay on standard "
                "error. %s",
                *(self._group, code, "They are sent again." if remedy == LATER else remedy),
            )
