"""Gated positional self-attention: each head learns how far to trust content, and how far a place beside the query."""

import math
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unroll import validate
from unroll.attention.base import Carry
from unroll.attention.positional import PositionalAttention
from unroll.attention.registry import register
from unroll.attention.relative import grid_offsets


@register("gated-positional")
class GatedPositionalAttention(PositionalAttention):
    r"""A map of content and a map of positions, mixed by a learned gate in every head.

    .. math::
        A_h = (1 - \sigma(g_h))\, \mathrm{softmax}(Q_h K_h^\top / \sqrt D) + \sigma(g_h)\, \mathrm{softmax}(P_h), \qquad
        P_{h, ij} = w_h^\top \bigl(\delta^x_{ij}, \delta^y_{ij}, \|\delta_{ij}\|^2\bigr)

    :math:`\delta_{ij}` is the offset from query i to key j, in places. Layers start as convolutions do: each head
    looks at one place of a square kernel around the query,

    .. math:: w_h = \alpha\, (2 \Delta^x_h, 2 \Delta^y_h, -1), \qquad g_h = 1, \qquad W_V = I

    since then :math:`P = -\alpha \|\delta - \Delta_h\|^2` up to a constant of the head. A kernel has as many places as
    there are heads when that is a square; otherwise heads take the places nearest to the middle of the next larger one.
    A constant that softmax cannot see is not among the weights.

    Args:
        dim: model width C.
        heads: number of heads H.
        locality: strength > 0 of the start, alpha; large ones start with a convolution of patches.
        grid: (height, width) of the tokens, which are its places row by row.

    Shapes: [B, N, C] to [B, N, C], N = height x width; cost grows with the square of N.

    Raises:
        ValueError: on bad settings at construction, or when x has the wrong shape or a mask comes.

    Source: d'Ascoli et al. 2021 (ConViT), eq. 5 and 7; facebookresearch/convit, whose heads beyond the largest square
        start at random, and whose queries, keys and values have no bias.

    Example:
        >>> layer = GatedPositionalAttention(36, 9, locality=10.0, grid=(3, 3))
        >>> layer.position_map()[:, 4].argmax(dim=-1)  # what the nine heads look at from the middle
        tensor([0, 1, 2, 3, 4, 5, 6, 7, 8])
    """

    def __init__(self, dim: int, heads: int, *, locality: float = 1.0, grid: tuple[int, int]) -> None:
        super().__init__(dim, heads, grid=grid)
        self.locality = validate.positive("locality", locality)
        vertical, horizontal = grid_offsets(self.grid)
        offsets = torch.stack([horizontal, vertical, horizontal**2 + vertical**2])
        self.register_buffer("offsets", offsets, persistent=False)
        self.position = nn.Parameter(locality * _convolution(heads))
        self.gate = nn.Parameter(torch.ones(heads))
        with torch.no_grad():
            nn.init.eye_(self.qkv.weight[-dim:])
            self.qkv.bias[-dim:].zero_()

    def position_map(self) -> Annotated[Tensor, "H N N"]:
        """Return where the heads look whatever they see: rows sum to 1."""
        return torch.einsum("hc,cij->hij", self.position, self.offsets.to(self.position.dtype)).softmax(dim=-1)

    def gates(self) -> Annotated[Tensor, "H 1 1"]:
        """Return the share of positions in each head's map, 0 to 1."""
        return self.gate.sigmoid()[:, None, None]

    def attend(self, x: Tensor, carry: Carry | None = None, mask: Tensor | None = None) -> tuple[Tensor, Carry | None]:
        q, k, v = self.project(x, mask)
        # A mixture of maps times values is the mixture of the products, so that content still goes through the kernel.
        content = F.scaled_dot_product_attention(q, k, v)
        position = torch.einsum("hij,bhjd->bhid", self.position_map(), v)
        return self.output(self.merge_heads(self._mix(content, position))), carry

    def attention_map(self, x: Tensor, mask: Tensor | None = None) -> Annotated[Tensor, "B H N N"]:
        return self._mix(super().attention_map(x, mask), self.position_map())

    def _mix(self, content: Tensor, position: Tensor) -> Tensor:
        return content + self.gates() * (position - content)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, locality={self.locality:g}"


def _convolution(heads: int) -> Annotated[Tensor, "H 3"]:
    """Return the weights, at strength 1, with which each head looks at one place of a square kernel."""
    side = math.isqrt(heads - 1) + 1
    along = torch.arange(side) - (side - 1) / 2
    centres = torch.cartesian_prod(along, along).flip(1)  # row by row, as (x, y)
    nearest = centres.square().sum(dim=1).argsort(stable=True)[:heads].sort().values
    return torch.cat([2 * centres[nearest], -torch.ones(heads, 1)], dim=1)
