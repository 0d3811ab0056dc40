"""Patches blanked: at random, the richest in contrast first, or the poorest first."""

import torch
from torch import Tensor

from unroll.study.corruptions.grid import at_random, cut, first, joined
from unroll.study.data import Split


def token_occlusion(data: Split, share: float, generator: torch.Generator) -> Tensor:
    """Blank a share of the patches, chosen at random for each image."""
    patches = cut(data)
    return _blanked(data, patches, at_random(patches, generator), share)


def salient_occlusion(data: Split, share: float, generator: torch.Generator) -> Tensor:
    """Blank a share of the patches, those of the highest contrast first."""
    return _by_contrast(data, share, generator, descending=True)


def non_salient_occlusion(data: Split, share: float, generator: torch.Generator) -> Tensor:
    """Blank a share of the patches, those of the lowest contrast first."""
    return _by_contrast(data, share, generator, descending=False)


def _by_contrast(data: Split, share: float, generator: torch.Generator, *, descending: bool) -> Tensor:
    """Contrast is the standard deviation of a patch's pixels; equals, as empty patches are, come in random order."""
    patches = cut(data)
    drawn = at_random(patches, generator)
    # Within each channel, or an even patch of one colour would be rich in contrast.
    contrast = patches.unflatten(2, (data.images.shape[1], -1)).var(dim=-1, correction=0).mean(dim=-1).sqrt()
    ranked = contrast.gather(1, drawn).argsort(dim=1, descending=descending, stable=True)
    return _blanked(data, patches, drawn.gather(1, ranked), share)


def _blanked(data: Split, patches: Tensor, order: Tensor, share: float) -> Tensor:
    return joined(patches * ~first(order, round(share * patches.shape[1])), data)
