"""What all transformers of images have in common, whatever makes their tokens and whatever mixes them."""

from typing import Annotated

import torch
from torch import Tensor, nn

from unroll import validate


class ImageModel(nn.Module):
    """The base of transformers whose tokens are places of a grid: blocks, the mean of the tokens, a linear head.

    A subclass sets ``embed`` (images to an image of tokens), ``grid``, ``positions`` (or leaves them None), ``blocks``,
    ``norm`` and ``head``.

    Args:
        image_size: height and width in pixels.
        channels: 1 for grey, 3 for colour.
        mean: mean of the pixels of the training set.
        std: standard deviation of these pixels. Both make normalisation a part of the model, so that
            corruptions and attacks act on true pixels.

    Raises:
        ValueError: on sizes that are not whole numbers above zero, or a std that is not above zero.

    Example:
        >>> from unroll import ViT
        >>> model = ViT("softmax", image_size=(8, 8), patch=4, dim=16, depth=2, heads=2)
        >>> isinstance(model, ImageModel), [maps.shape[-2:] for maps in model.attention_maps(torch.rand(3, 1, 8, 8))]
        (True, [torch.Size([4, 4]), torch.Size([4, 4])])
    """

    grid: tuple[int, int]
    embed: nn.Module
    positions: Annotated[Tensor, "1 N C"] | None
    blocks: nn.ModuleList
    norm: nn.Module
    head: nn.Module

    def __init__(self, *, image_size: tuple[int, int], channels: int, mean: float, std: float) -> None:
        super().__init__()
        self.image_shape = (validate.count("channels", channels), *_pair("image_size", image_size))
        self.register_buffer("mean", torch.tensor(float(mean)))
        self.register_buffer("std", torch.tensor(float(validate.positive("std", std))))

    def tokens(self, images: Annotated[Tensor, "B channels height width"]) -> Annotated[Tensor, "B N C"]:
        """Return the tokens that enter the first block.

        Raises:
            ValueError: when the images do not have the size that the model was built for.
        """
        validate.shape("images", images, ("batch", *self.image_shape))
        tokens = self.embed((images - self.mean) / self.std).flatten(2).transpose(1, 2)
        return tokens if self.positions is None else tokens + self.positions

    def attention_inputs(self, images: Annotated[Tensor, "B channels height width"]) -> list[Tensor]:
        """Return what each attention layer sees, [B, N, C] a layer: for maps, traces and metrics."""
        x, carry, seen = self.tokens(images), None, []
        for block in self.blocks:
            seen.append(block.norm1(x))
            x, carry = block(x, carry)
        return seen

    def attention_maps(self, images: Annotated[Tensor, "B channels height width"]) -> list[Tensor]:
        """Return who hears whom in each layer, [B, H, N, N] a layer: what was carried from layer to layer counts."""
        x, carry, maps = self.tokens(images), None, []
        for block in self.blocks:
            maps += block.attention_maps(x, carry)
            x, carry = block(x, carry)
        return maps

    def forward(self, images: Annotated[Tensor, "B channels height width"]) -> Annotated[Tensor, "B classes"]:
        x, carry = self.tokens(images), None
        for block in self.blocks:
            x, carry = block(x, carry)
        return self.head(self.norm(x).mean(dim=1))


def _pair(name: str, value: tuple[int, int]) -> tuple[int, int]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"{name} must be (height, width), got {value!r}")
    height, width = value
    return validate.count(f"{name} height", height), validate.count(f"{name} width", width)
