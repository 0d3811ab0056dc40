"""Augmentation of natural images: mirrored, and moved by whole pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from unroll import validate
from unroll.study.augment import Augmentation


@dataclass(frozen=True)
class RandomCropFlip(Augmentation):
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

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return whether each of so many images is mirrored, and its moves down and right, [3, count]."""
        mirrored = torch.rand(1, count, generator=generator) < self.flip
        return torch.cat([mirrored.long(), torch.randint(2 * self.padding + 1, (2, count), generator=generator)])

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """Return copies of images [B, channels, height, width] that are changed as ``draws`` [3, B] say."""
        batch, _, height, width = images.shape
        mirrored, down, right = draws[:, :, None].to(images.device)
        turned = images.where(mirrored[:, :, None, None] == 0, images.flip(-1))
        framed = F.pad(turned, (self.padding,) * 4)
        samples, over, across = (torch.arange(size, device=images.device) for size in (batch, height, width))
        rows, columns = (down + over)[:, :, None], (right + across)[:, None, :]
        # Indices on both sides of the slice put the channels last.
        return framed[samples[:, None, None], :, rows, columns].permute(0, 3, 1, 2)
