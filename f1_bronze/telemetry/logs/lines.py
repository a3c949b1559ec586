"""How a log line looks: one JSON object, or a sentence for people.

Belongs here: the two formats, and what is said of every line while a run goes on. Stays out: where
lines go (sinks.py). A line holds what was handed to the logger, never a credential: what looks like
one is taken out, though no caller should hand it in.
"""

import json
import logging
import math
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from f1_bronze.telemetry.lineage.wording import without_secrets

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
    return without_secrets(str(original) if original else record.getMessage())


def _failure(record: logging.LogRecord) -> dict[str, str]:
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    kind, error, trace = record.exc_info
    told = "".join(traceback.format_exception(kind, error, trace)).rstrip().splitlines()
    return {
        "error": kind.__name__,
        "trace": "\n".join(without_secrets(line) for line in told[-_LINES_OF_TRACE:]),
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
    return without_secrets(str(value))
