"""The import arrow and what may be imported where."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import f1_bronze

PACKAGE = Path(f1_bronze.__file__).parent
ALLOWED = {
    "datasets": set(),
    "quality": {"datasets"},
    "telemetry": {"datasets"},
    "charts": {"datasets"},
    "openf1": {"datasets"},
    "lake": {"datasets"},
    "simulator": set(),
    "settings": {"datasets"},
    "defs": {
        "datasets",
        "openf1",
        "lake",
        "quality",
        "telemetry",
        "charts",
        "settings",
    },
    "definitions": {"defs", "settings"},
    "cli": {
        "datasets",
        "openf1",
        "lake",
        "quality",
        "telemetry",
        "charts",
        "simulator",
        "defs",
        "definitions",
        "settings",
    },
}
ONLY_IN = {
    "dagster": {"defs", "definitions", "cli"},
    "requests": {"openf1"},
    "psycopg": {"openf1"},
    "redis": {"openf1"},
    "boto3": {"lake", "telemetry"},
    "botocore": {"lake", "telemetry"},
    "great_expectations": {"quality"},
    "openlineage": {"telemetry"},
    "watchtower": {"telemetry"},
    "duckdb": {"lake", "cli"},
    "pandas": {"defs", "quality", "telemetry"},
    "jinja2": {"defs"},
    "rich": {"cli"},
    "click": {"cli"},
}


def modules() -> list[Path]:
    """Every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def room_of(module: Path) -> str:
    """The room that a module is in, or its own name at the top."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(module: Path) -> Iterator[str]:
    """Dotted names of everything that a module imports, wherever in the file."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


@pytest.mark.parametrize("module", modules(), ids=lambda m: str(m.relative_to(PACKAGE)))
def test_imports_follow_the_arrow(module: Path) -> None:
    """A room imports itself and the rooms behind it, and nobody else."""
    room = room_of(module)
    if room == "__init__":
        assert list(imports(module)) == []
        return
    for name in imports(module):
        parts = name.split(".")
        assert parts[0], f"{module} imports relatively"
        if parts[0] == "f1_bronze" and len(parts) > 1:
            assert parts[1] in ALLOWED[room] | {room}, f"{room} imports {name}"
        if parts[0] in ONLY_IN:
            assert room in ONLY_IN[parts[0]], f"{room} imports {name}"


def test_every_module_opens_with_a_sign() -> None:
    """Each module says what it is for before anything else."""
    unsigned = [m for m in modules() if not ast.get_docstring(ast.parse(m.read_text("utf-8")))]
    assert unsigned == []


def test_no_module_is_a_drawer() -> None:
    """No module has a name under which anything could be put, and none is very long."""
    drawers = {"utils", "helpers", "common", "misc", "constants"}
    assert [m for m in modules() if m.stem in drawers] == []
    lengths = {str(m): len(m.read_text("utf-8").splitlines()) for m in modules()}
    assert {name: length for name, length in lengths.items() if length > 680} == {}


def test_code_location_loads_light() -> None:
    """Loading the definitions imports nothing that only a run, a tick or a command needs."""
    heavy = {
        *("great_expectations", "pandas", "duckdb", "boto3", "botocore", "openlineage"),
        *("requests", "urllib3", "tenacity", "rich", "pyarrow.compute"),
        *("f1_bronze.charts.dataset_charts", "f1_bronze.quality.judge", "f1_bronze.openf1.client"),
    }
    script = "import sys, f1_bronze.definitions; print(*sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert heavy & set(printed.stdout.split()) == set()
