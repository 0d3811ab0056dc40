"""The benchmark that is committed: every registered attention, and the published settings where they differ."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from unroll.attention import Attention, create, names
from unroll.study.compare import describe_environment
from unroll.study.files import write_aside
from unroll.study.timing import SHAPES, Shape, cost_table
from unroll.study.training import pick_device

TABLE, ENVIRONMENT = "attention_cost.csv", "attention_cost.json"


def layers(shape: Shape) -> dict[str, Attention]:
    """Return every attention that can be made at this shape."""
    side = round(shape.tokens**0.5)
    size = {"dim": shape.dim, "heads": shape.heads}
    made = {name: create(name, grid=(side, shape.tokens // side), **size) for name in names()}
    made["vars-d, published"] = create("vars-d", published=True, **size)
    return made


def run_benchmark(folder: Path, rounds: int = 9, shapes: Sequence[Shape] = SHAPES) -> pd.DataFrame:
    """Measure, write the table and the environment into ``folder``, and return the table."""
    device = pick_device()
    table = cost_table(layers, shapes=shapes, rounds=rounds, device=device)
    folder.mkdir(parents=True, exist_ok=True)
    write_aside(folder / TABLE, lambda path: table.to_csv(path, index=False, float_format="%.4g"))
    text = json.dumps({**describe_environment(device), "rounds": rounds}, indent=2) + "\n"
    write_aside(folder / ENVIRONMENT, lambda path: path.write_text(text))
    return table
