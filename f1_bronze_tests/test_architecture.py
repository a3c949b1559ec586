"""The import arrow and what may be imported where."""

import ast
import re
import subprocess
import sys
from collections import Counter
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
    "psycopg2": {"openf1"},
    "sqlalchemy": {"openf1", "defs"},
    "filelock": {"openf1"},
    "boto3": {"lake", "telemetry"},
    "botocore": {"lake", "telemetry"},
    "great_expectations": {"quality"},
    "openlineage": {"telemetry"},
    "watchtower": {"telemetry"},
    "duckdb": {"lake", "cli"},
    "pandas": {"defs", "quality", "telemetry"},
    "jinja2": {"defs"},
    "rich": {"cli"},
    "gql": {"cli"},
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


# Inside defs: partitions, metadata <- record <- run, automation, outbound, monitoring; the nouns
# on top import all of them.
BELOW_RECORD = {"partitions", "metadata"}
WORK = {"run", "automation", "outbound", "monitoring"}
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("automation", "assets"): "how many partitions a run takes, and the pool of the API",
    ("automation", "jobs"): "sensors name the jobs that they request",
    ("automation", "resources"): "sensors take the Deployment",
    ("monitoring", "assets"): "all assets have one owner",
    ("monitoring", "resources"): "coverage is that of a Deployment",
    ("outbound", "monitoring"): "alerts name the sessions that are overdue",
    ("outbound", "resources"): "sensors take the Deployment",
    ("run", "checks"): "a run yields the results of its checks",
    ("run", "io_manager"): "a run writes through it",
}


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


def arrows_inside_defs() -> set[tuple[str, str]]:
    """Which parts of defs import which: its sub-rooms and the modules at its top."""
    found = set()
    for module in (PACKAGE / "defs").rglob("*.py"):
        here = module.relative_to(PACKAGE / "defs").parts[0].removesuffix(".py")
        for name in imports(module):
            parts = name.split(".")
            if parts[:2] == ["f1_bronze", "defs"] and len(parts) > 2 and parts[2] != here:
                found.add((here, parts[2]))
    return found


def test_dagster_internals_are_read_in_one_room() -> None:
    """Only the reader of Dagster's record imports what Dagster does not promise."""
    outside = {
        str(module.relative_to(PACKAGE))
        for module in modules()
        for name in imports(module)
        if name.startswith("dagster._") and "record" not in module.relative_to(PACKAGE).parts
    }
    assert outside == set()


def test_arrows_inside_defs() -> None:
    """Partitions import none, the record only them, and the four that work not each other."""
    wrong = {
        (here, there)
        for here, there in arrows_inside_defs()
        if (here in BELOW_RECORD)
        or (here == "record" and there not in BELOW_RECORD)
        or (here in WORK and there not in BELOW_RECORD | {"record"})
    }
    assert wrong == set(EXCEPTIONS)


def test_names_are_unique() -> None:
    """No two modules of the package share a name, and no two public classes."""
    stems = Counter(m.stem for m in modules() if not m.stem.startswith("__"))
    classes = Counter(
        node.name
        for module in modules()
        for node in ast.parse(module.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in (stems + classes).items() if count > 1] == []


def test_every_module_opens_with_a_sentence() -> None:
    """Each module says in one plain sentence what it does before anything else."""
    for module in modules():
        doc = ast.get_docstring(ast.parse(module.read_text("utf-8")))
        assert doc, module
        assert doc.split("\n\n")[0].rstrip().endswith((".", ":", "?")), module


def test_no_module_is_a_drawer() -> None:
    """No module has a name under which anything could be put, and none is very long."""
    drawers = {"utils", "helpers", "common", "misc", "constants"}
    assert [m for m in modules() if m.stem in drawers] == []
    lengths = {str(m): len(m.read_text("utf-8").splitlines()) for m in modules()}
    assert {name: length for name, length in lengths.items() if length > 510} == {}


def test_documents_point_at_what_is_there() -> None:
    """Modules and folders that the map, the README and the docs name exist."""
    root = PACKAGE.parent
    rooms = "|".join(p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name[0] != "_")
    gone = set()
    for page in (PACKAGE / "__init__.py", root / "README.md", *(root / "docs").rglob("*.md")):
        for name in re.findall(rf"`(?:f1_bronze/)?((?:{rooms})/[\w/.]*)`", page.read_text("utf-8")):
            target = PACKAGE / name
            if not (target.exists() or target.with_suffix(".py").exists()):
                gone.add((page.name, name))
    assert gone == set()


def test_private_dagster_has_one_home() -> None:
    """What Dagster does not promise to keep is imported by the reader of its record alone."""
    homes = {
        str(module.relative_to(PACKAGE).parent)
        for module in modules()
        if any(name.startswith("dagster._") for name in imports(module))
    }
    assert homes == {"defs/record"}


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
