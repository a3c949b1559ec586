"""The notebook reads a lake with DuckDB and plots: each cell runs, and shows something."""

import os
from pathlib import Path
from typing import Any

import pytest

from f1_bronze_tests.weekend import Weekend

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebooks" / "race.ipynb"


@pytest.mark.slow
def test_the_notebook(
    tmp_path: Path, ingested_weekend: Weekend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Executed as by Jupyter on the lake of a weekend it has three tables and two plots."""
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    client = pytest.importorskip("nbclient", reason="nbclient is not installed").NotebookClient
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.setenv("F1_BRONZE_LAKE_URI", f"file://{ingested_weekend.folder}/lake")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    notebook: Any = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    client(notebook, timeout=120, resources={"metadata": {"path": os.fspath(tmp_path)}}).execute()
    shown = [
        sorted(kind for output in cell.outputs if "data" in output for kind in output.data)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    table, plot = ["text/html", "text/plain"], ["image/png", "text/plain"]
    assert shown == [[], table, table, plot, plot, table]
    assert "GAR" in notebook.cells[5].outputs[0].data["text/plain"]
