"""Images moved to all sides."""

from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from unroll.study.data import Split


def shift(data: Split, pixels: int, generator: torch.Generator) -> Tensor:
    """Move each image in all eight directions, along an axis or a diagonal: eight versions; zeros come in."""
    height, width = data.images.shape[-2:]
    framed = F.pad(data.images, (pixels,) * 4)
    starts = [start for start in product((0, pixels, 2 * pixels), repeat=2) if start != (pixels, pixels)]
    return torch.cat([framed[..., top : top + height, left : left + width] for top, left in starts])
