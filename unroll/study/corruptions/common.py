"""What the common corruptions share: levels that go with the size of an image, and what images they take."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unroll.study.data import Split

SMALL = 64  # pixels
SMALLEST = 4  # pixels: three points of an elastic transform have to lie apart
_TOGETHER = 250  # images: bounds what lies in memory beside the images themselves

Levels = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Common:
    """A corruption with the levels of CIFAR-10-C for small images and those of ImageNet-C for the rest.

    Lengths are in pixels, whatever the size: those of ImageNet-C, for images of 224 pixels, blot out an image of 28,
    and those of CIFAR-10-C, for 32 pixels, hardly show in one of 224. An image is small when its smaller side has
    fewer than 64 pixels, twice the side that CIFAR-10-C is made for.

    Attributes:
        change: of images [B, channels, height, width], the numbers of a level, and a generator.
        cifar: severities 1 to 5 of CIFAR-10-C.
        imagenet: severities 1 to 5 of ImageNet-C.
    """

    change: Callable[..., Tensor]
    cifar: Levels
    imagenet: Levels

    def __call__(self, data: Split, severity: int, generator: torch.Generator) -> Tensor:
        """Corrupt images of one channel or three whose pixels run from 0 to 1.

        Raises:
            ValueError: when images have neither one nor three channels, are smaller than 4 x 4 pixels, or hold numbers
                that do not lie between 0 and 1.
        """
        _check(data.images)
        levels = self.cifar if min(data.images.shape[2:]) < SMALL else self.imagenet
        parts = data.images.cpu().split(_TOGETHER)
        changed = [self.change(part, *levels[severity - 1], generator) for part in parts]
        return torch.cat(changed).to(data.images)


def _check(images: Tensor) -> None:
    channels, height, width = images.shape[1:]
    if channels not in (1, 3):
        raise ValueError(f"common corruptions need images of one channel or three, got {channels}")
    if min(height, width) < SMALLEST:
        raise ValueError(f"common corruptions need {SMALLEST} x {SMALLEST} pixels or more, got {height} x {width}")
    low, high = images.min().item(), images.max().item()
    if not 0 <= low <= high <= 1:
        raise ValueError(f"common corruptions need pixels between 0 and 1, got {low:.3g} to {high:.3g}")
