"""Noise whose every draw comes from the caller's generator, for any number of channels."""

import torch
from torch import Tensor

from unroll.study.data import Split


def gaussian_noise(data: Split, std: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise and clip; pixels run from 0 to 1."""
    return (data.images + std * torch.randn(data.images.shape, generator=generator)).clamp(0, 1)


def impulse_noise(data: Split, share: float, generator: torch.Generator) -> Tensor:
    """Make a share of the numbers black or white, as often the one as the other."""
    draw = torch.rand(data.images.shape, generator=generator)
    return data.images.where(draw >= share, (draw < share / 2).float())
