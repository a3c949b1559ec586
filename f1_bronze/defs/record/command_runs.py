"""What makes runs of the command belong to the code location, as runs from the UI do.

The UI lists under Timeline, Jobs and Job > Runs what has the code location's label and origin, and
re-executes only what has an origin; Dagster gives both to runs that it launches from a workspace.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import dagster as dg
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

CODE_LOCATION = "f1_bronze"
"""The name in workspace.yaml and pyproject.toml."""

_ORIGIN = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(CODE_LOCATION), "__repository__")

COMMAND_RUN_TAGS = {
    ".dagster/repository": _ORIGIN.get_label(),
    # A daemon retries crashed runs that have an origin; those of the command are left to people.
    "dagster/max_retries": "0",
}


@contextmanager
def runs_in_code_location(instance: dg.DagsterInstance, job_name: str) -> Iterator[None]:
    """Runs of the job that are created inside have the origin of the code location."""
    create = instance.create_run_for_job
    origin = RemoteJobOrigin(_ORIGIN, job_name)
    # `execute_in_process` hands no origin on, and a run's origin cannot be changed later.
    instance.create_run_for_job = partial(create, remote_job_origin=origin)  # type: ignore[method-assign]
    try:
        yield
    finally:
        del instance.create_run_for_job
