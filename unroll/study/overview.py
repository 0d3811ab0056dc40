"""The figures of a comparison of many attentions, where a line each could not be told apart: colours and dots."""

from collections.abc import Mapping

import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unroll.study.figures import LIKENESS, SPARSENESS, spelled
from unroll.study.gains import paired_gains
from unroll.study.statistics import ENOUGH, Finding, half_width
from unroll.study.style import palette, theme

_CROWD = 6  # more lines than these in one panel are too many
_LEARNED = 0.1  # nats
_FAR = 30  # points of accuracy, the deepest colour


def suits(table: pd.DataFrame) -> bool:
    """Return whether a table is better drawn here: many attentions, softmax among them, seeds enough for verdicts."""
    labels = table.attention.unique()
    return len(labels) > _CROWD and "softmax" in labels and table.seed.nunique() >= ENOUGH


def convergence(table: pd.DataFrame) -> Figure:
    """Draw how soon each network learns, and how far the layers that have a residual are from their fixed points."""
    loss = table[table.measure == "training loss"]
    late = loss[loss.value >= _LEARNED].groupby(["attention", "seed"])["level"].max()
    last = loss.groupby(["attention", "seed"])["level"].max()
    # The first epoch that is followed by no worse one; a network that ends above has none.
    learned = (late.reindex(last.index, fill_value=0) + 1).where(lambda epoch: epoch <= last)
    stops = table[table.measure == "residual where it stops"]
    after = table[(table.measure == "residual") & (table.level == table[table.measure == "residual"].level.max())]
    with theme():
        figure, axes = plt.subplots(1, 2, figsize=(13, _height(table)), sharey=True)
        _dots(axes[0], learned.rename("value").reset_index(), table)
        axes[0].set(
            title="How soon does the network learn?",
            xlabel=f"epochs until the training loss\nstays below {_LEARNED} nats",
        )
        axes[0].set_xlim(left=0)
        _dots(axes[1], stops, table, hollow=True)
        _dots(axes[1], after, table)
        told = f"hollow: where the layer stops, filled: after {after.level.max()} steps"
        axes[1].set(title="Do the trained layers settle?", xscale="log", xlabel=f"residual (relative)\n{told}")
    return figure


def sparsity(table: pd.DataFrame) -> Figure:
    """Draw how many tokens are heard, how much comes from others, and how much of a code is zero; means over layers."""
    return _panels(table, SPARSENESS)


def maps(table: pd.DataFrame) -> Figure:
    """Draw how much a map is like that of another layer, and its rank; means over layers."""
    return _panels(table, LIKENESS)


def robustness(table: pd.DataFrame) -> Figure:
    """Draw what each attention gains or loses against softmax under each condition, as a table in colours.

    Differences that the seeds cannot tell from none stay gray.
    """
    found = paired_gains(table).dropna(axis="columns").rename(columns=spelled)
    means = found.map(lambda pair: pair.mean)
    seen = found.map(lambda pair: pair.finding is not Finding.UNSEEN)
    with theme():
        figure, axes = plt.subplots(figsize=(14, _height(table)))
        style = {"vmin": -_FAR, "vmax": _FAR, "annot": True, "fmt": "+.1f", "linewidths": 1, "ax": axes}
        gray = sns.color_palette(["#ededed"], as_cmap=True)
        sns.heatmap(means, mask=seen, cmap=gray, cbar=False, annot_kws={"color": "#8c8c8c"}, **style)
        bar = {"label": "points of accuracy", "extend": "both"}
        sns.heatmap(means, mask=~seen, cmap="PuOr", cbar_kws=bar, **style)
        axes.axvline(1, color="white", linewidth=8)
        axes.set(xlabel="condition, mean over severities", ylabel="attention")
        axes.set_title("Accuracy against softmax: purple gains, orange loses, gray cannot be told apart")
        axes.set_xticks(axes.get_xticks(), axes.get_xticklabels(), rotation=40, ha="right", rotation_mode="anchor")
    return figure


def _panels(table: pd.DataFrame, panels: Mapping[str, tuple[str, str]]) -> Figure:
    panels = {measure: told for measure, told in panels.items() if (table.measure == measure).any()}
    with theme():
        figure, axes = plt.subplots(1, len(panels), figsize=(5 * len(panels), _height(table)), sharey=True)
        for axis, (measure, (label, title)) in zip(axes, panels.items(), strict=True):
            _dots(axis, table[table.measure == measure], table)
            axis.set(title=title, xlabel=label)
            axis.set_xlim(left=min(0, axis.get_xlim()[0]))
    return figure


def _dots(axis: Axes, part: pd.DataFrame, table: pd.DataFrame, *, hollow: bool = False) -> None:
    """Draw a row an attention: the mean over seeds, each a mean over layers, and Student's 95 % interval."""
    order = list(table.attention.unique())
    by_seed = part.groupby(["attention", "seed"], sort=False).value.mean().reset_index()
    sns.pointplot(
        by_seed,
        x="value",
        y="attention",
        order=order,
        hue="attention",
        hue_order=order,
        palette=palette(order),
        errorbar=None if hollow else _interval,
        linestyle="none",
        legend=False,
        err_kws={"linewidth": 2},
        markerfacecolor="white" if hollow else None,
        ax=axis,
    )
    axis.set(ylabel="attention")


def _interval(values: pd.Series) -> tuple[float, float]:
    return values.mean() - half_width(values), values.mean() + half_width(values)


def _height(table: pd.DataFrame) -> float:
    return 2.2 + 0.36 * table.attention.nunique()
