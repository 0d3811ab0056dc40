"""Every notebook runs from top to bottom, at small size."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("full", [False, True], ids=["as-committed", "full"])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the machinery that talks to the kernel
def test_notebook_runs(path, full, monkeypatch):
    """As it is, and on its way to the large run, which UNROLL_FAST cuts to one epoch on small images."""
    monkeypatch.setenv("UNROLL_FAST", "1")
    monkeypatch.setenv("TQDM_DISABLE", "1")
    notebook = nbformat.read(path, as_version=4)
    if full:
        cells = [cell for cell in notebook.cells if "FULL = False" in cell.source]
        assert len(cells) == 1, "a notebook has one switch to its large run"
        cells[0].source = cells[0].source.replace("FULL = False", "FULL = True")
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}}).execute()
