"""The doctor's checks of the lake: its address, that it can be used, and what Athena misses in it.

Belongs here: what is asked of the lake, as checks. Stays out: how access is proven
(lake/probing.py), what the tables list (lake/tables.py).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from f1_bronze.commands.checkup import Check, State
from f1_bronze.settings import Settings

if TYPE_CHECKING:
    from f1_bronze.lake.stores import ObjectStore


def lake_checks(settings: Settings) -> Iterator[Check]:
    """A small file is written, read, listed and deleted; on S3 names are compared too."""
    from f1_bronze.lake.addresses import open_store
    from f1_bronze.lake.errors import LakeAddressError
    from f1_bronze.lake.probing import prove_access
    from f1_bronze.lake.s3_writes import S3Writes

    try:
        store = open_store(settings.lake_uri, S3Writes(**settings.s3_writes))
    except LakeAddressError as error:
        yield Check(check="lake", state=State.FAILED, detail=str(error))
        return
    wishes = ", ".join(f"{name} {value}" for name, value in settings.s3_writes.items())
    detail = store.uri("") + (f", written with {wishes}" if wishes else "")
    if wishes and not settings.lake_uri.startswith("s3://"):
        yield Check(
            check="lake",
            state=State.WARNING,
            detail=f"F1_BRONZE_S3_… is set ({wishes}), but the lake is no bucket.",
            remedy="Unset it, or set F1_BRONZE_LAKE_URI to s3://bucket/prefix.",
        )
    else:
        yield Check(check="lake", state=State.OK, detail=detail)
    states = {True: State.OK, False: State.FAILED, None: State.WARNING}
    for proof in prove_access(store):
        yield Check(
            check=f"lake {proof.step}",
            state=states[proof.worked],
            detail=proof.detail,
            remedy=proof.remedy,
            action=proof.action,
        )
    if settings.lake_uri.startswith("s3://"):  # nothing but S3 is read by Athena
        yield from _tables(store)


def _tables(store: "ObjectStore") -> Iterator[Check]:
    """Partitions that Athena passes over without a word, by names alone."""
    from f1_bronze.lake.errors import LakeError
    from f1_bronze.lake.paths import BRONZE, read_file_path
    from f1_bronze.lake.tables import unlisted, unlisted_values

    try:
        files = [read_file_path(entry.path) for entry in store.list(f"{BRONZE}/")]
    except LakeError:
        return  # told by the listing already
    landed = {file[1] for file in files if file}
    if not landed:
        return
    if not (passed_over := unlisted(landed)):
        detail = f"the tables' stack lists all {len(landed)} sessions of the lake by default"
        yield Check(check="lake tables", state=State.OK, detail=detail)
        return
    lacking = unlisted_values(passed_over)
    values = "; ".join(f"{name}: {', '.join(values)}" for name, values in lacking.items())
    yield Check(
        check="lake tables",
        state=State.WARNING,
        detail=f"Athena passes over {len(passed_over)} of {len(landed)} sessions in silence where "
        f"the tables' stack has its default parameters, which do not list {values}.",
        remedy="Give the stack of deploy/aws/tables.yaml these values too. If it has them, or if "
        "there is no such stack, there is nothing to mend.",
    )
