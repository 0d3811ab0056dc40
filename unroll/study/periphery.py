"""Where heads look: how far, in which region around the query, and whether position or content decides."""

from typing import Annotated

import pandas as pd
import torch
from torch import Tensor

from unroll.attention import PeripheralAttention, distances
from unroll.attention.offsets import spacing
from unroll.models import ImageModel
from unroll.study.data import Split
from unroll.study.experiment import MAP_IMAGES, attention_layers
from unroll.study.metrics import normalised

# Outer bounds of the regions as shares of the grid's diagonal, in the proportions of the human field of view, where the
# macula ends at 9, the near periphery at 30 and the middle one at 60 of some 100 degrees.
REGIONS = {"central": 0.09, "para-central": 0.3, "mid-peripheral": 0.6, "far-peripheral": 1.0}


def nonlocality(weights: Annotated[Tensor, "... N N"], grid: tuple[int, int]) -> Annotated[Tensor, "..."]:
    """Return distance times weight, as a mean over all pairs of query and key: how far a head looks, and how much.

    Distances are in halves of the grid's longer side.

    Source: d'Ascoli et al. 2021 (ConViT), as juhongm999/pervit takes it.

    Example:
        >>> nonlocality(torch.eye(9)[None], (3, 3))
        tensor([0.])
    """
    return (weights * distances(grid).to(weights)).mean((-2, -1))


def attended_distance(attention_map: Annotated[Tensor, "... N N"], grid: tuple[int, int]) -> Annotated[Tensor, "..."]:
    """Return how far away what a token hears stands in the mean: the nonlocality of a map whose rows sum to 1, times N.

    Example:
        >>> attended_distance(torch.ones(1, 9, 9), (3, 3))
        tensor([1.4533])
    """
    return nonlocality(normalised(attention_map), grid) * attention_map.shape[-1]


def radial_profile(
    weights: Annotated[Tensor, "... N N"], grid: tuple[int, int]
) -> tuple[Annotated[Tensor, "R"], Annotated[Tensor, "... R"]]:
    """Return distances from the query in steps of one place, and the mean weight of all pairs so far apart.

    Distances are in halves of the grid's longer side.

    Example:
        >>> radial_profile(torch.eye(3), (1, 3))
        (tensor([0., 1., 2.], dtype=torch.float64), tensor([1., 0., 0.]))
    """
    steps = _steps(grid).flatten().to(weights.device)
    rings = weights.new_zeros(*weights.shape[:-2], int(steps.max()) + 1)
    sums = rings.index_add(-1, steps, weights.flatten(-2))
    counts = torch.bincount(steps)
    return torch.arange(len(counts), dtype=torch.float64) * spacing(grid), sums / counts


def _steps(grid: tuple[int, int]) -> Annotated[Tensor, "N N"]:
    """Return how many places the places of a grid are apart, rounded."""
    return (distances(grid) / spacing(grid)).round().long()


def reach(weights: Annotated[Tensor, "... N N"], grid: tuple[int, int]) -> Annotated[Tensor, "..."]:
    """Return the farthest distance at which weights are still half as high as where they are highest.

    Each query has a profile of its own over rings one place wide, and the median over queries counts: pairs in opposite
    corners are few, and with a position network weigh much even in heads that look nearby.

    Example:
        >>> reach(torch.ones(1, 9, 9), (3, 3))
        tensor([2.], dtype=torch.float64)
    """
    steps = _steps(grid).to(weights.device)
    counts = weights.new_zeros(len(steps), int(steps.max()) + 1).scatter_add(-1, steps, weights.new_ones(steps.shape))
    sums = weights.new_zeros(*weights.shape[:-2], *counts.shape).scatter_add(-1, steps.expand(weights.shape), weights)
    profiles = torch.where(counts > 0, sums / counts, 0)
    high = (profiles >= profiles.amax(-1, keepdim=True) / 2) & (counts > 0)
    far = torch.where(high, torch.arange(counts.shape[1], device=weights.device), 0).amax(-1)
    return far.double().median(-1).values * spacing(grid)


def regions(weights: Annotated[Tensor, "H N N"], grid: tuple[int, int]) -> list[str]:
    """Return the region of each head: the innermost of :data:`REGIONS` that holds its :func:`reach`.

    Example:
        >>> regions(torch.stack([torch.eye(49), torch.ones(49, 49)]), (7, 7))
        ['central', 'far-peripheral']
    """
    diagonal = distances(grid).max().item()
    last = list(REGIONS)[-1]
    return [
        next((name for name, bound in REGIONS.items() if far <= bound * diagonal), last)
        for far in reach(weights, grid).tolist()
    ]


def position_share(
    mixed: Annotated[Tensor, "B H N N"], content: Annotated[Tensor, "B H N N"], position: Annotated[Tensor, "H N N"]
) -> Annotated[Tensor, "H"]:
    r"""Return how much of a mixed map is the position's doing: 1 when it is the position's map, 0 when the content's.

    .. math:: \frac{|A - C|_1}{|A - C|_1 + |A - P|_1}

    A is the mixed map, C that of the content alone, P that of the position alone, all with rows that sum to 1. Both
    distances are sums over all queries, keys and samples. Where all three are the same, nobody decides: NaN.

    Example:
        >>> one, even = torch.eye(4).expand(1, 1, 4, 4), torch.full((1, 1, 4, 4), 0.25)
        >>> position_share(one, even, one[0])
        tensor([1.])
    """
    off_content = (mixed - content).abs().sum((0, 2, 3))
    off_position = (mixed - normalised(position)).abs().sum((0, 2, 3))
    return off_content / (off_content + off_position)


@torch.no_grad()
def periphery(model: ImageModel, data: Split, images: int = MAP_IMAGES) -> pd.DataFrame:
    """Return where each head of a model looks: one row a layer and head, both counted from 1.

    Columns: attended distance (of its map), reach and region (of its position map; of its mean map over the images
    where the attention has none), and, for peripheral attention, nonlocality (of its position map) and position share.
    Distances are in halves of the grid's longer side.

    Example:
        >>> from unroll.study import Entry, Size, build, load
        >>> digits = load("digits")
        >>> table = periphery(build(Entry("peripheral"), digits, Size(16, 2, 2)), digits.test, images=4)
        >>> table[["layer", "head"]].values.tolist()
        [[1, 1], [1, 2], [2, 1], [2, 2]]
    """
    rows = []
    maps = model.eval().attention_maps(data.first(images).images.to(model.mean.device))
    for index, (layer, x) in enumerate(attention_layers(model, data, images)):
        mixed = maps[index]
        peripheral = isinstance(layer, PeripheralAttention)
        weights = layer.position_map() if peripheral else mixed.abs().mean(0)
        columns = {
            "attended distance": attended_distance(mixed, model.grid).mean(0).tolist(),
            "reach": reach(weights, model.grid).tolist(),
            "region": regions(weights, model.grid),
        }
        if peripheral:
            columns["nonlocality"] = nonlocality(weights, model.grid).tolist()
            columns["position share"] = position_share(mixed, layer.content_map(x), weights).tolist()
        heads = range(1, len(weights) + 1)
        rows.append(pd.DataFrame({"layer": index + 1, "head": heads, **columns}))
    return pd.concat(rows, ignore_index=True)
