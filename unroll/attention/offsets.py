"""Offsets from a query to a key on a grid: their distances, and what windows of them have in common."""

from dataclasses import dataclass
from typing import Annotated, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from unroll import validate
from unroll.described import Described


@dataclass(frozen=True, eq=False)
class OffsetPlane(Described):
    r"""All offsets from a query to a key of a grid, or to a place near the grid, each with those around it.

    A distance depends on the offset alone, so a convolution of all distances from one query is a part, a window, of
    the convolution of this plane. The window that begins at place s belongs to the query at the opposite place.
    Distances are Euclidean, in halves of the grid's longer side.

    Attributes:
        taps: the side^2 distances around each offset, and a one.
        means: of the distances in each window.
        covariances: of the distances in each window.

    Example:
        >>> plane = OffsetPlane.of((4, 4), side=3, dtype=torch.float32, device=torch.device("cpu"))
        >>> plane.taps.shape, plane.means.shape
        (torch.Size([9, 9, 10]), torch.Size([4, 4, 9]))
    """

    taps: Annotated[Tensor, "Y X side^2+1"]
    means: Annotated[Tensor, "height width side^2"]
    covariances: Annotated[Tensor, "height width side^2 side^2"]

    @classmethod
    def of(cls, grid: tuple[int, int], side: int, dtype: torch.dtype, device: torch.device) -> Self:
        """Return the plane of a grid.

        Args:
            grid: (height, width).
            side: of the square of offsets that one convolution sees; windows are side - 1 places larger than the grid.
            dtype: of the tensors; they are computed in float64.
            device: of the tensors.
        """
        height, width = grid
        vertical, horizontal = (
            torch.arange(1 - size - 2 * (side // 2), size + 2 * (side // 2), dtype=torch.float64, device=device)
            for size in grid
        )
        distances = torch.hypot(vertical[:, None], horizontal) * spacing(grid)
        taps = distances.unfold(0, side, 1).unfold(1, side, 1).flatten(2)

        size = (height + side - 1, width + side - 1)
        means = _window_means(taps, size)
        products = (taps[..., :, None] * taps[..., None, :]).flatten(2)
        products = _window_means(products, size).unflatten(2, (side**2, -1))
        covariances = products - means[..., :, None] * means[..., None, :]
        taps = torch.cat([taps, torch.ones_like(taps[..., :1])], dim=-1)
        return cls(*(part.contiguous().to(dtype) for part in (taps, means, covariances)))


def _window_means(planes: Annotated[Tensor, "Y X P"], size: tuple[int, int]) -> Annotated[Tensor, "height width P"]:
    """Return the means over all windows of this (height, width)."""
    rows = F.avg_pool2d(planes.permute(2, 0, 1), (size[0], 1), stride=1)
    return F.avg_pool2d(rows, (1, size[1]), stride=1).permute(1, 2, 0)


def spacing(grid: tuple[int, int]) -> float:
    """Return how far neighbours are apart, in halves of the grid's longer side, which runs from -1 to 1.

    Example:
        >>> spacing((3, 5))
        0.5
    """
    return 2 / max(*(size - 1 for size in grid), 1)


def distances(grid: tuple[int, int]) -> Annotated[Tensor, "N N"]:
    """Return how far each two places of a grid are apart, in halves of its longer side, in float64.

    Raises:
        ValueError: when a size is not a whole number above zero.

    Example:
        >>> distances((1, 3))
        tensor([[0., 1., 2.],
                [1., 0., 1.],
                [2., 1., 0.]], dtype=torch.float64)
    """
    height, width = (
        torch.arange(validate.count(f"grid {name}", size), dtype=torch.float64)
        for name, size in zip(("height", "width"), grid, strict=True)
    )
    y, x = (axis.flatten() for axis in torch.meshgrid(height, width, indexing="ij"))
    return torch.hypot(y[:, None] - y, x[:, None] - x) * spacing(grid)
