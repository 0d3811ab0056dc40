"""Every notebook in a real JupyterLab: all cells run, and every control changes its picture."""

import time
from pathlib import Path

import pytest
from lab import ROOT, copy_for_reader, jupyter_lab
from nbformat import NotebookNode
from playwright.sync_api import Page
from reader import Reader

NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
TRAINERS = ("07_comparison", "08_prototype")  # minutes of training, which UNROLL_FAST spares; the others as committed
WANTED = 0.3  # seconds from key to picture; slower controls are listed, not failed: machines differ


def complaints(notebook: NotebookNode) -> list[str]:
    """Return a line for every cell that raised, or did not run in its turn."""
    lines, turn = [], 0
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code":
            continue
        turn += 1
        lines += [f"cell {number}: {o.ename}: {o.evalue}" for o in cell.outputs if o.output_type == "error"]
        if cell.execution_count != turn:
            lines.append(f"cell {number}: was run as number {cell.execution_count}, not {turn}")
    return lines


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_runs_it_and_moves_everything(name: str, page: Page, pictures: Path, tmp_path: Path) -> None:
    copy = copy_for_reader(name, tmp_path)
    begun = time.monotonic()
    with jupyter_lab(tmp_path, fast=name in TRAINERS) as address:
        reader = Reader(page, address, copy)
        opened = time.monotonic()
        notebook = reader.run_all()
        ran = time.monotonic()
        reader.scroll_through(pictures)
        assert not complaints(notebook)

        panels = reader.panels()
        assert len(panels) == sum(cell.source.count("ipywidgets.Image(") for cell in notebook.cells) > 0
        responses = []
        for number, panel in enumerate(panels, 1):
            responses += reader.move(panel)
            panel.screenshot(path=pictures / f"{name}-moved-{number}.png")
        first = ran - begun + responses[0].seconds
        print(f"\n{name}: open after {opened - begun:.1f} s, first slider moved {first:.1f} s after jupyter lab")
        print(*(f"  {'slow: ' if r.seconds > WANTED else ''}{r.label} {r.seconds:.2f} s" for r in responses), sep="\n")
        assert not [response.label for response in responses if not response.changed]
