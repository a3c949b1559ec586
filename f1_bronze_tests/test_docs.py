"""What the README and docs say is what happens."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import dagster as dg
import pytest

from f1_bronze.cli import main
from f1_bronze.datasets import DATASETS
from f1_bronze.defs.partitions import asset_key
from f1_bronze.settings import SETTINGS
from f1_bronze_tests.once import made_once
from tools.dataset_docs import datasets_page
from tools.reference_docs import PAGES as DERIVED_PAGES
from tools.release_check import SDIST_HAS, WHEEL_HAS, find_pythons, supported_versions
from tools.site_links import on_page_markdown, repository, with_absolute_links

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PRINTED = "printed.txt"
"""In the folder of the first command what it printed."""
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


def command(line: str, folder: Path) -> str:
    """What a command line of the README prints, both streams, run in a folder."""
    environ = {**os.environ, "F1_BRONZE_RATE_STORE": "memory"}
    if " sql " in line:
        assert "export F1_BRONZE_LAKE_URI=data/demo/lake" in README
        environ["F1_BRONZE_LAKE_URI"] = "data/demo/lake"
    words = [sys.executable, "-m", "f1_bronze.cli", *shlex.split(line, comments=True)[1:]]
    done = subprocess.run(
        words, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def alike(printed: str, promised: str) -> bool:
    """Whether a print is what was promised, where `...` stands for anything in a line."""
    lines, patterns = printed.splitlines(), promised.splitlines()
    return len(lines) == len(patterns) and all(
        re.fullmatch(
            r"\s+".join(re.escape(word).replace(r"\.\.\.", ".*") for word in pattern.split()),
            line.strip(),
        )
        for line, pattern in zip(lines, patterns, strict=True)
    )


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the first command of the README was run; it is only read."""
    first = blocks(README, "console")[0].splitlines()[0].removeprefix("$ ")

    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / PRINTED).write_text(command(first, folder), "utf-8")

    return made_once(tmp_path_factory, "readme", make)


@pytest.mark.parametrize("block", blocks(README, "console"), ids=lambda b: b.splitlines()[0])
def test_console_blocks(block: str, tmp_path: Path, demo_folder: Path) -> None:
    """A command of the README prints what the README shows."""
    line, promised = block.split("\n", 1)
    if block == blocks(README, "console")[0]:
        printed = (demo_folder / PRINTED).read_text("utf-8")
    else:
        printed = command(line.removeprefix("$ "), demo_folder if " sql " in line else tmp_path)
    assert alike(printed, promised), printed


