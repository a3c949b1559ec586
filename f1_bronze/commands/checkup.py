"""What the doctor finds: one check as it is told, and all of them as a person sees them.

Belongs here: a check and its line. Stays out: the checks (doctor.py, checkup_lake.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check ended; warnings do not change the exit status."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line: what was checked, how it ended, what was seen, what to do.

    `remedy` is empty where nothing is to be done or `detail` ends with it. `action` is the AWS
    permission that is missing.
    """

    check: str
    state: State
    detail: str
    remedy: str = ""
    action: str = ""


def print_checks(checks: Sequence[Check]) -> None:
    """A line for each with its state in front, the remedy below it, a sum at the end."""
    from rich.text import Text

    from f1_bronze.commands.console import plain

    styles = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "red"}
    width = max(len(check.check) for check in checks)
    console = plain()
    for check in checks:
        line = Text(f"{check.state:<8}", style=styles[check.state])
        line.append(f"{check.check:<{width}}  {check.detail}", style="default")
        console.print(line, soft_wrap=True)
        if check.remedy:
            console.print(Text(f"{'':<{width + 10}}→ {check.remedy}"), soft_wrap=True)
    bad = sum(check.state is State.FAILED for check in checks)
    warned = sum(check.state is State.WARNING for check in checks)
    console.print(f"\n{len(checks)} checks: {bad} failed, {warned} warnings.")
