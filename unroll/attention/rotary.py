"""Rotary positions on a grid: queries and keys are turned by angles that grow with their row and their column."""

from typing import Annotated

import torch
from torch import Tensor

from unroll import validate
from unroll.attention.positional import PositionalAttention
from unroll.attention.registry import register


@register("rotary")
class RotaryAttention(PositionalAttention):
    r"""Softmax attention with axial rotary position embedding: logits depend on content and offset, without a weight.

    .. math::
        A_{ij} = \mathrm{softmax}_j\bigl(q_i^\top R_i^\top R_j k_j / \sqrt D\bigr), \qquad
        R_i^\top R_j = R_{(y_j - y_i,\, x_j - x_i)}, \qquad \theta_t = \mathrm{base}^{-4 t / D}

    R turns pairs of neighbouring channels: in the first half of a head, pair t = 0, ..., D/4 - 1 by the angle
    :math:`y\,\theta_t`, in the second by :math:`x\,\theta_t`, in radians, y and x counted in places.

    Args:
        dim: model width C.
        heads: number of heads H; their width D is divisible by 4.
        base: > 0, how much slower the last pair of channels turns than the first, about; 100 as for images of
            14 x 14 patches.
        grid: (height, width) of the tokens, which are its places row by row.

    Shapes: [B, N, C] to [B, N, C], N = height x width; cost grows with the square of N.

    Raises:
        ValueError: on bad settings at construction, or when x has the wrong shape or a mask comes.

    Source: Su et al. 2021 (RoFormer); Heo et al. 2024 (Rotary Position Embedding for Vision Transformer), and
        naver-ai/rope-vit, ``compute_axial_cis``, which has columns first.

    Example:
        >>> RotaryAttention(64, 4, grid=(7, 7))(torch.randn(2, 49, 64)).shape
        torch.Size([2, 49, 64])
    """

    def __init__(self, dim: int, heads: int, *, base: float = 100.0, grid: tuple[int, int]) -> None:
        super().__init__(dim, heads, grid=grid)
        if self.head_dim % 4:
            raise ValueError(
                f"dim must give heads whose width is divisible by 4, to turn pairs of channels by row and by column, "
                f"got dim / heads = {self.head_dim}"
            )
        self.base = validate.positive("base", base)

    def project(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return turned queries, turned keys, and values."""
        q, k, v = super().project(x, mask)
        angles = self.angles(q)
        cos, sin = angles.cos().to(q.dtype), angles.sin().to(q.dtype)
        return _turned(q, cos, sin), _turned(k, cos, sin), v

    def angles(self, like: Tensor) -> Annotated[Tensor, "N D/2"]:
        """Return by how much the pairs of channels are turned at each place, in radians, where a tensor is."""
        # bfloat16 cannot count to 300.
        kind = {"dtype": torch.promote_types(like.dtype, torch.float32), "device": like.device}
        count, (rows, columns) = self.head_dim // 4, self.grid
        speeds = self.base ** (-torch.arange(count, **kind) / count)
        vertical = torch.arange(rows, **kind)[:, None, None] * speeds
        horizontal = torch.arange(columns, **kind)[:, None] * speeds
        sides = (side.expand(rows, columns, count) for side in (vertical, horizontal))
        return torch.cat([*sides], dim=-1).flatten(0, 1)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, base={self.base:g}"


def _turned(x: Annotated[Tensor, "B H N D"], cos: Tensor, sin: Tensor) -> Annotated[Tensor, "B H N D"]:
    left, right = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([left * cos - right * sin, left * sin + right * cos], dim=-1).flatten(-2)
