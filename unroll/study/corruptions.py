"""Corruptions of images at five severities, the same for every network that is compared."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from unroll import validate
from unroll.registry import Registry
from unroll.study.data import Split

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Condition:
    """One way to make images harder, at five severities.

    Attributes:
        apply: returns the changed images, [B, channels, height, width]; or several versions of all of them, one after
            the other, over which accuracy is then averaged.
        strengths: what severities 1 to 5 mean, growing.
        unit: what a strength is, for the axis of a figure.
        severities: which of the five a study looks at; fewer where that is dear, or more would make no sense.
    """

    apply: Callable[..., Tensor]
    strengths: tuple[float, float, float, float, float]
    unit: str
    severities: tuple[int, ...] = SEVERITIES


class Corruption(Condition):
    """The same for every network: ``apply`` takes a split, a strength and a generator."""


corruptions: Registry[Corruption] = Registry("corruption")


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
    images = corruption.apply(data, corruption.strengths[severity - 1], generator)
    return replace(data, images=images, labels=data.labels.repeat(len(images) // len(data)))


def gaussian_noise(data: Split, std: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise and clip; pixels run from 0 to 1."""
    return (data.images + std * torch.randn(data.images.shape, generator=generator)).clamp(0, 1)


def token_occlusion(data: Split, share: float, generator: torch.Generator) -> Tensor:
    """Blank a share of the patches, chosen at random for each image."""
    count, _, height, width = data.images.shape
    rows, columns = height // data.patch, width // data.patch
    blanked = round(share * rows * columns)
    rank = torch.rand(count, rows * columns, generator=generator).argsort(dim=1).argsort(dim=1)
    kept = (rank >= blanked).view(count, 1, rows, columns)
    return data.images * kept.repeat_interleave(data.patch, dim=2).repeat_interleave(data.patch, dim=3)


def shift(data: Split, pixels: int, generator: torch.Generator) -> Tensor:
    """Move each image in all eight directions, along an axis or a diagonal: eight versions; zeros come in."""
    height, width = data.images.shape[-2:]
    framed = F.pad(data.images, (pixels,) * 4)
    starts = [start for start in product((0, pixels, 2 * pixels), repeat=2) if start != (pixels, pixels)]
    return torch.cat([framed[..., top : top + height, left : left + width] for top, left in starts])


# The levels of ImageNet-C: Hendrycks and Dietterich 2019.
corruptions.register("gaussian noise")(
    Corruption(gaussian_noise, (0.08, 0.12, 0.18, 0.26, 0.38), "standard deviation (pixels run from 0 to 1)")
)
# Random PatchDrop: Naseer et al. 2021.
corruptions.register("token occlusion")(
    Corruption(token_occlusion, (0.1, 0.2, 0.4, 0.6, 0.8), "share of patches blanked")
)
# The default augmentation shifts an image of 28 pixels by up to two: from three on networks have not seen the like.
corruptions.register("shift")(Corruption(shift, (1, 2, 3, 4, 5), "shift (pixels), mean over eight directions"))
