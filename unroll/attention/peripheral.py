"""Peripheral attention: heads learn to divide the field of view around each query into regions."""

from typing import Annotated, Literal, Self

from torch import Tensor, nn

from unroll import validate
from unroll.attention.base import Attention, Carry, Traits
from unroll.attention.biased import biased_attention
from unroll.attention.distance_projection import DistanceProjection
from unroll.attention.kept import Kept
from unroll.attention.position_network import PositionNetwork
from unroll.attention.registry import register

SIDES = {"layers": 1, "peripheral": 3}


@register("peripheral")
class PeripheralAttention(Attention):
    r"""Multi-head peripheral attention: content times a learned function of the distance.

    .. math::
        A_{ij} = \frac{P_{ij} \exp(S_{ij})}{\sum_k P_{ik} \exp(S_{ik})}, \qquad
        S = Q K^\top / \sqrt D, \qquad y = A V

    That is softmax attention whose logits have the bias log P. P does not depend on the tokens; while no gradient is
    asked of it, it is computed once and kept (see :class:`Kept`).

    Args:
        dim: model width C.
        heads: number of heads H.
        projection: what P is made of: "distance", one linear map of the distance; "layers", a network of the distance
            alone; "peripheral", a network of the distances around each key.
        symmetric: start with hidden channels that are all alike, and remain so; False when None (True as published).
        grid: (height, width) of the tokens.
        published: the released arithmetic: queries, keys and values have no bias, and the network has biases without
            effect, to which no gradient comes.

    Shapes: [B, N, C] to [B, N, C], N = height x width; cost grows with the square of N.

    Raises:
        ValueError: on bad settings at construction, or when x has the wrong shape or a mask is given.

    Source: Min et al. 2022 (Peripheral Vision Transformer); released code juhongm999/pervit, ``pervit.py``.

    Example:
        >>> PeripheralAttention(64, 4, grid=(7, 7))(torch.randn(2, 49, 64)).shape
        torch.Size([2, 49, 64])
    """

    traits = Traits(needs_grid=True, exact_gradient=True, compilable=True)

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        projection: Literal["distance", "layers", "peripheral"] = "peripheral",
        symmetric: bool | None = None,
        grid: tuple[int, int],
        published: bool = False,
    ) -> None:
        super().__init__(dim, heads, grid=grid)
        symmetric = published if symmetric is None else symmetric
        self.qkv = nn.Linear(dim, 3 * dim, bias=not published)
        if validate.choice("projection", projection, ("distance", *SIDES)) == "distance":
            self.position = DistanceProjection(heads, self.grid, symmetric=symmetric)
        else:
            self.position = PositionNetwork(
                heads, self.grid, side=SIDES[projection], symmetric=symmetric, published=published
            )
        self.output = nn.Linear(dim, dim)
        self._kept = Kept()

    def at_depth(self, layer: int, depth: int) -> Self:
        self.position.start(layer / max(depth - 1, 1))
        return self

    def attend(self, x: Tensor, carry: Carry | None = None, mask: Tensor | None = None) -> tuple[Tensor, Carry | None]:
        x = self.check_input(x, mask)
        q, k, v = (self.split_heads(part) for part in self.qkv(x).chunk(3, dim=-1))
        return self.output(self.merge_heads(biased_attention(q, k, v, self.log_position()))), carry

    def attention_map(self, x: Tensor, mask: Tensor | None = None) -> Annotated[Tensor, "B H N N"]:
        """Return the mixed map A; rows sum to 1."""
        logits = self._content_logits(x, mask)
        return (logits + self.log_position().to(logits.dtype)).softmax(dim=-1)

    def content_map(self, x: Annotated[Tensor, "B N C"]) -> Annotated[Tensor, "B H N N"]:
        """Return the map of the content alone, softmax(S)."""
        return self._content_logits(x, None).softmax(dim=-1)

    def position_map(self) -> Annotated[Tensor, "H N N"]:
        """Return P itself: what each place weighs for each query, between 0 and 1, whatever the tokens are."""
        return self.log_position().exp()

    def log_position(self) -> Annotated[Tensor, "H N N"]:
        """Return log P, the bias of the logits."""
        return self._kept.output(self.position)

    def train(self, mode: bool = True) -> Self:
        self._kept.forget()
        return super().train(mode)

    def _content_logits(self, x: Tensor, mask: Tensor | None) -> Annotated[Tensor, "B H N N"]:
        x = self.check_input(x, mask)
        q, k, _ = (self.split_heads(part) for part in self.qkv(x).chunk(3, dim=-1))
        return q @ k.mT * self.head_dim**-0.5
