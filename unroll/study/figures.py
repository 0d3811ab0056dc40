"""The figures of a comparison, each from the tidy table alone."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unroll.study.corruptions import COMMON
from unroll.study.robustness import shown
from unroll.study.style import markers, palette, theme

# Where several seeds were run, bands and bars span all of them: a range, not an interval of confidence.
_SPREAD = ("pi", 100)
_ABREAST = 4  # panels in a row
_COUNTS = ("effective tokens", "map rank")
# Measures that belong into one figure: the label of each, with its unit, and the question that it answers.
SPARSENESS = {
    "effective tokens": ("effective number of tokens", "How many tokens does one hear?"),
    "mixing": ("share of the map off its diagonal", "How much comes from others?"),
    "exact zeros": ("share of exact zeros", "How sparse is the code?"),
}
LIKENESS = {
    "similarity to the layer before": ("correlation of the maps", "Like the layer before?"),
    "similarity to layer 1": ("correlation of the maps", "Like layer 1?"),
    "map rank": ("effective rank of the map", "Of what rank is a map?"),
}


def convergence(table: pd.DataFrame) -> Figure:
    """Draw the training loss against epochs, and the residual of the trained layers that have one against steps."""
    loss, residual = table[table.measure == "training loss"], table[table.measure == "residual"]
    with theme():
        figure, (axes,) = plt.subplots(1, 2 if len(residual) else 1, figsize=(12, 4.8), squeeze=False)
        _lines(axes[0], loss, table, every=max(1, loss.level.max() // 8))
        axes[0].set(xlabel="epoch", ylabel="training loss (nats)", yscale="log", title="The network learns")
        for axis in axes[1:]:
            # A log axis has no zero, so the curves begin after one step.
            _lines(axis, residual[residual.level > 0], table, every=1)
            axis.set(xlabel="solver steps", ylabel="residual (relative)", title="Do the trained layers settle?")
            axis.set(xscale="log", yscale="log")
        _share_legend(figure, *axes)
    return figure


def sparsity(table: pd.DataFrame) -> Figure:
    """Draw, layer by layer, how many tokens are heard, how much comes from others, how much of a code is zero."""
    return _by_layer(table, SPARSENESS)


def maps(table: pd.DataFrame) -> Figure:
    """Draw, layer by layer, how much a map is like that of another layer, and its rank."""
    return _by_layer(table, LIKENESS)


def robustness(table: pd.DataFrame) -> Figure:
    """Draw accuracy against the strength of each corruption and attack, from the clean images on.

    Where the table holds all common corruptions, Gaussian noise stands for them: :func:`corruptions` draws the rest.
    """
    accuracy = table[table.measure == "accuracy"]
    clean = accuracy[accuracy.condition == "clean"]
    spoiled = shown(table)
    with theme():
        rows = math.ceil(len(spoiled) / _ABREAST)
        columns = math.ceil(len(spoiled) / rows)
        figure, grid = plt.subplots(rows, columns, figsize=(6 * columns, 4.8 * rows), sharey=True, squeeze=False)
        axes, spare = grid.flat[: len(spoiled)], grid.flat[len(spoiled) :]
        for axis in spare:
            axis.remove()
        for axis, (name, condition) in zip(axes, spoiled.items(), strict=True):
            part = pd.concat([clean, accuracy[accuracy.condition == name]])
            strengths = dict(enumerate((0.0, *condition.strengths)))
            _lines(axis, part.assign(level=part.level.map(strengths)), table, every=1)
            axis.set(xlabel=condition.unit, ylabel="test accuracy (%)", title=spelled(name), ylim=(0, 101))
        _share_legend(figure, *axes)
    return figure


def corruptions(table: pd.DataFrame) -> Figure:
    """Draw accuracy under each common corruption, a mean over severities and seeds, as a table in colours."""
    accuracy = table[table.measure == "accuracy"]
    cells = accuracy.pivot_table(index="attention", columns="condition", values="value")
    cells = cells.loc[list(table.attention.unique()), ["clean", *COMMON]]
    cells.insert(1, "mean of all 15", cells[list(COMMON)].mean(axis=1))
    with theme():
        figure, axes = plt.subplots(figsize=(14, 2.6 + 0.42 * len(cells)))
        style = {"cmap": "cividis", "vmin": 0, "vmax": 100, "annot": True, "fmt": ".0f", "linewidths": 1}
        sns.heatmap(cells, cbar_kws={"label": "test accuracy (%)"}, ax=axes, **style)
        axes.axvline(2, color="white", linewidth=8)
        axes.set(
            xlabel="corruption, mean over five severities",
            ylabel="attention",
            title="Accuracy under the fifteen common corruptions",
        )
        axes.set_xticks(axes.get_xticks(), axes.get_xticklabels(), rotation=40, ha="right", rotation_mode="anchor")
    return figure


def spelled(condition: str) -> str:
    """Return the name of a condition as a title has it: FGSM and PGD are abbreviations, the others are words."""
    return condition.upper() if condition in ("fgsm", "pgd") else condition.capitalize()


def save(figure: Figure) -> Callable[[Path], None]:
    """Return what writes this figure as a PNG whose bytes depend on the figure alone, and closes it."""

    def write(path: Path) -> None:
        figure.savefig(path, metadata={"Software": None})
        plt.close(figure)

    return write


def _by_layer(table: pd.DataFrame, panels: Mapping[str, tuple[str, str]]) -> Figure:
    """Draw a panel a measure that the table holds, each with the label of its axis and its title."""
    panels = {measure: told for measure, told in panels.items() if (table.measure == measure).any()}
    with theme():
        figure, axes = plt.subplots(1, len(panels), figsize=(5 * len(panels), 4.8))
        for axis, (measure, (label, title)) in zip(axes, panels.items(), strict=True):
            part = table[table.measure == measure]
            part = part.assign(level=part.condition.str.removeprefix("layer ").astype(int))
            _lines(axis, part, table, every=1)
            axis.set(xlabel="layer", ylabel=label, title=title)
            axis.set_xticks(sorted(part.level.unique()))
            # A little room below zero, so that a line of zeros is seen.
            axis.set_ylim(*((0, None) if measure in _COUNTS else (min(-0.03, part.value.min()), 1.03)))
        _share_legend(figure, *axes)
    return figure


def _lines(axis: Axes, part: pd.DataFrame, table: pd.DataFrame, every: int | list[int]) -> None:
    """Draw value against level, a line an attention, in the order, colours and markers of the whole table."""
    order = list(table.attention.unique())
    sns.lineplot(
        part,
        x="level",
        y="value",
        hue="attention",
        style="attention",
        hue_order=order,
        style_order=order,
        palette=palette(order),
        markers=markers(order),
        dashes=False,
        markevery=every,
        errorbar=_SPREAD if table.seed.nunique() > 1 else None,
        ax=axis,
    )


def _share_legend(figure: Figure, first: Axes, *others: Axes) -> None:
    """Put one legend over all panels in the place of one in each, in as many rows as it takes to fit."""
    handles, labels = first.get_legend_handles_labels()
    for axis in (first, *others):
        if axis.get_legend() is not None:
            axis.get_legend().remove()
    for rows in range(1, len(labels) + 1):
        legend = figure.legend(handles, labels, loc="outside upper center", ncols=math.ceil(len(labels) / rows))
        if legend.get_window_extent().width <= figure.bbox.width or rows == len(labels):
            return
        legend.remove()
