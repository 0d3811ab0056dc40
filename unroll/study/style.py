"""The one look of every figure: a theme, and a colour that belongs to each competitor wherever it appears."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import seaborn as sns
from matplotlib import pyplot as plt

# A colour-blind-safe palette; which colour is whose is decided here and nowhere else.
_SAFE = sns.color_palette("colorblind").as_hex()
COLOURS: dict[str, str] = {
    "softmax": "#4d4d4d",
    "softmax, no positions": "#a6a6a6",
    "kernel": _SAFE[1],
    "vars-d": _SAFE[0],
    "vars-d, published": _SAFE[9],
    "vars-d, draw 10": _SAFE[2],
    "vars-d, learned factors": _SAFE[5],
    "vars-s": "#332288",
    "vars-sd": _SAFE[4],
    "hopfield": _SAFE[7],
    "evolving": _SAFE[3],
    "evolving, without relative positions": _SAFE[1],
    "evolving, residual logits alone": _SAFE[0],
    "peripheral": "#d6278c",
    "relative-position-bias": "#0a5c8a",
    "gated-positional": "#117733",
    "rotary": "#882255",
    "convolution": "#999933",
    "transformer": "#4d4d4d",
    "transformer, evolving": _SAFE[3],
    "dilated convolution": _SAFE[1],
    "residual logits": _SAFE[0],
    "EA-DC": _SAFE[2],
    "ISTA": "#4d4d4d",
    "FISTA": _SAFE[7],
    "learned step": _SAFE[1],
    "LISTA": _SAFE[5],
    "LISTA-CPSS": _SAFE[4],
    "ALISTA": _SAFE[0],
    "ALISTA-AT": _SAFE[9],
    "HyperLISTA": _SAFE[3],
    "LAMP": _SAFE[2],
}
_OTHERS = (_SAFE[5], _SAFE[8], "#000000", "#661100", "#aa4499")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "*")


@contextmanager
def theme() -> Iterator[None]:
    """Draw in the project's style; colour is never the only sign, each line has a marker of its own.

    Example:
        >>> with theme():
        ...     figure, axis = plt.subplots()
        >>> axis.spines["top"].get_visible()
        False
    """
    settings = {
        **sns.axes_style("whitegrid"),
        **sns.plotting_context("notebook", font_scale=1.15),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": "#e6e6e6",
        "lines.linewidth": 2.4,
        "lines.markersize": 8,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
        "savefig.dpi": 120,
    }
    with plt.rc_context(settings):
        yield


def palette(labels: Iterable[str]) -> dict[str, str]:
    """Return the colour of each label; those not known here get the remaining colours in their order.

    Example:
        >>> palette(["softmax", "ridge"])["softmax"]
        '#4d4d4d'
    """
    labels = list(labels)
    spare = iter(_OTHERS * len(labels))
    return {label: COLOURS.get(label) or next(spare) for label in labels}


def markers(labels: Iterable[str]) -> dict[str, str]:
    """Return the marker of each label.

    Example:
        >>> markers(["softmax", "vars-d"])
        {'softmax': 'o', 'vars-d': 's'}
    """
    return {label: MARKERS[index % len(MARKERS)] for index, label in enumerate(labels)}
