"""f1-bronze init: a project folder for a deployment, made from the files of this package.

An installed package carries workspace.yaml, deploy/ and examples/ in `f1_bronze/starter`, where
setup.py puts them; a checkout has them at its root.
"""

import re
import sys
from pathlib import Path

import click

from f1_bronze import __version__
from f1_bronze.cli.options import WRONG_USE, as_json_option, reports_errors

_COPIED = ("workspace.yaml", "deploy", "examples")
_NOT_COPIED = ("__pycache__", ".ipynb_checkpoints")
_DOCKERFILE = Path("deploy/dagster/Dockerfile")
_HOME = Path(".dagster_home/dagster.yaml")
_IGNORED = "# Data and Dagster's record: not for version control.\ndata/\n.dagster_home/\n.venv/\n"
_NOT_FOR_THE_IMAGE = "# The image is built from deploy/ alone.\n*\n!deploy\n"

_NEXT = """\
# A deployment of f1_bronze

Made by `f1-bronze init`, version {version}. These files are yours: change them as you like.

| | |
|---|---|
| `workspace.yaml` | the code location, for `dagster dev -w workspace.yaml` |
| `.dagster_home/dagster.yaml` | Dagster's settings on one machine |
| `deploy/dagster/` | image, settings and versions of a deployment with many workers |
| `deploy/compose/` | one machine with Docker: `docker compose -f deploy/compose/compose.yaml up` |
| `deploy/aws/` | CloudFormation: bucket, least-privilege policy, ECS, Glue tables, alarms |
| `deploy/kubernetes/` | values for Dagster's Helm chart |
| `examples/` | to copy: silver assets on bronze partitions |

Next, in this folder:

```
f1-bronze demo              # a simulated race weekend in data/demo: needs no network
f1-bronze doctor            # can settings, API and lake be used? says how to fix what cannot
f1-bronze ingest 2025       # a real season into data/lake: eight API calls
f1-bronze ui                # the Dagster UI, with the weekly schedule
```

Settings are environment variables (`f1-bronze settings` lists them), for example
`F1_BRONZE_LAKE_URI=s3://bucket`.
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@as_json_option
@reports_errors
def init(folder: Path, as_json: bool) -> None:
    """Make a project folder: workspace, settings, deploy templates, examples.

    Nothing is overwritten: where one of the files exists, nothing is written at all.
    """
    files = starter_files()
    taken = sorted(str(path) for path in files if (folder / path).exists())
    if taken:
        message = (
            f"Nothing was written: {folder} has {', '.join(taken[:5])}"
            f"{f' and {len(taken) - 5} more' if len(taken) > 5 else ''} already. "
            "Choose another folder, or move them away."
        )
        if as_json:
            from f1_bronze.cli.console import print_json

            print_json({"status": WRONG_USE, "error": "FilesExist", "message": message})
        click.echo(f"f1-bronze: {message}", err=True)
        sys.exit(WRONG_USE)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    if as_json:
        from f1_bronze.cli.console import print_json

        print_json({"folder": str(folder.absolute()), "files": sorted(map(str, files))})
    else:
        click.echo(
            f"{len(files)} files written to {folder}: workspace.yaml, .dagster_home/dagster.yaml, "
            "deploy/, examples/.\n"
            f"Next: cd {folder}, then f1-bronze demo (no network), f1-bronze doctor (checks the "
            "settings)\nor f1-bronze ui. README.md there explains the files."
        )


def starter_files() -> dict[Path, bytes]:
    """The files of a project folder by their path in it."""
    from f1_bronze.defs.automation.instance import CONFIG

    package = Path(__file__).parents[1]
    source = package / "starter"
    if not source.is_dir():
        source = package.parent
    files = {
        Path("README.md"): _NEXT.format(version=__version__).encode(),
        Path(".gitignore"): _IGNORED.encode(),
        Path(".dockerignore"): _NOT_FOR_THE_IMAGE.encode(),
        _HOME: CONFIG.encode(),
    }
    for name in _COPIED:
        entry = source / name
        for path in sorted(entry.rglob("*")) if entry.is_dir() else [entry]:
            if path.is_file() and not set(path.parts) & set(_NOT_COPIED):
                files[path.relative_to(source)] = path.read_bytes()
    files[_DOCKERFILE] = without_checkout(files[_DOCKERFILE].decode()).encode()
    return files


def without_checkout(dockerfile: str) -> str:
    """The Dockerfile with the package installed from a package index, not from a checkout."""
    kept = re.sub(r"^COPY (?:pyproject\.toml .*|(\w+) /src/\1)\n", "", dockerfile, flags=re.M)
    return re.sub(r'"/src(\[[\w,]+\])"', rf'"f1_bronze\1=={__version__}"', kept)
