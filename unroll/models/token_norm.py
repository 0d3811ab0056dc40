"""Batch norm of tokens, of the real ones only."""

from typing import Annotated

import torch
from torch import Tensor, nn


class TokenNorm(nn.BatchNorm1d):
    """Batch norm of channels that stand last; padding is zero afterwards, and counts in no mean and no variance.

    Shapes: [B, N, C] and a mask [B, N], True for real tokens, to [B, N, C].

    Source: Ioffe and Szegedy 2015; over samples and time steps as in Zerveas et al. 2021.

    Example:
        >>> TokenNorm(8)(torch.randn(2, 5, 8)).shape
        torch.Size([2, 5, 8])
    """

    def forward(
        self, x: Annotated[Tensor, "B N C"], mask: Annotated[Tensor, "B N"] | None = None
    ) -> Annotated[Tensor, "B N C"]:
        if mask is None:
            return super().forward(x.flatten(0, 1)).view_as(x)
        normed = torch.zeros_like(x)
        normed[mask] = super().forward(x[mask])
        return normed
