"""Where log lines go: standard error, and a CloudWatch log group where one is set.

Belongs here: which handlers the `f1_bronze` logger has. Stays out: the lines themselves (lines.py),
how they get to CloudWatch (group.py).
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

from f1_bronze.telemetry.redaction import remove_secrets

if TYPE_CHECKING:
    import watchtower


_LINES_OF_TRACE = 40

_OWN = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"))

_DAGSTERS = "dagster_"

"""How Dagster's additions to a record begin; they can hold whole events with rows in them."""

_about: ContextVar[Mapping[str, object]] = ContextVar(
    "f1_bronze_log_fields", default=MappingProxyType({})
)


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Every line of this thread carries these fields while inside."""
    before = _about.get()
    _about.set({**before, **fields})
    try:
        yield
    finally:
        # No token: a generator may be closed elsewhere than where it was begun.
        _about.set(before)


class JsonLines(logging.Formatter):
    """One JSON object a line, with the same `fields` in each, such as environment and host.

    `time`, `level`, `logger` and `message` first, then what the run and the caller say; `error` and
    `trace` where the line is about an exception.
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
            **{name: _plain(value) for name, value in fields_of(record).items()},
            **_failure(record),
        }
        return json.dumps(line, ensure_ascii=False)


class TextLines(logging.Formatter):
    """`06:00:12 WARNING a sentence [run 1f2e3d4c]` in UTC, and the traceback, if any, below it."""

    def format(self, record: logging.LogRecord) -> str:
        """The sentence."""
        at = datetime.fromtimestamp(record.created, UTC)
        run = str(fields_of(record).get("run_id", ""))[:8]
        line = f"{at:%H:%M:%S} {record.levelname:7} {_message(record)}{f' [run {run}]' * bool(run)}"
        trace = _failure(record).get("trace")
        return f"{line}\n{trace}" if trace else line


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """What is said of a line besides its text: by the run that goes on, and by the caller."""
    extra = {
        name: value
        for name, value in vars(record).items()
        if name not in _OWN and not name.startswith(_DAGSTERS)
    }
    return {**_about.get(), **extra}


def _message(record: logging.LogRecord) -> str:
    # Where Dagster captures our loggers, it puts job, run and step in front of the text.
    meta = getattr(record, "dagster_meta", None)
    original = meta.get("orig_message") if isinstance(meta, Mapping) else None
    return remove_secrets(str(original) if original else record.getMessage())


def _failure(record: logging.LogRecord) -> dict[str, str]:
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    kind, error, trace = record.exc_info
    told = "".join(traceback.format_exception(kind, error, trace)).rstrip().splitlines()
    return {
        "error": kind.__name__,
        "trace": "\n".join(remove_secrets(line) for line in told[-_LINES_OF_TRACE:]),
    }


