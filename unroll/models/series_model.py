"""What all transformers of time series have in common, whatever their blocks."""

from collections.abc import Iterable
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unroll import validate
from unroll.attention import RealFirst, hide_tokens


class SeriesModel(nn.Module):
    """An embedding of each time step, learned positions, blocks, and one linear map of all steps at once.

    Padding is no part of a series, wherever it stands: steps behind it move up, no statistic sees it, and its length
    changes nothing. Models differ in their blocks.

    Args:
        blocks: each takes tokens, carry and mask to tokens and carry.
        channels: numbers a time step.
        length: of the longest series.
        outputs: classes, or 1 for regression.
        dim: width C of the tokens.
        dropout: of the embedding and before the last map.
        masked: False pads every series to ``length`` and takes padding for time steps, as released code does.

    Raises:
        ValueError: when a size is not a whole number above zero, or dropout is not a share.

    Example:
        >>> from unroll.models import NormBlock
        >>> from unroll import create
        >>> blocks = [NormBlock(create("softmax", dim=16, heads=2), hidden=32)]
        >>> model = SeriesModel(blocks, channels=3, length=20, outputs=5, dim=16, dropout=0.1)
        >>> model(torch.randn(8, 12, 3)).shape
        torch.Size([8, 5])
    """

    def __init__(
        self,
        blocks: Iterable[nn.Module],
        *,
        channels: int,
        length: int,
        outputs: int,
        dim: int,
        dropout: float,
        masked: bool = True,
    ) -> None:
        super().__init__()
        for name, value in {"channels": channels, "length": length, "outputs": outputs, "dim": dim}.items():
            validate.count(name, value)
        self.channels, self.length, self.dim, self.masked = channels, length, dim, masked
        self.embed = nn.Linear(channels, dim)
        self.positions = nn.Parameter(torch.empty(length, dim).uniform_(-0.02, 0.02))
        self.dropout = nn.Dropout(validate.share("dropout", dropout))
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(length * dim, outputs)

    def forward(
        self, x: Annotated[Tensor, "B N channels"], mask: Annotated[Tensor, "B N"] | None = None
    ) -> Annotated[Tensor, "B outputs"]:
        """Return logits, or the regressed number; ``mask`` is True for real time steps.

        Raises:
            ValueError: when x has other channels or more steps than the model was made for, or the mask does not fit.
        """
        tokens, mask = self._embedded(x, mask)
        carry = None
        for block in self.blocks:
            tokens, carry = block(tokens, carry, mask)
        tokens = hide_tokens(self.dropout(F.gelu(tokens)), mask)
        return self.head(F.pad(tokens, (0, 0, 0, self.length - tokens.shape[1])).flatten(1))

    def attention_maps(
        self, x: Annotated[Tensor, "B N channels"], mask: Annotated[Tensor, "B N"] | None = None
    ) -> list[Annotated[Tensor, "B H N N"]]:
        """Return who hears whom in each layer of attention, none without one; real time steps stand first."""
        tokens, mask = self._embedded(x, mask)
        carry, maps = None, []
        for block in self.blocks:
            maps += block.attention_maps(tokens, carry, mask)
            tokens, carry = block(tokens, carry, mask)
        return maps

    def _embedded(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        validate.shape("x", x, ("batch", "steps", self.channels))
        if x.shape[1] > self.length:
            raise ValueError(f"x must have at most length = {self.length} steps, got {x.shape[1]}")
        if mask is not None:
            if mask.dtype != torch.bool:
                raise ValueError(f"mask must be boolean (True = a real time step), got {mask.dtype}")
            validate.shape("mask", mask, tuple(x.shape[:2]))
            if self.masked:
                real = RealFirst.of(mask)
                x, mask = real.sort(hide_tokens(x, mask)), real.mask
        if not self.masked:
            x, mask = F.pad(x, (0, 0, 0, self.length - x.shape[1])), None
        return self.dropout(self.embed(x) * self.dim**0.5 + self.positions[: x.shape[1]]), mask
