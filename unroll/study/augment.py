"""Light augmentation: small shifts, turns and changes of size, drawn anew for every image of every batch."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from unroll import validate


class Augmentation(ABC):
    """Changes at random: what is drawn and what it does are apart, so that processes draw alike and share the work."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return changed copies of images [B, channels, height, width]; the generator is on the CPU."""
        return self.apply(images, self.draw(len(images), generator))

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return what changes each of so many images, [draws an image, count], on the CPU."""

    @abstractmethod
    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """Return copies of images [B, channels, height, width] that are changed as ``draws`` say."""


@dataclass(frozen=True)
class RandomAffine(Augmentation):
    """Shift, turn and scale each image at random, bilinearly, with zeros outside.

    Args:
        shift: largest shift along each axis, as a share of the image's side, 0 to 1.
        degrees: largest turn, in degrees.
        scale: largest relative change of size, 0 to 1.

    Raises:
        ValueError: when a setting is negative, or shift or scale is above 1.

    Example:
        >>> RandomAffine(shift=0.1)(torch.rand(8, 1, 28, 28), torch.Generator().manual_seed(0)).shape
        torch.Size([8, 1, 28, 28])
    """

    shift: float = 0.07
    degrees: float = 15.0
    scale: float = 0.15

    def __post_init__(self) -> None:
        validate.share("shift", self.shift)
        validate.at_least("degrees", self.degrees, 0)
        validate.share("scale", self.scale)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return what changes each of so many images: turn, zoom and shifts, [4, count], from 0 to 1."""
        return torch.rand(4, count, generator=generator) if self._changes else torch.zeros(4, count)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """Return copies of images [B, channels, height, width] that are changed as ``draws`` [4, B] say."""
        if not self._changes:
            return images
        draws = draws.to(images).mul(2).sub(1)
        turn = draws[0] * math.radians(self.degrees)
        zoom = 1 + draws[1] * self.scale
        down, right = 2 * self.shift * draws[2], 2 * self.shift * draws[3]  # affine_grid counts in half sides
        cos, sin = turn.cos() / zoom, turn.sin() / zoom
        rows = [torch.stack([cos, -sin, right], dim=1), torch.stack([sin, cos, down], dim=1)]
        grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, align_corners=False)

    @property
    def _changes(self) -> bool:
        return self != RandomAffine(0, 0, 0)