def test_python_blocks(demo_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The Python of the README runs on what the first command has stored."""
    read, define = blocks(README, "python")
    here = Path.cwd()
    os.chdir(demo_folder)
    try:
        exec(compile(read, "README.md", "exec"), {})
        names: dict[str, object] = {}
        exec(compile(define, "README.md", "exec"), names)
    finally:
        os.chdir(here)
    assert capfd.readouterr().out.strip().isdigit()
    assert names["best_laps"].key.to_user_string() == "silver/best_laps"  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_can_be_typed(page: Path) -> None:
    """Every `f1-bronze` line of the docs is one that the command understands."""
    for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text("utf-8"), flags=re.M | re.S):
        for line in block.splitlines():
            if not line.startswith("f1-bronze "):
                continue
            words = shlex.split(line, comments=True)[1:]
            subcommand = main.get_command(click.Context(main), words[0])
            assert subcommand is not None, line
            words = [str(ROOT / "docs") if word == "recordings" else word for word in words[1:]]
            subcommand.make_context("f1-bronze", words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link of a page leads to a file."""
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_the_datasets_page_is_derived() -> None:
    """docs/reference/datasets.md is what the declarations say; `make docs` writes it."""
    assert (ROOT / "docs/reference/datasets.md").read_text("utf-8") == datasets_page()


@pytest.mark.parametrize("path", DERIVED_PAGES)
def test_reference_pages_are_derived(path: str) -> None:
    """Commands, settings, metrics, names and decisions are what the code has: `make docs`."""
    assert (ROOT / "docs" / path).read_text("utf-8") == DERIVED_PAGES[path]()


def test_links_out_of_the_docs_lead_to_the_repository() -> None:
    """A link to a file outside is made absolute for the site, one between pages is left alone."""
    page = (
        "[a](../../deploy/dagster) ![b](../images/b.png) [c](x.md#y) [d](../../setup.py#L1) [e](#f)"
    )
    assert with_absolute_links(page, "docs/guides", stays="docs") == (
        f"[a]({repository()}/tree/main/deploy/dagster) ![b](../images/b.png) [c](x.md#y) "
        f"[d]({repository()}/blob/main/setup.py#L1) [e](#f)"
    )


def test_files_at_the_root_are_pages() -> None:
    """The page of the changelog has its text, with links to pages from where it is now."""
    page = SimpleNamespace(file=SimpleNamespace(src_uri="project/changelog.md"))
    text = on_page_markdown((ROOT / "docs/project/changelog.md").read_text("utf-8"), page=page)
    assert text.startswith("# Changelog")
    for target in re.findall(r"\]\((?!\w+:)([^)#]+)", text):
        assert (ROOT / "docs/project" / target).exists(), target


def test_the_readme_of_a_package_has_absolute_links() -> None:
    """On a package index, links and pictures of the README lead to the repository's files."""
    page = with_absolute_links(README, ".")
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page)
    assert pictures
    assert all(link.startswith(f"{repository()}/raw/main/docs/images/") for link in pictures)
    links = re.findall(r"\]\(([^)#]+)\)", page)
    assert [link for link in links if "://" not in link] == []
    assert f"{repository()}/tree/main/examples/silver" in links


