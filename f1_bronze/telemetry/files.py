"""The port to the lake: whole files by path.

Belongs here: what telemetry needs of a store. Stays out: the stores (lake/), what is kept in them.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol


class Stored(Protocol):
    """One file of a listing."""

    @property
    def path(self) -> str:
        """Relative to the root."""


class Files(Protocol):
    """Whole files by path; an ObjectStore of the lake is one. What it raises is passed on."""

    def read(self, path: str) -> bytes | None:
        """The file's bytes; None when there is none."""

    def write(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Put the file in place at once."""

    def list(self, prefix: str) -> Iterator[Stored]:
        """The files whose path begins with the prefix."""
