"""Writes docs/reference/datasets.md: `python -m tools.dataset_docs`."""

import sys

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.dataset import EXTRA_FIELDS, Dataset


def datasets_page() -> str:
    """All datasets with their columns, as Markdown."""
    parts = [
        "# The datasets and their columns",
        "",
        "Made from the declarations in `f1_bronze/datasets/` by `make docs`. In every dataset the",
        f"last column is `{EXTRA_FIELDS}` (string, JSON): what no declared column can hold, mostly",
        "null. `year`, `grand_prix` and `session_type` come from the folders.",
    ]
    for dataset in DATASETS:
        parts += ["", *_section(dataset)]
    return "\n".join(parts) + "\n"


def _section(dataset: Dataset) -> list[str]:
    types = ", ".join(sorted(dataset.session_types)) if dataset.session_types else "all"
    need = "critical" if dataset.critical else "optional"
    lines = [
        f"## {dataset.name}",
        "",
        dataset.description.strip(),
        "",
        f"OpenF1 endpoint `{dataset.endpoint}` · session types: {types} · {need} · "
        f"key: {', '.join(dataset.key)} · schema version {dataset.schema_version}",
        "",
        "| column | type | null | unit | meaning |",
        "|---|---|---|---|---|",
    ]
    for column in dataset.columns:
        null = "yes" if column.nullable else "no"
        meaning = column.meaning
        if column.openf1_name:
            meaning += f" OpenF1 calls it `{column.openf1_name}`."
        lines.append(
            f"| {column.name} | {column.type.value} | {null} | {column.unit or ''} | {meaning} |"
        )
    return lines


if __name__ == "__main__":
    sys.stdout.write(datasets_page())
