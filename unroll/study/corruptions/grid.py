"""Images as grids of whole patches: cut, put together, and chosen among."""

from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from unroll.study.data import Split


def cut(data: Split) -> Annotated[Tensor, "B N C*p*p"]:
    """Return the patches of every image, row by row, each flattened.

    Raises:
        ValueError: when a side of the images is not a multiple of the patch.

    Example:
        >>> cut(Split(torch.rand(5, 3, 8, 12), torch.zeros(5), patch=4)).shape
        torch.Size([5, 6, 48])
    """
    height, width = data.images.shape[-2:]
    if height % data.patch or width % data.patch:
        raise ValueError(f"images must be cut into whole patches of {data.patch} pixels, got {height} x {width}")
    return F.unfold(data.images, data.patch, stride=data.patch).mT


def joined(patches: Annotated[Tensor, "B N C*p*p"], like: Split) -> Tensor:
    """Return the images of which :func:`cut` would make these patches; sizes are those of ``like``."""
    return F.fold(patches.mT, like.images.shape[-2:], like.patch, stride=like.patch)


def first(order: Annotated[Tensor, "B N"], count: int) -> Annotated[Tensor, "B N 1"]:
    """Return True for the patches that come first in an order of their indices."""
    return (order.argsort(dim=1) < count).unsqueeze(2)


def at_random(patches: Annotated[Tensor, "B N C*p*p"], generator: torch.Generator) -> Annotated[Tensor, "B N"]:
    """Return the indices of the patches in an order drawn for each image."""
    return torch.rand(patches.shape[:2], generator=generator).argsort(dim=1)