@pytest.mark.slow
def test_a_broken_link_fails_the_site(tmp_path: Path) -> None:
    """What `make site` runs ends with a failure that names the page and the link."""
    [made] = re.findall(r"\$\(BIN\)/python -m (mkdocs build .*)", (ROOT / "Makefile").read_text())
    for name in ("docs", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("mkdocs.yml", "pyproject.toml", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        shutil.copy(ROOT / name, tmp_path)
    with (tmp_path / "docs/faq.md").open("a") as page:
        page.write("\n[Nothing](nowhere.md)\n")
    done = subprocess.run(
        [sys.executable, "-m", *made.split()],
        cwd=tmp_path,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 1
    assert "'faq.md' contains a link 'nowhere.md'" in done.stdout


def test_a_release_has_what_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release check looks for files that there are, and tries the Pythons that are promised."""
    assert [name for name in SDIST_HAS if not (ROOT / name).exists()] == []
    for name in WHEEL_HAS:
        inside = name.removeprefix("starter/")
        assert ((ROOT if inside != name else ROOT / "f1_bronze") / inside).exists(), name
    assert supported_versions() == ["3.11", "3.12", "3.13"]
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    found = find_pythons([f"{sys.version_info[0]}.{sys.version_info[1]}", "3.99"])
    assert [path is not None for path in found.values()] == [True, False]


def test_events_are_described(demo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of events has the metadata and the facets that the demo's events have."""
    page = (ROOT / "docs/reference/events.md").read_text("utf-8")
    sections = {one.split("\n")[0]: one for one in page.split("\n## ")[1:]}

    def described(section: str) -> set[str]:
        rows = re.findall(r"^\| (.*?) \|", sections[section], flags=re.M)
        return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}

    home = demo_folder / "data/demo/dagster_home"
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.get() as instance:
        metadata: set[str] = set()
        for dataset in DATASETS:
            for record in instance.fetch_materializations(asset_key(dataset), limit=5).records:
                assert record.asset_materialization is not None
                metadata |= record.asset_materialization.metadata.keys()
        key = dg.AssetCheckKey(asset_key(DATASETS[0]), "rules")
        [check] = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        assert check.event is not None
        evaluation = check.event.dagster_event.asset_check_evaluation_data  # type: ignore[union-attr]
        checked = evaluation.metadata.keys()
    assert metadata - described("Materializations") == set()
    assert described("Materializations") - metadata <= {
        "changes",
        "named_by_place",
        "repeated_from",
    }
    assert checked == described("Check evaluations") - {"unexpected_rows"}

    events = [json.loads(one["event"]) for one in lineage_events(demo_folder)]
    of_datasets = [one for one in events if not one["job"]["name"].startswith("dagster_")]
    found: set[str] = set()
    for event in of_datasets:
        found |= event["run"]["facets"].keys() | event["job"]["facets"].keys()
        for place in event["inputs"] + event["outputs"]:
            kinds = ("facets", "inputFacets", "outputFacets")
            found |= {name for kind in kinds for name in place.get(kind, {})}
    assert found == described("Lineage events") - {"errorMessage", "START", "COMPLETE", "FAIL"}


def lineage_events(folder: Path) -> list[dict[str, str]]:
    """The lineage events of the demo's lake, as the view has them."""
    printed = command("f1-bronze sql 'SELECT event FROM lineage' --json", folder)
    events: list[dict[str, str]] = json.loads(printed)
    return events


def said_in_the_code() -> str:
    """Every text of the package, a line each, with … for what an f-string puts in."""
    texts = []
    for module in (ROOT / "f1_bronze").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = (one.value if isinstance(one, ast.Constant) else "…" for one in node.values)
                texts.append("".join(map(str, parts)))
    return "\n".join(texts)


def test_quoted_messages_are_said() -> None:
    """The symptoms page quotes messages that the code has, but for those of Dagster."""
    page = (ROOT / "docs/operations/symptoms.md").read_text("utf-8")
    quoted = {
        quote
        for row in re.findall(r"^\| (.*?) \|", page, flags=re.M)
        for quote in re.findall(r"`([^`]+ [^`]+)`", row)
        if not quote.startswith("f1-bronze ")
    } - {
        "database is locked",
        "Version table 'alembic_version' has more than one head present",
        "Could not reach user code server",
    }
    assert len(quoted) > 15
    said = said_in_the_code()
    pieces = [piece.strip() for quote in quoted for piece in quote.split("…")]
    assert [piece for piece in pieces if len(piece) > 3 and piece not in said] == []


def test_commands_that_are_recommended_exist() -> None:
    """Each command that a message or a sentence of the docs names is one, with its options."""
    pages = [page for page in PAGES if page.parent.name != "adr"]
    texts = [said_in_the_code(), *(page.read_text("utf-8") for page in pages)]
    found = {command for text in texts for command in re.findall(r"`f1-bronze (\w[^`]*)`", text)}
    assert len(found) > 60
    for command in found:
        name, *words = command.split()
        subcommand = main.get_command(click.Context(main), name)
        assert subcommand is not None, command
        known = {option for parameter in subcommand.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known | {"--help"}, command


def test_settings_of_the_readme_exist() -> None:
    """The README's short list names settings that there are, with their defaults; the page of
    reference, which is derived, has all."""
    table = README[README.index("## Settings") : README.index("## Where to go next")]
    defaults = {setting.variable: setting.default for setting in SETTINGS}
    rows = re.findall(r"^\| (`F1_BRONZE_[^|]*)\|([^|]*)\|", table, flags=re.M)
    named = {name: default for cell, default in rows for name in re.findall(r"`(\w+)`", cell)}
    assert len(named) > 5
    assert {name: default.strip("` ") for name, default in named.items()} == {
        name: defaults[name] for name in named
    }


def test_every_dependency_has_its_reason() -> None:
    """docs/project/dependencies.md names each runtime dependency, and no other."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {re.match(r"[\w-]+", name)[0] for name in project["dependencies"]}  # type: ignore[index]
    page = (ROOT / "docs/project/dependencies.md").read_text("utf-8")
    assert set(re.findall(r"^\| ([\w-]+) \|", page, flags=re.M)) - {"package"} == declared
