"""Checks a release from outside: `python -m tools.release_check [VERSION…]`.

Builds the source distribution, from that the wheel, and reads both as a package index would. Then,
for each supported Python on this machine: a clean environment with nothing but the wheel, and in an
empty folder what a new user types. Needs `pip install ".[release]"` and a package index.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "build" / "release"
TYPED = (
    "f1-bronze --version",
    "f1-bronze demo",
    'f1-bronze sql "SELECT count(*) AS laps FROM laps"',
    "f1-bronze init project",
    "dagster definitions validate -w project/workspace.yaml",
)
"""What a new user types, one after the other in one folder."""

SDIST_HAS = (
    *("CHANGELOG.md", "LICENSE", "README.md", "docs/index.md", "docs/adr/index.md", "mkdocs.yml"),
    *("f1_bronze_tests/test_docs.py", "tools/release_check.py", "workspace.yaml"),
    *("deploy/dagster/Dockerfile", "examples/silver/assets.py"),
)
WHEEL_HAS = (
    *("py.typed", "defs/monitoring/page.css", "starter/workspace.yaml"),
    *("starter/deploy/dagster/Dockerfile", "starter/deploy/aws/bucket.yaml"),
    "starter/examples/silver/assets.py",
)


def supported_versions() -> list[str]:
    """The Python versions that pyproject.toml promises, such as `3.12`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found = (re.fullmatch(r".*:: Python :: (3\.\d+)", line) for line in project["classifiers"])
    return [match[1] for match in found if match]


def find_pythons(versions: Iterable[str]) -> dict[str, Path | None]:
    """An interpreter by version, from PATH or pyenv; None where this machine has none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found: dict[str, Path | None] = {}
    for version in versions:
        candidates = [
            *sorted(pyenv.glob(f"{version}.*/bin/python")),
            shutil.which(f"python{version}"),
        ]
        working = [path for path in candidates if path and _runs(path, version)]
        found[version] = Path(working[-1]) if working else None
    return found


def _runs(python: str | Path, version: str) -> bool:
    # A shim of a version manager is on PATH for versions that are not active, too.
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() == version


def build() -> tuple[Path, Path]:
    """The source distribution, and the wheel made from it."""
    shutil.rmtree(DIST, ignore_errors=True)
    _run([sys.executable, "-m", "build", "--outdir", str(DIST), str(ROOT)], ROOT)
    [sdist], [wheel] = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    _run([sys.executable, "-m", "twine", "check", "--strict", str(sdist), str(wheel)], ROOT)
    return sdist, wheel


def missing_files(sdist: Path, wheel: Path) -> list[str]:
    """What the two should have and do not, or have and should not."""
    with tarfile.open(sdist) as archive:
        source = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    return [
        *(f"{sdist.name} lacks {name}" for name in SDIST_HAS if name not in source),
        *(f"{wheel.name} lacks {name}" for name in WHEEL_HAS if f"f1_bronze/{name}" not in packed),
        *(
            f"{wheel.name} should not have {name}"
            for name in sorted(packed)
            if name.split("/")[0] != "f1_bronze" and ".dist-info/" not in name
        ),
    ]


def relative_links(wheel: Path) -> list[str]:
    """Links and pictures of the description that lead nowhere on a package index."""
    from readme_renderer import markdown

    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        page = markdown.render(archive.read(name).decode().partition("\n\n")[2])
    if not page:
        return ["the description does not render"]
    return [
        link
        for link in re.findall(r'(?:href|src)="([^"]*)"', page)
        if not re.match(r"#|\w+://", link)
    ]


def try_wheel(python: Path, wheel: Path) -> float:
    """Install the wheel into a clean environment and type what a new user types.

    Returns the seconds that the commands took, without the installation.
    """
    with tempfile.TemporaryDirectory(prefix="f1_bronze_release_") as folder:
        environment, empty = Path(folder, "environment"), Path(folder, "empty")
        empty.mkdir()
        _run([str(python), "-m", "venv", str(environment)], empty)
        binaries = environment / "bin"
        _run([str(binaries / "pip"), "install", "--quiet", str(wheel)], empty)
        started = time.monotonic()
        for line in TYPED:
            _run(line, empty, binaries)
        return time.monotonic() - started


def _run(command: list[str] | str, folder: Path, binaries: Path | None = None) -> None:
    environ = {name: os.environ[name] for name in os.environ if not name.startswith("F1_BRONZE_")}
    environ.pop("PYTHONPATH", None)
    environ |= {"DAGSTER_DISABLE_TELEMETRY": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if binaries:
        environ["PATH"] = f"{binaries}{os.pathsep}{environ['PATH']}"
        if " sql " in command:
            environ["F1_BRONZE_LAKE_URI"] = "data/demo/lake"
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        shell=isinstance(command, str),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        typed = command if isinstance(command, str) else " ".join(command)
        sys.exit(f"{done.stdout}\nExit status {done.returncode} of: {typed}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(versions: list[str]) -> None:
    """Build and check; a line for each Python, and exit status 1 if anything is wrong."""
    sdist, wheel = build()
    wrong = missing_files(sdist, wheel)
    wrong += [f"The README on a package index: {link}" for link in relative_links(wheel)]
    if wrong:
        sys.exit("\n".join(wrong))
    _say(f"{sdist.name}, {wheel.name}: complete, and the README renders")
    for version, python in find_pythons(versions or supported_versions()).items():
        if python is None:
            _say(f"Python {version}: not on this machine")
            continue
        seconds = try_wheel(python, wheel)
        _say(f"Python {version}: installs, and the first commands work ({seconds:.0f} s)")


if __name__ == "__main__":
    main(sys.argv[1:])
