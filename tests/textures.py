"""Images that tests corrupt: no two patches alike, or all of them."""

import torch

from unroll.study.data import Split


def textured(count=3, channels=1, height=16, width=16, patch=4, seed=0):
    """Return random images, no two patches of which are alike."""
    images = torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(seed))
    return Split(images, torch.arange(count), patch)


def even(level=0.5, count=8, side=64, patch=8):
    return Split(torch.full((count, 1, side, side), level), torch.arange(count), patch)
