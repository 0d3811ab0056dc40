"""The three figures of where heads look, each from the table of :func:`unroll.study.periphery.periphery` alone."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unroll.study.periphery import REGIONS
from unroll.study.style import markers, theme

# Colour-blind safe, and from light to dark as regions lie farther out; the hatching tells them apart without colour.
_SHADES = dict(zip(REGIONS, ("#fff3d6", "#e69f00", "#56b4e9", "#0072b2"), strict=True))
_HATCHES = dict(zip(REGIONS, ("", "//", "..", "xx"), strict=True))


def draw_distances(table: pd.DataFrame) -> Figure:
    """Draw how far away what each head hears stands, layer by layer: a mark a head, a line for their mean.

    Example:
        >>> table = pd.DataFrame({"layer": [1, 1], "head": [1, 2], "attended distance": [0.4, 0.7]})
        >>> draw_distances(table).axes[0].get_title()
        'How far do heads look?'
    """
    with theme():
        figure, axis = plt.subplots(figsize=(7, 4.8))
        _by_layer(axis, table, "attended distance", "mean attended distance\n(halves of the grid's longer side)")
        axis.set(title="How far do heads look?")
        axis.set_ylim(bottom=0)
    return figure


def draw_shares(table: pd.DataFrame) -> Figure:
    """Draw how much of each head's map is the position's doing, layer by layer.

    Raises:
        ValueError: when the table holds no layer with a position map.

    Example:
        >>> table = pd.DataFrame({"layer": [1, 1], "head": [1, 2], "position share": [0.2, 0.9]})
        >>> draw_shares(table).axes[0].get_title()
        'Position or content?'
    """
    if "position share" not in table:
        raise ValueError(
            f"table must have a column 'position share', which peripheral attention has, got {list(table.columns)}"
        )
    with theme():
        figure, axis = plt.subplots(figsize=(7, 4.8))
        _by_layer(axis, table, "position share", "share of position in the map\n(0 content alone, 1 position alone)")
        axis.set(title="Position or content?", ylim=(-0.03, 1.03))
    return figure


def draw_regions(table: pd.DataFrame) -> Figure:
    """Draw how many heads of each layer look at which region around their query.

    Example:
        >>> table = pd.DataFrame({"layer": [1, 1], "head": [1, 2], "region": ["central", "para-central"]})
        >>> draw_regions(table).axes[0].get_title()
        'Which regions do heads look at?'
    """
    layers = sorted(table.layer.unique())
    counts = pd.crosstab(table.layer, table.region).reindex(index=layers, columns=list(REGIONS), fill_value=0)
    with theme():
        figure, axis = plt.subplots(figsize=(7, 4.8))
        below = np.zeros(len(layers))
        for region in REGIONS:
            axis.bar(
                layers,
                counts[region],
                bottom=below,
                color=_SHADES[region],
                hatch=_HATCHES[region],
                edgecolor="#4d4d4d",
                label=region,
            )
            below += counts[region].to_numpy()
        axis.set(xlabel="layer", ylabel="number of heads", title="Which regions do heads look at?", xticks=layers)
        axis.yaxis.get_major_locator().set_params(integer=True)
        figure.legend(loc="outside upper center", ncols=2)
    return figure


def _by_layer(axis: Axes, table: pd.DataFrame, column: str, label: str) -> None:
    """Draw one value of each head against its layer, and the mean over heads."""
    heads = sorted(table["head"].unique())
    signs = markers(heads)
    for head in heads:
        part = table[table["head"] == head]
        axis.plot(part.layer, part[column], signs[head], color="#0072b2", alpha=0.6, label=f"head {head}")
    mean = table.groupby("layer")[column].mean()
    axis.plot(mean.index, mean, "-", color="#4d4d4d", label="mean")
    axis.set(xlabel="layer", ylabel=label, xticks=sorted(table.layer.unique()))
    axis.legend(fontsize="small")
