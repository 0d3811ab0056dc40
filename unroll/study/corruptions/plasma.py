"""Plasma: random clouds, rough at every scale."""

from typing import Annotated

import torch
from torch import Tensor


def plasma(count: int, size: int, decay: float, generator: torch.Generator) -> Annotated[Tensor, "count size size"]:
    """Return clouds from 0 to 1, each drawn anew, which go on at the opposite border; size is a power of two.

    Diamond-square: between the points of a grid new ones are put, each the mean of its four neighbours and an even
    random number; the next grid is twice as fine, and its random numbers are smaller by the square of ``decay``. The
    greater the decay, the smoother the clouds.

    Source: the fog of Hendrycks and Dietterich 2019.

    Example:
        >>> plasma(2, size=8, decay=3.0, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([2, 8, 8])
    """
    cloud = torch.zeros(count, size, size)
    height, step = 1.0, size

    def between(*neighbours: Tensor) -> Tensor:
        noise = torch.rand(neighbours[0].shape, generator=generator).mul(2).sub(1)
        return sum(neighbours) / 4 + height * noise

    while step >= 2:
        half = step // 2
        corners, middles = cloud[:, ::step, ::step], cloud[:, half::step, half::step]
        beside = corners.roll(-1, dims=2)
        middles.copy_(between(corners, beside, corners.roll(-1, dims=1), beside.roll(-1, dims=1)))
        cloud[:, ::step, half::step] = between(corners, beside, middles, middles.roll(1, dims=1))
        cloud[:, half::step, ::step] = between(corners, corners.roll(-1, dims=1), middles, middles.roll(1, dims=2))
        step, height = half, height / decay**2
    cloud -= cloud.amin(dim=(1, 2), keepdim=True)
    return cloud / cloud.amax(dim=(1, 2), keepdim=True)
