"""Corruptions of images at five severities, the same for every network that is compared."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from unroll import validate
from unroll.registry import Registry
from unroll.study.data import Split

Corruption = Callable[[Split, int, torch.Generator], Tensor]

corruptions: Registry[Corruption] = Registry("corruption")

SEVERITIES = (1, 2, 3, 4, 5)
NOISE_STD = (0.08, 0.12, 0.18, 0.26, 0.38)
OCCLUDED_SHARE = (0.1, 0.2, 0.4, 0.6, 0.8)


@corruptions.register("gaussian noise")
def gaussian_noise(data: Split, severity: int, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise of standard deviation 0.08 to 0.38 (pixels run from 0 to 1) and clip.

    Source: the levels of ImageNet-C, Hendrycks and Dietterich 2019.
    """
    noise = torch.randn(data.images.shape, generator=generator)
    return (data.images + NOISE_STD[severity - 1] * noise).clamp(0, 1)


@corruptions.register("token occlusion")
def token_occlusion(data: Split, severity: int, generator: torch.Generator) -> Tensor:
    """Blank 10, 20, 40, 60 or 80 % of the patches, chosen at random for each image.

    Source: Naseer et al. 2021 (random PatchDrop).
    """
    count, _, height, width = data.images.shape
    rows, columns = height // data.patch, width // data.patch
    blanked = round(OCCLUDED_SHARE[severity - 1] * rows * columns)
    rank = torch.rand(count, rows * columns, generator=generator).argsort(dim=1).argsort(dim=1)
    kept = (rank >= blanked).view(count, 1, rows, columns)
    pixels = kept.repeat_interleave(data.patch, dim=2).repeat_interleave(data.patch, dim=3)
    return data.images * pixels


def corrupt(data: Split, name: str, severity: int, *, seed: int = 0) -> Split:
    """Return a corrupted copy of a split; seed, name and severity decide every pixel.

    Raises:
        ValueError: on an unknown corruption, or a severity that is not 1 to 5.

    Example:
        >>> from unroll.study.data import load
        >>> noisy = corrupt(load("digits").test, "gaussian noise", severity=3)
        >>> noisy.images.shape
        torch.Size([450, 1, 8, 8])
    """
    corruption = corruptions[name]
    if severity not in SEVERITIES:
        raise ValueError(f"severity must be one of {SEVERITIES}, got {severity!r}")
    validate.count("seed", seed, low=0)
    generator = torch.Generator().manual_seed(1000 * seed + 10 * corruptions.names().index(name) + severity)
    return replace(data, images=corruption(data, severity, generator))
