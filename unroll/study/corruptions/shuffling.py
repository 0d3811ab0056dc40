"""Patches that change places."""

import torch
from torch import Tensor

from unroll.study.corruptions.grid import at_random, cut, joined
from unroll.study.data import Split


def patch_shuffling(data: Split, share: float, generator: torch.Generator) -> Tensor:
    """Let a share of the patches, at least two, go round in a random ring: each takes the place of another.

    A ring, since a permutation drawn freely leaves some patches where they were. This is defined on every grid of two
    patches or more; shuffling the cells of a coarser grid is not, where seven patches make a side.
    """
    patches = cut(data)
    count = max(2, round(share * patches.shape[1]))
    places = at_random(patches, generator)[:, :count, None].expand(-1, -1, patches.shape[2])
    return joined(patches.scatter(1, places, patches.gather(1, places.roll(1, dims=1))), data)
