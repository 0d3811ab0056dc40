"""Positions that tokens read off their neighbours."""

from typing import Annotated

from torch import Tensor, nn


class ConditionalPositions(nn.Conv2d):
    """A 3 x 3 convolution of each channel of the tokens, which are the places of a grid; zeros lie around it.

    From the zeros a token learns where it is, so this encodes positions on any grid.

    Args:
        dim: width C of the tokens.
        grid: (height, width) of the tokens.

    Shapes: [B, N, C] to [B, N, C], N = height x width.

    Source: Chu et al. 2021 (conditional positional encodings).

    Example:
        >>> ConditionalPositions(64, (5, 7))(torch.randn(2, 35, 64)).shape
        torch.Size([2, 35, 64])
    """

    def __init__(self, dim: int, grid: tuple[int, int]) -> None:
        super().__init__(dim, dim, kernel_size=3, padding=1, groups=dim)
        self.grid = grid

    def forward(self, x: Annotated[Tensor, "B N C"]) -> Annotated[Tensor, "B N C"]:
        return super().forward(x.mT.unflatten(2, self.grid)).flatten(2).mT
