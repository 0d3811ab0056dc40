"""Relative position bias: every head learns a number for each offset from query to key."""

from typing import Annotated

import torch
from torch import Tensor, nn

from unroll.attention.positional import PositionalAttention
from unroll.attention.registry import register
from unroll.attention.relative import grid_offsets


@register("relative-position-bias")
class RelativePositionBiasAttention(PositionalAttention):
    r"""Softmax attention whose logits get a learned bias that depends on the offset from query to key alone.

    .. math::
        A_{ij} = \mathrm{softmax}_j\bigl(q_i^\top k_j / \sqrt D + b_{y_j - y_i,\, x_j - x_i}\bigr), \qquad y = A V

    Every head has a table of (2 height - 1)(2 width - 1) numbers. The whole grid is one window.

    Args:
        dim: model width C.
        heads: number of heads H.
        grid: (height, width) of the tokens, which are its places row by row.

    Shapes: [B, N, C] to [B, N, C], N = height x width; cost grows with the square of N.

    Raises:
        ValueError: on bad settings at construction, or when x has the wrong shape or a mask comes.

    Source: Liu et al. 2021 (Swin Transformer), eq. 4.

    Example:
        >>> RelativePositionBiasAttention(64, 4, grid=(7, 7))(torch.randn(2, 49, 64)).shape
        torch.Size([2, 49, 64])
    """

    def __init__(self, dim: int, heads: int, *, grid: tuple[int, int]) -> None:
        super().__init__(dim, heads, grid=grid)
        rows, columns = self.grid
        vertical, horizontal = grid_offsets(self.grid)
        place = (vertical + rows - 1) * (2 * columns - 1) + horizontal + columns - 1
        self.register_buffer("place", place, persistent=False)
        table = torch.empty(heads, (2 * rows - 1) * (2 * columns - 1))
        self.table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))

    def bias(self) -> Annotated[Tensor, "H N N"]:
        """Return the table's entry for every pair of query and key."""
        return self.table.index_select(1, self.place.flatten()).unflatten(1, self.place.shape)
