"""A few patches of a clean image that nature spoiled."""

import torch
from torch import Tensor

from unroll.study.corruptions.grid import at_random, cut, first, joined
from unroll.study.corruptions.noise import impulse_noise
from unroll.study.data import Split

IMPULSES = 0.27  # severity 5 of impulse noise in ImageNet-C, whatever the size: a patch has to be spoiled


def natural_patch(data: Split, count: int, generator: torch.Generator) -> Tensor:
    """Replace patches, chosen at random for each image, by those of the same image under strong impulse noise.

    Raises:
        ValueError: when the images have fewer patches.
    """
    patches = cut(data)
    if count > patches.shape[1]:
        raise ValueError(f"natural patch spoils {count} patches at this severity, the images have {patches.shape[1]}")
    spoiled = impulse_noise(data.images, IMPULSES, generator)
    chosen = first(at_random(patches, generator), count)
    noisy = cut(Split(spoiled, data.labels, data.patch))
    return joined(noisy.where(chosen, patches), data)
