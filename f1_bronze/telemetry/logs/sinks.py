"""Where log lines go: standard error, and a CloudWatch log group where one is set.

Belongs here: which handlers the `f1_bronze` logger has. Stays out: the lines themselves (lines.py),
how they get to CloudWatch (group.py).
"""

import atexit
import logging
import platform
import sys
from typing import Any

from f1_bronze.telemetry.logs.lines import JsonLines, TextLines

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
        from f1_bronze.telemetry.logs.group import group_handler

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


def told_as_json() -> bool:
    """Whether lines are JSON on standard error, so that no sentence belongs there."""
    return any(
        isinstance(handler, _ToStandardError) and isinstance(handler.formatter, JsonLines)
        for handler in _opened
    )
