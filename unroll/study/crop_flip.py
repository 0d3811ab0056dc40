"""Augmentation of natural images: mirrored, and moved by whole pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from unroll import validate


@dataclass(frozen=True)
class RandomCropFlip:
    """Mirror each image left to right at random, frame it with zeros, and cut a piece of its own size out of that.

    Args:
        padding: width of the frame, and so the longest way that an image moves along an axis, in pixels.
        flip: share of the images that are mirrored, 0 to 1.

    Raises:
        ValueError: when padding is not a whole number of zero or more, or flip not a share.

    Example:
        >>> augment = RandomCropFlip(padding=4)
        >>> augment(torch.rand(8, 3, 32, 32), torch.Generator().manual_seed(0)).shape
        torch.Size([8, 3, 32, 32])

    Source: He, Zhang, Ren and Sun 2016, for CIFAR-10.
    """

    padding: int = 4
    flip: float = 0.5

    def __post_init__(self) -> None:
        validate.count("padding", self.padding, low=0)
        validate.share("flip", self.flip)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return changed copies of images [B, channels, height, width]; the generator is on the CPU."""
        batch, _, height, width = images.shape
        mirrored = torch.rand(batch, generator=generator) < self.flip
        down, right = torch.randint(2 * self.padding + 1, (2, batch, 1), generator=generator)
        turned = images.where(~mirrored.to(images.device)[:, None, None, None], images.flip(-1))
        framed = F.pad(turned, (self.padding,) * 4)
        samples = torch.arange(batch)[:, None, None]
        rows, columns = (down + torch.arange(height))[:, :, None], (right + torch.arange(width))[:, None, :]
        # Indices on both sides of the slice put the channels last.
        return framed[samples, :, rows, columns].permute(0, 3, 1, 2)
