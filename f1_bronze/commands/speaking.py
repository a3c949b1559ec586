"""How commands speak: exit statuses, errors as sentences, the --json option, seasons.

Belongs here: what every subcommand shares. Stays out: tables and progress (console.py).
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any, NoReturn, TypeVar

import click

from f1_bronze.settings import SettingError

FAILED, WRONG_USE, CLOSED, STOPPED = 1, 2, 3, 130
_T = TypeVar("_T")
as_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for other programs."
)


class Seasons(click.ParamType[tuple[int, ...]]):
    """`2025`, `2023-2025` or `2023,2025` as ascending years."""

    name = "seasons"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """The years; a usage error for anything else."""
        years: set[int] = set()
        for part in str(value).split(","):
            match = re.fullmatch(r"\s*(\d{4})\s*(?:-\s*(\d{4})\s*)?", part)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
            if not 1950 <= first <= last <= 2100:
                self.fail(f"{value!r} names no seasons; write 2025, 2023-2025 or 2023,2025.")
            years |= set(range(first, last + 1))
        return tuple(sorted(years))


class Moment(click.ParamType[datetime]):
    """`2025-04-14` or `2025-04-14T06:00:00+02:00`; UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        """The moment in UTC; a usage error for anything else."""
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time; write 2025-04-14 or 2025-04-14T06:00:00, in UTC.")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def told(command: Callable[..., _T]) -> Callable[..., _T]:
    """Errors that a person can mend are a sentence and an exit status, never a traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> _T:
        from f1_bronze.defs.instance import HomeUnusable
        from f1_bronze.lake.errors import LakeAddressError, LakeError
        from f1_bronze.openf1.calendar import UnknownGrandPrix, UnknownSeason
        from f1_bronze.openf1.file_store import RateStoreError
        from f1_bronze.openf1.outcomes import ClosedForLiveSession, OpenF1Error
        from f1_bronze.openf1.pace import PaceSettingError

        try:
            return command(*args, **kwargs)
        except (
            SettingError,
            PaceSettingError,
            LakeAddressError,
            UnknownGrandPrix,
            UnknownSeason,
        ) as error:
            _end(error, WRONG_USE, kwargs)
        except ClosedForLiveSession as error:
            _end(error, CLOSED, kwargs)
        except (OpenF1Error, LakeError, RateStoreError, HomeUnusable) as error:
            _end(error, FAILED, kwargs)

    return run


def _end(error: Exception, status: int, options: Mapping[str, Any]) -> NoReturn:
    if options.get("as_json"):
        told = {"status": status, "error": type(error).__name__, "message": str(error)}
        click.echo(json.dumps(told, ensure_ascii=False))
    click.echo(f"f1-bronze: {error}", err=True)
    sys.exit(status)
