"""Writes the versions that the image installs: `python -m tools.constraints`.

They are those of this environment, in which the tests have passed: everything that pyproject.toml
asks for, PostgreSQL included, and what that needs in turn. A user's own `pip install` stays free.
"""

import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
HEADER = """\
# Made by `make docs` from an environment in which the tests have passed. The image installs these:
#   pip install -c constraints.txt "f1_bronze[postgresql,containers]"
"""

IMAGE_EXTRAS = ("postgresql", "containers")


def image_requirements() -> list[str]:
    """What the image installs besides f1_bronze itself, as pyproject.toml declares it."""
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *(one for name in IMAGE_EXTRAS for one in extras[name])]


def read_versions(
    requirements: Iterable[str], find: Callable[[str], Distribution] = distribution
) -> dict[str, str]:
    """The version here of every package that is required, directly or by another, by name.

    What does not apply here, or is not installed because it applies elsewhere, has no version.
    """
    versions: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = list(_needed(requirements, extra=""))
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            found = find(name)
        except PackageNotFoundError:
            continue
        versions[name] = found.version
        waiting += _needed(found.requires or (), extra)
    return dict(sorted(versions.items()))


def _needed(requirements: Iterable[str], extra: str) -> Iterator[tuple[str, str]]:
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            name = canonicalize_name(requirement.name)
            yield from ((name, one) for one in ("", *requirement.extras))


def constraints() -> str:
    """The constraints file, as pip reads it."""
    versions = read_versions(image_requirements())
    return HEADER + "".join(f"{name}=={version}\n" for name, version in versions.items())


if __name__ == "__main__":
    sys.stdout.write(constraints())
