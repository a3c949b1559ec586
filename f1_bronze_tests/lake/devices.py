"""A file system so small that it is full at once.

Belongs here: mounting it, and making it larger. Stays out: what is written to it.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SIZE = 64
"""Kilobytes that it has at first."""


@pytest.fixture
def tiny_device(tmp_path: Path) -> Iterator[Path]:
    """The folder that it is mounted on; skips the test where nothing can be mounted."""
    place = tmp_path / "tiny"
    place.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE}k", "tmpfs", str(place)],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        pytest.skip(f"no tiny file system: {error}")
    if done.returncode:
        pytest.skip(f"no tiny file system: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def grow(place: Path, kilobytes: int) -> None:
    """Let it have so much."""
    command = ["mount", "-o", f"remount,size={kilobytes}k", str(place)]
    subprocess.run(command, check=True, capture_output=True)
