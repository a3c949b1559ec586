"""A file system so small that it is full at once, and a way to enlarge it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

# Kilobytes that it has at first.
SIZE = 64


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
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
    """Enlarge the file system to so many kilobytes."""
    command = ["mount", "-o", f"remount,size={kilobytes}k", str(place)]
    subprocess.run(command, check=True, capture_output=True)
