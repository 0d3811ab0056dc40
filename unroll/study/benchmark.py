"""The benchmark that is committed: every registered attention, and the published settings where they differ."""

import json
from pathlib import Path

import pandas as pd

from unroll.attention import Attention, create, names
from unroll.study.compare import describe_environment
from unroll.study.files import write_aside
from unroll.study.timing import Shape, cost_table

TABLE, ENVIRONMENT = "attention_cost.csv", "attention_cost.json"


def layers(shape: Shape) -> dict[str, Attention]:
    """Return every attention that can be made at this shape."""
    side = round(shape.tokens**0.5)
    size = {"dim": shape.dim, "heads": shape.heads}
    made = {name: create(name, grid=(side, shape.tokens // side), **size) for name in names()}
    made["vars-d, published"] = create("vars-d", published=True, **size)
    return made


def run_benchmark(folder: Path, rounds: int = 9) -> pd.DataFrame:
    """Measure, write the table and the environment into ``folder``, and return the table."""
    table = cost_table(layers, rounds=rounds)
    folder.mkdir(parents=True, exist_ok=True)
    write_aside(folder / TABLE, lambda path: table.to_csv(path, index=False, float_format="%.4g"))
    text = json.dumps({**describe_environment(), "rounds": rounds}, indent=2) + "\n"
    write_aside(folder / ENVIRONMENT, lambda path: path.write_text(text))
    return table
