"""Crops of a photograph in noise, for networks that clean whole images."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from unroll import validate
from unroll.study.photographs import photograph
from unroll.study.recovery.natural import CHOSEN_ON, LEARNED_FROM, learn_dictionary, photograph_patches
from unroll.study.recovery.sensing import Pairs, Sensing

KERNELS = 31  # and one of even grey
MOST = 1_000  # crops at a time: their codes take a megabyte each over all layers


@dataclass(frozen=True, eq=False)
class Crops(Sensing):
    """Square crops of the photograph "flower" in Gaussian noise; those of "china" are kept for judging.

    Grey levels run from 0 to 1, less 0.5.

    Args:
        dictionary: [side * side, n], patches as columns, which a convolutional network sets out from.
        noise: standard deviation.
        size: pixels along a crop.

    Raises:
        ValueError: when the noise is negative or the size is larger than a stripe of the photograph.
    """

    dictionary: Annotated[Tensor, "p n"]
    noise: float = 0.1
    size: int = 32

    def __post_init__(self) -> None:
        validate.at_least("noise", self.noise, 0)
        if validate.count("size", self.size) > 40:
            raise ValueError(f"size must be at most 40, the width of a stripe, got {self.size}")

    def draw(self, count: int, generator: torch.Generator) -> Pairs:
        return self._crops(photograph("flower"), LEARNED_FROM, count, generator)

    def held_out(self, count: int, generator: torch.Generator) -> Pairs:
        return self._crops(photograph("flower"), CHOSEN_ON, min(count, MOST // 10), generator)

    def fresh(self, count: int, generator: torch.Generator) -> Pairs:
        image = photograph("china")
        return self._crops(image, ((0, image.shape[1]),), min(count, MOST), generator)

    def readout(self, codes: Tensor) -> Tensor:
        """Return what the network returns: it rebuilds the image itself."""
        return codes

    def to_dict(self) -> dict[str, object]:
        return {"noise": self.noise, "size": self.size}

    def see(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return images in noise."""
        return images + self.noise * torch.randn(images.shape, generator=generator)

    def _crops(
        self, image: Tensor, stripes: tuple[tuple[int, int], ...], count: int, generator: torch.Generator
    ) -> Pairs:
        validate.count("count", count)
        tops = torch.randint(image.shape[0] - self.size + 1, (count,), generator=generator).tolist()
        lefts = [
            left + int(torch.randint(right - left - self.size + 1, (), generator=generator))
            for left, right in (stripes[k] for k in torch.randint(len(stripes), (count,), generator=generator).tolist())
        ]
        crops = [image[top : top + self.size, left : left + self.size] for top, left in zip(tops, lefts, strict=True)]
        targets = torch.stack(crops)[:, None] - 0.5
        return targets, self.see(targets, generator)


def photograph_crops() -> Crops:
    """Return crops, with a small dictionary of their own and one patch of even grey."""
    atoms = learn_dictionary(photograph_patches("denoising").learned_from[:5_000], KERNELS, weight=1.0, rounds=20)
    return Crops(F.normalize(torch.cat([atoms, torch.ones_like(atoms[:, :1])], dim=1), dim=0))
