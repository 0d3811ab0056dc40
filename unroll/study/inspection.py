"""How each layer of a trained network stands to its fixed point, before training and after."""

from dataclasses import asdict

import pandas as pd
import torch

from unroll.attention import IterativeAttention
from unroll.study.data import Split
from unroll.study.experiment import MAP_IMAGES, attention_layers
from unroll.study.metrics import fixed_point_report, loudness, mixing
from unroll.study.networks import Network


@torch.no_grad()
def inspect(network: Network, data: Split) -> pd.DataFrame:
    """Return how each attention layer stands to its fixed point, before training and after: one row a layer and state.

    Columns: mixing (share of the map off its diagonal) and loudness for every layer; residual, distance to the fixed
    point, share of exact zeros, reconstruction error and gain for iterative ones (see :class:`FixedPointReport`).

    Example:
        >>> from unroll.study import Entry, Size, build, load
        >>> digits, entry, size = load("digits"), Entry("vars-d"), Size(8, 1, 2)
        >>> network = Network(build(entry, digits, size), entry, "digits", size, seed=0)
        >>> inspect(network, digits.test.first(2))["state"].tolist()
        ['untrained', 'trained']
    """
    rows = []
    for state, one in (("untrained", network.untrained()), ("trained", network)):
        images = data.first(MAP_IMAGES).images
        loud, maps = loudness(one.model, images), one.model.eval().attention_maps(images.to(one.model.mean.device))
        for index, (layer, x) in enumerate(attention_layers(one.model, data)):
            row = {
                "state": state,
                "layer": index + 1,
                "mixing": mixing(maps[index]),
                "loudness": loud[index],
            }
            if isinstance(layer, IterativeAttention):
                row |= asdict(fixed_point_report(layer, x))
            rows.append(row)
    return pd.DataFrame(rows)
