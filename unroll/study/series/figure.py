"""The critical-difference diagram, and how maps change from layer to layer."""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from unroll.study import figures
from unroll.study.series.verdict import critical_difference, ranks
from unroll.study.style import markers, palette, theme

PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}  # so that no line crosses a name


def ranking(table: pd.DataFrame) -> Figure:
    """Draw the average rank of each model over the sets, the best on the left, and the critical difference."""
    average = ranks(table).mean().sort_values()
    limit = critical_difference(len(average), table["set"].nunique())
    colours, signs = palette(average.index), markers(average.index)
    with theme():
        figure, axis = plt.subplots(figsize=(8, 1.6 + 0.45 * len(average)))
        for row, (model, rank) in enumerate(average.items()):
            axis.vlines(rank, -row, 0.6, color=colours[model], linewidth=1, alpha=0.5)
            axis.plot(rank, -row, signs[model], color=colours[model])
            axis.annotate(
                f"{model}  {rank:.2f}", (rank, -row), (10, 0), textcoords="offset points", va="center", bbox=PAPER
            )
        for offset, (first, last) in enumerate(cliques(average, limit)):
            height = 0.7 + 0.3 * offset
            axis.plot(average.iloc[[first, last]], [height, height], color="#4d4d4d", linewidth=5, alpha=0.6)
        axis.set(
            xlim=(0.8, len(average) + 0.9),
            ylim=(-len(average) + 0.4, 1.5),
            xlabel=f"average rank over {table['set'].nunique()} sets (1 is best)",
            title=f"A bar joins those closer than the critical difference, {limit:.2f}",
        )
        axis.yaxis.set_visible(False)
    return figure


def changes(maps: pd.DataFrame) -> Figure:
    """Draw, layer by layer, how much a map is like those of other layers, as means over the sets.

    Their rank is left out: it grows with the steps of a series, and sets differ in theirs.
    """
    alike = maps[maps.measure.str.startswith("similarity")]
    means = alike.groupby(["model", "seed", "layer", "measure"], sort=False).value.mean().reset_index()
    return figures.maps(
        means.rename(columns={"model": "attention"}).assign(condition="layer " + means.layer.astype(str))
    )


def cliques(average: pd.Series, limit: float) -> list[tuple[int, int]]:
    """Return the places of the first and the last of each longest run of sorted ranks that spans at most ``limit``."""
    found: list[tuple[int, int]] = []
    for first, rank in enumerate(average):
        last = int((average <= rank + limit).sum()) - 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
