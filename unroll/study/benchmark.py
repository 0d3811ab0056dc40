"""The benchmark that is committed: every registered attention, and the published settings where they differ."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from unroll.attention import Attention, create, names
from unroll.study.environment import describe_environment
from unroll.study.figures import save
from unroll.study.files import write_aside
from unroll.study.processes import pick_device
from unroll.study.style import markers, palette, theme
from unroll.study.timing import SHAPES, Shape, cost_table, growth_table

TABLE, GROWTH, ENVIRONMENT, PICTURE = "attention_cost.csv", "growth.csv", "attention_cost.json", "attention_cost.png"
TOKENS = (1024, 4096, 16384)
# What is drawn of a table of costs, and the title that it is drawn under.
_COSTS = {
    "ratio to softmax": "Time, forward and backward",
    "peak, ratio to softmax": "Memory at its peak",
}


def layers(shape: Shape) -> dict[str, Attention]:
    """Return every attention that can be made at this shape."""
    side = round(shape.tokens**0.5)
    size = {"dim": shape.dim, "heads": shape.heads}
    made = {name: create(name, grid=(side, shape.tokens // side), **size) for name in names()}
    made["vars-d, published"] = create("vars-d", published=True, **size)
    return made


def run_benchmark(
    folder: Path, rounds: int = 9, shapes: Sequence[Shape] = SHAPES, tokens: Sequence[int] = TOKENS
) -> pd.DataFrame:
    """Measure, write the tables and the environment into ``folder``, and return the table of costs."""
    device = pick_device()
    table = cost_table(layers, shapes=shapes, rounds=rounds, device=device)
    grown = growth_table(create("vars-d", dim=192, heads=3).to(device), tokens, device=device)
    folder.mkdir(parents=True, exist_ok=True)
    write_aside(folder / TABLE, lambda path: table.to_csv(path, index=False, float_format="%.4g"))
    write_aside(folder / GROWTH, lambda path: grown.to_csv(path, index=False, float_format="%.4g"))
    text = json.dumps({**describe_environment(device), "rounds": rounds}, indent=2) + "\n"
    write_aside(folder / ENVIRONMENT, lambda path: path.write_text(text))
    write_aside(folder / PICTURE, save(cost_figure(table)))
    return table


def cost_figure(table: pd.DataFrame) -> Figure:
    """Draw time and memory of each attention against the number of tokens, as ratios to softmax attention."""
    order = [name for name in table.layer.unique() if not name.startswith("(")]
    colours, signs = palette(order), markers(order)
    counts = sorted(table.tokens.unique())
    with theme():
        figure, axes = plt.subplots(1, 2, figsize=(13, 5.6))
        for axis, (column, title) in zip(axes, _COSTS.items(), strict=True):
            for name in order:
                part = table[table.layer == name]
                axis.plot(part.tokens, part[column], color=colours[name], marker=signs[name], label=name)
            axis.set(xscale="log", yscale="log", xlabel="tokens", ylabel="ratio to softmax attention", title=title)
            axis.set_xticks(counts, [f"{count:,}" for count in counts], minor=False)
            axis.tick_params(axis="x", which="minor", labelbottom=False)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    return figure
