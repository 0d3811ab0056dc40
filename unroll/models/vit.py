"""A small vision transformer that takes its attention by name."""

from collections.abc import Mapping

import torch
from torch import nn

from unroll import validate
from unroll.attention import create
from unroll.models.block import Block
from unroll.models.image_model import ImageModel


class ViT(ImageModel):
    """A vision transformer: patches, their positions, pre-norm blocks, the mean of the tokens, a linear head.

    There is no class token, so the tokens are exactly the grid of patches.

    Args:
        attention: a name known to ``unroll.attention.create``.
        options: further keyword arguments of that attention.
        image_size: height and width in pixels, each divisible by the patch.
        channels: 1 for grey, 3 for colour.
        classes: number of classes.
        patch: side of a square patch in pixels.
        dim: width C of the tokens.
        depth: number of blocks.
        heads: attention heads a block.
        mlp_ratio: hidden width of the Mlp as a multiple of ``dim``.
        positions: add a learned vector a place to the tokens. Without it places are told apart by an attention that
            knows of them, or not at all.
        mean: mean of the pixels of the training set.
        std: standard deviation of these pixels. Both make normalisation a part of the model, so that
            corruptions and attacks act on true pixels.

    Shapes: images [B, channels, height, width] with pixels from 0 to 1, to logits [B, classes].

    Raises:
        ValueError: on sizes that do not fit, at construction or at the call.

    Source: Dosovitskiy et al. 2021; mean pooling as in Beyer et al. 2022.

    Example:
        >>> ViT("vars-d", image_size=(28, 28))(torch.rand(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        attention: str,
        *,
        options: Mapping[str, object] | None = None,
        image_size: tuple[int, int],
        channels: int = 1,
        classes: int = 10,
        patch: int = 4,
        dim: int = 64,
        depth: int = 4,
        heads: int = 4,
        mlp_ratio: float = 2.0,
        positions: bool = True,
        mean: float = 0.0,
        std: float = 1.0,
    ) -> None:
        super().__init__(image_size=image_size, channels=channels, mean=mean, std=std)
        for name, value in {"classes": classes, "patch": patch, "dim": dim, "depth": depth}.items():
            validate.count(name, value)
        _, height, width = self.image_shape
        if height % patch or width % patch:
            raise ValueError(f"image_size must be divisible by patch = {patch}, got {image_size}")
        self.grid = (height // patch, width // patch)
        self.embed = nn.Conv2d(channels, dim, kernel_size=patch, stride=patch)
        places = self.grid[0] * self.grid[1]
        self.positions = nn.Parameter(0.02 * torch.randn(1, places, dim)) if positions else None
        layers = (
            create(attention, dim=dim, heads=heads, grid=self.grid, **(options or {})).at_depth(index, depth)
            for index in range(depth)
        )
        self.blocks = nn.ModuleList(Block(layer, mlp_ratio=mlp_ratio) for layer in layers)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)
