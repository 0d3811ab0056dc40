"""Noise: every pixel for itself, in any number of channels."""

import torch
from torch import Tensor

from unroll.study.data import Split


def gaussian_noise(data: Split, std: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise and clip; pixels run from 0 to 1."""
    return (data.images + std * torch.randn(data.images.shape, generator=generator)).clamp(0, 1)


def shot_noise(images: Tensor, photons: float, generator: torch.Generator) -> Tensor:
    """Count the photons that come, at random, in place of the ``photons`` that a white pixel sends on average."""
    return torch.poisson(images * photons, generator=generator).div(photons).clamp(max=1)


def impulse_noise(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Make a share of the numbers black or white, as often the one as the other."""
    draw = torch.rand(images.shape, generator=generator)
    return images.where(draw >= share, (draw < share / 2).to(images))
