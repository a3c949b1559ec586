"""What a sensor's tick says, whether Dagster calls it a success or a skip."""

from typing import Any


class TickLog:
    """A sensor's log: a tick that acted on runs says there what it did."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.errors: list[str] = []

    def info(self, text: str, *values: object) -> None:
        """As a logger has it."""
        self.said.append(text % values)

    def error(self, text: str, *values: object) -> None:
        """As a logger has it."""
        self.errors.append(text % values)


def said_by(data: Any, log: TickLog) -> str:
    """The reason of a skip, or what a tick that did something has logged last."""
    if data.dagster_run_reactions:
        assert data.skip_message is None
        return log.said[-1]
    return str(data.skip_message)
