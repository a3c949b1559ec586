"""Log lines into a CloudWatch log group, by watchtower.

Belongs here: its settings, which keep a silent CloudWatch from costing anybody time, and who hears
of it. Stays out: what the lines hold (lines.py). Why watchtower: docs/adr/0018-logs.md.

Lines wait in memory and are sent by a thread every few seconds. A batch that CloudWatch does not
take in five tries is dropped: it is on standard error, and Dagster's record has the run itself.
"""

import logging
import os
import platform
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import watchtower

SEND_SECONDS = 5
"""How long a line waits for others, at most."""
CONNECT_SECONDS, READ_SECONDS = 2, 3
LAST_SECONDS = 2
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

        FLUSH_TIMEOUT = LAST_SECONDS

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
        """Send what waits, for `LAST_SECONDS` at most."""
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
