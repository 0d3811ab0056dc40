"""What the recovery table shows: error against layers, and what is left of it elsewhere."""

from collections.abc import Sequence

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unroll.study.style import markers, palette, theme

_TOP = 12  # dB: what is worse is far worse than answering zero, and is told in words
_ROOM = 8  # dB above, so that the words stay clear of the title


def error_by_layer(table: pd.DataFrame, labels: Sequence[str] | None = None) -> Figure:
    """Draw the error of every method after each layer, one panel a case; of all methods when ``labels`` is None."""
    part = table[(table.condition == "layer") & (table.measure == "nmse")]
    names, chosen = list(dict.fromkeys(part.case)), _chosen(part, labels)
    with theme():
        figure, axes = plt.subplots(1, len(names), figsize=(5.2 * len(names) + 2, 5), squeeze=False)
        for axis, name in zip(axes[0], names, strict=True):
            _lines(axis, part[part.case == name], chosen)
            axis.set(xlabel="layers (steps)", ylabel="NMSE (dB)", title=name[0].upper() + name[1:])
        _legend(figure, axes[0, 0])
    return figure


def error_elsewhere(table: pd.DataFrame, labels: Sequence[str] | None = None) -> Figure:
    """Draw the last error of every method where density, noise or dictionary are not those of its training."""
    part = table[table.condition.isin(["density", "snr", "dictionary"]) & (table.measure == "nmse")]
    chosen = _chosen(part, labels)
    panels = {condition: part[part.condition == condition] for condition in ("density", "snr", "dictionary")}
    # No noise at all stands at the end of its axis, and another dictionary stands apart from one that has drifted.
    panels["snr"] = panels["snr"].assign(level=panels["snr"].level.replace(float("inf"), 50))
    another = panels["dictionary"][panels["dictionary"].level == 1]
    panels["dictionary"] = panels["dictionary"][panels["dictionary"].level < 1]
    titles = {
        "Other densities": "share of entries that are not zero",
        "Other noise": "signal to noise ratio (dB)",
        "Other dictionaries": "change of each column, of length 1",
    }
    with theme():
        figure, axes = plt.subplots(1, 3, figsize=(16, 5), sharey=True)
        for axis, shown, (title, label) in zip(axes, panels.values(), titles.items(), strict=True):
            _lines(axis, shown, chosen)
            axis.set(xlabel=label, ylabel="NMSE (dB)", title=title)
        axes[1].set_xticks([10, 20, 30, 40, 50], ["10", "20", "30", "40", "none"])
        axes[2].set(xscale="log", ylim=(None, _TOP + _ROOM))
        axes[2].set_xticks([0.01, 0.03, 0.1, 1], ["0.01", "0.03", "0.1", "another"])
        _lines(axes[2], another.assign(value=another.value.clip(upper=_TOP)), chosen)
        lost = another[(another.value > _TOP) & another.method.isin(chosen)]
        told = "  ".join(f"{row.method}: {row.value:+.0f} dB" for row in lost.itertuples())
        axes[2].text(0.9, _TOP, told, ha="right", va="center")
        _legend(figure, axes[0])
    return figure


def _chosen(part: pd.DataFrame, labels: Sequence[str] | None) -> list[str]:
    return list(dict.fromkeys(part.method)) if labels is None else list(labels)


def _lines(axis: Axes, part: pd.DataFrame, labels: Sequence[str]) -> None:
    colours, signs = palette(labels), markers(labels)
    for label in labels:
        line = part[part.method == label].sort_values("level")
        every = max(1, len(line) // 5)
        axis.plot(line.level, line.value, color=colours[label], marker=signs[label], markevery=every, label=label)


def _legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