def _plain(value: object) -> object:
    """The value as JSON has it: numbers and lists stay what they are, all else becomes text."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return remove_secrets(str(value))


SEND_SECONDS = 5

"""How long a line waits for others, at most."""

CONNECT_SECONDS, READ_SECONDS = 2, 3

CLOSE_SECONDS = 2

"""How long the end of a process waits for what is not sent yet."""

_NO_OUTAGE = {
    ("ResourceNotFoundException", "PutLogEvents"),  # the stream is made next
    ("ResourceAlreadyExistsException", "CreateLogStream"),
}

_log = logging.getLogger("f1_bronze.telemetry")


def group_handler(
    group: str, *, environment: str, send_seconds: int = SEND_SECONDS, client: Any = None
) -> logging.Handler | None:
    """A handler for this log group, a stream a process; None, and a warning, where none can be.

    The group must be there, so that its retention is somebody's decision. Nothing is sent here.
    """
    import watchtower
    from botocore import exceptions as boto

    try:
        client = client or _default_client()
    except (boto.BotoCoreError, ValueError) as error:
        _log.warning(
            "Log lines stay on standard error: there is no client for CloudWatch (%s). Set "
            "AWS_REGION and mend the AWS settings, or unset F1_BRONZE_LOG_GROUP.",
            type(error).__name__,
        )
        return None
    # Each try would be a warning with the library's line number; `_Outage` tells of it once.
    warnings.filterwarnings("ignore", category=watchtower.WatchtowerWarning)
    _Outage(group).listen(client)

    def queue() -> watchtower.CloudWatchLogHandler:
        return _queue_class()(
            log_group_name=group,
            log_stream_name=f"{environment}/{platform.node()}/{os.getpid()}",
            boto3_client=client,
            create_log_group=False,
            send_interval=send_seconds,
        )

    return _ToGroup(queue)


def _queue_class() -> "type[watchtower.CloudWatchLogHandler]":
    import watchtower

    class Queue(watchtower.CloudWatchLogHandler):
        """Sends what waits when it is closed, and is not flushed besides, or one waits twice."""

        FLUSH_TIMEOUT = CLOSE_SECONDS

        def flush(self) -> None:
            """Nothing."""

    return Queue


class _ToGroup(logging.Handler):
    """Hands lines to watchtower's handler, and to a new one where somebody has closed that.

    `logging.config.dictConfig` closes every handler of the process, and Dagster calls it at the
    beginning of each run.
    """

    def __init__(self, queue: Callable[[], "watchtower.CloudWatchLogHandler"]) -> None:
        super().__init__()
        self._queue = queue
        self._open: Any = None  # untyped upstream

    def emit(self, record: logging.LogRecord) -> None:
        """Into the queue; nothing is sent in this thread."""
        if self._open is None or self._open.shutting_down:
            self._open = self._queue()
            self._open.setFormatter(self.formatter)
        self._open.emit(record)

    def close(self) -> None:
        """Send what waits, for `CLOSE_SECONDS` at most."""
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()
        super().close()


class _Outage:
    """Tells once that lines do not arrive, and once that they do again."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._told = ""

    def listen(self, client: Any) -> None:
        """Hear how the client's calls end."""
        events = client.meta.events
        events.register("after-call.cloudwatch-logs", self._answered)
        events.register("after-call-error.cloudwatch-logs", self._failed)

    def _answered(self, http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
        if http_response.status_code < 300:
            if self._told and model.name == "PutLogEvents":
                _log.info("Log lines arrive in %s again.", self._group)
                self._told = ""
            return
        code = str(parsed.get("Error", {}).get("Code", http_response.status_code))
        if (code, model.name) not in _NO_OUTAGE:
            self._tell(code)

    def _failed(self, exception: Exception, **_: Any) -> None:
        self._tell(type(exception).__name__)

    def _tell(self, what: str) -> None:
        if what != self._told:
            self._told = what
            _log.warning(
                "Log lines do not arrive in the CloudWatch log group %s (%s) and stay on standard "
                "error. %s",
                *(self._group, what, _remedy(what)),
            )


def _remedy(what: str) -> str:
    if what == "ResourceNotFoundException":
        return "Create the log group, or mend F1_BRONZE_LOG_GROUP."
    if what in ("AccessDeniedException", "UnrecognizedClientException"):
        return "Allow logs:CreateLogStream and logs:PutLogEvents on it."
    if what in ("NoCredentialsError", "PartialCredentialsError"):
        return "Give this process AWS credentials by the standard chain (AWS_PROFILE, a role)."
    return "They are sent again once it answers."


def _default_client() -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "logs",
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1, "mode": "standard"},
        ),
    )


LOGGER = "f1_bronze"


class _ToStandardError(logging.StreamHandler[Any]):
    """To standard error as it is when a line is written: Dagster redirects it for each step."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _ToTheCommand(logging.NullHandler):
    """A command has a console of its own, which shows what a person wants to see."""


_opened: list[logging.Handler] = []


def open_logs(
    *, as_json: bool, group: str, environment: str, by_command: bool = False
) -> list[logging.Handler]:
    """Give this process's lines their way out; the handlers that were made.

    Once a process: where that was done before, nothing is. A command has the last word
    (`by_command`), because it loads the definitions, which do it for Dagster's processes.
    """
    if _opened and not by_command:
        return []
    close_logs()
    # Python closes the handlers that it knows of, and forgets them when logging is configured.
    atexit.register(close_logs)
    lines = JsonLines(environment=environment, host=platform.node())
    first: logging.Handler = _ToTheCommand() if by_command and not as_json else _ToStandardError()
    first.setFormatter(lines if as_json else TextLines())
    _opened.append(first)
    logger = logging.getLogger(LOGGER)
    logger.addHandler(first)
    if as_json or group or not by_command:
        logger.setLevel(logging.INFO)
    if group:
        handler = group_handler(group, environment=environment)
        if handler is not None:
            handler.setFormatter(lines)
            _opened.append(handler)
            logger.addHandler(handler)
    return list(_opened)


def close_logs() -> None:
    """Take the handlers away; what CloudWatch is still to get has two seconds."""
    logger = logging.getLogger(LOGGER)
    while _opened:
        handler = _opened.pop()
        logger.removeHandler(handler)
        handler.close()


def writes_json() -> bool:
    """Whether lines are JSON on standard error, so that no sentence belongs there."""
    return any(
        isinstance(handler, _ToStandardError) and isinstance(handler.formatter, JsonLines)
        for handler in _opened
    )
