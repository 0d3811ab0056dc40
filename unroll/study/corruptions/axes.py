"""Filters that work along rows and columns alike, as one matrix an axis: smoothing, enlarging, coarsening."""

import math
from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

# Where a pixel beyond the border is taken from: of indices and a size, indices from 0 to size - 1.
Border = Callable[[Tensor, int], Tensor]


def clamped(index: Tensor, size: int) -> Tensor:
    """Repeat the border pixel: a a a | a b c."""
    return index.clamp(0, size - 1)


def mirrored(index: Tensor, size: int) -> Tensor:
    """Mirror at the border pixel, which is not repeated: c b | a b c."""
    index = index.remainder(2 * size - 2)
    return torch.minimum(index, 2 * size - 2 - index)


def doubled(index: Tensor, size: int) -> Tensor:
    """Mirror at the border, whose pixel is repeated: b a | a b c."""
    index = index.remainder(2 * size)
    return torch.minimum(index, 2 * size - 1 - index)


def filtered(
    images: Annotated[Tensor, "B C height width"],
    rows: Annotated[Tensor, "height height"],
    columns: Annotated[Tensor, "width width"],
) -> Annotated[Tensor, "B C height width"]:
    """Return images whose columns went through the one matrix and whose rows through the other."""
    return rows.to(images) @ images @ columns.mT.to(images)


def smoothing(size: int, sigma: float, reach: int, border: Border) -> Annotated[Tensor, "size size"]:
    """Return the Gaussian of standard deviation ``sigma``, cut off beyond ``reach``; both in pixels.

    Example:
        >>> smoothing(4, sigma=1.0, reach=1, border=clamped).sum(dim=1)
        tensor([1., 1., 1., 1.], dtype=torch.float64)
    """
    offsets = torch.arange(-reach, reach + 1)
    # A standard deviation of zero comes with no reach: it leaves a one.
    weights = torch.exp(-0.5 * (offsets.double() / sigma) ** 2) if reach else torch.ones(1, dtype=torch.float64)
    source = border(torch.arange(size)[:, None] + offsets, size)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    return matrix.scatter_add(1, source, (weights / weights.sum()).expand(size, -1))


def enlarging(size: int, factor: float) -> Annotated[Tensor, "size size"]:
    """Return the linear interpolation that enlarges the middle by ``factor``, 1 or more.

    Whole pixels are cut out, the outer two are spread to the ends, and what protrudes is cut off.

    Example:
        >>> enlarging(4, factor=2.0) @ torch.tensor([0.0, 3.0, 6.0, 0.0]).double()
        tensor([3., 4., 5., 6.], dtype=torch.float64)
    """
    kept = math.ceil(size / factor)
    grown = round(kept * factor)
    ahead, over = (size - kept) // 2, (grown - size) // 2
    place = torch.arange(over, over + size, dtype=torch.float64) * (kept - 1) / (grown - 1)
    left = place.long().clamp(max=kept - 2)
    share = (place - left)[:, None]
    matrix = torch.zeros(size, size, dtype=torch.float64)
    matrix.scatter_(1, ahead + left[:, None], 1 - share)
    return matrix.scatter_(1, ahead + left[:, None] + 1, share)


def coarsening(size: int, tiles: int) -> Annotated[Tensor, "size size"]:
    """Return the map that gives every pixel the mean of its tile, of ``tiles`` on the axis.

    Example:
        >>> coarsening(4, tiles=2) @ torch.tensor([0.0, 2.0, 6.0, 8.0]).double()
        tensor([1., 1., 7., 7.], dtype=torch.float64)
    """
    middle = (torch.arange(size).double() + 0.5) * tiles / size
    # A pixel whose middle is on an edge counts to the tile before it, but shows the one behind it.
    belongs = torch.nn.functional.one_hot(middle.ceil().long() - 1, tiles).double()
    return (belongs / belongs.sum(dim=0)).T[middle.long()]
